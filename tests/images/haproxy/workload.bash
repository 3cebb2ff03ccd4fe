traffic() {
    curl --silent "http://$HOST:$PORT/"
    until_true curl --silent --fail "http://$HOST:$PORT/loop"
    curl --silent "http://$HOST:$PORT/loop"
    curl --silent "http://$HOST:$PORT/stats;csv" | grep -c '^itself,self'
    http_load "http://$HOST:$PORT/"
    http_load "http://$HOST:$PORT/loop" 500
}

failure() {
    http_status "http://$HOST:$PORT/private"
    http_status "http://$HOST:$PORT/unreachable"
    http_status --request 'BREW COFFEE' "http://$HOST:$PORT/"
}

reload() {
    signal USR2
    sleep 1.5
    until_true curl --silent --fail "http://$HOST:$PORT/"
    http_status "http://$HOST:$PORT/"
}
