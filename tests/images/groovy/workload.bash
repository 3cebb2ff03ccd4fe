traffic() {
    for page in '' json digest file process name threads collect; do
        curl --silent "http://$HOST:$PORT/$page"
    done
    http_load "http://$HOST:$PORT/json" 500
}

failure() {
    http_status "http://$HOST:$PORT/nothing"
    http_status "http://$HOST:$PORT/fail"
}

# A thread dump on its output.
reload() {
    signal QUIT
    sleep 0.5
    http_status "http://$HOST:$PORT/"
}
