#!/bin/bash
# Sets up an empty data folder, then starts the server as its own user.
set -eo pipefail

if [ "${1:0:1}" = '-' ]; then
    set -- mysqld "$@"
fi

if [ "$1" = 'mysqld' ] && [ "$(id -u)" = '0' ]; then
    find /var/lib/mysql \! -user mysql -exec chown mysql '{}' +
    exec gosu mysql "$BASH_SOURCE" "$@"
fi

if [ "$1" = 'mysqld' ] && [ ! -d /var/lib/mysql/mysql ]; then
    "$@" --initialize-insecure
    "$@" --daemonize --skip-networking --socket=/var/run/mysqld/setup.sock --pid-file=/var/run/mysqld/setup.pid --log-error=/var/lib/mysql/setup.err
    mysql --protocol=socket --socket=/var/run/mysqld/setup.sock --user=root <<SQL
CREATE USER 'root'@'%' IDENTIFIED BY '${MYSQL_ROOT_PASSWORD}';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
CREATE DATABASE IF NOT EXISTS \`${MYSQL_DATABASE:-shop}\`;
SQL
    mysqladmin --socket=/var/run/mysqld/setup.sock --user=root shutdown
    echo 'ready for start up'
fi

exec "$@"
