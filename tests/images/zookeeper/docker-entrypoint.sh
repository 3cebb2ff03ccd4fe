#!/bin/bash
# Writes a configuration where there is none, and starts the server as its own user.
set -e

if [[ "$1" = 'zkServer.sh' && "$(id -u)" = '0' ]]; then
    chown -R zookeeper "$ZOO_DATA_DIR" "$ZOO_DATA_LOG_DIR" "$ZOO_LOG_DIR" "$ZOO_CONF_DIR"
    exec gosu zookeeper "$0" "$@"
fi

if ! grep -q 4lw.commands.whitelist "$ZOO_CONF_DIR/zoo.cfg"; then
    CONFIG="$ZOO_CONF_DIR/zoo.cfg"
    {
        echo "dataDir=$ZOO_DATA_DIR"
        echo "dataLogDir=$ZOO_DATA_LOG_DIR"
        echo "tickTime=$ZOO_TICK_TIME"
        echo "clientPort=2181"
        echo "4lw.commands.whitelist=*"
        echo "admin.enableServer=false"
    } >"$CONFIG"
fi

if [[ ! -f "$ZOO_DATA_DIR/myid" ]]; then
    echo "${ZOO_MY_ID:-1}" >"$ZOO_DATA_DIR/myid"
fi

export ZOOCFGDIR="$ZOO_CONF_DIR"
exec "$@"
