store() { inside bash -c "exec 3<>/dev/tcp/127.0.0.1/11211; printf '$1\r\nquit\r\n' >&3; cat <&3" | tr -d '\r'; }

answers() { curl --silent --fail "http://$HOST:$PORT/" && store version; }

ready() { until_true answers; }

traffic() {
    curl --silent "http://$HOST:$PORT/"
    store 'set greeting 0 60 5\r\nhello\r\nget greeting'
    inside sv check web | cut -d : -f 1,2
    http_load "http://$HOST:$PORT/" 500
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    inside rm -f /tmp/store-ended
    inside sv kill store
    until_true inside test -s /tmp/store-ended
    until_true answers
    exit_code_of inside sv status nothing
}

reload() {
    inside sv hup store
    until_true inside test -s /tmp/store-hangup
    inside sv reload web | cut -d : -f 1,2
    inside sv restart web | cut -d : -f 1,2
    until_true answers
    inside sh -c 'ls /var/log/web | head -n 1'
}
