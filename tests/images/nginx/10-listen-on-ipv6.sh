#!/bin/sh
# Adds an IPv6 listener to the default site where the kernel has IPv6 and the site is as the package left it.
set -e

name=$(basename "$0")
site=/etc/nginx/conf.d/default.conf

if [ ! -f /proc/net/if_inet6 ]; then
    echo "$name: no IPv6" >&2
    exit 0
fi
if [ ! -w "$site" ]; then
    echo "$name: $site is not there or not writable" >&2
    exit 0
fi
if grep -q 'listen *\[::\]:80;' "$site"; then
    exit 0
fi
touch "$site"
sed -i -E 's,listen *80;,listen 80; listen [::]:80;,' "$site"
echo "$name: listening on IPv6 as well"
