api() { curl --silent --cookie-jar "$jar" --cookie "$jar" "http://$HOST:$PORT/api.php" --data-urlencode format=json "$@"; }

ready() { until_true curl --silent --fail --location --header 'Host: localhost' "http://$HOST:$PORT/index.php/Main_Page"; }

traffic() {
    jar=$(mktemp)
    trap 'rm -f "$jar"' EXIT
    local token
    api --data action=query --data meta=siteinfo | jq -r .query.general.sitename
    token=$(api --data action=query --data meta=tokens --data type=login | jq -r .query.tokens.logintoken)
    api --data action=login --data lgname=Admin --data lgpassword=confine-confine --data-urlencode "lgtoken=$token" | jq -r .login.result
    token=$(api --data action=query --data meta=tokens | jq -r .query.tokens.csrftoken)
    api --data action=edit --data title=Notes --data-urlencode "text='''bold''' [[Main Page]]" --data-urlencode "token=$token" | jq -r .edit.result
    api --data action=parse --data page=Notes | jq -r '.parse.text["*"]' | grep -c '<b>bold</b>'
    api --data action=query --data list=search --data srsearch=bold | jq -r .batchcomplete
    api --data action=delete --data title=Notes --data-urlencode "token=$token" | jq -r .delete.title
    http_load "http://$HOST:$PORT/api.php?action=query&meta=siteinfo&format=json" 40
}

failure() {
    jar=/dev/null
    http_status "http://$HOST:$PORT/nothing"
    api --data action=none | jq -r .error.code
    http_status "http://$HOST:$PORT/index.php/No_such_page"
}

reload() {
    signal USR1
    sleep 1
    ready
    http_status "http://$HOST:$PORT/api.php"
}
