// Drawing tokens: chances, ranks and masses by a sort, what is kept, the draw; random numbers, counts.
#pragma once
#include "rows.h"

struct ChanceArgs {
    const float *x;
    const float *maxima;
    u32 *out;
    u32 *fault;
    u32 rows;
    u32 length;
};

KERNEL(chance, ChanceArgs) {
    const u64 elements = (u64)args.rows * args.length;
    for (u64 index = at.index; index < elements; index += at.stride) {
        const Real w = exp(real(args.x[index]) - real(args.maxima[(u32)index / args.length]));
        u32 chance = 0;
        if (is_weight(w)) {
            chance = (u32)rne(w * pow2(30)).v;
        } else {
            fault_at(args.fault, index);
        }
        args.out[index] = chance;
    }
}

struct SortArgs {
    const float *x;
    // `width` keys a row: ascending, the best token first.
    u64 *keys;
    u32 rows;
    u32 length;
    // A power of two.
    u32 width;
    // Of the bitonic network.
    u32 run;
    u32 distance;
    u32 unused;
};

// Above the score, turned round; below the index. What is no number comes before nothing and after nothing: it goes to the
// end, where it is in nobody's way.
KERNEL(sort_keys, SortArgs) {
    const u64 all = (u64)args.rows * args.width;
    for (u64 index = at.index; index < all; index += at.stride) {
        const u64 row = index / args.width;
        const u32 k = (u32)(index % args.width);
        u64 key = ~0ull;
        if (k < args.length) {
            const float x = args.x[row * args.length + k];
            key = (u64)(x == x ? ~ordered(x) : 0xffffffffu) << 32 | k;
        }
        args.keys[index] = key;
    }
}

KERNEL(sort_step, SortArgs) {
    const u64 pairs = (u64)args.rows * (args.width / 2);
    for (u64 index = at.index; index < pairs; index += at.stride) {
        const u64 row = index / (args.width / 2);
        const u32 pair = (u32)(index % (args.width / 2));
        const u32 low = pair / args.distance * 2 * args.distance + pair % args.distance;
        u64 *keys = args.keys + row * args.width;
        const u64 a = keys[low], b = keys[low + args.distance];
        const bool ascending = (low & args.run) == 0;
        if ((a > b) == ascending) {
            keys[low] = b;
            keys[low + args.distance] = a;
        }
    }
}

enum : u32 { SEGMENT = 256 };

struct RankArgs {
    const u64 *keys;
    const u32 *chances;
    // One of them.
    u32 *ranks;
    u64 *masses;
    // Sums of segments of the sorted row.
    u64 *sums;
    u32 rows;
    u32 length;
    u32 width;
    u32 segments;
};

DEVICE bool is_no_number(u64 key) { return key >> 32 == 0xffffffffull; }

KERNEL(rank, RankArgs) {
    const u64 all = (u64)args.rows * args.length;
    for (u64 index = at.index; index < all; index += at.stride) {
        const u64 row = index / args.length;
        const u32 place = (u32)(index % args.length);
        const u64 key = args.keys[row * args.width + place];
        args.ranks[row * args.length + (u32)key] = is_no_number(key) ? 0 : place;
    }
}

KERNEL(mass_sums, RankArgs) {
    const u64 all = (u64)args.rows * args.segments;
    for (u64 index = at.index; index < all; index += at.stride) {
        const u64 row = index / args.segments;
        const u64 start = index % args.segments * SEGMENT;
        u64 sum = 0;
        for (u64 place = start; place < start + SEGMENT && place < args.length; place++) {
            const u64 key = args.keys[row * args.width + place];
            if (!is_no_number(key)) sum += args.chances[row * args.length + (u32)key];
        }
        args.sums[index] = sum;
    }
}

// Sums to what stands before each segment.
KERNEL(mass_scan, RankArgs) {
    for (u64 row = at.index; row < args.rows; row += at.stride) {
        u64 before = 0;
        for (u32 segment = 0; segment < args.segments; segment++) {
            u64 *sum = &args.sums[row * args.segments + segment];
            const u64 own = *sum;
            *sum = before;
            before += own;
        }
    }
}

KERNEL(mass, RankArgs) {
    const u64 all = (u64)args.rows * args.segments;
    for (u64 index = at.index; index < all; index += at.stride) {
        const u64 row = index / args.segments;
        const u64 start = index % args.segments * SEGMENT;
        u64 before = args.sums[index];
        for (u64 place = start; place < start + SEGMENT && place < args.length; place++) {
            const u64 key = args.keys[row * args.width + place];
            const u64 to = row * args.length + (u32)key;
            args.masses[to] = is_no_number(key) ? 0 : before;
            if (!is_no_number(key)) before += args.chances[to];
        }
    }
}

