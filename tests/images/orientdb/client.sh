#!/bin/sh
# The command-line client, on its standard input.
set -e
jars=$(find /usr/share/java -name 'derby*.jar' | tr '\n' ':')
exec java -cp "$jars" -Dij.showNoConnectionsAtStart=true org.apache.derby.tools.ij
