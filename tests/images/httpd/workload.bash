traffic() {
    curl --silent "http://$HOST:$PORT/"
    curl --silent --range 0-9 "http://$HOST:$PORT/index.html"
    http_status "http://$HOST:$PORT/moved"
    curl --silent --compressed "http://$HOST:$PORT/" | wc -c
    curl --silent "http://$HOST:$PORT/status?auto" | grep -c '^Total Accesses' || true
    http_load "http://$HOST:$PORT/"
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    http_status "http://$HOST:$PORT/private/"
    http_status --request BREW "http://$HOST:$PORT/"
}

reload() {
    signal USR1
    sleep 1
    http_status "http://$HOST:$PORT/"
    signal HUP
    sleep 1.5
    until_true curl --silent --fail "http://$HOST:$PORT/"
    http_status "http://$HOST:$PORT/"
}
