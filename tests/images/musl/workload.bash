ask() { curl --silent "http://$HOST:$PORT$1"; }

traffic() {
    for path in / /popen /system /spawn /fork /names; do ask "$path"; done
    inside cat /tmp/accounts
    inside /bin/server-static check && echo healthy
    http_load "http://$HOST:$PORT/" 1000
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    exit_code_of inside /bin/server 8080
}

reload() {
    signal HUP
    sleep 0.3
    ask /
}

shell() {
    inside sh -c 'echo piped | while read -r word; do echo "$word"; done; cat /etc/passwd'
    exit_code_of inside /bin/sh -c 'exit 7'
}
