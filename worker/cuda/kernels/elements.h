// Elements one by one: expressions, other places, rows of tables, rotations.
#pragma once
#include "scalar.h"

enum : u32 { MAX_RANK = 5, MAX_NODES = 64, MAX_INPUTS = 16 };

// Types of elements, in the order of assay-exact.
enum : u32 { F32 = 0, I8 = 1, I16 = 2, U32 = 3, U64 = 4 };

// What a node does, in the order of assay-exact: functions of one scalar from UNARY on, of two from BINARY on.
enum : u32 { INPUT = 0, CONST = 1, COORDINATE = 2, UNARY = 3, BINARY = 21, SELECT_LESS = 27, SELECT_EQUAL = 28 };

struct Node {
    u8 operation;
    // Where the result goes.
    u8 to;
    u8 a;
    u8 b;
    // An input, the bits of a constant, a dimension; or the last two operands of a selection.
    u32 value;
};

struct MapInput {
    const void *x;
    u32 dtype;
    // Elements from one to the next along each dimension of the output; 0 where it is repeated.
    u32 strides[MAX_RANK];
};

struct MapArgs {
    float *out;
    u32 *fault;
    u32 elements;
    u32 rank;
    u32 dims[MAX_RANK];
    u32 inputs;
    // Whether every input is read in the order of the output, so that no coordinate is needed.
    u32 flat;
    u32 nodes;
    MapInput input[MAX_INPUTS];
    Node node[MAX_NODES];
};

DEVICE Real load(const void *x, u32 dtype, u64 at) {
    switch (dtype) {
    case F32: return real(((const float *)x)[at]);
    case I8: return from_i64(((const i8 *)x)[at]);
    case I16: return from_i64(((const i16 *)x)[at]);
    default: return from_i64((i64)((const u32 *)x)[at]);
    }
}

DEVICE Real unary(u32 function, Real x) {
    switch (function) {
    case 0: return neg(x);
    case 1: return abs(x);
    case 2: return sqrt(x);
    case 3: return exp(x);
    case 4: return ln(x);
    case 5: return tanh(x);
    case 6: return erf(x);
    case 7: return sigmoid(x);
    case 8: return silu(x);
    case 9: return silu_derivative(x);
    case 10: return gelu(x);
    case 11: return gelu_derivative(x);
    case 12: return gelu_tanh(x);
    case 13: return gelu_tanh_derivative(x);
    case 14: return relu(x);
    case 15: return rne(x);
    case 16: return floor(x);
    default: return pow2(clamp(exponent(x), -126, 127));
    }
}

DEVICE Real binary(u32 function, Real a, Real b) {
    switch (function) {
    case 0: return a + b;
    case 1: return a - b;
    case 2: return a * b;
    case 3: return a / b;
    case 4: return max(a, b);
    default: return min(a, b);
    }
}

// An expression, node by node: its results share as few places as can be, so that they stay near the thread.
KERNEL(map, MapArgs) {
    for (u64 index = at.index; index < args.elements; index += at.stride) {
        u32 coordinates[MAX_RANK];
        if (!args.flat) {
            u32 rest = (u32)index;
            for (u32 d = args.rank; d-- > 0;) {
                coordinates[d] = rest % args.dims[d];
                rest /= args.dims[d];
            }
        }
        Real values[MAX_NODES];
        Real last = ZERO();
        for (u32 n = 0; n < args.nodes; n++) {
            const Node node = args.node[n];
            if (node.operation == INPUT) {
                const MapInput &input = args.input[node.value];
                u64 place = index;
                if (!args.flat) {
                    place = 0;
                    for (u32 d = 0; d < args.rank; d++) place += (u64)coordinates[d] * input.strides[d];
                } else if (input.strides[0] == 0) {
                    place = 0;
                }
                last = load(input.x, input.dtype, place);
            } else if (node.operation == CONST) {
                last = of_bits(node.value);
            } else if (node.operation == COORDINATE) {
                last = from_i64((i64)coordinates[args.rank - 1 - node.value]);
            } else if (node.operation < BINARY) {
                last = unary(node.operation - UNARY, values[node.a]);
            } else if (node.operation < SELECT_LESS) {
                last = binary(node.operation - BINARY, values[node.a], values[node.b]);
            } else {
                const Real a = values[node.a], b = values[node.b];
                const bool holds = node.operation == SELECT_LESS ? a < b : a == b;
                last = values[holds ? node.value & 255 : node.value >> 8];
            }
            values[node.to] = last;
        }
        if (!is_finite(last)) fault_at(args.fault, index);
        args.out[index] = last.v;
    }
}

