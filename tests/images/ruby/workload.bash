traffic() {
    local path
    for path in '' articles digest title; do
        curl --silent "http://$HOST:$PORT/$path"
    done
    http_load "http://$HOST:$PORT/" 500
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    http_status "http://$HOST:$PORT/broken"
    curl --silent "http://$HOST:$PORT/remote"
}

reload() {
    signal USR1
    sleep 3
    until_true curl --silent --fail "http://$HOST:$PORT/"
    http_status "http://$HOST:$PORT/articles"
}
