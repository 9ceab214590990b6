//! Rows of floats: magnitudes, maxima, sums, weights, and rows as integers of a class.
//!
//! Functions of one row take it as a slice. Those of several take them one after the other, all of a length `width`,
//! and one element of `magnitudes` or `out` for each; they return the fault of the first element that has one, as the
//! reference does.

mod largest;
#[cfg(test)]
mod tests;

pub use largest::{argmax, argmaxima, maxima, maximum};

use crate::{vectorised::vectorised, Isa};
use assay_exact::{
    operator::Fault,
    product::{scale, Class},
    row::{dequantise_sum, dequantise_weights, exponent, is_magnitude, is_operand, LEAST_MAGNITUDE},
    scalar::{abs, exp, pow2, to_i32_rne_small},
};

/// Bits of infinity; anything from there on is not finite.
const INFINITY: u32 = 0x7F80_0000;

/// All bits but the sign.
const MAGNITUDE: u32 = 0x7FFF_FFFF;

/// 1.5·2⁵²: added to a value below 2⁵¹ it leaves the nearest integer, ties to even, in the low bits of the sum.
pub(crate) const ROUNDING_SHIFT: f64 = 6_755_399_441_055_744.0;

/// The sum of [`ROUNDING_SHIFT`] and a float, as an integer from which the bits of [`ROUNDING_SHIFT`] are still to be
/// subtracted. Sums of them wrap, which does no harm.
#[inline(always)]
pub(crate) fn shifted(x: f32) -> u64 {
    (f64::from(x) + ROUNDING_SHIFT).to_bits()
}

/// The sum of integers out of the sum of `count` of [`shifted`].
pub(crate) fn unshifted(sum: u64, count: usize) -> i64 {
    sum.wrapping_sub((count as u64).wrapping_mul(ROUNDING_SHIFT.to_bits())) as i64
}

vectorised! {
    /// The largest absolute value, as bits.
    fn largest_bits(row: &[f32]) -> u32 {
        // Without their sign they order as signed integers do, for which there are more instructions
        row.iter().fold(0i32, |largest, x| largest.max((x.to_bits() & MAGNITUDE) as i32)) as u32
    }

    /// Whether all elements are finite.
    pub fn is_finite(row: &[f32]) -> bool {
        row.iter().fold(0i32, |largest, x| largest.max((x.to_bits() & MAGNITUDE) as i32)) < INFINITY as i32
    }

    /// The sum of the elements times `factor` as shifted integers, and whether none is larger than `magnitude`.
    fn shifted_sum(row: &[f32], factor: f32, magnitude: f32) -> (u64, bool) {
        let (mut sum, mut beyond) = (0u64, 0u32);
        for x in row {
            sum = sum.wrapping_add(shifted(*x * factor));
            beyond |= u32::from(!within(*x, magnitude));
        }
        (sum, beyond == 0)
    }

    /// The sum of the weights times `factor` as shifted integers, and whether all are weights.
    fn shifted_weights(row: &[f32], factor: f32) -> (u64, bool) {
        let (mut sum, mut beyond) = (0u64, 0u32);
        for weight in row {
            sum = sum.wrapping_add(shifted(*weight * factor));
            let (from_zero, to_one) = (*weight >= 0.0, *weight <= 1.0);
            beyond |= u32::from(!(from_zero & to_one));
        }
        (sum, beyond == 0)
    }

    fn exponentials(row: &[f32], maximum: f32, out: &mut [f32]) {
        for (out, x) in out.iter_mut().zip(row) {
            *out = exp(*x - maximum);
        }
    }

    /// Writes the chances, and returns whether all weights were between 0 and 1.
    fn chances_of(scores: &[f32], maximum: f32, factor: f32, out: &mut [u32]) -> bool {
        let mut beyond = 0u32;
        for (out, score) in out.iter_mut().zip(scores) {
            let weight = exp(*score - maximum);
            // e^x is never negative
            let to_one = weight <= 1.0;
            beyond |= u32::from(!to_one);
            *out = shifted(weight * factor) as u32;
        }
        beyond == 0
    }

    fn to_int8(row: &[f32], scale: f32, magnitude: f32, out: &mut [i8]) -> bool {
        let mut beyond = 0u32;
        for (out, x) in out.iter_mut().zip(row) {
            beyond |= u32::from(!within(*x, magnitude));
            *out = to_i32_rne_small(*x / scale) as i8;
        }
        beyond == 0
    }

    fn to_int16(row: &[f32], factor: f32, magnitude: f32, out: &mut [i16]) -> bool {
        let mut beyond = 0u32;
        for (out, x) in out.iter_mut().zip(row) {
            beyond |= u32::from(!within(*x, magnitude));
            *out = to_i32_rne_small(*x * factor) as i16;
        }
        beyond == 0
    }

    fn to_int24(row: &[f32], factor: f32, magnitude: f32, out: &mut [i32]) -> bool {
        let mut beyond = 0u32;
        for (out, x) in out.iter_mut().zip(row) {
            beyond |= u32::from(!within(*x, magnitude));
            *out = to_i32_rne_small(*x * factor);
        }
        beyond == 0
    }
}

