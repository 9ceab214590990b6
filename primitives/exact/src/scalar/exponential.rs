//! The exponential function and the activation functions made of it.

use super::{
    basic::{abs, at_least, at_most, copy_sign, magnitude_at_most, pow2_normal, quiet},
    convert::ROUNDING_SHIFT,
};

/// 1 ÷ ln 2.
const LOG2_E: f32 = f32::from_bits(0x3fb8_aa3b);
/// ln 2 to 15 bits, so that its product with an integer of up to 9 bits is exact.
pub(super) const LN2_HIGH: f32 = f32::from_bits(0x3f31_7200);
/// What [`LN2_HIGH`] leaves of ln 2.
pub(super) const LN2_LOW: f32 = f32::from_bits(0x35bf_be8e);

/// The least argument that [`exp_parts`] is made for; e to it is far below the least subnormal.
pub(super) const EXP_LEAST: f32 = -126.0;
/// An argument at which the exponential function has overflowed.
const EXP_GREATEST: f32 = 89.0;

/// Coefficients of P in eʳ ≈ 1 + r + r²·P(r) for |r| ≤ ½·ln 2, from r⁰ to r⁵; relative error 2⁻³¹·².
const EXP_P: [f32; 6] = [
    f32::from_bits(0x3f00_0000),
    f32::from_bits(0x3e2a_aa9e),
    f32::from_bits(0x3d2a_aa79),
    f32::from_bits(0x3c08_9b8f),
    f32::from_bits(0x3ab6_a079),
    f32::from_bits(0x3935_cab2),
];

/// Coefficients of P in tanh x ≈ x + x·x²·P(x²) for |x| < 0.55, lowest first; relative error 2⁻²⁹·⁶.
const TANH_P: [f32; 5] = [
    f32::from_bits(0xbeaa_aaa5),
    f32::from_bits(0x3e08_8677),
    f32::from_bits(0xbd5c_8fc7),
    f32::from_bits(0x3cac_7bdb),
    f32::from_bits(0xbbcc_dff7),
];
/// Below it [`tanh`] is its polynomial; just above it, 1 − 2/(e²ˣ+1) is about ½ and nothing cancels.
const TANH_POLYNOMIAL_BELOW: f32 = 0.55;
/// From 9.02 on the hyperbolic tangent rounds to one.
const TANH_GREATEST: f32 = 16.0;

/// e^(x + x_low) as two factors, their product not yet rounded, for −126 ≤ x ≤ 89 and a small `x_low`.
///
/// The first is a normal number, the second a power of two. Rounding their product once at the very end keeps what is
/// multiplied in between from being rounded in the subnormal range.
#[inline]
pub(super) fn exp_parts(x: f32, x_low: f32) -> (f32, f32) {
    // n = the integer nearest to x ÷ ln 2, once as a float and once as an integer.
    let shifted = x * LOG2_E + ROUNDING_SHIFT;
    let n = shifted.to_bits().wrapping_sub(ROUNDING_SHIFT.to_bits()) as i32;
    let n_float = shifted - ROUNDING_SHIFT;
    // r = x − n·ln 2 = high − low, where `high` is exact.
    let high = x - n_float * LN2_HIGH;
    let low = n_float * LN2_LOW - x_low;
    let r = high - low;
    let p = EXP_P[5] * r + EXP_P[4];
    let p = p * r + EXP_P[3];
    let p = p * r + EXP_P[2];
    let p = p * r + EXP_P[1];
    let p = p * r + EXP_P[0];
    let tail = (r * r) * p - low;
    // 1 + high + tail, with the rounding error of 1 + high carried into the tail.
    let sum = 1.0 + high;
    let y = sum + ((high - (sum - 1.0)) + tail);
    let half = n >> 1;
    (y * pow2_normal(half), pow2_normal(n.wrapping_sub(half)))
}

