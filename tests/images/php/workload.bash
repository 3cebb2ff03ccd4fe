traffic() {
    local path
    for path in '' articles digest user picture letters; do
        curl --silent "http://$HOST:$PORT/$path"
    done
    http_load "http://$HOST:$PORT/" 500
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    http_status "http://$HOST:$PORT/broken"
    http_status "http://$HOST:$PORT/remote"
}

reload() {
    signal HUP
    sleep 1
    until_true curl --silent --fail "http://$HOST:$PORT/"
    http_status "http://$HOST:$PORT/articles"
}
