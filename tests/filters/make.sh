#!/bin/sh
# make has the C compiler build a program of some files.
# $1: where strace writes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for number in $(seq 12); do
    printf '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <sys/socket.h>\n' >"part$number.c"
    printf 'int part%s(int n) { return n ? printf("%%d", n) : abs(n); }\n' "$number" >>"part$number.c"
done
echo 'int main(void) { return 0; }' >main.c
printf 'program: main.o $(patsubst %%.c,%%.o,$(wildcard part*.c))\n\t$(CC) -o $@ $^\n' >Makefile
strace -f -qq -e raw=all -o "$1" make -j 2 CFLAGS=-O1 >/dev/null
