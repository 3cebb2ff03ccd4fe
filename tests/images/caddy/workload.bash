traffic() {
    curl --silent "http://$HOST:$PORT/"
    curl --silent "http://$HOST:$PORT/loop/"
    curl --silent --compressed "http://$HOST:$PORT/" | wc -c
    curl --silent --range 0-9 "http://$HOST:$PORT/"
    http_load "http://$HOST:$PORT/"
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    http_status "http://$HOST:$PORT/private"
}

# The server is told to reload by its own program, which talks to it on the loopback interface.
reload() {
    exit_code_of inside caddy reload --force --config /etc/caddy/Caddyfile --adapter caddyfile
    http_status "http://$HOST:$PORT/"
}

shell() {
    inside caddy list-modules | grep -c http.handlers.file_server
    exit_code_of inside caddy not-a-command
}
