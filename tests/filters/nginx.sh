#!/bin/sh
# nginx with one worker serves a file of some kilobytes and one that is not there, with and without keep-alive.
# $1: where strace writes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
head -c 8192 /dev/zero | tr '\0' x >"$folder/index.html"
cat >"$folder/nginx.conf" <<END
daemon off;
worker_processes 1;
pid $folder/pid;
error_log $folder/error.log;
events { worker_connections 256; }
http {
    access_log $folder/access.log;
    sendfile on;
    server { listen 127.0.0.1:18080; root $folder; }
}
END
strace -f -qq -e raw=all -o "$1" nginx -p "$folder" -c "$folder/nginx.conf" &
tracer=$!
for _ in $(seq 100); do
    ab -q -n 1 http://127.0.0.1:18080/ >/dev/null 2>&1 && break
    sleep 0.1
done
ab -q -k -n 2000 -c 16 http://127.0.0.1:18080/ >/dev/null
ab -q -n 500 -c 16 http://127.0.0.1:18080/ >/dev/null
ab -q -n 100 http://127.0.0.1:18080/absent >/dev/null
kill -QUIT "$(cat "$folder/pid")"
wait "$tracer"
