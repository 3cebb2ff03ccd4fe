#!/bin/sh
# Starts the database server in the foreground, open to other hosts as in an image.
set -e
jars=$(find /usr/share/java -name 'derby*.jar' | tr '\n' ':')
exec java -Dderby.system.home=/var/lib/derby -cp "$jars" org.apache.derby.drda.NetworkServerControl start -h 0.0.0.0 -noSecurityManager