/// Whether `x` can be an element of a row of this magnitude.
#[inline(always)]
pub(crate) fn within(x: f32, magnitude: f32) -> bool {
    abs(x) <= magnitude
}

/// `Ok` if it holds.
pub(crate) fn ensure(holds: bool, fault: Fault) -> Result<(), Fault> {
    if holds {
        Ok(())
    } else {
        Err(fault)
    }
}

/// A float, if it is finite.
pub(crate) fn finite(x: f32) -> Result<f32, Fault> {
    ensure(x.is_finite(), Fault::NotFinite).map(|()| x)
}

/// The rows of length `width` among `x`; as many as `count`, even if they are empty.
pub(crate) fn rows<T>(x: &[T], width: usize, count: usize) -> impl Iterator<Item = &[T]> {
    assert_eq!(x.len(), width * count, "expected {count} rows of {width} elements");
    (0..count).map(move |row| &x[row * width..][..width])
}

/// The magnitude of a row: the largest absolute value, but at least 2⁻⁹⁶. Fails when an element is not finite.
pub fn magnitude(isa: Isa, row: &[f32]) -> Result<f32, Fault> {
    finite(f32::from_bits(largest_bits(isa, row).max(LEAST_MAGNITUDE)))
}

/// The magnitudes of rows.
pub fn magnitudes(isa: Isa, x: &[f32], width: usize, out: &mut [f32]) -> Result<(), Fault> {
    for (row, out) in rows(x, width, out.len()).zip(out) {
        *out = magnitude(isa, row)?;
    }
    Ok(())
}

/// The sum of a row of this magnitude.
pub fn sum(isa: Isa, row: &[f32], magnitude: f32) -> Result<f32, Fault> {
    ensure(is_magnitude(magnitude), Fault::Magnitude)?;
    let (sum, is_within) = shifted_sum(isa, row, pow2(30 - exponent(magnitude)), magnitude);
    ensure(is_within, Fault::Magnitude)?;
    finite(dequantise_sum(unshifted(sum, row.len()), magnitude))
}

/// The sums of rows of these magnitudes.
pub fn sums(isa: Isa, x: &[f32], width: usize, magnitudes: &[f32], out: &mut [f32]) -> Result<(), Fault> {
    assert_eq!(magnitudes.len(), out.len(), "expected a magnitude for each row");
    for ((row, out), magnitude) in rows(x, width, out.len()).zip(out).zip(magnitudes) {
        *out = sum(isa, row, *magnitude)?;
    }
    Ok(())
}

/// The sum of a row of weights in integers of 2^−`bits`, which is 30 or 40. Fails when a weight is not between 0 and 1.
pub fn weight_sum(isa: Isa, row: &[f32], bits: u8) -> Result<f32, Fault> {
    let (sum, are_weights) = shifted_weights(isa, row, pow2(bits.into()));
    ensure(are_weights, Fault::Weight)?;
    finite(dequantise_weights(unshifted(sum, row.len()) as u64, bits.into()))
}

/// The sums of rows of weights.
pub fn weight_sums(isa: Isa, x: &[f32], width: usize, bits: u8, out: &mut [f32]) -> Result<(), Fault> {
    for (row, out) in rows(x, width, out.len()).zip(out) {
        *out = weight_sum(isa, row, bits)?;
    }
    Ok(())
}

