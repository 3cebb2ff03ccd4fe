<?php
$conf['title'] = 'Wiki';
$conf['license'] = '';
$conf['useacl'] = 0;
$conf['savedir'] = '/var/lib/dokuwiki/data';
$conf['remote'] = 1;
