#!/bin/bash
# Settings of the first start that are easier said in shell.
set -e
echo "log_checkpoints = on" >> "$PGDATA/postgresql.conf"
