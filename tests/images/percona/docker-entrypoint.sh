#!/bin/bash
# Starts the server as its own user, creating the system tables when the data folder is empty.
set -eo pipefail
shopt -s nullglob

note() { printf '%s [entry point]: %s\n' "$(date --rfc-3339=seconds)" "$*"; }

fail() {
    note "error: $*" >&2
    exit 1
}

# What the server itself would take for an option, from its configuration files and the command line.
setting() {
    local option=$1
    shift
    "$@" --verbose --help 2>/dev/null \
        | awk -v option="$option" '$1 == option && /^[^ \t]/ { sub(/^[^ \t]+[ \t]+/, ""); print; exit }'
}

create_folders() {
    mkdir -p "$DATADIR" "${SOCKET%/*}"
    if [ "$(id -u)" = '0' ]; then
        find "$DATADIR" \! -user mysql -exec chown mysql: '{}' +
        find "${SOCKET%/*}" -maxdepth 0 \! -user mysql -exec chown mysql: '{}' \;
    fi
}

create_system_tables() {
    note 'creating the system tables'
    mariadb-install-db --datadir="$DATADIR" --auth-root-authentication-method=normal --skip-test-db \
        --default-time-zone=SYSTEM --skip-log-bin >/dev/null
}

run_sql() {
    mariadb --protocol=socket -uroot -hlocalhost --socket="$SOCKET" "$@"
}

start_temporary_server() {
    "$@" --skip-networking --default-time-zone=SYSTEM --socket="$SOCKET" --wsrep_on=OFF --skip-log-bin &
    TEMPORARY_SERVER=$!
    local attempt
    for attempt in {60..0}; do
        if run_sql --database=mysql <<<'SELECT 1' &>/dev/null; then
            break
        fi
        sleep 0.5
    done
    if [ "$attempt" = 0 ]; then
        fail 'the temporary server did not start'
    fi
}

stop_temporary_server() {
    kill "$TEMPORARY_SERVER"
    wait "$TEMPORARY_SERVER"
}

create_accounts() {
    run_sql --binary-mode --database=mysql <<-EOSQL
		SET @@SESSION.SQL_LOG_BIN=0;
		SET PASSWORD FOR 'root'@'localhost' = PASSWORD('${MARIADB_ROOT_PASSWORD}');
		CREATE USER 'root'@'%' IDENTIFIED BY '${MARIADB_ROOT_PASSWORD}';
		GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
		CREATE DATABASE IF NOT EXISTS \`${MARIADB_DATABASE:-test}\`;
		CREATE USER '${MARIADB_USER:-user}'@'%' IDENTIFIED BY '${MARIADB_PASSWORD:-}';
		GRANT ALL ON \`${MARIADB_DATABASE:-test}\`.* TO '${MARIADB_USER:-user}'@'%';
	EOSQL
}

run_initialisation_files() {
    local file
    export MYSQL_PWD=$MARIADB_ROOT_PASSWORD
    for file; do
        case "$file" in
            *.sh)
                note "running $file"
                "$file"
                ;;
            *.sql)
                note "loading $file"
                run_sql --database="${MARIADB_DATABASE:-test}" <"$file"
                ;;
            *.sql.gz)
                note "loading $file"
                gunzip -c "$file" | run_sql --database="${MARIADB_DATABASE:-test}"
                ;;
            *.sql.zst)
                note "loading $file"
                zstd -dc "$file" | run_sql --database="${MARIADB_DATABASE:-test}"
                ;;
            *) note "ignoring $file" ;;
        esac
    done
    unset MYSQL_PWD
}

main() {
    if [ "${1:0:1}" = '-' ]; then
        set -- mariadbd "$@"
    fi

    if [ "$1" = 'mariadbd' ]; then
        DATADIR=$(setting datadir "$@")
        SOCKET=$(setting socket "$@")
        DATADIR=${DATADIR:-/var/lib/mysql/}
        SOCKET=${SOCKET:-/run/mysqld/mysqld.sock}
        create_folders
        if [ "$(id -u)" = '0' ]; then
            note 'switching to the user mysql'
            exec gosu mysql "${BASH_SOURCE[0]}" "$@"
        fi
        if [ ! -d "$DATADIR/mysql" ]; then
            [ -n "${MARIADB_ROOT_PASSWORD:-}" ] || fail 'the first start needs MARIADB_ROOT_PASSWORD'
            create_system_tables
            start_temporary_server "$@"
            create_accounts
            run_initialisation_files /docker-entrypoint-initdb.d/*
            stop_temporary_server
            note 'system tables created; ready for start up'
        fi
    fi

    exec "$@"
}

main "$@"