/// eˣ; +∞ above 88.7228, subnormal below −87.3365, +0 below −103.972.
///
/// exp(±0) = 1, exp(x) ≤ 1 for all x ≤ 0, and the function never decreases. NaN gives +∞.
#[inline]
pub fn exp(x: f32) -> f32 {
    let x = at_least(at_most(quiet(x), EXP_GREATEST), EXP_LEAST);
    let (head, factor) = exp_parts(x, 0.0);
    head * factor
}

/// The logistic function 1 ÷ (1 + e⁻ˣ), computed from e^−|x| so that nothing overflows. NaN gives +0.
#[inline]
pub fn sigmoid(x: f32) -> f32 {
    let t = exp(-abs(x));
    let numerator = if x < 0.0 { t } else { 1.0 };
    numerator / (1.0 + t)
}

/// x · sigmoid(x), also called swish.
#[inline]
pub fn silu(x: f32) -> f32 {
    let magnitude = silu_magnitude(x);
    logistic_product(x, magnitude, exp_parts(-magnitude, 0.0))
}

/// The derivative of [`silu`]: σ(x) + x·σ(x)·σ(−x). NaN gives 1.
#[inline]
pub fn silu_derivative(x: f32) -> f32 {
    let magnitude = silu_magnitude(x);
    logistic_derivative(x, magnitude, exp_parts(-magnitude, 0.0))
}

/// |x|, but at most 126, where the factor of e^−|x| has made [`silu`] and its derivative x and 1, or 0 and 0.
#[inline]
fn silu_magnitude(x: f32) -> f32 {
    magnitude_at_most(x, -EXP_LEAST)
}

/// x·σ(v), where σ is [`sigmoid`] and v has the sign of x: x ÷ (1 + t) for x ≥ 0, −magnitude·t ÷ (1 + t) for x < 0,
/// where t = e^−|v| is the product of `parts`.
#[inline]
pub(super) fn logistic_product(x: f32, magnitude: f32, (head, factor): (f32, f32)) -> f32 {
    let denominator = 1.0 + head * factor;
    let negative = x < 0.0;
    let numerator = if negative { -magnitude * head } else { x };
    (numerator / denominator) * (if negative { factor } else { 1.0 })
}

/// The derivative of x·σ(v), where v is an odd function of x: σ(v) + x·v′·σ(v)·σ(−v), with `slope` = |x|·v′.
///
/// It is (1 + t + slope·t) ÷ (1 + t)² for x ≥ 0 and t·(1 + t − slope) ÷ (1 + t)² for x < 0.
#[inline]
pub(super) fn logistic_derivative(x: f32, slope: f32, (head, factor): (f32, f32)) -> f32 {
    let t = head * factor;
    let denominator = 1.0 + t;
    let negative = x < 0.0;
    let inner = denominator + (if negative { -slope } else { slope * t });
    let numerator = if negative { head } else { 1.0 };
    ((numerator * inner) / (denominator * denominator)) * (if negative { factor } else { 1.0 })
}

/// The hyperbolic tangent; odd, and exactly ±1 from 9.02 on.
#[inline]
pub fn tanh(x: f32) -> f32 {
    tanh_of_large(x, tanh_large(x))
}

/// First part of [`tanh`]: its value at |x| ≥ 0.55.
#[inline]
pub fn tanh_large(x: f32) -> f32 {
    let (head, factor) = exp_parts(2.0 * magnitude_at_most(x, TANH_GREATEST), 0.0);
    1.0 - 2.0 / (head * factor + 1.0)
}

/// Second part of [`tanh`]: its value at x, out of the first part.
#[inline]
pub fn tanh_of_large(x: f32, large: f32) -> f32 {
    let magnitude = abs(x);
    let square = x * x;
    let p = TANH_P[4] * square + TANH_P[3];
    let p = p * square + TANH_P[2];
    let p = p * square + TANH_P[1];
    let p = p * square + TANH_P[0];
    let small = magnitude + magnitude * (square * p);
    let y = if magnitude < TANH_POLYNOMIAL_BELOW {
        small
    } else {
        large
    };
    // The sign of what is no number differs between processors: it must not show in a number
    if x.is_nan() {
        x
    } else {
        copy_sign(y, x)
    }
}
