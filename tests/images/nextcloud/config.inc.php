<?php
$config = [
    'db_dsnw' => 'sqlite:////var/lib/roundcube/db/mail.sqlite?mode=0640',
    'imap_host' => '127.0.0.1:143',
    'smtp_host' => '127.0.0.1:25',
    'des_key' => 'a-key-of-24-characters--',
    'log_driver' => 'stdout',
    // No part of a session's random name in each line: logs are compared.
    'log_session_id' => 0,
    'temp_dir' => '/tmp',
    'skin' => 'elastic',
    'plugins' => [],
];
