#!/bin/sh
# Sets up a wiki in a file where there is none.
set -e
if [ ! -e /var/www/data/wiki.sqlite ]; then
    rm -f /etc/mediawiki/LocalSettings.php
    php /usr/share/mediawiki/maintenance/install.php --dbtype sqlite --dbpath /var/www/data --dbname wiki \
        --confpath /etc/mediawiki --scriptpath '' --server 'http://localhost' --pass 'confine-confine' Wiki Admin
    echo '$wgArticlePath = "/index.php/$1"; $wgEnableUploads = true; $wgUseImageMagick = true;' >>/etc/mediawiki/LocalSettings.php
    chown -R www-data:www-data /var/www/data
fi
exec "$@"
