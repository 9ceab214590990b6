//! The error function and the two forms of GELU, with their derivatives.

use super::{
    basic::{abs, copy_sign, magnitude_at_most},
    exponential::{exp_parts, logistic_derivative, logistic_product},
};

/// Coefficients of P in erf x ≈ x + x·P(x²) for |x| < 1, lowest first; relative error 2⁻²⁹·³.
const ERF_SMALL_P: [f32; 7] = [
    f32::from_bits(0x3e03_75d4),
    f32::from_bits(0xbec0_939f),
    f32::from_bits(0x3de7_1673),
    f32::from_bits(0xbcdb_fb8d),
    f32::from_bits(0x3ba9_f912),
    f32::from_bits(0xba51_a8af),
    f32::from_bits(0x38a3_b8fe),
];
/// Coefficients of P in erf x ≈ 1 − e^(−x·P(x)) for 1 ≤ x ≤ 4, lowest first; relative error 2⁻²⁸·⁵.
const ERF_LARGE_P: [f32; 6] = [
    f32::from_bits(0x3f90_7209),
    f32::from_bits(0x3f22_c5d8),
    f32::from_bits(0x3dd7_4736),
    f32::from_bits(0xbcba_c40b),
    f32::from_bits(0x3b50_dc99),
    f32::from_bits(0xb95c_e123),
];
/// Below it [`erf`] is its polynomial; above, the complement is less than a fifth of it and nothing cancels.
const ERF_POLYNOMIAL_BELOW: f32 = 1.0;
/// From 3.92 on the error function rounds to one.
const ERF_GREATEST: f32 = 4.0;

/// Coefficients of P in Φ(−a) ≈ e^(−a²/2)·P(t), t = (a−K) ÷ (a+K), for 0 ≤ a ≤ 15, lowest first; relative error
/// 2⁻²⁷·⁶. They fall quickly, so that evaluating P adds little error of its own.
const TAIL_P: [f32; 11] = [
    f32::from_bits(0x3ddf_f1a0),
    f32::from_bits(0xbe43_b896),
    f32::from_bits(0x3e00_bce7),
    f32::from_bits(0xbd70_b5c5),
    f32::from_bits(0x3c85_4941),
    f32::from_bits(0xb99d_f69c),
    f32::from_bits(0xbac2_dc3c),
    f32::from_bits(0x3972_581d),
    f32::from_bits(0x3930_3c6f),
    f32::from_bits(0xb7f5_c119),
    f32::from_bits(0xb7aa_0fa1),
];
/// K: near 3.4 the coefficients are smallest; of the eligible values it is the one whose P(0) is closest to a float.
const TAIL_CENTRE: f32 = 3.390625;
/// Where the tail of the normal distribution is zero in binary32, even times its argument.
const TAIL_GREATEST: f32 = 15.0;
/// The upper 12 bits of a significand: a number of 12 bits has an exact square.
const UPPER_HALF: u32 = 0xffff_f000;
const UPPER_HALF_ROUNDING: u32 = 0x0000_0800;
/// 1 ÷ √(2π), the density of the normal distribution at zero.
const DENSITY_AT_ZERO: f32 = f32::from_bits(0x3ecc_422a);

/// 2·√(2/π).
const TANH_LINEAR: f32 = f32::from_bits(0x3fcc_422a);
/// 2·√(2/π) · 0.044715.
const TANH_CUBIC: f32 = f32::from_bits(0x3d92_2279);
/// Three times [`TANH_CUBIC`] before rounding.
const TANH_CUBIC_SLOPE: f32 = f32::from_bits(0x3e5b_33b6);
/// Beyond it e^(−2u) is zero in binary32, even times the argument.
const TANH_FORM_GREATEST: f32 = 11.0;

/// The error function; odd, and exactly ±1 from 3.92 on.
#[inline]
pub fn erf(x: f32) -> f32 {
    erf_of_large(x, erf_large(erf_exponent(x)))
}

/// First part of [`erf`]: the logarithm of its complement for |x| ≥ 1.
#[inline]
pub fn erf_exponent(x: f32) -> f32 {
    let a = magnitude_at_most(x, ERF_GREATEST);
    let p = ERF_LARGE_P[5] * a + ERF_LARGE_P[4];
    let p = p * a + ERF_LARGE_P[3];
    let p = p * a + ERF_LARGE_P[2];
    let p = p * a + ERF_LARGE_P[1];
    let p = p * a + ERF_LARGE_P[0];
    -(a * p)
}

