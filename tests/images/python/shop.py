"""A small shop: numbers by a compiled module, a database file, a picture, a digest by another program."""

import importlib
import os
import sqlite3
import subprocess

import numpy
from flask import Flask, jsonify, request

from stock import articles, connect

app = Flask(__name__)


@app.get("/")
def start():
    return "served by python\n"


@app.get("/articles")
def list_articles():
    return jsonify(articles())


@app.post("/articles")
def add_article():
    with connect() as connection:
        connection.execute("INSERT INTO articles VALUES (?, ?)", (request.form["name"], int(request.form["price"])))
    return "added\n", 201


@app.get("/solve")
def solve():
    matrix = numpy.array([[2.0, 1.0], [1.0, 3.0]])
    return " ".join(f"{value:.1f}" for value in numpy.linalg.solve(matrix, numpy.array([5.0, 10.0]))) + "\n"


@app.get("/sum")
def large_sum():
    numbers = numpy.arange(2_000_000, dtype=numpy.float64).reshape(1000, 2000)
    return f"{int((numbers @ numbers.T).trace()):d}\n"


@app.get("/digest")
def digest():
    finished = subprocess.run(["sha256sum", __file__], capture_output=True, check=True, text=True)
    return f"{len(finished.stdout.split()[0])}\n"


@app.get("/picture")
def picture():
    # Imported when it is first asked for, by a name that is a constant.
    return importlib.import_module("picture").draw()


@app.get("/remote")
def remote():
    import psycopg2

    try:
        psycopg2.connect("host=127.0.0.1 port=1 connect_timeout=2")
    except psycopg2.OperationalError:
        return "no database\n", 502
    return "connected\n"


@app.get("/process")
def process():
    import ctypes

    library = ctypes.CDLL(None)
    return f"{library.getpid() == os.getpid()}\n"


@app.get("/broken")
def broken():
    raise sqlite3.OperationalError("meant to fail")
