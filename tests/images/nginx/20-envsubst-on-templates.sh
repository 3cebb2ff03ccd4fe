#!/bin/sh
# Writes each template of /etc/nginx/templates to /etc/nginx/conf.d with the environment's variables filled in.
set -e

name=$(basename "$0")
templates=${NGINX_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_TEMPLATE_SUFFIX:-.template}
output=${NGINX_OUTPUT_DIR:-/etc/nginx/conf.d}

[ -d "$templates" ] || exit 0
if [ ! -w "$output" ]; then
    echo "$name: $output is not writable" >&2
    exit 0
fi

defined=$(printf '${%s} ' $(awk 'END { for (variable in ENVIRON) print variable }' </dev/null))
find "$templates" -follow -type f -name "*$suffix" -print | while read -r template; do
    relative=${template#"$templates/"}
    target=$output/${relative%"$suffix"}
    mkdir -p "$(dirname "$target")"
    echo "$name: writing $target"
    envsubst "$defined" <"$template" >"$target"
done
