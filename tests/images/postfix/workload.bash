# One conversation, line by line; what the server says is cut to its codes.
talk() {
    exec 3<>"/dev/tcp/$HOST/$PORT"
    local line reply
    read -r -t 20 reply <&3 && echo "${reply:0:3}"
    for line in "$@"; do
        printf '%s\r\n' "$line" >&3
        case "$line" in [Ee][Hh][Ll][Oo]*) while read -r -t 20 reply <&3 && [[ ${reply:3:1} == - ]]; do :; done ;;
        body*) continue ;;
        *) read -r -t 20 reply <&3 ;; esac
        echo "${reply:0:3}"
    done
    exec 3>&- 3<&-
}

mail_to() {
    talk 'EHLO client.test' 'MAIL FROM:<sender@client.test>' "RCPT TO:<$1>" DATA $'body\r\nSubject: x\r\n\r\nhello '"$1"$'\r\n.' QUIT
}

greets() { timeout 5 bash -c 'exec 3<>"/dev/tcp/$HOST/$PORT"; read -r line <&3; [[ $line == 220* ]]'; }

ready() { until_true greets; }

traffic() {
    inside sh -c 'rm -f /var/mail/person /tmp/collected-*'
    mail_to person@mail.test
    until_true inside grep -q hello /var/mail/person
    mail_to friend@localhost
    mail_to piped@localhost
    until_true inside grep -q hello /tmp/collected-nobody
    inside sh -c 'rm -f /tmp/collected-*'
    mail_to any@pipe.test
    until_true inside grep -q hello /tmp/collected-nobody
    inside sh -c 'echo from inside | sendmail person@mail.test'
    until_true inside grep -q 'from inside' /var/mail/person
    inside sh -c 'grep -c ^Subject: /var/mail/person'
}

failure() {
    talk nonsense 'MAIL FROM:<x>' 'RCPT TO:<nobody-at-all@mail.test>' QUIT
    exit_code_of inside postmap -q nothing hash:/etc/aliases
    exit_code_of inside postqueue -x
}

reload() {
    inside postfix reload 2>/dev/null
    sleep 1
    until_true greets
    mail_to person@mail.test
    inside postconf -h myhostname
}
