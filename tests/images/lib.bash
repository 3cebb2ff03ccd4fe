# Helpers that the workloads share. A workload is sourced with the runner's environment:
#   HOST, PORT      where the server answers
#   CONTAINER       the container's name, where an engine runs it
#   INSIDE          command that executes its arguments in the container, e.g. "docker exec NAME"
#   SIGNAL          command that sends the signal named by its argument to the container's first process
# and defines the steps ready, traffic, failure, reload and shell; the first and the last are here for those that do what most
# do. What a step prints is compared with what it prints without a profile, so it prints answers and counts, never times, ids
# or rates.
set -euo pipefail

# Waits until `"$@"` succeeds, for half a minute at most.
until_true() {
    local deadline=$((SECONDS + 30))
    while [ "$SECONDS" -lt "$deadline" ]; do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    echo "gave up waiting for: $*" >&2
    return 1
}

# A request never waits for long.
curl() {
    command curl --max-time 10 "$@"
}

# Executes its arguments in the container.
inside() {
    # shellcheck disable=SC2086 # a command with arguments, by contract
    $INSIDE "$@"
}

# Sends the named signal to the container's first process.
signal() {
    # shellcheck disable=SC2086 # a command with arguments, by contract
    $SIGNAL "$1" >/dev/null
}

# The status code of a request.
http_status() {
    curl --silent --output /dev/null --write-out '%{http_code}\n' "$@"
}

# Bounded load on a URL: prints how many requests were completed and how many failed.
http_load() {
    local report
    report=$(ab -q -l -n "${2:-2000}" -c 16 "$1")
    echo "$report" | grep -E '^(Complete requests|Failed requests|Non-2xx)' || true
}

# The exit code of a command that is meant to fail, and nothing that it prints.
exit_code_of() {
    local code=0
    "$@" >/dev/null 2>&1 || code=$?
    echo "exit $code"
}

# What a person does with a shell in the container: built-ins, a pipe, a background job, an exit code.
shell_session() {
    inside /bin/sh -c 'cd /; for entry in etc usr; do [ -d "$entry" ] && echo "$entry"; done
        read -r first </etc/debian_version; [ -n "$first" ] && echo read
        echo piped | while read -r word; do echo "$word"; done
        (exit 3) & wait $! || echo "job $?"'
    exit_code_of inside /bin/sh -c 'exit 7'
}

# The step of a server that is ready when its front page is there.
ready() { until_true curl --silent --fail "http://$HOST:$PORT/"; }

# The step of an image that has a usual shell.
shell() { shell_session; }

# Starts a database server beside the container, in its network, unless one runs there since it was started. It is labelled
# and named as the container's own, so that whoever removes that removes it as well.
database_beside() {
    local beside=$CONTAINER-database started
    started() { docker inspect --format '{{.State.StartedAt}}' "$1" 2>/dev/null || true; }
    if [[ "$(started "$beside")" > "$(started "$CONTAINER")" ]]; then return 0; fi
    docker rm --force --volumes "$beside" >/dev/null 2>&1 || true
    # Those of containers that are gone.
    docker ps --all --format '{{.Names}}' --filter label=confine.engine --filter name=-database | while read -r other; do
        docker inspect "${other%-database}" >/dev/null 2>&1 || docker rm --force --volumes "$other" >/dev/null 2>&1 || true
    done
    docker run --detach --name "$beside" --label confine.engine --network "container:$CONTAINER" \
        --env MARIADB_ROOT_PASSWORD=confine --env MARIADB_DATABASE=shop --env MARIADB_USER=clerk --env MARIADB_PASSWORD=confine \
        confine-test/mariadb:bookworm >/dev/null
    until_true docker exec "$beside" mariadb --host=127.0.0.1 --user=clerk --password=confine -e 'SELECT 1' shop
}
