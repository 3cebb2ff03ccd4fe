traffic() {
    for page in '' digest solve file process name tasks collect; do
        curl --silent "http://$HOST:$PORT/$page"
    done
    http_load "http://$HOST:$PORT/" 300
}

failure() {
    http_status "http://$HOST:$PORT/nothing"
    http_status "http://$HOST:$PORT/fail"
}

reload() {
    http_status "http://$HOST:$PORT/collect"
}

shell() {
    inside julia -e 'println("inside")'
    exit_code_of inside julia -e 'exit(7)'
}
