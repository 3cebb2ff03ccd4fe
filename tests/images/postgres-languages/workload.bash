export PGHOST=$HOST PGPORT=$PORT PGUSER=postgres PGPASSWORD=confine PGCONNECT_TIMEOUT=5 PGOPTIONS="-c client_min_messages=warning"

sql() { timeout 60 psql --no-psqlrc -At -c "$1"; }

ready() { until_true psql --no-psqlrc -At -c 'SELECT 1'; }

traffic() {
    sql 'SELECT add_in_perl(1, 2), root_in_python(16), double_in_tcl(21)'
    sql "SELECT digest_in_perl('x') = digest_in_python('x')"
    sql "SELECT 'a=>1'::hstore -> 'a'"
    sql "SELECT xpath_string('<a>text</a>', '/a')"
    sql "LOAD 'auto_explain'; SELECT 1" | tail -n 1
    sql 'CREATE EXTENSION IF NOT EXISTS "uuid-ossp"; SELECT length(uuid_generate_v4()::text)' | tail -n 1
    sql 'SELECT count(*) > 0 FROM pg_stat_statements'
}

failure() {
    exit_code_of sql 'SELECT root_in_python(-1)'
    exit_code_of sql "LOAD 'not_there'"
    exit_code_of sql "CREATE FUNCTION wrong() RETURNS void LANGUAGE plperl AS 'this is not perl'"
    sql "CREATE SERVER IF NOT EXISTS away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
         CREATE USER MAPPING IF NOT EXISTS FOR postgres SERVER away;
         CREATE FOREIGN TABLE IF NOT EXISTS there (n integer) SERVER away"
    exit_code_of sql 'SELECT * FROM there'
}

reload() {
    sql "ALTER SYSTEM SET session_preload_libraries = 'auth_delay'"
    signal HUP
    sleep 1
    sql 'SHOW session_preload_libraries'
    sql 'SELECT add_in_perl(1, 2)'
}
