#!/bin/sh
# memcached with its threads keeps and gives values over some connections at once.
# $1: where strace writes.
set -eu
strace -f -qq -e raw=all -o "$1" memcached -u root -l 127.0.0.1 -p 21211 &
tracer=$!
python3 - <<'END'
import socket, time

def connect():
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", 21211))
        except OSError:
            time.sleep(0.1)
    raise SystemExit("memcached does not answer")

connections = [connect() for _ in range(8)]
for number in range(4000):
    connection = connections[number % len(connections)]
    key = number // 2 % 50
    if number % 4 == 0:
        connection.sendall(b"set key%d 0 0 %d\r\n%s\r\n" % (key, 100, b"x" * 100))
    else:
        connection.sendall(b"get key%d\r\n" % key)
    connection.recv(4096)
END
kill -TERM "$(cut -d ' ' -f 1 "$1" | head -n 1)"
wait "$tracer" || true
