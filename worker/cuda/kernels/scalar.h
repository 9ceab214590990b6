// The scalar functions of docs/exact/scalars.md, operation by operation; the names are those of assay-exact.
#pragma once
#include "platform.h"

// A float whose operations are rounded one by one, whatever a compiler would like to fuse.
struct Real {
    float v;
};

DEVICE Real real(float v) { return Real{v}; }
DEVICE Real of_bits(u32 bits) { return Real{float_of_bits(bits)}; }
DEVICE u32 bits(Real x) { return bits_of_float(x.v); }
DEVICE Real operator+(Real a, Real b) { return Real{add_rn(a.v, b.v)}; }
DEVICE Real operator-(Real a, Real b) { return Real{sub_rn(a.v, b.v)}; }
DEVICE Real operator*(Real a, Real b) { return Real{mul_rn(a.v, b.v)}; }
DEVICE Real operator/(Real a, Real b) { return Real{div_rn(a.v, b.v)}; }
DEVICE bool operator<(Real a, Real b) { return a.v < b.v; }
DEVICE bool operator>(Real a, Real b) { return a.v > b.v; }
DEVICE bool operator<=(Real a, Real b) { return a.v <= b.v; }
DEVICE bool operator>=(Real a, Real b) { return a.v >= b.v; }
DEVICE bool operator==(Real a, Real b) { return a.v == b.v; }

DEVICE Real ZERO() { return real(0.0f); }
DEVICE Real ONE() { return real(1.0f); }

DEVICE bool is_finite(Real x) { return (bits(x) & 0x7fffffffu) < 0x7f800000u; }
DEVICE bool is_nan(Real x) { return (bits(x) & 0x7fffffffu) > 0x7f800000u; }
DEVICE Real from_i64(i64 n) { return real(from_i64_rn(n)); }

// basic.rs: compilers may take it for granted that no NaN is a signalling one; so none is compared as it came with a
// constant to choose one of the two.

DEVICE Real quiet(Real x) { return x + ZERO(); }
DEVICE Real max(Real a, Real b) {
    a = quiet(a), b = quiet(b);
    return a > b ? a : b;
}
DEVICE Real min(Real a, Real b) {
    a = quiet(a), b = quiet(b);
    return a < b ? a : b;
}
DEVICE Real at_most(Real x, Real limit) { return x < limit ? x : limit; }
DEVICE Real at_least(Real x, Real limit) { return x > limit ? x : limit; }
DEVICE Real magnitude_at_most(Real x, Real limit) {
    const u32 magnitude = bits(x) & 0x7fffffffu;
    return of_bits(magnitude < bits(limit) ? magnitude : bits(limit));
}
DEVICE Real relu(Real x) { return of_bits(bits(x) - 1u < 0x7f800000u ? bits(x) : 0u); }
DEVICE Real abs(Real x) { return of_bits(bits(x) & 0x7fffffffu); }
DEVICE Real neg(Real x) { return of_bits(bits(x) ^ 0x80000000u); }
DEVICE Real copy_sign(Real magnitude, Real sign) {
    return of_bits((bits(magnitude) & 0x7fffffffu) | (bits(sign) & 0x80000000u));
}
DEVICE Real rne(Real x) {
    const Real shift = real(8388608.0f);
    const Real magnitude = abs(x);
    const Real rounded = copy_sign((magnitude + shift) - shift, x);
    return magnitude < shift ? rounded : x;
}
DEVICE Real floor(Real x) {
    const Real rounded = rne(x);
    return rounded > x ? rounded - ONE() : rounded;
}
DEVICE Real sqrt(Real x) { return real(sqrt_rn(x.v)); }
DEVICE i32 clamp(i32 x, i32 least, i32 most) { return x < least ? least : x > most ? most : x; }
DEVICE Real pow2(i32 e) {
    const u32 normal = (u32)(clamp(e, -126, 127) + 127) << 23;
    const u32 subnormal = 1u << (clamp(e, -149, -127) + 149);
    u32 result = e >= -126 ? normal : subnormal;
    result = e > 127 ? 0x7f800000u : result;
    return of_bits(e < -149 ? 0u : result);
}
DEVICE Real pow2_normal(i32 e) { return of_bits(((u32)e + 127u) << 23); }

