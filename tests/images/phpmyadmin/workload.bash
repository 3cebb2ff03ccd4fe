page() { curl --silent --cookie-jar "$jar" --cookie "$jar" "http://$HOST:$PORT/$1" "${@:2}"; }

token() { grep -o 'name="token" value="[^"]*"' | head -n 1 | cut -d'"' -f4; }

ready() {
    database_beside
    until_true curl --silent --fail "http://$HOST:$PORT/"
}

traffic() {
    jar=$(mktemp)
    trap 'rm -f "$jar"' EXIT
    local token
    token=$(page index.php | token)
    page 'index.php?route=/' --data 'pma_username=root&pma_password=confine&server=1' --data-urlencode "token=$token" \
        --output /dev/null --write-out '%{http_code}\n'
    token=$(page 'index.php?route=/server/databases' | token)
    [ -n "$token" ] && echo 'logged in'
    page 'index.php?route=/server/databases' | grep -c 'shop' | sed 's/^[1-9].*/databases/'
    page 'index.php?route=/sql' --data 'db=shop&ajax_request=true&is_js_confirmed=0' --data-urlencode "token=$token" \
        --data-urlencode 'sql_query=SELECT 6*7 AS answer' | grep -o '42' | head -n 1
    page 'index.php?route=/server/variables' --output /dev/null --write-out '%{http_code}\n'
    page 'index.php?route=/server/status' --output /dev/null --write-out '%{http_code}\n'
    http_load "http://$HOST:$PORT/themes/pmahomme/img/logo_left.png" 100
    for _ in $(seq 10); do page 'index.php?route=/server/databases' --output /dev/null --write-out '%{http_code}\n'; done | sort | uniq -c
}

failure() {
    jar=$(mktemp)
    trap 'rm -f "$jar"' EXIT
    local token
    token=$(page index.php | token)
    page 'index.php?route=/' --data 'pma_username=root&pma_password=wrong&server=1' --data-urlencode "token=$token" | grep -c 'Access denied'
    http_status "http://$HOST:$PORT/nothing"
}

reload() {
    signal USR1
    sleep 1
    until_true curl --silent --fail "http://$HOST:$PORT/"
    http_status "http://$HOST:$PORT/"
}
