page() { curl --silent "http://$HOST:$PORT/doku.php?id=$1${2:-}"; }

ready() { until_true curl --silent --fail "http://$HOST:$PORT/doku.php"; }

# The text between two marks of a page.
title() { grep -o '<title>[^<]*' | head -n 1; }

save() {
    local token
    token=$(page "$1" '&do=edit' | grep -o 'name="sectok" value="[^"]*"' | head -n 1 | cut -d'"' -f4)
    http_status --data-urlencode "wikitext=$2" --data "sectok=$token&id=$1&do[save]=1&date=&prefix=.&suffix=" "http://$HOST:$PORT/doku.php"
}

traffic() {
    page start | title
    save notes '===== Notes =====
One **bold** word, a list:
  * a
  * b'
    page notes | grep -c '<strong>bold</strong>'
    page notes '&do=revisions' | title
    page '' '&do=search&q=bold' | grep -c 'search_'  || true
    curl --silent "http://$HOST:$PORT/lib/exe/css.php" | grep -c . | sed 's/^[1-9].*/styles/'
    page notes '&do=export_raw'; echo
    http_load "http://$HOST:$PORT/doku.php?id=notes" 60
    save notes ''
}

failure() {
    http_status "http://$HOST:$PORT/nothing.php"
    page nowhere | grep -c 'does not exist'
    http_status "http://$HOST:$PORT/lib/exe/fetch.php?media=none.png"
}

reload() {
    signal USR1
    sleep 1
    until_true curl --silent --fail "http://$HOST:$PORT/doku.php"
    page start | title
}
