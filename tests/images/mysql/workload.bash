# The image's own client: the host's may be of another make, whose authentication differs.
sql() { timeout 60 ${INSIDE} mysql --host=127.0.0.1 --user=root --password=confine --batch --skip-column-names shop -e "$1" 2>&1 | grep -v 'Using a password' || true; }

answers() { [ "$(sql 'SELECT 1')" = 1 ]; }

ready() { until_true answers; }

traffic() {
    sql 'CREATE TABLE IF NOT EXISTS articles (name varchar(20), price int, about json); DELETE FROM articles'
    sql "INSERT INTO articles VALUES ('a', 1, '{\"x\": 1}'), ('b', 2, '{\"x\": 2}')"
    sql 'SELECT sum(price), max(about->"$.x") FROM articles'
    sql 'SET SESSION cte_max_recursion_depth = 60000; CREATE TABLE numbers WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i FROM n; SELECT sum(i) FROM numbers'
    sql 'SELECT count(*) FROM (SELECT DISTINCT a.i FROM numbers a ORDER BY rand()) t'
    sql 'ALTER TABLE numbers ADD INDEX (i); OPTIMIZE TABLE numbers' | grep -c .
    for _ in $(seq 10); do sql 'SELECT count(*) FROM numbers WHERE i % 7 = 0'; done | sort | uniq -c
    sql 'DROP TABLE numbers; FLUSH TABLES'
}

failure() {
    sql 'SELECT * FROM not_there'
    exit_code_of ${INSIDE} mysql --host=127.0.0.1 --user=root --password=wrong -e 'SELECT 1'
    sql "SELECT 1 INTO OUTFILE '/not/there'"
}

reload() {
    sql 'SET GLOBAL max_connections = 77; SELECT @@max_connections'
    sql 'FLUSH LOGS; FLUSH PRIVILEGES'
    signal HUP
    sleep 1
    sql 'SELECT 1'
}
