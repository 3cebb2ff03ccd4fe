#!/bin/sh
# HAProxy hands requests on to lighttpd, which serves a file; both are traced.
# $1: where strace writes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
head -c 8192 /dev/zero | tr '\0' x >"$folder/index.html"
cat >"$folder/lighttpd.conf" <<END
server.document-root = "$folder"
server.bind = "127.0.0.1"
server.port = 18083
index-file.names = ("index.html")
END
cat >"$folder/haproxy.conf" <<END
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend front
    bind 127.0.0.1:18082
    default_backend back
backend back
    server one 127.0.0.1:18083
END
strace -f -qq -e raw=all -o "$folder/server" lighttpd -D -f "$folder/lighttpd.conf" &
server=$!
strace -f -qq -e raw=all -o "$folder/proxy" haproxy -f "$folder/haproxy.conf" &
proxy=$!
for _ in $(seq 100); do
    ab -q -n 1 http://127.0.0.1:18082/ >/dev/null 2>&1 && break
    sleep 0.1
done
ab -q -k -n 1000 -c 8 http://127.0.0.1:18082/ >/dev/null
ab -q -n 500 -c 8 http://127.0.0.1:18082/ >/dev/null
# The tracers pass nothing on: the traced programs are told.
kill -TERM "$(cut -d ' ' -f 1 "$folder/server" | head -n 1)" "$(cut -d ' ' -f 1 "$folder/proxy" | head -n 1)"
wait "$server" "$proxy" || true
cat "$folder/server" "$folder/proxy" >"$1"
