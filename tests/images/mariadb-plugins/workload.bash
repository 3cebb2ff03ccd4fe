account=(--protocol=tcp --host="$HOST" --port="$PORT" --user=root --password=confine --connect-timeout=5)

sql() { timeout 60 mariadb "${account[@]}" --batch --skip-column-names -e "$1"; }

ready() { until_true mariadb "${account[@]}" -e 'SELECT 1'; }

traffic() {
    sql 'INSTALL SONAME "ha_connect"' 2>/dev/null || true
    sql "USE shop; CREATE OR REPLACE TABLE csv_lines (n INT NOT NULL, t VARCHAR(20) NOT NULL) ENGINE=CONNECT TABLE_TYPE=CSV FILE_NAME='lines.csv';
         INSERT INTO csv_lines VALUES (1, 'one'), (2, 'two'); SELECT sum(n) FROM csv_lines"
    sql 'INSTALL SONAME "ha_archive"' 2>/dev/null || true
    sql 'USE shop; CREATE OR REPLACE TABLE old (n INT) ENGINE=ARCHIVE; INSERT INTO old VALUES (1), (2); SELECT count(*) FROM old'
    sql 'INSTALL SONAME "server_audit"' 2>/dev/null || true
    sql 'SET GLOBAL server_audit_logging = ON; SELECT @@server_audit_logging; SET GLOBAL server_audit_logging = OFF'
    sql 'INSTALL SONAME "auth_ed25519"' 2>/dev/null || true
    sql "CREATE OR REPLACE USER signed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret'); SELECT 1"
    sql 'INSTALL SONAME "query_response_time"' 2>/dev/null || true
    sql "SELECT count(*) > 0 FROM information_schema.plugins WHERE plugin_library IS NOT NULL"
}

failure() {
    exit_code_of sql 'INSTALL SONAME "not_there"'
    exit_code_of sql 'CREATE FUNCTION f RETURNS STRING SONAME "not_there.so"'
    exit_code_of sql "USE shop; CREATE TABLE wrong (n INT NOT NULL) ENGINE=CONNECT TABLE_TYPE=CSV FILE_NAME='/not/there'; INSERT INTO wrong VALUES (1)"
}

reload() {
    sql 'UNINSTALL SONAME "query_response_time"'
    sql 'FLUSH LOGS; FLUSH PRIVILEGES'
    signal HUP
    sleep 1
    sql 'SELECT 1'
}
