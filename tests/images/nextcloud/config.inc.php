<?php
$config = [
    'db_dsnw' => 'sqlite:////var/lib/roundcube/db/mail.sqlite?mode=0640',
    'imap_host' => '127.0.0.1:143',
    'smtp_host' => '127.0.0.1:25',
    'des_key' => 'a-key-of-24-characters--',
    'log_driver' => 'stdout',
    'temp_dir' => '/tmp',
    'skin' => 'elastic',
    'plugins' => [],
];
