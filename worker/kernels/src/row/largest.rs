//! The largest element of a row, and where it stands.

use super::rows;
use crate::{vectorised::vectorised, Isa};
use assay_exact::{operator::Fault, row::GROUP};

/// Elements that are compared at a time.
const LANES: usize = 32;

/// Elements that are searched at a time.
const SEARCHED: usize = 256;

#[inline(always)]
fn larger(x: f32, best: f32) -> f32 {
    if x > best {
        x
    } else {
        best
    }
}

vectorised! {
    /// The largest of a group that is not empty, or its first element if that is no number.
    fn largest(group: &[f32]) -> f32 {
        // Comparisons with what is no number are false: a lane keeps it if it starts with it
        let mut lanes = [group[0]; LANES];
        let (blocks, rest) = group.as_chunks::<LANES>();
        for block in blocks {
            for (lane, x) in lanes.iter_mut().zip(block) {
                *lane = larger(*x, *lane);
            }
        }
        let best = lanes.iter().fold(group[0], |best, x| larger(*x, best));
        rest.iter().fold(best, |best, x| larger(*x, best))
    }

    fn contains(part: &[f32], value: f32) -> bool {
        part.iter().fold(0u32, |found, x| found | u32::from(*x == value)) != 0
    }
}

/// The first place of `value`.
fn first(isa: Isa, row: &[f32], value: f32) -> Option<usize> {
    row.chunks(SEARCHED).enumerate().find_map(|(at, part)| {
        let is_there = contains(isa, part, value);
        let within = is_there.then(|| part.iter().position(|x| *x == value)).flatten()?;
        Some(at * SEARCHED + within)
    })
}

/// The largest element by IEEE `>`, and the group in which it is first.
///
/// A group that starts with what is no number counts as that, as it does in the reference, which combines groups.
fn largest_group(isa: Isa, row: &[f32]) -> Result<(f32, usize), Fault> {
    let mut best: Option<(f32, usize)> = None;
    for (at, group) in row.chunks(GROUP as usize).enumerate() {
        let value = largest(isa, group);
        if best.is_none_or(|(best, _)| value > best) {
            best = Some((value, at));
        }
    }
    best.filter(|(value, _)| value.is_finite()).ok_or(Fault::NotFinite)
}

/// The largest element of a row that is not empty, never −0. What does not count has to be cut off.
pub fn maximum(isa: Isa, row: &[f32]) -> Result<f32, Fault> {
    largest_group(isa, row).map(|(value, _)| value + 0.0)
}

/// The index of the largest element of a row that is not empty, the lowest of several.
pub fn argmax(isa: Isa, row: &[f32]) -> Result<u32, Fault> {
    let (value, group) = largest_group(isa, row)?;
    let start = group * GROUP as usize;
    let within = first(isa, &row[start..], value).unwrap_or_default();
    Ok((start + within) as u32)
}

/// The maxima of rows, of each of which the first `visible(row)` elements count.
pub fn maxima(
    isa: Isa,
    x: &[f32],
    width: usize,
    visible: impl Fn(usize) -> usize,
    out: &mut [f32],
) -> Result<(), Fault> {
    for (at, (row, out)) in rows(x, width, out.len()).zip(out).enumerate() {
        *out = maximum(isa, &row[..visible(at).min(width)])?;
    }
    Ok(())
}

/// The indices of the largest elements of rows.
pub fn argmaxima(isa: Isa, x: &[f32], width: usize, out: &mut [u32]) -> Result<(), Fault> {
    for (row, out) in rows(x, width, out.len()).zip(out) {
        *out = argmax(isa, row)?;
    }
    Ok(())
}
