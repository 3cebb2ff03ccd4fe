export PGHOST=$HOST PGPORT=$PORT PGUSER=postgres PGPASSWORD=confine PGCONNECT_TIMEOUT=5 PGOPTIONS="-c client_min_messages=warning"

sql() { timeout 60 psql --no-psqlrc -At -c "$1"; }

ready() { until_true psql --no-psqlrc -At -c 'SELECT 1'; }

traffic() {
    sql 'SELECT sum(count) FROM visits'
    sql 'CREATE TEMP TABLE numbers AS SELECT generate_series(1, 200000) AS n; SELECT count(*), sum(n) FROM numbers'
    sql 'SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
         SELECT count(*) FROM pg_class a, pg_class b WHERE a.oid = b.oid' | tail -n 1 | grep -c .
    sql "CREATE EXTENSION IF NOT EXISTS pgcrypto; SELECT length(gen_random_bytes(8))"
    sql 'DO $$ BEGIN PERFORM pg_sleep(0.01); END $$'
    sql 'LISTEN channel'
    sql 'NOTIFY channel'
    sql 'VACUUM ANALYZE visits'
    sql 'CHECKPOINT'
    pgbench --initialize --quiet --scale 1 >/dev/null 2>&1 && echo initialised
    pgbench --client 4 --jobs 2 --transactions 100 --no-vacuum 2>/dev/null \
        | grep -E '^number of (transactions actually|failed)' | sed 's/ (.*//'
}

failure() {
    exit_code_of sql 'SELECT * FROM not_there'
    exit_code_of env PGPASSWORD=wrong psql --no-psqlrc -c 'SELECT 1'
    exit_code_of sql "COPY visits FROM '/not/there'"
    exit_code_of sql "SELECT pg_terminate_backend(pg_backend_pid())"
}

reload() {
    sql "ALTER SYSTEM SET log_min_duration_statement = '5s'"
    signal HUP
    sleep 1
    sql 'SHOW log_min_duration_statement'
    sql 'SELECT pg_reload_conf()'
}