struct KeepArgs {
    const u32 *chances;
    const u32 *ranks;
    const u64 *masses;
    const u64 *totals;
    // The most ranks, or shares in 2^-16.
    const u32 *most;
    u32 *out;
    u32 rows;
    u32 length;
};

KERNEL(keep_ranks, KeepArgs) {
    const u64 all = (u64)args.rows * args.length;
    for (u64 index = at.index; index < all; index += at.stride) {
        const u32 most = args.most[(u32)index / args.length];
        args.out[index] = most == 0 || args.ranks[index] < most ? args.chances[index] : 0;
    }
}

KERNEL(keep_mass, KeepArgs) {
    const u64 all = (u64)args.rows * args.length;
    for (u64 index = at.index; index < all; index += at.stride) {
        const u32 row = (u32)index / args.length;
        const u64 share = args.most[row], total = args.totals[row], mass = args.masses[index];
        // mass · 2^16 < share · total, in 128 bits
        const u64 left_high = mass >> 48, left_low = mass << 16;
        const u64 right_high = high_half(share, total), right_low = share * total;
        const bool remains = left_high < right_high || (left_high == right_high && left_low < right_low);
        args.out[index] = remains ? args.chances[index] : 0;
    }
}

struct TotalArgs {
    const u32 *chances;
    // Of each row; or, if there are `groups`, of each of its groups.
    u64 *sums;
    u32 rows;
    u32 length;
    u32 groups;
    u32 unused;
};

KERNEL(total, TotalArgs) {
    const Range range = strip_of(at, args.length);
    const u64 start = (u64)at.row * args.length;
    u64 sum = 0;
    for (u64 k = range.start + at.thread; k < range.end; k += at.threads) sum += args.chances[start + k];
    reduce_add(&args.sums[args.groups ? (u64)at.row * args.groups + at.strip : (u64)at.row], sum);
}

struct DrawArgs {
    const u32 *chances;
    const u64 *sums;
    const u64 *totals;
    const u64 *numbers;
    u32 *out;
    u32 *fault;
    u32 rows;
    u32 length;
    u32 groups;
    u32 unused;
};

KERNEL(draw, DrawArgs) {
    for (u64 row = at.index; row < args.rows; row += at.stride) {
        u64 left = high_half(args.numbers[row], args.totals[row]);
        u32 group = 0;
        for (; group < args.groups && left >= args.sums[row * args.groups + group]; group++)
            left -= args.sums[row * args.groups + group];
        u64 k = (u64)group * GROUP;
        for (; k < args.length && left >= args.chances[row * args.length + k]; k++)
            left -= args.chances[row * args.length + k];
        if (k >= args.length) {
            fault_at(args.fault, row);
            k = 0;
        }
        args.out[row] = (u32)k;
    }
}

struct RandomArgs {
    const u64 *seed;
    const u32 *sequences;
    u64 *out;
    u32 elements;
    u32 position;
    u32 stream;
    u32 unused;
};

// Philox 4x32-10.
KERNEL(random_numbers, RandomArgs) {
    for (u64 index = at.index; index < args.elements; index += at.stride) {
        u32 x0 = args.sequences[index], x1 = args.position, x2 = 0, x3 = args.stream;
        u32 k0 = (u32)args.seed[0], k1 = (u32)(args.seed[0] >> 32);
        for (int round = 0; round < 10; round++) {
            const u64 first = (u64)0xd2511f53u * x0, second = (u64)0xcd9e8d57u * x2;
            x0 = (u32)(second >> 32) ^ x1 ^ k0;
            x1 = (u32)second;
            x2 = (u32)(first >> 32) ^ x3 ^ k1;
            x3 = (u32)first;
            k0 += 0x9e3779b9u;
            k1 += 0xbb67ae85u;
        }
        args.out[index] = (u64)x0 | (u64)x1 << 32;
    }
}

struct CountArgs {
    const u32 *indices;
    u32 *counts;
    u32 *fault;
    u32 length;
    u32 rows;
};

// Any index that is too large is the fault of every element, so of the first.
KERNEL(count, CountArgs) {
    for (u64 index = at.index; index < args.length; index += at.stride) {
        const u32 row = args.indices[index];
        if (row < args.rows) {
            add_to(&args.counts[row], 1u);
        } else {
            fault_at(args.fault, 0);
        }
    }
}
