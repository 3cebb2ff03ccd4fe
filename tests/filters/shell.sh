#!/bin/sh
# A shell script with the programs that it executes, which all run under the same policy.
# $1: where strace writes.
set -eu
strace -f -qq -e raw=all -o "$1" sh /script.sh
