#!/bin/sh
# PostgreSQL under pgbench, with a new connection for each transaction and with kept ones.
# $1: where strace writes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for bin in /usr/lib/postgresql/*/bin; do PATH=$bin:$PATH; done
as=
if [ "$(id -u)" = 0 ]; then
    chown postgres "$folder"
    as="setpriv --reuid=postgres --regid=postgres --clear-groups"
fi
$as initdb -D "$folder/data" -U postgres >/dev/null
: >"$folder/trace"
[ -z "$as" ] || chown postgres "$folder/trace"
$as strace -f -qq -e raw=all -o "$folder/trace" \
    postgres -D "$folder/data" -p 15432 -k "$folder" -c listen_addresses=127.0.0.1 >/dev/null 2>&1 &
tracer=$!
for _ in $(seq 300); do
    pg_isready -q -h 127.0.0.1 -p 15432 && break
    sleep 0.1
done
pgbench -q -i -h 127.0.0.1 -p 15432 -U postgres postgres >/dev/null 2>&1
pgbench -n -c 4 -t 200 -h 127.0.0.1 -p 15432 -U postgres postgres >/dev/null 2>&1
pgbench -n -S -c 4 -t 500 -h 127.0.0.1 -p 15432 -U postgres postgres >/dev/null 2>&1
pgbench -n -C -c 2 -t 20 -h 127.0.0.1 -p 15432 -U postgres postgres >/dev/null 2>&1
kill -INT "$(head -n 1 "$folder/data/postmaster.pid")"
wait "$tracer"
cat "$folder/trace" >"$1"
