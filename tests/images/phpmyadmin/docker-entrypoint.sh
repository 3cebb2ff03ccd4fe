#!/bin/bash
# Writes the configuration from the environment.
set -e
{
    echo '<?php'
    echo "\$cfg['blowfish_secret'] = '$(head -c 24 /dev/urandom | base64)';"
    echo "\$cfg['Servers'][1] = ['auth_type' => 'cookie', 'host' => '${PMA_HOST}', 'compress' => false, 'AllowNoPassword' => false];"
    echo "\$cfg['UploadDir'] = ''; \$cfg['SaveDir'] = ''; \$cfg['VersionCheck'] = false; \$cfg['TempDir'] = '/tmp/';"
} >/etc/phpmyadmin/config.inc.php
chown root:www-data /etc/phpmyadmin/config.inc.php
exec "$@"