// exponential.rs

DEVICE Real ROUNDING_SHIFT() { return real(12582912.0f); }
DEVICE Real LN2_HIGH() { return of_bits(0x3f317200u); }
DEVICE Real LN2_LOW() { return of_bits(0x35bfbe8eu); }
DEVICE Real EXP_LEAST() { return real(-126.0f); }

// Two factors whose product is not yet rounded.
struct Parts {
    Real head;
    Real factor;
};

DEVICE Parts exp_parts(Real x, Real x_low) {
    const Real shift = ROUNDING_SHIFT();
    const Real shifted = x * of_bits(0x3fb8aa3bu) + shift;
    const i32 n = (i32)(bits(shifted) - bits(shift));
    const Real n_float = shifted - shift;
    const Real high = x - n_float * LN2_HIGH();
    const Real low = n_float * LN2_LOW() - x_low;
    const Real r = high - low;
    Real p = of_bits(0x3935cab2u) * r + of_bits(0x3ab6a079u);
    p = p * r + of_bits(0x3c089b8fu);
    p = p * r + of_bits(0x3d2aaa79u);
    p = p * r + of_bits(0x3e2aaa9eu);
    p = p * r + of_bits(0x3f000000u);
    const Real tail = (r * r) * p - low;
    const Real sum = ONE() + high;
    const Real y = sum + ((high - (sum - ONE())) + tail);
    const i32 half = n >> 1;
    return Parts{y * pow2_normal(half), pow2_normal((i32)((u32)n - (u32)half))};
}
DEVICE Real exp(Real x) {
    const Parts parts = exp_parts(at_least(at_most(quiet(x), real(89.0f)), EXP_LEAST()), ZERO());
    return parts.head * parts.factor;
}
DEVICE Real sigmoid(Real x) {
    const Real t = exp(neg(abs(x)));
    const Real numerator = x < ZERO() ? t : ONE();
    return numerator / (ONE() + t);
}
DEVICE Real logistic_product(Real x, Real magnitude, Parts parts) {
    const Real denominator = ONE() + parts.head * parts.factor;
    const bool negative = x < ZERO();
    const Real numerator = negative ? neg(magnitude) * parts.head : x;
    return (numerator / denominator) * (negative ? parts.factor : ONE());
}
DEVICE Real logistic_derivative(Real x, Real slope, Parts parts) {
    const Real t = parts.head * parts.factor;
    const Real denominator = ONE() + t;
    const bool negative = x < ZERO();
    const Real inner = denominator + (negative ? neg(slope) : slope * t);
    const Real numerator = negative ? parts.head : ONE();
    return ((numerator * inner) / (denominator * denominator)) * (negative ? parts.factor : ONE());
}
DEVICE Real silu_magnitude(Real x) { return magnitude_at_most(x, neg(EXP_LEAST())); }
DEVICE Real silu(Real x) {
    const Real magnitude = silu_magnitude(x);
    return logistic_product(x, magnitude, exp_parts(neg(magnitude), ZERO()));
}
DEVICE Real silu_derivative(Real x) {
    const Real magnitude = silu_magnitude(x);
    return logistic_derivative(x, magnitude, exp_parts(neg(magnitude), ZERO()));
}
DEVICE Real tanh(Real x) {
    const Real two = real(2.0f);
    const Parts parts = exp_parts(two * magnitude_at_most(x, real(16.0f)), ZERO());
    const Real large = ONE() - two / (parts.head * parts.factor + ONE());
    const Real magnitude = abs(x);
    const Real square = x * x;
    Real p = of_bits(0xbbccdff7u) * square + of_bits(0x3cac7bdbu);
    p = p * square + of_bits(0xbd5c8fc7u);
    p = p * square + of_bits(0x3e088677u);
    p = p * square + of_bits(0xbeaaaaa5u);
    const Real small = magnitude + magnitude * (square * p);
    const Real y = magnitude < real(0.55f) ? small : large;
    return is_nan(x) ? x : copy_sign(y, x);
}

// gelu.rs

