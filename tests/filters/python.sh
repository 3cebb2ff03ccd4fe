#!/bin/sh
# Python imports modules, reads and writes files, starts programs and serves what it asks itself for.
# $1: where strace writes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/program.py" <<'END'
import http.server, json, os, subprocess, sys, tempfile, threading, urllib.request

folder = sys.argv[1]
for number in range(100):
    path = os.path.join(folder, "%d.json" % number)
    with open(path, "w") as file:
        json.dump({"number": number, "text": "x" * number}, file)
    with open(path) as file:
        json.load(file)
for path in sorted(os.listdir(folder)):
    os.stat(os.path.join(folder, path))
for _ in range(10):
    subprocess.run(["true"], check=True)
os.chdir(folder)

class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
for number in range(100):
    urllib.request.urlopen("http://127.0.0.1:%d/%d.json" % (server.server_port, number)).read()
server.shutdown()
END
strace -f -qq -e raw=all -o "$1" python3 "$folder/program.py" "$folder"
