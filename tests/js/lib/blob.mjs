// Blobs of jobs, after the description in primitives/types: their layout and their hash.

import { blake3 } from '@noble/hashes/blake3';

/** BLAKE3 hash of bytes, with 0x. */
export function hash(bytes) {
  return `0x${Buffer.from(blake3(bytes)).toString('hex')}`;
}

/** Token ids as an input blob: count, lengths, then the ids of all sequences, u32 little-endian. */
export function encodeTokens(sequences) {
  const words = [sequences.length, ...sequences.map((sequence) => sequence.length), ...sequences.flat()];
  const blob = Buffer.alloc(4 * words.length);
  words.forEach((word, index) => blob.writeUInt32LE(word, 4 * index));
  return blob;
}

/** An output blob as rows of numbers: f32 little-endian. */
export function decodeRows(blob, rows) {
  const width = blob.length / 4 / rows;
  if (!Number.isInteger(width)) {
    throw new Error(`${blob.length} bytes are not ${rows} rows of f32`);
  }
  const at = (row, column) => blob.readFloatLE(4 * (row * width + column));
  return Array.from({ length: rows }, (_, row) => Array.from({ length: width }, (_, column) => at(row, column)));
}

/** Cosine of the angle between two vectors. */
export function cosine(a, b) {
  if (a.length !== b.length) {
    throw new Error(`vectors of ${a.length} and ${b.length} numbers`);
  }
  const dot = (x, y) => x.reduce((sum, value, index) => sum + value * y[index], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** The largest absolute difference between two vectors in one place. */
export function largestDifference(a, b) {
  if (a.length !== b.length) {
    throw new Error(`vectors of ${a.length} and ${b.length} numbers`);
  }
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - b[index])), 0);
}

/** Fetches a blob from whoever serves it, and checks it. */
export async function fetchBlob(base, expected) {
  const url = `${base.replace(/\/$/, '')}/${expected.slice(2)}`;
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`GET ${url}: ${response.status}`);
  }
  const blob = Buffer.from(await response.arrayBuffer());
  const got = hash(blob);
  if (got !== expected) {
    throw new Error(`GET ${url}: expected a blob with hash ${expected}, got ${got}`);
  }
  return blob;
}