// Every scalar function of one pattern, as assay-exact's table lists them.
struct TableArgs {
    u32 *out;
    u32 function;
    u32 first;
    u32 count;
    // Patterns from one to the next.
    u32 step;
};

DEVICE i32 to_i32_rne(Real x) {
    x = at_most(at_least(quiet(x), real(-2147483648.0f)), real(2147483520.0f));
    return (i32)rne(x).v;
}

DEVICE Real scale_by_pow2(Real x, i32 e) {
    e = clamp(e, -252, 254);
    const i32 first = clamp(e, -126, 127);
    return (x * pow2_normal(first)) * pow2_normal(e - first);
}

DEVICE u32 tabulate(u32 function, u32 p) {
    const Real x = of_bits(p);
    Real y;
    switch (function) {
    case 0: y = abs(x); break;
    case 1: y = neg(x); break;
    case 2: y = relu(x); break;
    case 3: y = max(x, neg(x)); break;
    case 4: y = min(x, neg(x)); break;
    case 5: y = rne(x); break;
    case 6: y = floor(x); break;
    case 7: y = sqrt(x); break;
    case 8: y = scale_by_pow2(x, (i32)((p * 0x9e3779b9u) >> 23) - 256); break;
    case 9: return is_finite(x) ? (u32)to_i32_rne(x) : p;
    case 10: return bits(from_i64((i64)((u64)p << 32 | p)));
    case 11: return bits(pow2((i32)p));
    case 12: y = exp(x); break;
    case 13: y = ln(x); break;
    case 14: y = sigmoid(x); break;
    case 15: y = silu(x); break;
    case 16: y = silu_derivative(x); break;
    case 17: y = tanh(x); break;
    case 18: y = erf(x); break;
    case 19: y = gelu(x); break;
    case 20: y = gelu_derivative(x); break;
    case 21: y = gelu_tanh(x); break;
    case 22: y = gelu_tanh_derivative(x); break;
    case 23: return bits(sin_turn(p));
    default: return bits(cos_turn(p));
    }
    if (!is_finite(x)) return p;
    return is_nan(y) ? 0x7fc00000u : bits(y);
}

KERNEL(table, TableArgs) {
    for (u64 index = at.index; index < args.count; index += at.stride)
        args.out[index] = tabulate(args.function, args.first + (u32)index * args.step);
}

struct ViewTerm {
    i32 factor;
    u32 dimension;
};

struct ViewCoordinate {
    // What is added, bounded: what is farther off is outside in any case.
    i64 offset;
    u32 divisor;
    u32 size;
    // Elements from one to the next along this dimension of the input.
    u32 stride;
    u32 terms;
    ViewTerm term[MAX_RANK];
};

struct ViewArgs {
    const void *x;
    void *out;
    // Bytes of an element.
    u32 size;
    u32 elements;
    u32 rank;
    u32 dims[MAX_RANK];
    u32 coordinates;
    u32 unused;
    ViewCoordinate coordinate[MAX_RANK];
};

DEVICE void move(void *out, u64 to, const void *x, u64 from, u32 size, bool is_there) {
    switch (size) {
    case 1: ((u8 *)out)[to] = is_there ? ((const u8 *)x)[from] : (u8)0; break;
    case 2: ((u16 *)out)[to] = is_there ? ((const u16 *)x)[from] : (u16)0; break;
    case 4: ((u32 *)out)[to] = is_there ? ((const u32 *)x)[from] : 0u; break;
    default: ((u64 *)out)[to] = is_there ? ((const u64 *)x)[from] : 0ull; break;
    }
}

KERNEL(view, ViewArgs) {
    for (u64 index = at.index; index < args.elements; index += at.stride) {
        u32 own[MAX_RANK];
        u32 rest = (u32)index;
        for (u32 d = args.rank; d-- > 0;) {
            own[d] = rest % args.dims[d];
            rest /= args.dims[d];
        }
        u64 place = 0;
        bool is_there = true;
        for (u32 c = 0; c < args.coordinates; c++) {
            const ViewCoordinate &coordinate = args.coordinate[c];
            i64 found = coordinate.offset;
            for (u32 t = 0; t < coordinate.terms; t++)
                found += (i64)coordinate.term[t].factor * (i64)own[coordinate.term[t].dimension];
            if (coordinate.divisor != 1) {
                is_there = is_there && found % (i64)coordinate.divisor == 0;
                found /= (i64)coordinate.divisor;
            }
            is_there = is_there && found >= 0 && found < (i64)coordinate.size;
            place += (u64)found * coordinate.stride;
        }
        move(args.out, index, args.x, place, args.size, is_there);
    }
}

