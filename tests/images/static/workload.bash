traffic() {
    curl --silent "http://$HOST:$PORT/"
    curl --silent "http://$HOST:$PORT/greeting.txt"
    curl --silent --range 1-2 "http://$HOST:$PORT/greeting.txt"
    http_load "http://$HOST:$PORT/" 300
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    http_status --request BREW "http://$HOST:$PORT/"
}

# The first process forwards it; the server rereads its configuration.
reload() {
    signal HUP
    sleep 0.5
    http_status "http://$HOST:$PORT/"
}

shell() {
    inside /bin/busybox echo hello
    inside /bin/busybox ls /srv/www
    exit_code_of inside /bin/busybox false
}
