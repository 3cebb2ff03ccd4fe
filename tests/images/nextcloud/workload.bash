traffic() {
    local jar token
    jar=$(mktemp)
    curl --silent --cookie-jar "$jar" "http://$HOST:$PORT/" >"$jar.page"
    grep -o '<title>[^<]*' "$jar.page"
    token=$(grep -o 'name="_token" value="[^"]*"' "$jar.page" | cut -d'"' -f4)
    # There is no mail server: the login fails when it is not reached.
    http_status --cookie "$jar" --data-urlencode "_token=$token" --data '_task=login&_action=login&_user=clerk&_pass=confine' \
        "http://$HOST:$PORT/?_task=login"
    http_status "http://$HOST:$PORT/skins/elastic/images/logo.svg"
    rm -f "$jar" "$jar.page"
    http_load "http://$HOST:$PORT/" 60
}

failure() {
    http_status "http://$HOST:$PORT/nothing"
    http_status --data '_task=mail' "http://$HOST:$PORT/?_task=mail"
    http_status --request BREW "http://$HOST:$PORT/"
}

reload() {
    signal USR1
    sleep 1
    ready
    http_status "http://$HOST:$PORT/"
}
