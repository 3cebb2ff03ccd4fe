traffic() {
    curl --silent "http://$HOST:$PORT/"
    curl --silent --compressed "http://$HOST:$PORT/index.html" | wc -c
    curl --silent --range 0-9 "http://$HOST:$PORT/index.html"
    curl --silent "http://$HOST:$PORT/status" | grep -c 'Active connections'
    http_load "http://$HOST:$PORT/"
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    http_status "http://$HOST:$PORT/private/"
    http_status --request BREW "http://$HOST:$PORT/"
}

reload() {
    signal HUP
    sleep 1
    http_status "http://$HOST:$PORT/"
    signal USR1
    sleep 0.2
    http_status "http://$HOST:$PORT/"
}
