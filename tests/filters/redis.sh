#!/bin/sh
# Redis under its own benchmark: connections one by one, pipelines, values of some sizes, a snapshot.
# $1: where strace writes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
strace -f -qq -e raw=all -o "$1" redis-server --port 16379 --bind 127.0.0.1 --dir "$folder" >/dev/null &
tracer=$!
for _ in $(seq 100); do
    [ "$(redis-cli -p 16379 ping 2>/dev/null)" = PONG ] && break
    sleep 0.1
done
redis-benchmark -p 16379 -q -n 1000 -c 16 -t set,get,incr,lpush,lpop,mset >/dev/null
redis-benchmark -p 16379 -q -n 5000 -P 16 -t set,get >/dev/null
redis-cli -p 16379 bgsave >/dev/null
sleep 1
redis-cli -p 16379 shutdown nosave || true
wait "$tracer"
