answers() { curl --silent --fail "http://$HOST:$PORT/" && inside redis-cli ping; }

ready() { until_true answers; }

traffic() {
    curl --silent "http://$HOST:$PORT/"
    inside redis-cli set greeting hello
    inside redis-cli get greeting
    inside redis-cli config get maxmemory
    until_true inside test -s /tmp/watched
    inside cat /tmp/watched
    http_load "http://$HOST:$PORT/" 500
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    exit_code_of inside supervisorctl restart nothing
    # What dies is started again.
    inside sh -c 'kill -9 "$(cat /run/nginx.pid)"'
    sleep 1
    until_true answers
    http_status "http://$HOST:$PORT/"
}

reload() {
    inside supervisorctl restart redis
    until_true answers
    inside supervisorctl status redis | awk '{ print $1, $2 }'
}
