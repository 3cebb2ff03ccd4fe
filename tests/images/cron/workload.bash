# Everything is due within a minute.
within_two_minutes() {
    local deadline=$((SECONDS + 100))
    while [ "$SECONDS" -lt "$deadline" ]; do
        if inside test -s "$1"; then return 0; fi
        sleep 0.5
    done
    echo "no job wrote $1" >&2
    return 1
}

ready() { until_true inside test -s /srv/state/started; }

traffic() {
    inside rm -f /srv/state/rotated /srv/state/last /srv/state/table /tmp/nobody /srv/state/minutes.gz
    local file
    for file in /srv/state/last /srv/state/table /tmp/nobody /srv/state/minutes.gz; do within_two_minutes "$file"; done
    inside sh -c 'cat /tmp/nobody /srv/state/table'
}

failure() {
    exit_code_of inside report no/such/folder
    exit_code_of inside crontab -u nobody -l
}

# A new table is taken in at the next minute.
reload() {
    inside sh -c '(crontab -l; echo "* * * * * touch /srv/state/again; echo yes >>/srv/state/again") | crontab -'
    within_two_minutes /srv/state/again
    inside crontab -l
}
