"""The articles, in a database file of each worker's own."""

import os
import sqlite3

PATH = f"/tmp/stock-{os.getpid()}.db"


def connect():
    fresh = not os.path.exists(PATH)
    connection = sqlite3.connect(PATH)
    if fresh:
        connection.execute("CREATE TABLE articles (name TEXT, price INTEGER)")
        connection.execute("INSERT INTO articles VALUES ('bolt', 1), ('gear', 20)")
        connection.commit()
    return connection


def articles():
    with connect() as connection:
        rows = connection.execute("SELECT name, price FROM articles ORDER BY price LIMIT 2").fetchall()
    return [{"name": name, "price": price} for name, price in rows]
