# Sends frames and prints what comes back until the broker has acknowledged the last one.
frames() { timeout 20 bash -c "exec 3<>/dev/tcp/$HOST/$PORT; printf '$1' >&3; tr '\\0' '\\n' <&3" | grep -aE '^(CONNECTED|MESSAGE|RECEIPT|ERROR|receipt-id|version|one|two|persistent)' || true; }

hello='CONNECT\naccept-version:1.2\nhost:main\n\n\0'
bye='DISCONNECT\nreceipt:bye\n\n\0'

is_up() { frames "$hello$bye" | grep -q CONNECTED; }

ready() { until_true is_up; }

traffic() {
    frames "${hello}SEND\ndestination:/queue/a\npersistent:true\nreceipt:1\n\none\0SEND\ndestination:/queue/a\npersistent:true\nreceipt:2\n\ntwo\0$bye"
    frames "${hello}SUBSCRIBE\nid:0\ndestination:/queue/a\nack:auto\n\n\0" | head -n 5 &
    wait
    # The broker may write the last frame twice while it closes the connection.
    for _ in $(seq 20); do frames "${hello}SEND\ndestination:/topic/b\nreceipt:3\n\none\0$bye" | sort -u; done | sort | uniq -c
}

failure() {
    frames 'NONSENSE\n\n\0'
    frames "${hello}SUBSCRIBE\n\n\0"
}

reload() {
    signal QUIT
    sleep 0.5
    frames "$hello$bye"
}
