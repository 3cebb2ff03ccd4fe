#!/bin/sh
# What start-up scripts do: loops, tests, substitutions, small programs.
set -eu
folder=$(mktemp -d)
number=0
while [ "$number" -lt 40 ]; do
    number=$((number + 1))
    file=$folder/$number.conf
    echo "key_$number = value" >"$file"
    if grep -q key "$file" && [ -s "$file" ]; then
        name=$(basename "$file" .conf)
        sed "s/value/$name/" "$file" >"$file.new"
        mv "$file.new" "$file"
        chmod 600 "$file"
    fi
done
cat "$folder"/*.conf | sort | uniq | wc -l >"$folder/count"
for file in "$folder"/*.conf; do
    while read -r key _ value; do
        [ "$key" != "$value" ] || exit 1
    done <"$file"
done
rm -r "$folder"
