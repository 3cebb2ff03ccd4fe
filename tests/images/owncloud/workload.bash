traffic() {
    seq 20000 | http_status --upload-file - "http://$HOST:$PORT/numbers"
    echo short | http_status --upload-file - "http://$HOST:$PORT/short"
    curl --silent "http://$HOST:$PORT/"
    curl --silent "http://$HOST:$PORT/numbers" | sha256sum
    http_status --request DELETE "http://$HOST:$PORT/short"
    curl --silent --location "http://$HOST:$PORT/adminer/adminer.php" | grep -o '<title>[^<]*' | head -n 1
    http_load "http://$HOST:$PORT/numbers" 200
    http_status --request DELETE "http://$HOST:$PORT/numbers"
}

failure() {
    http_status "http://$HOST:$PORT/nothing"
    http_status --request DELETE "http://$HOST:$PORT/nothing"
    http_status --data 'auth[driver]=server&auth[server]=127.0.0.1&auth[username]=x&auth[password]=y' "http://$HOST:$PORT/adminer/adminer.php"
}

reload() {
    signal USR1
    sleep 1
    ready
    http_status "http://$HOST:$PORT/"
}
