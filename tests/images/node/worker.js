'use strict';
// Adds up numbers in a thread of its own.
const { parentPort, workerData } = require('worker_threads');

let sum = 0;
for (let number = 1; number <= workerData; number += 1) sum += number;
parentPort.postMessage(sum);
