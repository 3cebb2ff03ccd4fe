<?php
// The articles, in a database file.
declare(strict_types=1);

function articles(): array
{
    $database = new PDO('sqlite:/tmp/stock.db');
    $database->exec('CREATE TABLE IF NOT EXISTS articles (name TEXT PRIMARY KEY, price INTEGER)');
    $database->exec("INSERT OR IGNORE INTO articles VALUES ('bolt', 1), ('gear', 20)");
    return $database->query('SELECT name, price FROM articles ORDER BY price')->fetchAll(PDO::FETCH_ASSOC);
}
