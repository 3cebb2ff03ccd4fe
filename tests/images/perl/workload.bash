traffic() {
    for page in '' digest json note fork file name; do
        curl --silent "http://$HOST:$PORT/$page"
    done
    http_load "http://$HOST:$PORT/note" 300
}

failure() {
    http_status "http://$HOST:$PORT/nothing"
    http_status "http://$HOST:$PORT/die"
    http_status --request BREW "http://$HOST:$PORT/nothing"
}

reload() {
    signal HUP
    sleep 1
    until_true curl --silent --fail "http://$HOST:$PORT/"
    curl --silent "http://$HOST:$PORT/"
}

shell() {
    inside perl -e 'print "inside\n"'
    exit_code_of inside perl -e 'exit 7'
}
