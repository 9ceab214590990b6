// Products of rows: integers to digit planes, planes to accumulators, accumulators to floats.
#pragma once
#include "rows.h"
#include "scalar.h"

enum : u32 { FLOATS = 0, BYTES = 1, WORDS = 2 };

struct DigitsArgs {
    const void *x;
    // Of the rows; none for integers without.
    const float *magnitudes;
    i8 *planes;
    // For each row of each part whether an element of it is faulty; begins as 0.
    u32 *faulty;
    u64 plane_stride;
    u64 part_stride;
    // What x is: FLOATS, BYTES or WORDS.
    u32 kind;
    u32 digits;
    u32 parts;
    u32 rows;
    u32 length;
    // Elements of a plane's row: a multiple of 16.
    u32 padded;
};

// Four neighbouring elements of a row a thread, so that each plane is written in whole words.
KERNEL(digits, DigitsArgs) {
    const u32 quads = args.padded / 4;
    const u64 all = (u64)args.parts * args.rows * quads;
    for (u64 index = at.index; index < all; index += at.stride) {
        const u64 row = index / quads;
        const u32 k = (u32)(index % quads) * 4;
        const Real magnitude = args.magnitudes ? real(args.magnitudes[row]) : ZERO();
        u32 words[3] = {0, 0, 0};
        for (u32 lane = 0; lane < 4 && k + lane < args.length; lane++) {
            const u64 place = row * args.length + k + lane;
            i32 q = 0;
            bool valid;
            if (args.kind == FLOATS) {
                const Real x = real(((const float *)args.x)[place]);
                valid = is_operand(magnitude) && is_within(x, magnitude);
                if (valid) q = quantise_class(args.digits, x, magnitude);
            } else {
                q = args.kind == BYTES ? (i32)((const i8 *)args.x)[place] : (i32)((const i16 *)args.x)[place];
                const i32 most = most_of(args.digits);
                valid = q >= -most && q <= most;
            }
            if (!valid) {
                args.faulty[row] = 1;
                q = 0;
            }
            // The most significant digit is plane 0
            for (u32 digit = args.digits; digit-- > 0;) {
                const i32 low = ((q + 128) & 255) - 128;
                words[digit] |= (u32)(u8)low << (8 * lane);
                q = (q - low) >> 8;
            }
        }
        const u64 part = row / args.rows;
        i8 *to = args.planes + part * args.part_stride + (row % args.rows) * args.padded + k;
        for (u32 digit = 0; digit < args.digits; digit++) *(u32 *)(to + digit * args.plane_stride) = words[digit];
    }
}

struct MultiplyArgs {
    // Rows of `depth` integers, `leading` apart: W with `columns` rows, and x with `rows`.
    const i8 *w;
    const i8 *x;
    // For each row of x one sum for each row of W.
    i32 *out;
    u64 w_stride;
    u64 x_stride;
    u64 out_stride;
    u32 batch;
    u32 columns;
    u32 rows;
    u32 depth;
    u32 leading;
    u32 unused;
};

// The plain form of what cuBLASLt does: for shapes that it has no kernel for, and for the host.
KERNEL(multiply, MultiplyArgs) {
    const u64 each = (u64)args.columns * args.rows;
    for (u64 index = at.index; index < each * args.batch; index += at.stride) {
        const u64 part = index / each;
        const u64 row = index % each / args.columns;
        const u64 column = index % args.columns;
        const i8 *w = args.w + part * args.w_stride + column * args.leading;
        const i8 *x = args.x + part * args.x_stride + row * args.leading;
        i32 sum = 0;
#ifdef __CUDACC__
        for (u32 k = 0; k < args.depth; k += 4) sum = dot4(*(const i32 *)(w + k), *(const i32 *)(x + k), sum);
#else
        for (u32 k = 0; k < args.depth; k++) sum += (i32)w[k] * (i32)x[k];
#endif
        args.out[part * args.out_stride + row * args.columns + column] = sum;
    }
}

// Elements of a row that share a multiplier.
enum : u32 { BLOCK = 32 };

// Bytes that are read in few instructions.
struct alignas(16) Words {
    i32 word[4];
};

struct MultiplyBlocksArgs {
    // Rows of `blocks` blocks: W with `columns` rows of one digit, and x with `rows` of several, the most significant first.
    const i8 *w;
    const i8 *x;
    // Of each block of W; the same for all parts and rows one behind the other.
    const i16 *multipliers;
    // For each row of x one for each row of W; begin as 0.
    u64 *accumulators;
    u32 *fault;
    u64 w_stride;
    u64 x_stride;
    // From one digit of x to the next.
    u64 plane_stride;
    u32 digits;
    u32 rows;
    u32 columns;
    u32 blocks;
    // Elements of the output before these.
    u32 first;
    u32 unused;
};

