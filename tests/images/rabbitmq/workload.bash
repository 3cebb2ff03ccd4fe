api() { curl --silent --user guest:guest --header 'Content-Type: application/json' "http://$HOST:$PORT/api/$1" "${@:2}"; }

status() { api "$@" --output /dev/null --write-out '%{http_code}\n'; }

ready() {
    local attempt
    for attempt in 1 2 3; do
        if until_true api healthchecks/node --fail; then return 0; fi
    done
    return 1
}

traffic() {
    status queues/%2f/letters --request PUT --data '{"durable":true}' | sed 's/201/204/'
    api exchanges/%2f/amq.default/publish --request POST \
        --data '{"properties":{"delivery_mode":2},"routing_key":"letters","payload":"hello","payload_encoding":"string"}'
    echo
    api queues/%2f/letters/get --request POST --data '{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}' \
        | grep -o '"payload":"hello"'
    inside rabbitmqctl --quiet list_vhosts
    inside rabbitmq-diagnostics --quiet check_running | grep -c fully
}

failure() {
    status queues/%2f/not-there
    status overview --user guest:wrong
    exit_code_of inside rabbitmqctl --quiet list_queues --vhost not-there
}

reload() {
    inside rabbitmq-plugins --quiet enable rabbitmq_shovel >/dev/null && echo enabled
    inside rabbitmqctl --quiet eval 'os:getpid() =/= [].'
    inside rabbitmqctl --quiet set_log_level info
}
