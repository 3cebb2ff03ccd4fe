# Sends one command line by line and prints the answers up to the end of the connection.
ask() {
    exec 3<>"/dev/tcp/$HOST/$PORT"
    printf '%s\r\n' "$@" quit >&3
    timeout 10 cat <&3 | tr -d '\r'
    exec 3>&- 3<&-
}

answers() { ask version | grep -q VERSION; }

ready() { until_true answers; }

traffic() {
    ask 'set greeting 0 60 5' hello 'get greeting' 'append greeting 0 60 1' '!' 'gets greeting' \
        'touch greeting 30' 'incr missing 1' 'delete greeting' 'set number 0 0 1' 1 'incr number 41' | sed 's/^\(VALUE [^ ]* [0-9]* [0-9]*\).*/\1/'
    local round
    for round in $(seq 200); do
        ask "set key$round 0 0 5" value "get key$round"
    done | cut -d ' ' -f 1 | sort | uniq -c
    ask stats | grep -c '^STAT'
    ask 'stats slabs' | grep -c active_slabs
}

failure() {
    ask nonsense
    ask 'set negative 0 0 -1'
    ask 'incr greeting x'
    ask 'get'
}

# Settings change over the protocol; the signal is one that the server must survive.
reload() {
    ask 'flush_all' 'verbosity 1' 'slabs automove 1' 'cache_memlimit 128'
    signal HUP
    sleep 0.3
    answers && echo alive
}
