//! Reductions of rows, and what is made of a row with their help.

use super::{
    check::{ensure, misfit},
    finite, read_row, Call, Fault, Partial, TensorType, TypeError, Visible,
};
use crate::{
    product::Class,
    row::{self, is_magnitude, is_operand},
    scalar::exp,
    tensor::{Missing, Source},
};
use core::ops::Range;

/// Checks that rows of `x` have a number, if what counts depends on it.
pub(super) fn check_visible(visible: Visible, input: usize, x: &TensorType) -> Result<(), TypeError> {
    ensure(visible == Visible::All || x.shape.rank() >= 2, misfit(input, x))
}

/// A magnitude that was read, if it is one.
pub(super) fn checked_magnitude(magnitude: f32) -> Result<f32, Fault> {
    if is_magnitude(magnitude) {
        Ok(magnitude)
    } else {
        Err(Fault::Magnitude)
    }
}

/// A magnitude that was read, if it is that of a product's operand.
pub(super) fn operand_magnitude(magnitude: f32) -> Result<f32, Fault> {
    let magnitude = checked_magnitude(magnitude)?;
    if is_operand(magnitude) {
        Ok(magnitude)
    } else {
        Err(Fault::Magnitude)
    }
}

/// An element of a row of this magnitude, if it can be one.
pub(super) fn within(x: f32, magnitude: f32) -> Result<f32, Fault> {
    if crate::scalar::abs(x) <= magnitude {
        Ok(x)
    } else {
        Err(Fault::Magnitude)
    }
}

impl Call<'_> {
    /// How many elements of row `row` of the first input count.
    fn visible(&self, visible: Visible, row: u64) -> u64 {
        let shape = self.inputs[0].shape;
        let in_second_last = match shape.dims() {
            [.., rows, _] => row % u64::from(*rows).max(1),
            _ => 0,
        };
        visible.count(in_second_last, shape.row(), self.bindings)
    }

    fn floats<'s, S: Source + ?Sized>(
        &self,
        row: u64,
        range: Range<u64>,
        source: &'s S,
    ) -> Result<alloc::borrow::Cow<'s, [f32]>, Missing> {
        read_row(source, 0, (row, self.inputs[0].shape.row()), range)
    }

    pub(super) fn partial_magnitude<S: Source + ?Sized>(
        &self,
        index: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Partial, Fault> {
        let row = self.floats(index, range, source)?;
        let magnitude = row::magnitude(&row).map_err(|_| Fault::NotFinite)?;
        Ok(Partial::Magnitude(magnitude.to_bits()))
    }

    pub(super) fn combine_magnitudes(partials: &[Partial]) -> Result<u64, Fault> {
        let largest = partials
            .iter()
            .fold(row::LEAST_MAGNITUDE, |largest, partial| match partial {
                Partial::Magnitude(bits) => largest.max(*bits),
                _ => largest,
            });
        finite(f32::from_bits(largest))
    }

    /// The largest of those that count, and its place; of a group in which none counts, the first element.
    pub(super) fn partial_largest<S: Source + ?Sized>(
        &self,
        visible: Visible,
        index: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Partial, Fault> {
        let count = self.visible(visible, index);
        // A group that nothing of counts in repeats the row's first element, which always counts
        let range = if range.start < count {
            range.start..range.end.min(count)
        } else {
            0..1
        };
        let row = self.floats(index, range.clone(), source)?;
        let first = (
            *row.first().ok_or(Missing {
                input: 0,
                start: index,
                count: 1,
            })?,
            0,
        );
        let (largest, at) = row
            .iter()
            .zip(0u64..)
            .fold(first, |best, (x, at)| if *x > best.0 { (*x, at) } else { best });
        Ok(Partial::Largest(largest.to_bits(), (range.start + at) as u32))
    }

    /// The largest of all, as bits, never −0, and its place.
    pub(super) fn combine_largest(partials: &[Partial]) -> Result<(u32, u32), Fault> {
        let largest = partials
            .iter()
            .fold(None, |best: Option<(f32, u32)>, partial| match (best, partial) {
                (None, Partial::Largest(bits, at)) => Some((f32::from_bits(*bits), *at)),
                (Some((value, _)), Partial::Largest(bits, at)) if f32::from_bits(*bits) > value => {
                    Some((f32::from_bits(*bits), *at))
                }
                (best, _) => best,
            });
        let (value, at) = largest.ok_or(Fault::NotFinite)?;
        Ok((finite(value + 0.0)? as u32, at))
    }

    pub(super) fn partial_sum<S: Source + ?Sized>(
        &self,
        index: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Partial, Fault> {
        let magnitude = checked_magnitude(source.one(1, index)?)?;
        let row = self.floats(index, range, source)?;
        let mut sum = 0;
        for x in row.iter() {
            sum += row::quantise_sum(within(*x, magnitude)?, magnitude);
        }
        Ok(Partial::Sum(sum))
    }

    pub(super) fn combine_sums<S: Source + ?Sized>(
        &self,
        index: u64,
        partials: &[Partial],
        source: &S,
    ) -> Result<u64, Fault> {
        let magnitude = checked_magnitude(source.one(1, index)?)?;
        finite(row::dequantise_sum(total(partials), magnitude))
    }

    pub(super) fn partial_weights<S: Source + ?Sized>(
        &self,
        bits: u8,
        index: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Partial, Fault> {
        let row = self.floats(index, range, source)?;
        let mut sum = 0;
        for weight in row.iter() {
            if !row::is_weight(*weight) {
                return Err(Fault::Weight);
            }
            sum += row::quantise_weight(*weight, bits.into());
        }
        Ok(Partial::Sum(sum as i64))
    }

    pub(super) fn combine_weights(bits: u8, partials: &[Partial]) -> Result<u64, Fault> {
        finite(row::dequantise_weights(total(partials) as u64, bits.into()))
    }

    pub(super) fn weight<S: Source + ?Sized>(&self, visible: Visible, index: u64, source: &S) -> Result<u64, Fault> {
        let length = self.inputs[0].shape.row();
        let (row, at) = (index / length, index % length);
        if at >= self.visible(visible, row) {
            return Ok(0);
        }
        let x: f32 = source.one(0, index)?;
        let maximum: f32 = source.one(1, row)?;
        finite(exp(x - maximum))
    }

    pub(super) fn quantise<S: Source + ?Sized>(&self, class: Class, index: u64, source: &S) -> Result<u64, Fault> {
        let magnitude = operand_magnitude(source.one(1, index / self.inputs[0].shape.row())?)?;
        let x = within(source.one(0, index)?, magnitude)?;
        let q = class.quantise(x, magnitude);
        Ok(u64::from(q as u32) & (u64::MAX >> (64 - 8 * self.output.dtype.size())))
    }
}

/// The sum of sums. Sums of fewer than 2⁶³ in absolute value: the number of elements is bounded.
pub(super) fn total(partials: &[Partial]) -> i64 {
    partials.iter().fold(0i64, |sum, partial| match partial {
        Partial::Sum(part) => sum.wrapping_add(*part),
        _ => sum,
    })
}