// One element of the output a block of threads, one strip of its operands' rows: what each block adds, multiplied.
// Wherever a row has a multiplier that is none of its class, the element is faulty.
KERNEL(multiply_blocks, MultiplyBlocksArgs) {
    const u64 column = at.row % args.columns;
    const u64 row = at.row / args.columns % args.rows;
    const u64 part = at.row / args.columns / args.rows;
    const u64 leading = (u64)args.blocks * BLOCK;
    const i8 *w = args.w + part * args.w_stride + column * leading;
    const i8 *x = args.x + part * args.x_stride + row * leading;
    const i16 *multipliers = args.multipliers + (part * args.columns + column) * args.blocks;
    const i32 most = most_of(2);
    const Range range = strip_of(at, args.blocks);
    bool valid = true;
    u64 total = 0;
    for (u64 block = range.start + at.thread; block < range.end; block += at.threads) {
        const i64 multiplier = multipliers[block];
        valid = valid && multiplier >= -most && multiplier <= most;
        const Words *of_w = (const Words *)(w + block * BLOCK);
        const Words w0 = of_w[0], w1 = of_w[1];
        for (u32 digit = 0; digit < args.digits; digit++) {
            const Words *of_x = (const Words *)(x + digit * args.plane_stride + block * BLOCK);
            const Words x0 = of_x[0], x1 = of_x[1];
            i32 sum = 0;
            for (u32 k = 0; k < 4; k++) sum = dot4(w1.word[k], x1.word[k], dot4(w0.word[k], x0.word[k], sum));
            total += (u64)(sum * multiplier) << (8 * (args.digits - 1 - digit));
        }
    }
    if (!valid) fault_at(args.fault, (u64)args.first + at.row);
    reduce_add(&args.accumulators[at.row], total);
}

struct CombineArgs {
    // For each digit j of b the sums with the first digits of a, as many as are significant with it.
    const i32 *sums[3];
    // Rows of sums of a part: those of all digits of a, and padding.
    u64 part_stride[3];
    i64 *accumulators;
    const float *a_magnitudes;
    const float *b_magnitudes;
    const u32 *a_faulty;
    const u32 *b_faulty;
    float *out;
    u32 *fault;
    u32 a_digits;
    u32 b_digits;
    u32 parts;
    u32 rows;
    u32 columns;
    // Sums of a row: the columns and padding.
    u32 padded;
    // Whether the accumulators hold what came before, and whether they only take what comes.
    u32 continues;
    u32 unfinished;
    // Elements of the output before these.
    u32 first;
    u32 unused;
};

DEVICE i64 significant_sum(const CombineArgs &args, u64 part, u64 row, u64 column) {
    const u32 significant = args.a_digits > args.b_digits ? args.a_digits : args.b_digits;
    i64 sum = 0;
    for (u32 j = 0; j < args.b_digits; j++) {
        const u32 left = significant - j;
        const u32 count = args.a_digits < left ? args.a_digits : left;
        const i32 *sums = args.sums[j] + part * args.part_stride[j] + row * args.padded + column;
        for (u32 i = 0; i < count; i++) {
            const i64 one = sums[(u64)i * args.rows * args.padded];
            sum += (i64)((u64)one << (8 * (significant - 1 - i - j)));
        }
    }
    return sum;
}

// Sums to the accumulator of an element, and that to a float.
KERNEL(combine, CombineArgs) {
    const u64 all = (u64)args.parts * args.rows * args.columns;
    for (u64 index = at.index; index < all; index += at.stride) {
        const u32 row = (u32)index / args.columns;
        const u32 column = (u32)index % args.columns;
        const u32 part = row / args.rows;
        i64 sum = args.sums[0] ? significant_sum(args, part, row % args.rows, column) : 0;
        if (args.continues) sum += args.accumulators[index];
        if (args.unfinished) {
            args.accumulators[index] = sum;
            continue;
        }
        const u64 of_b = (u64)part * args.columns + column;
        const Real a = args.a_magnitudes ? real(args.a_magnitudes[row]) : ZERO();
        const Real b = args.b_magnitudes ? real(args.b_magnitudes[of_b]) : ZERO();
        const u32 fewer = args.a_digits < args.b_digits ? args.a_digits : args.b_digits;
        Real y = from_i64(sum);
        if (args.a_digits > 1) {
            const i32 e = args.a_magnitudes ? exponent(a) : 0;
            y = y * pow2(e - fraction(args.a_digits) + 8 * (i32)(fewer - 1));
        }
        if (args.b_digits > 1) {
            const i32 e = args.b_magnitudes ? exponent(b) : 0;
            y = y * pow2(e - fraction(args.b_digits));
        }
        if (args.a_digits == 1 && args.a_magnitudes) y = y * scale_of(a);
        if (args.b_digits == 1 && args.b_magnitudes) y = y * scale_of(b);
        const bool valid = (!args.a_magnitudes || is_operand(a)) && (!args.b_magnitudes || is_operand(b)) &&
                           !(args.a_faulty && args.a_faulty[row]) && !(args.b_faulty && args.b_faulty[of_b]);
        if (!valid || !is_finite(y)) fault_at(args.fault, args.first + index);
        args.out[index] = y.v;
    }
}
