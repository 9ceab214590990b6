// BLAKE3 of tensors: a thread a chunk, then a thread a pair of nodes, level by level.
#pragma once
#include "platform.h"

// Bytes of a chunk.
enum : u64 { CHUNK = 1024 };

enum : u32 { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8 };

struct HashArgs {
    // A blob, or chaining values of a level.
    const u8 *in;
    u32 *out;
    u64 bytes;
    // Chunks of the blob, or values of the level.
    u32 count;
    // Of all compressions: that of a keyed hash, if it is one.
    u32 flags;
    u32 key[8];
};

DEVICE u32 rotate_right(u32 x, u32 by) { return x >> by | x << (32 - by); }

DEVICE void mix(u32 *v, int a, int b, int c, int d, u32 x, u32 y) {
    v[a] = v[a] + v[b] + x;
    v[d] = rotate_right(v[d] ^ v[a], 16);
    v[c] = v[c] + v[d];
    v[b] = rotate_right(v[b] ^ v[c], 12);
    v[a] = v[a] + v[b] + y;
    v[d] = rotate_right(v[d] ^ v[a], 8);
    v[c] = v[c] + v[d];
    v[b] = rotate_right(v[b] ^ v[c], 7);
}

// The chaining value becomes the first half of the compression's output.
DEVICE void compress(u32 *cv, u32 *m, u64 counter, u32 length, u32 flags) {
    u32 v[16] = {cv[0],
                 cv[1],
                 cv[2],
                 cv[3],
                 cv[4],
                 cv[5],
                 cv[6],
                 cv[7],
                 0x6a09e667u,
                 0xbb67ae85u,
                 0x3c6ef372u,
                 0xa54ff53au,
                 (u32)counter,
                 (u32)(counter >> 32),
                 length,
                 flags};
    for (int round = 0; round < 7; round++) {
        mix(v, 0, 4, 8, 12, m[0], m[1]);
        mix(v, 1, 5, 9, 13, m[2], m[3]);
        mix(v, 2, 6, 10, 14, m[4], m[5]);
        mix(v, 3, 7, 11, 15, m[6], m[7]);
        mix(v, 0, 5, 10, 15, m[8], m[9]);
        mix(v, 1, 6, 11, 12, m[10], m[11]);
        mix(v, 2, 7, 8, 13, m[12], m[13]);
        mix(v, 3, 4, 9, 14, m[14], m[15]);
        const u32 n[16] = {m[2],  m[6], m[3],  m[10], m[7],  m[0],  m[4],  m[13],
                           m[1],  m[11], m[12], m[5],  m[9],  m[14], m[15], m[8]};
        for (int word = 0; word < 16; word++) m[word] = n[word];
    }
    for (int word = 0; word < 8; word++) cv[word] = v[word] ^ v[word + 8];
}

KERNEL(hash_chunks, HashArgs) {
    for (u64 chunk = at.index; chunk < args.count; chunk += at.stride) {
        const u64 start = chunk * CHUNK;
        const u32 length = (u32)(args.bytes - start < CHUNK ? args.bytes - start : CHUNK);
        const u32 blocks = length == 0 ? 1 : (length + 63) / 64;
        u32 cv[8];
        for (int word = 0; word < 8; word++) cv[word] = args.key[word];
        for (u32 block = 0; block < blocks; block++) {
            const u8 *in = args.in + start + block * 64;
            const u32 left = length - block * 64;
            const u32 of_block = left < 64 ? left : 64;
            u32 m[16];
            if (of_block == 64 && ((u64)in & 3) == 0) {
                for (int word = 0; word < 16; word++) m[word] = ((const u32 *)in)[word];
            } else {
                for (int word = 0; word < 16; word++) m[word] = 0;
                for (u32 byte = 0; byte < of_block; byte++) m[byte / 4] |= (u32)in[byte] << (8 * (byte % 4));
            }
            u32 flags = args.flags;
            if (block == 0) flags |= CHUNK_START;
            if (block + 1 == blocks) flags |= args.count == 1 ? CHUNK_END | ROOT : CHUNK_END;
            compress(cv, m, chunk, of_block, flags);
        }
        for (int word = 0; word < 8; word++) args.out[chunk * 8 + word] = cv[word];
    }
}

// Pairs of a level to the level above; one without a partner goes up by itself.
KERNEL(hash_parents, HashArgs) {
    const u64 above = ((u64)args.count + 1) / 2;
    for (u64 node = at.index; node < above; node += at.stride) {
        const u32 *in = (const u32 *)args.in + node * 16;
        if (2 * node + 1 == args.count) {
            for (int word = 0; word < 8; word++) args.out[node * 8 + word] = in[word];
            continue;
        }
        u32 cv[8], m[16];
        for (int word = 0; word < 8; word++) cv[word] = args.key[word];
        for (int word = 0; word < 16; word++) m[word] = in[word];
        compress(cv, m, 0, 64, args.flags | (args.count == 2 ? PARENT | ROOT : (u32)PARENT));
        for (int word = 0; word < 8; word++) args.out[node * 8 + word] = cv[word];
    }
}
