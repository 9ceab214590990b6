//! Comparisons, rounding to integers, powers of two and the square root.
//!
//! # Signalling NaNs
//!
//! Compilers take it for granted that there are none: LLVM makes Arm's `fmaxnm` of `x > 0 ? x : 0`, which gives NaN for a
//! signalling NaN, for which the comparison is false and the choice 0. But a package or an input can have one. So nothing
//! here compares a float as it came with a constant to choose one of the two. Either patterns are compared, or +0 is added
//! first: no compiler leaves that out, because it changes −0, and it leaves a NaN quiet.
//!
//! Except on x86, where the instruction for such a choice, `maxps`, is exactly that: the second operand for any NaN. There
//! floats are compared, in half the time. The tests hold both ways against the same list.

/// 2²³: from here on every binary32 value is an integer.
const TWO_POW_23: f32 = 8_388_608.0;

/// The pattern of +∞; those of NaNs are above it, but for the sign.
const INFINITY: u32 = 0x7f80_0000;

/// All bits but the sign.
const MAGNITUDE: u32 = 0x7fff_ffff;

/// Whether comparing floats as they come does, whatever NaNs there are.
const COMPARES_ANY_NAN: bool = cfg!(target_arch = "x86_64");

/// `x` with a NaN made quiet where that is needed; it may turn −0 into +0.
#[inline]
pub(super) fn quiet(x: f32) -> f32 {
    if COMPARES_ANY_NAN {
        x
    } else {
        x + 0.0
    }
}

/// The greater of two values: `(a > b ? a : b) + 0.0`, which is that of b if either is NaN.
///
/// The addition turns −0 into +0, so the result does not depend on which of two zeros is chosen.
#[inline]
pub fn max(a: f32, b: f32) -> f32 {
    let (a, b) = (quiet(a), quiet(b));
    (if a > b { a } else { b }) + 0.0
}

/// The lesser of two values: `(a < b ? a : b) + 0.0`; −0 and NaN as in [`max`].
#[inline]
pub fn min(a: f32, b: f32) -> f32 {
    let (a, b) = (quiet(a), quiet(b));
    (if a < b { a } else { b }) + 0.0
}

/// `x < limit ? x : limit`, for clamping arguments that are no signalling NaNs (see [`quiet`]).
#[inline]
pub(super) fn at_most(x: f32, limit: f32) -> f32 {
    if x < limit {
        x
    } else {
        limit
    }
}

/// `x > limit ? x : limit`, likewise.
#[inline]
pub(super) fn at_least(x: f32, limit: f32) -> f32 {
    if x > limit {
        x
    } else {
        limit
    }
}

/// `|x| < limit ? |x| : limit`, for a positive limit.
#[inline]
pub(super) fn magnitude_at_most(x: f32, limit: f32) -> f32 {
    // Without signs, patterns are in the order of floats, NaNs above all; so are they as signed integers, for which there
    // are more instructions
    let magnitude = (x.to_bits() & MAGNITUDE) as i32;
    f32::from_bits(magnitude.min(limit.to_bits() as i32) as u32)
}

/// `x` where it is positive, else +0; +0 for NaN.
#[inline]
pub fn relu(x: f32) -> f32 {
    if COMPARES_ANY_NAN {
        return if x > 0.0 { x } else { 0.0 };
    }
    let bits = x.to_bits();
    // From the least subnormal number to infinity
    let is_positive = bits.wrapping_sub(1) < INFINITY;
    f32::from_bits(if is_positive { bits } else { 0 })
}

/// `x` with its sign bit cleared.
#[inline]
pub fn abs(x: f32) -> f32 {
    f32::from_bits(x.to_bits() & MAGNITUDE)
}

/// `x` with its sign bit flipped (so `neg(+0) = −0`, unlike `0 − x`).
#[inline]
pub fn neg(x: f32) -> f32 {
    f32::from_bits(x.to_bits() ^ 0x8000_0000)
}

/// The magnitude of `magnitude` with the sign bit of `sign`.
#[inline]
pub(super) fn copy_sign(magnitude: f32, sign: f32) -> f32 {
    f32::from_bits((magnitude.to_bits() & MAGNITUDE) | (sign.to_bits() & !MAGNITUDE))
}