struct PlaceRowsArgs {
    const u8 *x;
    u8 *out;
    // Bytes of a row of x, of a row of out, and where in it that of x goes.
    u32 bytes;
    u32 row_bytes;
    u32 offset;
    u32 rows;
    // Bytes that are moved at once: all sizes and addresses are multiples of it.
    u32 unit;
    u32 unused;
};

// Rows to their places in longer rows: what a concatenation is made of.
KERNEL(place_rows, PlaceRowsArgs) {
    const u64 units = args.bytes / args.unit;
    for (u64 index = at.index; index < units * args.rows; index += at.stride) {
        const u64 row = index / units;
        const u64 to = row * (args.row_bytes / args.unit) + args.offset / args.unit + index % units;
        move(args.out, to, args.x, index, args.unit, true);
    }
}

struct LookupArgs {
    const void *table;
    const u32 *indices;
    void *out;
    u32 *fault;
    u32 size;
    u32 width;
    u32 rows;
    u32 elements;
};

KERNEL(lookup, LookupArgs) {
    for (u64 index = at.index; index < args.elements; index += at.stride) {
        const u32 row = args.indices[(u32)index / args.width];
        const bool is_there = row < args.rows;
        if (!is_there) fault_at(args.fault, index);
        move(args.out, index, args.table, (u64)row * args.width + (u32)index % args.width, args.size, is_there);
    }
}

struct PickArgs {
    const float *x;
    const u32 *indices;
    float *out;
    u32 *fault;
    u32 rows;
    u32 length;
};

KERNEL(pick, PickArgs) {
    for (u64 row = at.index; row < args.rows; row += at.stride) {
        const u32 k = args.indices[row];
        const bool is_there = k < args.length;
        const Real x = is_there ? real(args.x[row * args.length + k]) : ZERO();
        if (!is_there || !is_finite(x)) fault_at(args.fault, row);
        args.out[row] = x.v;
    }
}

struct ScatterArgs {
    const float *x;
    const float *magnitudes;
    const u32 *indices;
    u64 *sums;
    float *out;
    u32 *fault;
    u32 columns;
    u32 length;
    u32 rows;
    u32 unused;
};

KERNEL(scatter_add, ScatterArgs) {
    const u64 all = (u64)args.columns * args.length;
    for (u64 index = at.index; index < all; index += at.stride) {
        const u32 column = (u32)index / args.length;
        const u32 row = args.indices[(u32)index % args.length];
        if (row >= args.rows) {
            fault_at(args.fault, 0);
            continue;
        }
        const u64 to = (u64)column * args.rows + row;
        const Real magnitude = real(args.magnitudes[column]);
        const Real x = real(args.x[index]);
        if (!is_magnitude(magnitude)) continue;
        if (is_within(x, magnitude)) {
            add_to(&args.sums[to], (u64)quantise_column(x, magnitude));
        } else {
            fault_at(args.fault, to);
        }
    }
}

KERNEL(scatter_finish, ScatterArgs) {
    const u64 all = (u64)args.columns * args.rows;
    for (u64 index = at.index; index < all; index += at.stride) {
        const Real magnitude = real(args.magnitudes[(u32)index / args.rows]);
        const bool valid = is_magnitude(magnitude);
        const Real y =
            valid ? from_i64((i64)args.sums[index]) * pow2(-10) * pow2(exponent(magnitude) - 30) : ZERO();
        if (!valid || !is_finite(y)) fault_at(args.fault, index);
        args.out[index] = y.v;
    }
}

struct RotateArgs {
    const float *x;
    const u64 *frequencies;
    float *out;
    u32 *fault;
    u32 elements;
    // Elements of a row, and from one position to the next.
    u32 length;
    u32 stride;
    // Positions of the dimension, and the first.
    u32 positions;
    u32 first;
    u32 inverse;
};

// A pair of elements a thread.
KERNEL(rotate, RotateArgs) {
    const u32 half = args.length / 2;
    for (u64 index = at.index; index < args.elements / 2; index += at.stride) {
        const u32 pair = (u32)index % half;
        const u64 one = index / half * args.length + pair;
        const u64 two = one + half;
        // Both lie at the same position unless positions count along the row itself
        for (u32 second = 0; second < 2; second++) {
            const u64 element = second ? two : one;
            const u64 position = (u64)args.first + (u32)element / args.stride % args.positions;
            const u32 phase = (u32)((position * args.frequencies[pair]) >> 32);
            const Real cosine = cos_turn(phase);
            Real sine = sin_turn(phase);
            if (args.inverse) sine = neg(sine);
            const Real a = real(args.x[one]), b = real(args.x[two]);
            const Real y = second ? b * cosine + a * sine : a * cosine - b * sine;
            if (!is_finite(y)) fault_at(args.fault, element);
            args.out[element] = y.v;
        }
    }
}
