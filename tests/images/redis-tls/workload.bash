client() { timeout 20 redis-cli --tls --insecure -h "$HOST" -p "$PORT" "$@"; }

ready() { until_true sh -c "redis-cli --tls --insecure -h $HOST -p $PORT ping | grep -q PONG"; }

traffic() {
    client set greeting hello
    client get greeting
    client eval 'return redis.call("GET", KEYS[1])' 1 greeting
    redis-benchmark --tls --insecure -h "$HOST" -p "$PORT" -n 2000 -c 20 -P 4 -t set,get -q >/dev/null
    client bgsave
    until_true sh -c "redis-cli --tls --insecure -h $HOST -p $PORT info persistence | grep -q rdb_bgsave_in_progress:0"
    client info persistence | grep rdb_last_bgsave_status
}

failure() {
    client lpush greeting x || true
    exit_code_of timeout 5 redis-cli -h "$HOST" -p "$PORT" ping
    exit_code_of timeout 5 redis-cli --tls -h "$HOST" -p "$PORT" ping
}

reload() {
    client config set tls-protocols TLSv1.3
    client get greeting
    client config set tls-cert-file /etc/redis/tls/certificate.pem
}
