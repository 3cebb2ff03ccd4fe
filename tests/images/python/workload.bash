traffic() {
    local path
    for path in '' articles solve sum digest picture process; do
        curl --silent "http://$HOST:$PORT/$path"
    done
    http_status --data 'name=nut&price=300' "http://$HOST:$PORT/articles"
    for path in {1..40}; do http_status "http://$HOST:$PORT/articles"; done | sort | uniq -c
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    http_status "http://$HOST:$PORT/broken"
    http_status "http://$HOST:$PORT/remote"
    http_status --data 'name=nut' "http://$HOST:$PORT/articles"
}

reload() {
    signal HUP
    sleep 1
    until_true curl --silent --fail "http://$HOST:$PORT/"
    signal TTIN
    sleep 1
    http_status "http://$HOST:$PORT/articles"
    signal TTOU
}
