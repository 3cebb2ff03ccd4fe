traffic() {
    curl --silent "http://$HOST:$PORT/"
    curl --silent "http://$HOST:$PORT/cgi-bin/time.cgi?asked"
    inside cat /srv/state/sums
    inside rm -f /srv/state/counted
    local deadline=$((SECONDS + 90))
    until inside test -s /srv/state/counted || [ "$SECONDS" -ge "$deadline" ]; do sleep 1; done
    inside cat /srv/state/counted
    http_load "http://$HOST:$PORT/" 500
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    http_status --request BREW "http://$HOST:$PORT/"
    exit_code_of inside /bin/busybox nothing
    exit_code_of inside ls /not-there
}

# The server is started anew by the first process when it ends.
reload() {
    inside killall httpd
    sleep 2
    ready
    http_status "http://$HOST:$PORT/"
}

shell() {
    inside sh -c 'for entry in etc usr; do [ -d "/$entry" ] && echo "$entry"; done; echo piped | while read -r word; do echo "$word"; done'
    exit_code_of inside /bin/sh -c 'exit 7'
}
