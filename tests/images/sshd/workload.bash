# The client is the image's own, inside the container: the host needs none.
client() {
    local user=$1
    shift
    inside sh -c 'umask 077; [ -e /tmp/client-key ] || cat /etc/ssh/client_key >/tmp/client-key'
    timeout 30 $INSIDE ssh -q -i /tmp/client-key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o BatchMode=yes "$user@127.0.0.1" "$@"
}

greets() { timeout 5 bash -c 'exec 3<>"/dev/tcp/$HOST/$PORT"; read -r line <&3; [[ $line == SSH-* ]]'; }

ready() { until_true greets; }

traffic() {
    client person 'whoami; pwd; echo "$SHELL"; ls -d /etc /usr'
    client person 'for word in a b c; do echo "$word"; done | wc -l'
    client limited anything
    client person 'sleep 0.1 & wait; exit 3' || echo "exit $?"
    inside sh -c 'printf "put /etc/hostname /tmp/copied\nls /tmp/copied\nrm /tmp/copied\n" >/tmp/batch'
    inside sftp -q -i /tmp/client-key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -b /tmp/batch \
        person@127.0.0.1 | tail -n 1
}

failure() {
    exit_code_of client nobody true
    exit_code_of client person /no/such/program
    exit_code_of inside ssh-keygen -l -f /no/such/key
}

reload() {
    signal HUP
    sleep 1
    until_true greets
    client person 'echo again'
}
