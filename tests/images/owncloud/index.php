<?php
// Files are put, listed, read and removed over HTTP, their names and sums kept in a database; and a page that the archive has.
$database = new SQLite3('/srv/data/files.sqlite');
$database->busyTimeout(5000);
$database->exec('CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, size INTEGER, sum TEXT)');
$name = basename(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
$path = "/srv/data/files-$name";
switch ($_SERVER['REQUEST_METHOD']) {
    case 'PUT':
        $temporary = tempnam('/srv/data', 'part');
        $size = stream_copy_to_stream(fopen('php://input', 'r'), fopen($temporary, 'w'));
        rename($temporary, $path);
        $statement = $database->prepare('REPLACE INTO files VALUES (?, ?, ?)');
        foreach ([$name, $size, hash_file('sha256', $path)] as $index => $value) {
            $statement->bindValue($index + 1, $value);
        }
        $statement->execute();
        http_response_code(201);
        break;
    case 'DELETE':
        http_response_code(@unlink($path) ? 204 : 404);
        $statement = $database->prepare('DELETE FROM files WHERE name = ?');
        $statement->bindValue(1, $name);
        $statement->execute();
        break;
    default:
        if ($name === '') {
            $rows = $database->query('SELECT name, size, sum FROM files ORDER BY name');
            while ($row = $rows->fetchArray(SQLITE3_NUM)) {
                echo implode(' ', $row), "\n";
            }
        } elseif (is_file($path)) {
            header('Content-Type: application/octet-stream');
            readfile($path);
        } else {
            http_response_code(404);
        }
}
