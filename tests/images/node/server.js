'use strict';
// A small shop: a database by a native add-on, a digest by another program, a sum by a worker thread.
const path = require('path');
const zlib = require('zlib');
const { Worker } = require('node:worker_threads');
const express = require('express');
const sqlite = require('sqlite3');

const database = new sqlite.Database(':memory:');
database.serialize(() => {
    database.run('CREATE TABLE articles (name TEXT, price INTEGER)');
    database.run("INSERT INTO articles VALUES ('bolt', 1), ('gear', 20)");
});

const application = express();
application.get('/', (request, response) => response.send('served by node\n'));

application.get('/articles', (request, response, next) => {
    database.all('SELECT name, price FROM articles ORDER BY price', (error, rows) => {
        if (error) return next(error);
        response.send(JSON.stringify(rows) + '\n');
    });
});

application.get('/digest', async (request, response) => {
    const { digest } = await import('./digest.mjs');
    response.send(`${(await digest(__filename)).length}\n`);
});

application.get('/sum', (request, response) => {
    const worker = new Worker(path.join(__dirname, 'worker.js'), { workerData: 100000 });
    worker.on('message', (sum) => response.send(`${sum}\n`));
});

application.get('/packed', (request, response, next) => {
    zlib.gzip('x'.repeat(100000), (error, packed) => (error ? next(error) : response.send(`${packed.length < 1000}\n`)));
});

application.get('/broken', (request, response, next) => {
    database.all('SELECT * FROM missing', (error) => next(error));
});

const server = application.listen(8080, '0.0.0.0');
process.on('SIGHUP', () => database.run("UPDATE articles SET price = 2 WHERE name = 'bolt'"));
process.on('SIGTERM', () => {
    server.closeAllConnections();
    server.close(() => process.exit(0));
});
