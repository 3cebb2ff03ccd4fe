<?php
// A small shop: a database file, a picture, a digest by another program.
declare(strict_types=1);

require __DIR__ . '/stock.php';

header('Content-Type: text/plain');
switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/':
        echo "served by php\n";
        break;
    case '/articles':
        echo json_encode(articles()), "\n";
        break;
    case '/digest':
        echo strlen(explode(' ', shell_exec('sha256sum /var/www/shop/index.php'))[0]), "\n";
        break;
    case '/user':
        echo trim(`id -un`) === posix_getpwuid(posix_geteuid())['name'] ? "same\n" : "other\n";
        break;
    case '/picture':
        ob_start();
        imagepng(imagecreatetruecolor(32, 32));
        echo substr(ob_get_clean(), 1, 3), "\n";
        break;
    case '/letters':
        echo mb_strtoupper('äöü'), "\n";
        break;
    case '/remote':
        $request = curl_init('http://127.0.0.1:1/');
        curl_setopt($request, CURLOPT_RETURNTRANSFER, true);
        http_response_code(curl_exec($request) === false ? 502 : 200);
        break;
    case '/broken':
        throw new RuntimeException('meant to fail');
    default:
        http_response_code(404);
}
