# Which collectors find something depends on the host; that they answer does not.
traffic() {
    curl --silent "http://$HOST:$PORT/metrics" | grep -c '^node_exporter_build_info'
    curl --silent "http://$HOST:$PORT/metrics" \
        | grep -E '^node_scrape_collector_success' | sort
    http_load "http://$HOST:$PORT/metrics" 100
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    http_status "http://$HOST:$PORT/metrics?collect[]=nonsense"
}

# It has no reload of its own.
reload() { http_status "http://$HOST:$PORT/"; }

shell() {
    exit_code_of inside /usr/bin/prometheus-node-exporter --version
    exit_code_of inside /usr/bin/prometheus-node-exporter --nonsense
}
