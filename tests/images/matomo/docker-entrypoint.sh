#!/bin/sh
# The database beside is a new one whenever the container starts: what an installation into the one before has written would
# name tables that are not there.
set -e
rm -f /usr/share/matomo/config/config.ini.php
exec "$@"