DEVICE Real erf(Real x) {
    const Real a = magnitude_at_most(x, real(4.0f));
    Real p = of_bits(0xb95ce123u) * a + of_bits(0x3b50dc99u);
    p = p * a + of_bits(0xbcbac40bu);
    p = p * a + of_bits(0x3dd74736u);
    p = p * a + of_bits(0x3f22c5d8u);
    p = p * a + of_bits(0x3f907209u);
    const Parts parts = exp_parts(neg(a * p), ZERO());
    const Real large = ONE() - parts.head * parts.factor;
    const Real magnitude = abs(x);
    const Real square = x * x;
    p = of_bits(0x38a3b8feu) * square + of_bits(0xba51a8afu);
    p = p * square + of_bits(0x3ba9f912u);
    p = p * square + of_bits(0xbcdbfb8du);
    p = p * square + of_bits(0x3de71673u);
    p = p * square + of_bits(0xbec0939fu);
    p = p * square + of_bits(0x3e0375d4u);
    const Real small = magnitude + magnitude * p;
    const Real y = magnitude < ONE() ? small : large;
    return is_nan(x) ? x : copy_sign(y, x);
}

// The two factors of e^(-a^2/2), and the tail of the normal distribution over it.
struct Tail {
    Parts parts;
    Real g;
};

DEVICE Tail normal_tail(Real a) {
    const Real minus_half = real(-0.5f);
    const Real centre = real(3.390625f);
    const Real upper = of_bits((bits(a) + 0x00000800u) & 0xfffff000u);
    const Parts parts = exp_parts(minus_half * (upper * upper), minus_half * ((a - upper) * (a + upper)));
    const Real t = (a - centre) / (a + centre);
    Real p = of_bits(0xb7aa0fa1u) * t + of_bits(0xb7f5c119u);
    p = p * t + of_bits(0x39303c6fu);
    p = p * t + of_bits(0x3972581du);
    p = p * t + of_bits(0xbac2dc3cu);
    p = p * t + of_bits(0xb99df69cu);
    p = p * t + of_bits(0x3c854941u);
    p = p * t + of_bits(0xbd70b5c5u);
    p = p * t + of_bits(0x3e00bce7u);
    p = p * t + of_bits(0xbe43b896u);
    p = p * t + of_bits(0x3ddff1a0u);
    return Tail{parts, p};
}
DEVICE Real gelu(Real x) {
    const Real a = magnitude_at_most(x, real(15.0f));
    const Tail of = normal_tail(a);
    const Real tail = of.parts.head * of.g;
    return x < ZERO() ? (neg(a) * tail) * of.parts.factor : x * (ONE() - tail * of.parts.factor);
}
DEVICE Real gelu_derivative(Real x) {
    const Real a = magnitude_at_most(x, real(15.0f));
    const Tail of = normal_tail(a);
    const Real left = (of.parts.head * (of.g - a * of_bits(0x3ecc422au))) * of.parts.factor;
    return x < ZERO() ? left : ONE() - left;
}
DEVICE Real twice_u(Real a) { return a * (of_bits(0x3fcc422au) + of_bits(0x3d922279u) * (a * a)); }
DEVICE Real gelu_tanh(Real x) {
    const Real a = magnitude_at_most(x, real(11.0f));
    return logistic_product(x, a, exp_parts(neg(twice_u(a)), ZERO()));
}
DEVICE Real gelu_tanh_derivative(Real x) {
    const Real a = magnitude_at_most(x, real(11.0f));
    const Real slope = a * (of_bits(0x3fcc422au) + of_bits(0x3e5b33b6u) * (a * a));
    return logistic_derivative(x, slope, exp_parts(neg(twice_u(a)), ZERO()));
}

// logarithm.rs

