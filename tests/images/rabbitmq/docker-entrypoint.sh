#!/bin/bash
# Starts the server as its own user.
set -euo pipefail

if [[ "$1" == rabbitmq* ]] && [ "$(id -u)" = '0' ]; then
    find /var/lib/rabbitmq \! -user rabbitmq -exec chown rabbitmq '{}' +
    exec gosu rabbitmq "$BASH_SOURCE" "$@"
fi

exec "$@"