/// Second part of [`erf`]: its value at |x| ≥ 1, out of the first part.
#[inline]
pub fn erf_large(exponent: f32) -> f32 {
    let (head, factor) = exp_parts(exponent, 0.0);
    1.0 - head * factor
}

/// Third part of [`erf`]: its value at x, out of the second part.
#[inline]
pub fn erf_of_large(x: f32, large: f32) -> f32 {
    let magnitude = abs(x);
    let square = x * x;
    let p = ERF_SMALL_P[6] * square + ERF_SMALL_P[5];
    let p = p * square + ERF_SMALL_P[4];
    let p = p * square + ERF_SMALL_P[3];
    let p = p * square + ERF_SMALL_P[2];
    let p = p * square + ERF_SMALL_P[1];
    let p = p * square + ERF_SMALL_P[0];
    let small = magnitude + magnitude * p;
    let y = if magnitude < ERF_POLYNOMIAL_BELOW { small } else { large };
    // The sign of what is no number differs between processors: it must not show in a number
    if x.is_nan() {
        x
    } else {
        copy_sign(y, x)
    }
}

/// For 0 ≤ a ≤ 15: the two factors of e^(−a²/2), and Φ(−a)·e^(a²/2).
#[inline]
fn normal_tail(a: f32) -> ((f32, f32), f32) {
    // a² = upper² + (a − upper)·(a + upper), where upper² is exact: the exponent keeps its precision in the tail.
    let upper = f32::from_bits(a.to_bits().wrapping_add(UPPER_HALF_ROUNDING) & UPPER_HALF);
    let parts = exp_parts(-0.5 * (upper * upper), -0.5 * ((a - upper) * (a + upper)));
    let t = (a - TAIL_CENTRE) / (a + TAIL_CENTRE);
    let p = TAIL_P[10] * t + TAIL_P[9];
    let p = p * t + TAIL_P[8];
    let p = p * t + TAIL_P[7];
    let p = p * t + TAIL_P[6];
    let p = p * t + TAIL_P[5];
    let p = p * t + TAIL_P[4];
    let p = p * t + TAIL_P[3];
    let p = p * t + TAIL_P[2];
    let p = p * t + TAIL_P[1];
    let p = p * t + TAIL_P[0];
    (parts, p)
}

/// x · Φ(x), where Φ is the distribution function of the standard normal distribution: GELU as it was defined, and
/// PyTorch's default.
///
/// Source: D. Hendrycks and K. Gimpel, *Gaussian Error Linear Units*, arXiv 1606.08415.
#[inline]
pub fn gelu(x: f32) -> f32 {
    let a = magnitude_at_most(x, TAIL_GREATEST);
    let ((head, factor), g) = normal_tail(a);
    let tail = head * g;
    if x < 0.0 {
        (-a * tail) * factor
    } else {
        x * (1.0 - tail * factor)
    }
}

/// The derivative of [`gelu`]: Φ(x) + x·φ(x), where φ is the density of the standard normal distribution. NaN gives 1.
#[inline]
pub fn gelu_derivative(x: f32) -> f32 {
    let a = magnitude_at_most(x, TAIL_GREATEST);
    let ((head, factor), g) = normal_tail(a);
    // Φ(−a) − a·φ(a), the derivative at −a; at +a it is one minus that.
    let left = (head * (g - a * DENSITY_AT_ZERO)) * factor;
    if x < 0.0 {
        left
    } else {
        1.0 - left
    }
}

/// 2u = 2·√(2/π)·(a + 0.044715·a³) for 0 ≤ a ≤ 11.
#[inline]
fn twice_u(a: f32) -> f32 {
    a * (TANH_LINEAR + TANH_CUBIC * (a * a))
}

/// x·½·(1 + tanh u) with u = √(2/π)·(x + 0.044715·x³), computed as x·sigmoid(2u): the approximation of [`gelu`] that
/// PyTorch calls `approximate="tanh"`.
#[inline]
pub fn gelu_tanh(x: f32) -> f32 {
    let a = magnitude_at_most(x, TANH_FORM_GREATEST);
    logistic_product(x, a, exp_parts(-twice_u(a), 0.0))
}

/// The derivative of [`gelu_tanh`]: σ(2u) + x·σ(2u)·σ(−2u)·2u′. NaN gives 1.
#[inline]
pub fn gelu_tanh_derivative(x: f32) -> f32 {
    let a = magnitude_at_most(x, TANH_FORM_GREATEST);
    let slope = a * (TANH_LINEAR + TANH_CUBIC_SLOPE * (a * a));
    logistic_derivative(x, slope, exp_parts(-twice_u(a), 0.0))
}
