word() { timeout 10 bash -c "exec 3<>/dev/tcp/$HOST/$PORT; printf '%s' $1 >&3; cat <&3"; }

# It answers "ruok" before it serves.
is_up() { word srvr | grep -q Mode; }

ready() { until_true is_up; }

# The answers of the command-line client, without what it logs.
client() { inside zkCli.sh -server 127.0.0.1:2181 "$@" 2>/dev/null | grep -vE '^(Connecting|WATCHER|WatchedEvent|$)' || true; }

traffic() {
    word ruok; echo
    word conf | grep -E '^(clientPort|tickTime)'
    client create /confine hello
    client get /confine
    client set /confine changed
    client get /confine
    client ls /
    client delete /confine
    for _ in $(seq 50); do word srvr; done | grep -c Mode
}

failure() {
    client get /nothing
    word none
    echo 'no protocol' | timeout 5 bash -c "exec 3<>/dev/tcp/$HOST/$PORT; cat >&3; cat <&3" | wc -c
}

reload() {
    signal QUIT
    sleep 0.5
    word ruok; echo
}
