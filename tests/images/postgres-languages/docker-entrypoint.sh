#!/usr/bin/env bash
# Starts the server as its own user, creating the cluster when the data folder is empty.
set -Eeo pipefail

# The value of VARIABLE, or the content of the file that VARIABLE_FILE names, or the default.
value_or_file() {
    local variable=$1 fallback=${2:-}
    local file_variable="${variable}_FILE"
    if [ "${!variable:-}" ] && [ "${!file_variable:-}" ]; then
        printf >&2 'error: both %s and %s are set\n' "$variable" "$file_variable"
        exit 1
    fi
    local value=$fallback
    if [ "${!variable:-}" ]; then
        value=${!variable}
    elif [ "${!file_variable:-}" ]; then
        value=$(<"${!file_variable}")
    fi
    export "$variable"="$value"
    unset "$file_variable"
}

create_folders() {
    mkdir -p "$PGDATA"
    chmod 00700 "$PGDATA" || :
    mkdir -p /var/run/postgresql || :
    chmod 03775 /var/run/postgresql || :
    if [ "$(id -u)" = '0' ]; then
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    fi
}

create_cluster() {
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") ${POSTGRES_INITDB_ARGS:-}
}

allow_remote_clients() {
    local method
    method=$(postgres -C password_encryption)
    {
        printf '\n'
        printf 'host all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-$method}"
    } >>"$PGDATA/pg_hba.conf"
}

# A server for the first start's own use: no network, until stop_temporary_server.
start_temporary_server() {
    PGUSER="${PGUSER:-$POSTGRES_USER}" pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p ${PGPORT:-5432}" -w start
}

stop_temporary_server() {
    PGUSER="${PGUSER:-postgres}" pg_ctl -D "$PGDATA" -m fast -w stop
}

run_sql() {
    PGPASSWORD=$POSTGRES_PASSWORD psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --no-password \
        --dbname "$POSTGRES_DB" "$@"
}

create_database() {
    local existing
    existing=$(POSTGRES_DB=postgres run_sql --tuples-only --set db="$POSTGRES_DB" <<-'EOSQL'
		SELECT 1 FROM pg_database WHERE datname = :'db';
	EOSQL
    )
    if [ -z "$existing" ]; then
        POSTGRES_DB=postgres run_sql --set db="$POSTGRES_DB" <<-'EOSQL'
			CREATE DATABASE :"db";
		EOSQL
    fi
}

run_initialisation_files() {
    local file
    for file; do
        case "$file" in
            *.sh)
                if [ -x "$file" ]; then
                    printf '%s: running %s\n' "$0" "$file"
                    "$file"
                else
                    printf '%s: sourcing %s\n' "$0" "$file"
                    . "$file"
                fi
                ;;
            *.sql)
                printf '%s: loading %s\n' "$0" "$file"
                run_sql -f "$file"
                ;;
            *.sql.gz)
                printf '%s: loading %s\n' "$0" "$file"
                gunzip -c "$file" | run_sql
                ;;
            *) printf '%s: ignoring %s\n' "$0" "$file" ;;
        esac
    done
}

main() {
    if [ "${1:0:1}" = '-' ]; then
        set -- postgres "$@"
    fi

    if [ "$1" = 'postgres' ]; then
        create_folders
        if [ "$(id -u)" = '0' ]; then
            exec gosu postgres "$BASH_SOURCE" "$@"
        fi

        if [ ! -s "$PGDATA/PG_VERSION" ]; then
            value_or_file POSTGRES_PASSWORD
            value_or_file POSTGRES_USER postgres
            value_or_file POSTGRES_DB "$POSTGRES_USER"
            if [ -z "$POSTGRES_PASSWORD" ]; then
                echo >&2 'error: the first start needs POSTGRES_PASSWORD'
                exit 1
            fi
            ls /docker-entrypoint-initdb.d/ >/dev/null
            create_cluster
            allow_remote_clients "$@"
            start_temporary_server "$@"
            create_database
            run_initialisation_files /docker-entrypoint-initdb.d/*
            stop_temporary_server
            unset PGPASSWORD
            echo 'cluster created; ready for start up'
        else
            echo 'the data folder holds a cluster; skipping its creation'
        fi
    fi

    exec "$@"
}

main "$@"