DEVICE Real ln(Real x) {
    const bool subnormal = x < of_bits(0x00800000u);
    const Real scaled = subnormal ? x * real(16777216.0f) : x;
    const i32 offset = subnormal ? -24 : 0;
    const u32 shifted = bits(scaled) - 0x3f3504f3u;
    const Real k = from_i64((i64)(((i32)shifted >> 23) + offset));
    const Real f = of_bits((shifted & 0x007fffffu) + 0x3f3504f3u) - ONE();
    const Real s = f / (real(2.0f) + f);
    const Real square = s * s;
    Real p = of_bits(0x3e789d93u) * square + of_bits(0x3e91e9f0u);
    p = p * square + of_bits(0x3eccce13u);
    p = p * square + of_bits(0x3f2aaaaau);
    p = p * square;
    const Real half_square = real(0.5f) * (f * f);
    const Real low = s * (half_square + p) + k * LN2_LOW();
    const Real y = k * LN2_HIGH() - ((half_square - low) - f);
    const Real nothing = of_bits(x == ZERO() ? 0xff800000u : 0x7fc00000u);
    return x > ZERO() ? y : nothing;
}

// turn.rs

DEVICE Real sin_turn(u32 phase) {
    const u32 quarter = 1u << 30, half = 1u << 31;
    const u32 sign = phase & half;
    const u32 within_half = phase & (half - 1u);
    const u32 within_quarter = within_half > quarter ? half - within_half : within_half;
    const bool beyond_eighth = within_quarter > quarter / 2u;
    const i32 eighth = (i32)(beyond_eighth ? quarter - within_quarter : within_quarter);
    const i32 upper_part = eighth & ~((1 << 17) - 1);
    const Real lower = from_i64((i64)(eighth - upper_part));
    const Real upper = from_i64((i64)upper_part);
    const Real product = upper * of_bits(0x30c91000u);
    const Real rest = upper * of_bits(0xa795777au) + lower * of_bits(0x30c90fdbu);
    const Real theta = product + rest;
    const Real theta_low = (product - theta) + rest;
    const Real square = theta * theta;

    Real p = of_bits(0xb94caa04u) * square + of_bits(0x3c0883bcu);
    p = p * square + of_bits(0xbe2aaaa3u);
    const Real sine = theta + (theta * (square * p) + theta_low);

    p = of_bits(0x37ccf41eu) * square + of_bits(0xbab60614u);
    p = p * square + of_bits(0x3d2aaaa5u);
    const Real half_square = real(0.5f) * square;
    const Real leading = ONE() - half_square;
    const Real correction = ((ONE() - leading) - half_square) + ((square * square) * p - theta * theta_low);
    const Real cosine = leading + correction;

    const Real y = beyond_eighth ? cosine : sine;
    return of_bits(bits(y) ^ sign) + ZERO();
}
DEVICE Real cos_turn(u32 phase) { return sin_turn(phase + (1u << 30)); }

// row.rs and product.rs

enum : u32 { LEAST_MAGNITUDE = 0x0f800000u, OPERAND_LIMIT = 0x5f800000u, INFINITE = 0x7f800000u };

DEVICE i32 exponent(Real magnitude) { return (i32)(bits(magnitude) >> 23) - 126; }
DEVICE bool is_magnitude(Real x) { return bits(x) >= LEAST_MAGNITUDE && bits(x) < INFINITE; }
DEVICE bool is_operand(Real x) { return bits(x) >= LEAST_MAGNITUDE && bits(x) < OPERAND_LIMIT; }
DEVICE bool is_within(Real x, Real magnitude) { return abs(x) <= magnitude; }
DEVICE bool is_weight(Real x) { return x >= ZERO() && x <= ONE(); }

// Classes by their number of digits.
DEVICE i32 fraction(u32 digits) { return digits == 2 ? 14 : 22; }
DEVICE i32 most_of(u32 digits) { return digits == 1 ? 127 : digits == 2 ? 1 << 14 : 1 << 22; }
DEVICE Real scale_of(Real magnitude) { return magnitude / real(127.0f); }
DEVICE i32 quantise_class(u32 digits, Real x, Real magnitude) {
    const Real scaled = digits == 1 ? x / scale_of(magnitude) : x * pow2(fraction(digits) - exponent(magnitude));
    return (i32)rne(scaled).v;
}
DEVICE i64 quantise_sum(Real x, Real magnitude) { return (i64)rne(x * pow2(30 - exponent(magnitude))).v; }
DEVICE i64 quantise_column(Real x, Real magnitude) {
    return (i64)rne(x * pow2(30 - exponent(magnitude)) * pow2(10)).v;
}
