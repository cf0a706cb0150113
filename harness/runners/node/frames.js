// The frames of requests and answers over standard input and output: a head, a header (a JSON object), and a body.

'use strict';

const fs = require('fs');

const MAGIC = Buffer.from('RUN1', 'latin1');
const HEAD_BYTES = 16;
const HEADER_LIMIT = 16 * 2 ** 20;
const STDIN = 0;
const STDOUT = 1;

/** The next `length` bytes of the input; null at its end. */
function readBytes(length) {
  const bytes = Buffer.alloc(length);
  for (let start = 0; start < length; ) {
    const count = fs.readSync(STDIN, bytes, start, length - start, null);
    if (count === 0) return null;
    start += count;
  }
  return bytes;
}

/** The next request, [header, body]; null at the end of the input. Throws if it is none: what follows cannot be found then. */
function readRequest() {
  const head = readBytes(HEAD_BYTES);
  if (head === null) return null;
  if (!head.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('the input is no frame');
  const length = head.readUInt32LE(4);
  if (length > HEADER_LIMIT) throw new Error(`a header of ${length} bytes`);
  const header = readBytes(length);
  const body = header && readBytes(Number(head.readBigUInt64LE(8)));
  if (!body) return null;
  const request = JSON.parse(header.toString('utf8'));
  if (request === null || typeof request !== 'object' || Array.isArray(request)) throw new Error('a header that is no object');
  return [request, body];
}

function writeAnswer(header, body) {
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  const head = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(head);
  head.writeUInt32LE(text.length, 4);
  head.writeBigUInt64LE(BigInt(body.reduce((sum, piece) => sum + piece.length, 0)), 8);
  for (const piece of [head, text, ...body]) {
    for (let start = 0; start < piece.length; ) start += fs.writeSync(STDOUT, piece, start);
  }
}

module.exports = { readRequest, writeAnswer };