/// The nearest integer, ties to the even one; the sign of a zero result is that of `x`.
///
/// Below 2²³ the addition of 2²³ leaves no room for a fraction, so the rounding of the addition is the rounding to an
/// integer.
#[inline]
pub fn rne(x: f32) -> f32 {
    let magnitude = abs(x);
    let rounded = copy_sign((magnitude + TWO_POW_23) - TWO_POW_23, x);
    if magnitude < TWO_POW_23 {
        rounded
    } else {
        x
    }
}

/// The greatest integer that is not greater than `x`; the sign of a zero result is that of `x`.
#[inline]
pub fn floor(x: f32) -> f32 {
    let rounded = rne(x);
    if rounded > x {
        rounded - 1.0
    } else {
        rounded
    }
}

/// The square root, correctly rounded; `sqrt(±0) = ±0`, NaN for negative `x`.
///
/// With the feature `std` this is the hardware's instruction, which IEEE 754 requires to be correctly rounded; without
/// it, [`u64::isqrt`].
#[inline]
pub fn sqrt(x: f32) -> f32 {
    #[cfg(feature = "std")]
    return x.sqrt();
    #[cfg(not(feature = "std"))]
    return sqrt_by_integers(x);
}

/// The definition of [`sqrt`]: the integer square root of the significand to 25 bits, rounded to 24.
///
/// With 25 bits the last one says which side of the midpoint the root lies on. It is never the midpoint itself: the
/// square of a 25-bit odd number needs more than the 24 bits of an input.
#[cfg(any(test, not(feature = "std")))]
pub(super) fn sqrt_by_integers(x: f32) -> f32 {
    let bits = x.to_bits();
    if bits & MAGNITUDE == 0 || bits == INFINITY {
        return x;
    }
    if bits > INFINITY {
        return f32::NAN;
    }
    // x = significand · 2^exponent with the significand in 2²³ … 2²⁴−1.
    let (significand, exponent) = if bits < 0x0080_0000 {
        let shift = bits.leading_zeros() - 8;
        (bits << shift, -149 - shift as i32)
    } else {
        ((bits & 0x007f_ffff) | 0x0080_0000, (bits >> 23) as i32 - 150)
    };
    // Widen by 25 or 26 bits, whichever leaves an even exponent: the root then has 25 bits.
    let widen = 25 + ((exponent - 25) & 1);
    let root = (u64::from(significand) << widen).isqrt() as u32;
    let rounded = (root + 1) >> 1;
    let exponent = (exponent - widen) / 2 + 1;
    // Adding the significand with its leading bit lets a carry to 2²⁴ raise the exponent by itself.
    f32::from_bits((((exponent + 149) as u32) << 23) + rounded)
}

/// 2ᵉ: +0 below −149, subnormal up to −127, +∞ above 127.
#[inline]
pub fn pow2(e: i32) -> f32 {
    let normal = (e.clamp(-126, 127) + 127) as u32;
    let subnormal = 1u32 << (e.clamp(-149, -127) + 149);
    let bits = if e >= -126 { normal << 23 } else { subnormal };
    let bits = if e > 127 { INFINITY } else { bits };
    f32::from_bits(if e < -149 { 0 } else { bits })
}

/// 2ᵉ where the caller knows that −126 ≤ e ≤ 127.
#[inline]
pub(super) fn pow2_normal(e: i32) -> f32 {
    f32::from_bits((e.wrapping_add(127) as u32) << 23)
}

/// `x · 2ᵉ` as two multiplications: by 2^f with f = e clamped to −126…127, then by 2^(e−f), clamped likewise.
///
/// For e in −126…127 the second factor is one and the result is rounded once. Below −126 a result in the subnormal
/// range may be rounded twice, which is part of the definition. An e below −252 counts as −252, above 254 as 254.
#[inline]
pub fn scale_by_pow2(x: f32, e: i32) -> f32 {
    let e = e.clamp(-252, 254);
    let first = e.clamp(-126, 127);
    (x * pow2_normal(first)) * pow2_normal(e - first)
}
