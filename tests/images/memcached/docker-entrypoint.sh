#!/bin/sh
# Options alone mean the server.
set -e

if [ "${1#-}" != "$1" ]; then
    set -- memcached "$@"
fi

exec "$@"
