traffic() {
    curl --silent "http://$HOST:$PORT/"
    curl --silent --range 0-9 "http://$HOST:$PORT/index.html"; echo
    for page in session file process sum; do
        curl --silent "http://$HOST:$PORT/notes/$page"
    done
    local jar; jar=$(mktemp)
    curl --silent --cookie-jar "$jar" --cookie "$jar" "http://$HOST:$PORT/notes/session" "http://$HOST:$PORT/notes/session"
    rm -f "$jar"
    http_load "http://$HOST:$PORT/" 500
}

failure() {
    http_status "http://$HOST:$PORT/nothing"
    http_status "http://$HOST:$PORT/notes/fail"
    http_status --request BREW "http://$HOST:$PORT/"
}

# A new time of its description has the application deployed anew.
reload() {
    inside touch /var/lib/jetty9/webapps/root/WEB-INF/web.xml
    sleep 3
    until_true curl --silent --fail "http://$HOST:$PORT/"
    signal QUIT
    sleep 0.5
    http_status "http://$HOST:$PORT/"
}
