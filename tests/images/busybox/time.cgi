#!/bin/sh
# A program for the server.
echo 'Content-Type: text/plain'
echo
expr "$(echo "${QUERY_STRING:-nothing}" | tr a-z A-Z)" : '\(.*\)'
