page() { curl --silent --header 'Host: localhost' --cookie-jar "${jar:-/dev/null}" --cookie "${jar:-/dev/null}" "http://$HOST:$PORT/$1" "${@:2}"; }

ready() {
    database_beside
    until_true curl --silent --fail "http://$HOST:$PORT/wp-admin/install.php"
    page 'wp-admin/install.php?step=2' --data 'weblog_title=Confine&user_name=admin&admin_password=confine-confine&admin_password2=confine-confine&pw_weak=1&admin_email=a@example.org&blog_public=0' >/dev/null
    until_true curl --silent --fail --header 'Host: localhost' "http://$HOST:$PORT/"
}

traffic() {
    jar=$(mktemp)
    trap 'rm -f "$jar"' EXIT
    page '' | grep -o '<title>[^<]*'
    page '?s=hello' | grep -c 'Hello world' | sed 's/^[1-9].*/found/'
    page 'wp-login.php' >/dev/null
    page 'wp-login.php' --data 'log=admin&pwd=confine-confine&testcookie=1' --output /dev/null --write-out '%{http_code}\n'
    page 'wp-admin/' --output /dev/null --write-out '%{http_code}\n'
    page 'index.php/wp-json/wp/v2/posts' | jq -r '.[].title.rendered'
    page 'index.php/feed/' | grep -c '<item>' || true
    http_load "http://$HOST:$PORT/readme.html" 100
    for _ in $(seq 20); do page '?p=1' --output /dev/null --write-out '%{http_code}\n'; done | sort | uniq -c
}

failure() {
    page 'nothing' --output /dev/null --write-out '%{http_code}\n'
    page 'wp-login.php' --data 'log=admin&pwd=wrong&testcookie=1' --output /dev/null --write-out '%{http_code}\n'
    page 'xmlrpc.php' --data '<nonsense' | grep -c faultCode
}

reload() {
    signal USR1
    sleep 1
    until_true curl --silent --fail "http://$HOST:$PORT/readme.html"
    page '' --output /dev/null --write-out '%{http_code}\n'
}
