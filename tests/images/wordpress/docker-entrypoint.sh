#!/usr/bin/env bash
# Writes the configuration from the environment where there is none.
set -Eeuo pipefail

if [ "${1:-}" = apache2-foreground ] && [ ! -s /etc/wordpress/config-default.php ]; then
    cat >/etc/wordpress/config-default.php <<PHP
<?php
define('DB_NAME', '${WORDPRESS_DB_NAME:-wordpress}');
define('DB_USER', '${WORDPRESS_DB_USER:-wordpress}');
define('DB_PASSWORD', '${WORDPRESS_DB_PASSWORD:-}');
define('DB_HOST', '${WORDPRESS_DB_HOST:-mysql}');
define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('WP_DEFAULT_THEME', 'twentytwentyone');
define('WP_HOME', 'http://localhost');
define('WP_SITEURL', 'http://localhost');
PHP
    for name in AUTH_KEY SECURE_AUTH_KEY LOGGED_IN_KEY NONCE_KEY AUTH_SALT SECURE_AUTH_SALT LOGGED_IN_SALT NONCE_SALT; do
        echo "define('$name', '$(head -c 24 /dev/urandom | base64)');" >>/etc/wordpress/config-default.php
    done
    chgrp www-data /etc/wordpress/config-default.php
fi
exec "$@"
