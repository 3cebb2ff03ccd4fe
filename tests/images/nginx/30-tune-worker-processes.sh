#!/bin/sh
# Sets the number of workers to the number of processors that the container may use.
set -e

[ -n "${NGINX_WORKERS_AUTOTUNE:-}" ] || exit 0

processors=$(getconf _NPROCESSORS_ONLN)
configuration=/etc/nginx/nginx.conf
sed -i.bak -r "s/^(worker_processes)(.*)$/\1 $processors;/" "$configuration"
