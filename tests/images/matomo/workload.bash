ready() {
    database_beside
    until_true curl --silent --fail "http://$HOST:$PORT/index.php"
}

page() { curl --silent "http://$HOST:$PORT/$1" "${@:2}"; }

# Its own installation, step by step, against the database beside it.
traffic() {
    page index.php | grep -o '<title>[^<]*' | head -n 1
    http_status "http://$HOST:$PORT/index.php?action=systemCheck"
    http_status --data 'type=InnoDB&host=127.0.0.1&username=clerk&password=confine&dbname=shop&tables_prefix=m_&adapter=PDO\MYSQL' \
        "http://$HOST:$PORT/index.php?action=databaseSetup"
    http_status "http://$HOST:$PORT/index.php?action=tablesCreation"
    http_status "http://$HOST:$PORT/matomo.js"
    http_load "http://$HOST:$PORT/matomo.js" 100
    for _ in $(seq 10); do http_status "http://$HOST:$PORT/index.php"; done | sort | uniq -c
}

failure() {
    http_status "http://$HOST:$PORT/nothing"
    http_status "http://$HOST:$PORT/index.php?module=Nothing"
    http_status "http://$HOST:$PORT/matomo.php?idsite=99&rec=1"
}

reload() {
    signal USR1
    sleep 1
    ready
    http_status "http://$HOST:$PORT/index.php"
}
