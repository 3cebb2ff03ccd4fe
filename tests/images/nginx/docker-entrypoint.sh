#!/bin/sh
# Runs the start-up scripts of /docker-entrypoint.d in order, then becomes the command.
set -e

log() {
    if [ -z "${ENTRYPOINT_QUIET:-}" ]; then
        echo "$0: $*"
    fi
}

case "$1" in
    nginx | nginx-debug)
        if find /docker-entrypoint.d/ -mindepth 1 -maxdepth 1 -type f -print -quit | read -r _; then
            log "running the scripts of /docker-entrypoint.d"
            find /docker-entrypoint.d/ -follow -type f -print | sort -V | while read -r script; do
                case "$script" in
                    *.envsh)
                        log "sourcing $script"
                        . "$script"
                        ;;
                    *.sh)
                        if [ -x "$script" ]; then
                            log "launching $script"
                            "$script"
                        else
                            log "ignoring $script, not executable"
                        fi
                        ;;
                    *) log "ignoring $script" ;;
                esac
            done
        fi
        log "ready for start up"
        ;;
esac

exec "$@"
