api() { curl --silent "http://$HOST:$PORT/api/v1/$1" "${@:2}"; }

value() { api query --data-urlencode "query=$1" | jq -c '[.data.result[].value[1]]'; }

health() { api targets | jq -c '[.data.activeTargets[].health] | sort'; }

# What a life before stored is there at once, so that the targets themselves are asked.
scraped() { [ "$(value 'targets:up:sum')" = '["1"]' ] && [ "$(health)" = '["down","up"]' ]; }

ready() { until_true scraped; }

traffic() {
    value 'sum(up)'
    health
    api rules | jq -c '[.data.groups[].name]'
    api query_range --data-urlencode 'query=up' --data start="$(($(date +%s) - 30))" --data end="$(date +%s)" --data step=5 | jq .status
    api admin/tsdb/snapshot --request POST | jq .status
    http_load "http://$HOST:$PORT/metrics" 300
}

failure() {
    api query --data-urlencode 'query=sum(' | jq -c .errorType
    http_status "http://$HOST:$PORT/nothing"
}

reload() {
    http_status --request POST "http://$HOST:$PORT/-/reload"
    signal HUP
    sleep 0.5
    http_status "http://$HOST:$PORT/-/ready"
}

shell() {
    inside /usr/bin/prometheus --version | grep -c "^prometheus, version"
    exit_code_of inside /usr/bin/prometheus --nonsense
}
