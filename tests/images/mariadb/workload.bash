account=(--protocol=tcp --host="$HOST" --port="$PORT" --user=root --password=confine --connect-timeout=5)

sql() { timeout 60 mariadb "${account[@]}" --batch --skip-column-names -e "$1"; }

ready() { until_true mariadb "${account[@]}" -e 'SELECT 1'; }

traffic() {
    sql 'SELECT sum(price) FROM shop.articles'
    sql 'USE shop; CREATE OR REPLACE TABLE numbers ENGINE=InnoDB AS SELECT seq FROM seq_1_to_50000; SELECT sum(seq) FROM shop.numbers'
    sql 'USE shop; CREATE OR REPLACE TABLE text (t text, FULLTEXT(t)) ENGINE=Aria; INSERT INTO shop.text VALUES ("one"), ("two"); SELECT count(*) FROM shop.text'
    sql 'SELECT count(*) FROM (SELECT DISTINCT a.seq FROM shop.numbers a ORDER BY rand()) t'
    sql 'OPTIMIZE TABLE shop.numbers' | grep -c .
    sql 'FLUSH TABLES'
    timeout 120 mariadb-slap "${account[@]:0:5}" --auto-generate-sql --concurrency=4 --iterations=1 --number-of-queries=400 \
        --create-schema=load | grep 'clients running queries'
    sql 'DROP TABLE shop.numbers'
}

failure() {
    exit_code_of sql 'SELECT * FROM shop.not_there'
    exit_code_of mariadb "${account[@]}" --password=wrong -e 'SELECT 1'
    exit_code_of sql "SELECT 1 INTO OUTFILE '/not/there'"
}

reload() {
    sql 'SET GLOBAL max_connections = 77; SELECT @@max_connections'
    sql 'FLUSH LOGS; FLUSH PRIVILEGES'
    signal HUP
    sleep 1
    sql 'SELECT 1'
}
