#!/bin/sh
# Apache with its threads serves a file and a folder's list.
# $1: where strace writes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
mkdir "$folder/list"
head -c 8192 /dev/zero | tr '\0' x >"$folder/index.html"
cat >"$folder/apache.conf" <<END
ServerRoot $folder
ServerName localhost
Listen 127.0.0.1:18081
PidFile $folder/pid
ErrorLog $folder/error.log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule autoindex_module /usr/lib/apache2/modules/mod_autoindex.so
CustomLog $folder/access.log "%h %r %s %b"
DocumentRoot $folder
DirectoryIndex index.html
<Directory $folder>
    Options Indexes
    Require all granted
</Directory>
END
strace -f -qq -e raw=all -o "$1" apache2 -DFOREGROUND -f "$folder/apache.conf" &
tracer=$!
for _ in $(seq 100); do
    ab -q -n 1 http://127.0.0.1:18081/ >/dev/null 2>&1 && break
    sleep 0.1
done
ab -q -k -n 1000 -c 8 http://127.0.0.1:18081/ >/dev/null
ab -q -n 500 -c 8 http://127.0.0.1:18081/ >/dev/null
ab -q -n 100 http://127.0.0.1:18081/list/ >/dev/null
kill -TERM "$(cat "$folder/pid")"
wait "$tracer"
