line='10.0.0.1 - - [24/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 123'

# Sends its standard input and prints as many answers as it is told.
ask() { timeout 20 bash -c "exec 3<>/dev/tcp/$HOST/$PORT; cat >&3; head -n $1 <&3"; }

answers() { [ -n "$(echo STATS | ask 1)" ]; }

ready() { until_true answers; }

traffic() {
    echo "$line" | ask 1
    { for _ in $(seq 500); do echo "$line"; done; } | ask 500 | sort | uniq -c
    echo ROTATE | ask 1
}

failure() {
    echo 'no such format' | ask 1
    printf '\377\376\n' | ask 1 >/dev/null && echo survived
    exit_code_of bash -c "exec 3<>/dev/tcp/$HOST/$PORT; exec 3>&-"
}

reload() {
    signal HUP
    sleep 0.5
    echo "$line" | ask 1
}
