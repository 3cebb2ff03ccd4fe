#!/bin/sh
# Starts the server as its own user; options and configuration files alone mean the server.
set -e

if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
    set -- redis-server "$@"
fi

if [ "$1" = 'redis-server' ] && [ "$(id -u)" = '0' ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec gosu redis "$0" "$@"
fi

# New files are the server's alone unless somebody chose a mask.
if [ "$(umask)" = '0022' ]; then
    umask 0077
fi

exec "$@"
