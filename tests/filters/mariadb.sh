#!/bin/sh
# MariaDB under its own load generator: reads and writes, with kept and with new connections.
# $1: where strace writes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mariadb-install-db --no-defaults --user=root --datadir="$folder/data" --auth-root-authentication-method=normal >/dev/null
strace -f -qq -e raw=all -o "$1" mariadbd --no-defaults --user=root --datadir="$folder/data" \
    --bind-address=127.0.0.1 --port=13306 --socket="$folder/socket" >/dev/null 2>&1 &
tracer=$!
for _ in $(seq 300); do
    mariadb-admin --no-defaults --socket="$folder/socket" ping >/dev/null 2>&1 && break
    sleep 0.1
done
slap="mariadb-slap --no-defaults --host=127.0.0.1 --protocol=tcp --port=13306 --user=root --silent --auto-generate-sql"
$slap --concurrency=4 --number-of-queries=1000 --auto-generate-sql-load-type=mixed >/dev/null
$slap --concurrency=4 --number-of-queries=1000 --auto-generate-sql-load-type=key --auto-generate-sql-add-autoincrement --detach=50 >/dev/null
mariadb-admin --no-defaults --socket="$folder/socket" shutdown
wait "$tracer"
