client() { timeout 20 redis-cli -h "$HOST" -p "$PORT" "$@"; }

ready() { until_true sh -c "redis-cli -h $HOST -p $PORT ping | grep -q PONG"; }

traffic() {
    client set greeting hello
    client get greeting
    client rpush list a b c
    client eval 'return redis.call("LLEN", KEYS[1])' 1 list
    client xadd stream 1-1 field value
    client --raw script load 'return 1'
    redis-benchmark -h "$HOST" -p "$PORT" -n 5000 -c 20 -P 4 -t set,get,incr,lpush,zadd -q >/dev/null
    client bgsave
    until_true sh -c "redis-cli -h $HOST -p $PORT info persistence | grep -q rdb_bgsave_in_progress:0"
    client info persistence | grep rdb_last_bgsave_status
    client config set appendonly yes
    until_true sh -c "redis-cli -h $HOST -p $PORT info persistence | grep -q aof_rewrite_in_progress:0"
    client set durable yes
    client config set appendonly no
    client unlink list
}

failure() {
    client get || true
    client lpush greeting x || true
    exit_code_of redis-cli -h "$HOST" -p "$PORT" -a wrong --no-auth-warning auth
    client debug sleep 0 || true
}

reload() {
    client config set maxmemory 100mb
    client config get maxmemory
    client client list | wc -l
}
