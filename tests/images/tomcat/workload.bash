traffic() {
    curl --silent "http://$HOST:$PORT/"
    curl --silent "http://$HOST:$PORT/digest.jsp" | grep .
    curl --silent --compressed "http://$HOST:$PORT/" | wc -c
    http_load "http://$HOST:$PORT/" 1000
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    http_status "http://$HOST:$PORT/broken.jsp"
    http_status --request BREW "http://$HOST:$PORT/"
}

reload() {
    # The virtual machine answers this signal with the stacks of its threads.
    signal QUIT
    sleep 1
    http_status "http://$HOST:$PORT/"
}
