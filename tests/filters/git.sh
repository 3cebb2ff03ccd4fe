#!/bin/sh
# git keeps changes, shows and packs them.
# $1: where strace writes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/changes" <<'END'
set -eu
git init -q .
git config user.name somebody
git config user.email somebody@localhost
for number in $(seq 15); do
    for file in $(seq 10); do echo "$number $file" >>"$file.txt"; done
    git add .
    git commit -q -m "change $number"
done
git log -p >/dev/null
git checkout -q HEAD~5
git status >/dev/null
git gc -q
END
mkdir "$folder/sources"
cd "$folder/sources"
HOME=$folder strace -f -qq -e raw=all -o "$1" sh "$folder/changes"
