//! Conversions between binary32 and integers.

use super::basic::{at_least, at_most, quiet};

/// 1.5·2²³: added to a value of magnitude up to 2²², it leaves the nearest integer in the low bits of the sum.
pub(super) const ROUNDING_SHIFT: f32 = 12_582_912.0;

/// −2³¹.
const LEAST_I32: f32 = -2_147_483_648.0;
/// 2³¹ − 128, the greatest float below 2³¹.
const GREATEST_I32: f32 = 2_147_483_520.0;
/// [`to_i32_rne`] splits its argument at this power of two.
const SPLIT_BITS: u32 = 11;
/// 2⁻¹¹.
const SPLIT_DOWN: f32 = 1.0 / SPLIT_UP;
/// 2¹¹.
const SPLIT_UP: f32 = (1u32 << SPLIT_BITS) as f32;

/// An integer as the nearest float, ties to even, rounded once.
///
/// Rust's `as` is defined that way, and so are WASM's `f32.convert_i64_s` and CUDA's `__ll2float_rn`. Going through f64
/// rounds twice unless |n| < 2⁵³.
#[inline]
pub fn from_i64(n: i64) -> f32 {
    n as f32
}

/// The nearest integer, ties to even, with `x` first clamped to −2³¹ … 2³¹−128 (the greatest float below 2³¹). NaN
/// gives −2³¹.
///
/// Written without a conversion instruction, whose behaviour out of range differs between processors and which Rust
/// therefore guards in a way that does not vectorise. x = high·2¹¹ + low with |low| ≤ 2¹⁰ is exact, and as high·2¹¹ is
/// even, rounding `low` rounds x.
#[inline]
pub fn to_i32_rne(x: f32) -> i32 {
    let x = at_most(at_least(quiet(x), LEAST_I32), GREATEST_I32);
    let shifted = x * SPLIT_DOWN + ROUNDING_SHIFT;
    let high = shifted.to_bits().wrapping_sub(ROUNDING_SHIFT.to_bits());
    let low = x - (shifted - ROUNDING_SHIFT) * SPLIT_UP;
    (high << SPLIT_BITS).wrapping_add(to_i32_rne_small(low) as u32) as i32
}

/// The same integer as [`to_i32_rne`] for |x| ≤ 2²², in one addition and one subtraction.
///
/// Meaningless beyond: the caller's construction must guarantee the range (the digits of `A16` and `A24` are in it).
#[inline]
pub fn to_i32_rne_small(x: f32) -> i32 {
    (x + ROUNDING_SHIFT).to_bits().wrapping_sub(ROUNDING_SHIFT.to_bits()) as i32
}
