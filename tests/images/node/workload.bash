traffic() {
    local path
    for path in '' articles digest sum packed; do
        curl --silent "http://$HOST:$PORT/$path"
    done
    http_load "http://$HOST:$PORT/" 1000
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    http_status "http://$HOST:$PORT/broken"
    http_status --request BREW "http://$HOST:$PORT/"
}

reload() {
    signal HUP
    sleep 1
    curl --silent "http://$HOST:$PORT/articles"
}
