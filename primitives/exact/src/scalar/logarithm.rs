//! The natural logarithm.

use super::exponential::{LN2_HIGH, LN2_LOW};

/// The bits of √½, the least significand that the argument is reduced to.
const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
/// 2⁻¹²⁶, the least normal number.
const LEAST_NORMAL: f32 = f32::MIN_POSITIVE;
/// 2²⁴ makes every subnormal number normal.
const NORMALISE: f32 = 16_777_216.0;
const NORMALISE_EXPONENT: i32 = 24;

/// Coefficients of P in ln(1+f) ≈ 2s + s·s²·P(s²), s = f ÷ (2+f), √½ ≤ 1+f < √2, lowest first; relative error 2⁻³⁴.
const LN_P: [f32; 4] = [
    f32::from_bits(0x3f2a_aaaa),
    f32::from_bits(0x3ecc_ce13),
    f32::from_bits(0x3e91_e9f0),
    f32::from_bits(0x3e78_9d93),
];

/// The natural logarithm; −∞ for ±0, NaN for negative `x`.
#[inline]
pub fn ln(x: f32) -> f32 {
    let subnormal = x < LEAST_NORMAL;
    let scaled = if subnormal { x * NORMALISE } else { x };
    let offset = if subnormal { -NORMALISE_EXPONENT } else { 0 };
    // scaled = 2^k · m with √½ ≤ m < √2.
    let shifted = scaled.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let k = ((shifted as i32) >> 23).wrapping_add(offset) as f32;
    let f = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(SQRT_HALF_BITS)) - 1.0;
    let s = f / (2.0 + f);
    let square = s * s;
    let p = LN_P[3] * square + LN_P[2];
    let p = p * square + LN_P[1];
    let p = p * square + LN_P[0];
    let p = p * square;
    let half_square = 0.5 * (f * f);
    let low = s * (half_square + p) + k * LN2_LOW;
    let y = k * LN2_HIGH - ((half_square - low) - f);
    let nothing = if x == 0.0 { f32::NEG_INFINITY } else { f32::NAN };
    if x > 0.0 {
        y
    } else {
        nothing
    }
}