/// e^(x−maximum) of the first `visible` elements of a row, and +0 of the others.
pub fn weights(isa: Isa, row: &[f32], maximum: f32, visible: usize, out: &mut [f32]) -> Result<(), Fault> {
    assert_eq!(row.len(), out.len(), "expected as many weights as elements");
    let visible = visible.min(row.len());
    let (counted, hidden) = out.split_at_mut(visible);
    exponentials(isa, &row[..visible], maximum, counted);
    hidden.fill(0.0);
    ensure(is_finite(isa, counted), Fault::NotFinite)
}

/// The weights of rows with these maxima, of each of which the first `visible(row)` elements count.
pub fn weights_of_rows(
    isa: Isa,
    x: &[f32],
    width: usize,
    maxima: &[f32],
    visible: impl Fn(usize) -> usize,
    out: &mut [f32],
) -> Result<(), Fault> {
    assert_eq!(x.len(), out.len(), "expected as many weights as elements");
    let mut rest = out;
    for (at, (row, maximum)) in rows(x, width, maxima.len()).zip(maxima).enumerate() {
        let (out, others) = rest.split_at_mut(width);
        weights(isa, row, *maximum, visible(at), out)?;
        rest = others;
    }
    Ok(())
}

/// The chances of a row of scores: rne(e^(score−maximum) · 2³⁰).
pub(crate) fn chances(isa: Isa, scores: &[f32], maximum: f32, out: &mut [u32]) -> Result<(), Fault> {
    assert_eq!(scores.len(), out.len(), "expected as many chances as scores");
    ensure(chances_of(isa, scores, maximum, pow2(30), out), Fault::Weight)
}

/// Integers in which a class is stored.
pub trait Quantised: Copy + Default + Send + Sync + 'static {
    /// The class.
    const CLASS: Class;

    /// Writes the row's integers, and returns whether no element is larger than the magnitude.
    #[doc(hidden)]
    fn from_row(isa: Isa, row: &[f32], magnitude: f32, out: &mut [Self]) -> bool;
}

impl Quantised for i8 {
    const CLASS: Class = Class::Int8;

    fn from_row(isa: Isa, row: &[f32], magnitude: f32, out: &mut [Self]) -> bool {
        to_int8(isa, row, scale(magnitude), magnitude, out)
    }
}

impl Quantised for i16 {
    const CLASS: Class = Class::Int16;

    fn from_row(isa: Isa, row: &[f32], magnitude: f32, out: &mut [Self]) -> bool {
        to_int16(isa, row, pow2(14 - exponent(magnitude)), magnitude, out)
    }
}

/// Integers of 24 bits, each in 32.
impl Quantised for i32 {
    const CLASS: Class = Class::Int24;

    fn from_row(isa: Isa, row: &[f32], magnitude: f32, out: &mut [Self]) -> bool {
        to_int24(isa, row, pow2(22 - exponent(magnitude)), magnitude, out)
    }
}

/// A row of this magnitude as integers of the class that `T` stores. Fails when the magnitude is not that of a product's
/// operand, or below an element; of an empty row it is not looked at.
pub fn quantise<T: Quantised>(isa: Isa, row: &[f32], magnitude: f32, out: &mut [T]) -> Result<(), Fault> {
    assert_eq!(row.len(), out.len(), "expected as many integers as elements");
    if row.is_empty() {
        return Ok(());
    }
    ensure(is_magnitude(magnitude) && is_operand(magnitude), Fault::Magnitude)?;
    ensure(T::from_row(isa, row, magnitude, out), Fault::Magnitude)
}

/// Rows of these magnitudes as integers.
pub fn quantise_rows<T: Quantised>(
    isa: Isa,
    x: &[f32],
    width: usize,
    magnitudes: &[f32],
    out: &mut [T],
) -> Result<(), Fault> {
    assert_eq!(x.len(), out.len(), "expected as many integers as elements");
    let mut rest = out;
    for (row, magnitude) in rows(x, width, magnitudes.len()).zip(magnitudes) {
        let (out, others) = rest.split_at_mut(width);
        quantise(isa, row, *magnitude, out)?;
        rest = others;
    }
    Ok(())
}
