traffic() {
    curl --silent "http://$HOST:$PORT/"
    curl --silent "http://$HOST:$PORT/greeting.txt"
    inside rm -f /srv/log/once
    inside s6-svc -o /etc/services/once
    until_true inside test -s /srv/log/once
    http_load "http://$HOST:$PORT/" 500
}

failure() {
    http_status "http://$HOST:$PORT/not-there"
    inside rm -f /srv/log/ended
    inside s6-svc -k /etc/services/web
    until_true inside test -s /srv/log/ended
    inside cat /srv/log/ended
    ready
    exit_code_of inside s6-svstat /etc/services
}

reload() {
    inside s6-svc -a /etc/services/web/log
    inside s6-svc -r /etc/services/web
    sleep 1
    ready
    inside s6-svscanctl -a /etc/services
    inside s6-svstat -o up,wantedup /etc/services/web
}
