#!/bin/sh
# SQLite writes and reads a table, in transactions of one and of many.
# $1: where strace writes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
{
    echo "create table numbers (number integer primary key, text text);"
    for number in $(seq 200); do echo "insert into numbers values ($number, 'text $number');"; done
    echo "begin;"
    for number in $(seq 201 4000); do echo "insert into numbers values ($number, 'text $number');"; done
    echo "commit;"
    for number in $(seq 1 20 4000); do echo "select text from numbers where number = $number;"; done
} >"$folder/statements"
strace -f -qq -e raw=all -o "$1" sqlite3 "$folder/data" <"$folder/statements" >/dev/null
