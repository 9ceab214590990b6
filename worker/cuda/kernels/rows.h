// Reductions of rows, and what is made of a row with their help.
#pragma once
#include "scalar.h"

// Elements of a group, and of the strip that a block reduces.
enum : u32 { GROUP = 2048 };

// Which elements of a row count: all, or the first `position` + r + 1 where r is the row's number in its matrix.
struct Visibility {
    u32 causal;
    u32 matrix_rows;
    u32 position;
};

DEVICE u64 visible(const Visibility &of, u64 row, u64 length) {
    if (!of.causal) return length;
    const u64 count = (u64)of.position + row % (of.matrix_rows ? of.matrix_rows : 1) + 1;
    return count < length ? count : length;
}

struct Range {
    u64 start;
    u64 end;
};

// The strip of a row that this block has.
DEVICE Range strip_of(const Place &at, u64 length) {
    const u64 start = (u64)at.strip * GROUP;
    return Range{start, start + GROUP < length ? start + GROUP : length};
}

struct MagnitudeArgs {
    const float *x;
    u32 *largest;
    u32 *fault;
    u32 rows;
    u32 length;
};

// One row a block, one strip of it: the largest bits but the sign. `largest` begins as 0.
KERNEL(magnitude_partial, MagnitudeArgs) {
    const Range range = strip_of(at, args.length);
    const u64 start = (u64)at.row * args.length;
    u32 largest = 0;
    for (u64 k = range.start + at.thread; k < range.end; k += at.threads) {
        const u32 own = bits_of_float(args.x[start + k]) & 0x7fffffffu;
        largest = own > largest ? own : largest;
    }
    reduce_max(&args.largest[at.row], largest);
}

KERNEL(magnitude_finish, MagnitudeArgs) {
    for (u64 row = at.index; row < args.rows; row += at.stride) {
        u32 largest = args.largest[row];
        largest = largest > LEAST_MAGNITUDE ? largest : LEAST_MAGNITUDE;
        if (largest >= INFINITE) fault_at(args.fault, row);
        args.largest[row] = largest;
    }
}

struct LargestArgs {
    const float *x;
    u64 *keys;
    // One of them: the values, or the indices.
    float *values;
    u32 *indices;
    u32 *fault;
    u32 rows;
    u32 length;
    Visibility visibility;
};

// Bits that are ordered as the floats are; both zeros are the same.
DEVICE u32 ordered(float x) {
    const u32 bits = x == 0.0f ? 0u : bits_of_float(x);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
DEVICE float of_ordered(u32 ordered) {
    return float_of_bits(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
}

// The largest of a row's strip, of several the lowest: the value above, what is left to the greatest index below.
// What is no number never counts, and a group that begins with one counts for nothing.
KERNEL(largest_partial, LargestArgs) {
    const u64 count = visible(args.visibility, at.row, args.length);
    const Range range = strip_of(at, count);
    const u64 start = (u64)at.row * args.length;
    u64 best = 0;
    if (range.start < range.end && args.x[start + range.start] == args.x[start + range.start]) {
        for (u64 k = range.start + at.thread; k < range.end; k += at.threads) {
            const float x = args.x[start + k];
            if (x != x) continue;
            const u64 key = (u64)ordered(x) << 32 | (u32)~(u32)k;
            best = key > best ? key : best;
        }
    }
    reduce_max(&args.keys[at.row], best);
}

KERNEL(largest_finish, LargestArgs) {
    for (u64 row = at.index; row < args.rows; row += at.stride) {
        const float first = args.x[row * args.length];
        const u64 key = args.keys[row];
        const Real value = real(first == first ? of_ordered((u32)(key >> 32)) : first) + ZERO();
        if (!is_finite(value)) fault_at(args.fault, row);
        if (args.values) args.values[row] = value.v;
        if (args.indices) args.indices[row] = ~(u32)key;
    }
}

struct SumArgs {
    const float *x;
    const float *magnitudes;
    u64 *sums;
    float *out;
    u32 *fault;
    u32 rows;
    u32 length;
    // Fractional bits of weights.
    u32 bits;
};

KERNEL(sum_partial, SumArgs) {
    const Range range = strip_of(at, args.length);
    const u64 start = (u64)at.row * args.length;
    const Real magnitude = real(args.magnitudes[at.row]);
    i64 sum = 0;
    if (is_magnitude(magnitude)) {
        for (u64 k = range.start + at.thread; k < range.end; k += at.threads) {
            const Real x = real(args.x[start + k]);
            if (is_within(x, magnitude)) {
                sum += quantise_sum(x, magnitude);
            } else {
                fault_at(args.fault, at.row);
            }
        }
    }
    reduce_add(&args.sums[at.row], (u64)sum);
}

KERNEL(sum_finish, SumArgs) {
    for (u64 row = at.index; row < args.rows; row += at.stride) {
        const Real magnitude = real(args.magnitudes[row]);
        const bool valid = is_magnitude(magnitude);
        const Real sum =
            valid ? from_i64((i64)args.sums[row]) * pow2(exponent(magnitude) - 30) : ZERO();
        if (!valid || !is_finite(sum)) fault_at(args.fault, row);
        args.out[row] = sum.v;
    }
}

KERNEL(weight_sum_partial, SumArgs) {
    const Range range = strip_of(at, args.length);
    const u64 start = (u64)at.row * args.length;
    u64 sum = 0;
    for (u64 k = range.start + at.thread; k < range.end; k += at.threads) {
        const Real x = real(args.x[start + k]);
        if (is_weight(x)) {
            sum += (u64)rne(x * pow2((i32)args.bits)).v;
        } else {
            fault_at(args.fault, at.row);
        }
    }
    reduce_add(&args.sums[at.row], sum);
}

KERNEL(weight_sum_finish, SumArgs) {
    for (u64 row = at.index; row < args.rows; row += at.stride) {
        const Real sum = from_i64((i64)args.sums[row]) * pow2(-(i32)args.bits);
        if (!is_finite(sum)) fault_at(args.fault, row);
        args.out[row] = sum.v;
    }
}

struct WeightsArgs {
    const float *x;
    const float *maxima;
    float *out;
    u32 *fault;
    u32 rows;
    u32 length;
    Visibility visibility;
};

KERNEL(weights, WeightsArgs) {
    const u64 elements = (u64)args.rows * args.length;
    for (u64 index = at.index; index < elements; index += at.stride) {
        const u32 row = (u32)index / args.length;
        const u32 k = (u32)index % args.length;
        Real y = ZERO();
        if (k < visible(args.visibility, row, args.length)) {
            y = exp(real(args.x[index]) - real(args.maxima[row]));
            if (!is_finite(y)) fault_at(args.fault, index);
        }
        args.out[index] = y.v;
    }
}

struct QuantiseArgs {
    const float *x;
    const float *magnitudes;
    void *out;
    u32 *fault;
    u32 rows;
    u32 length;
    u32 digits;
};

KERNEL(quantise, QuantiseArgs) {
    const u64 elements = (u64)args.rows * args.length;
    for (u64 index = at.index; index < elements; index += at.stride) {
        const Real magnitude = real(args.magnitudes[(u32)index / args.length]);
        const Real x = real(args.x[index]);
        i32 q = 0;
        if (is_operand(magnitude) && is_within(x, magnitude)) {
            q = quantise_class(args.digits, x, magnitude);
        } else {
            fault_at(args.fault, index);
        }
        if (args.digits == 1) {
            ((i8 *)args.out)[index] = (i8)q;
        } else {
            ((i16 *)args.out)[index] = (i16)q;
        }
    }
}
