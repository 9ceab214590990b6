//! Drawing a token: which ones remain, by rank and by mass, and which one it is.
//!
//! Tokens are ordered by their score, the highest first, and of equal scores by their index. A token's rank is how
//! many come before it, its mass what those weigh together. Both are sums over a row, so that there is no
//! sorting to agree on, and a single one can be recomputed; engines find the few that matter in faster ways.

use super::{read_row, Call, Fault, Partial};
use crate::{
    random,
    row::{is_weight, quantise_weight, GROUP},
    scalar::exp,
    tensor::{Missing, Source},
};
use alloc::vec::Vec;
use core::ops::Range;

/// Fractional bits of a chance.
const CHANCE_BITS: u32 = 30;

/// Fractional bits of the mass that remains.
const MASS_BITS: u32 = 16;

/// Whether the token of `other` comes before that of `one`.
fn precedes(other: (f32, u64), one: (f32, u64)) -> bool {
    other.0 > one.0 || (other.0 == one.0 && other.1 < one.1)
}

impl Call<'_> {
    /// Length of a row of the first input.
    fn row(&self) -> u64 {
        self.inputs[0].shape.row()
    }

    pub(super) fn chance<S: Source + ?Sized>(&self, index: u64, source: &S) -> Result<u64, Fault> {
        let score: f32 = source.one(0, index)?;
        let maximum: f32 = source.one(1, index / self.row())?;
        let weight = exp(score - maximum);
        if is_weight(weight) {
            Ok(quantise_weight(weight, CHANCE_BITS))
        } else {
            Err(Fault::Weight)
        }
    }

    /// For each element of the range, whether its token comes before that of element `index`.
    fn preceding<S: Source + ?Sized>(&self, index: u64, range: Range<u64>, source: &S) -> Result<Vec<bool>, Missing> {
        let (row, at) = (index / self.row(), index % self.row());
        let one = (source.one(0, index)?, at);
        let scores = read_row::<f32, _>(source, 0, (row, self.row()), range.clone())?;
        Ok(scores
            .iter()
            .zip(range)
            .map(|(score, other)| precedes((*score, other), one))
            .collect())
    }

    pub(super) fn partial_rank<S: Source + ?Sized>(
        &self,
        index: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Partial, Fault> {
        let preceding = self.preceding(index, range, source)?;
        Ok(Partial::Sum(
            preceding.into_iter().filter(|precedes| *precedes).count() as i64
        ))
    }

    pub(super) fn partial_mass<S: Source + ?Sized>(
        &self,
        index: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Partial, Fault> {
        let preceding = self.preceding(index, range.clone(), source)?;
        let chances = read_row::<u32, _>(source, 1, (index / self.row(), self.row()), range)?;
        let mass = chances.iter().zip(preceding).filter(|(_, precedes)| *precedes);
        Ok(Partial::Sum(mass.map(|(chance, _)| i64::from(*chance)).sum()))
    }

    pub(super) fn partial_total<S: Source + ?Sized>(
        &self,
        index: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Partial, Fault> {
        let chances = read_row::<u32, _>(source, 0, (index, self.row()), range)?;
        Ok(Partial::Sum(chances.iter().map(|chance| i64::from(*chance)).sum()))
    }

    pub(super) fn partial_count<S: Source + ?Sized>(
        &self,
        index: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Partial, Fault> {
        let below = self.output.shape.row() as u32;
        let indices = source.read::<u32>(0, range)?;
        if let Some(got) = indices.iter().find(|got| **got >= below) {
            return Err(Fault::Index { got: *got, below });
        }
        let same = indices.iter().filter(|got| u64::from(**got) == index);
        Ok(Partial::Sum(same.count() as i64))
    }

    pub(super) fn keep_ranks<S: Source + ?Sized>(&self, index: u64, source: &S) -> Result<u64, Fault> {
        let (rank, most): (u32, u32) = (source.one(1, index)?, source.one(2, index / self.row())?);
        let chance: u32 = source.one(0, index)?;
        Ok(if most == 0 || rank < most { chance.into() } else { 0 })
    }

    pub(super) fn keep_mass<S: Source + ?Sized>(&self, index: u64, source: &S) -> Result<u64, Fault> {
        let row = index / self.row();
        let mass: u64 = source.one(1, index)?;
        let (total, share): (u64, u32) = (source.one(2, row)?, source.one(3, row)?);
        let chance: u32 = source.one(0, index)?;
        let remains = u128::from(mass) << MASS_BITS < u128::from(share) * u128::from(total);
        Ok(if remains { chance.into() } else { 0 })
    }

    /// The lowest index whose running sum exceeds (random · total) ≫ 64, out of the sums of the groups and that
    /// group in which it lies.
    pub(super) fn combine_draw<S: Source + ?Sized>(
        &self,
        index: u64,
        partials: &[Partial],
        source: &S,
    ) -> Result<u64, Fault> {
        let (total, random): (u64, u64) = (source.one(1, index)?, source.one(2, index)?);
        let mut left = (u128::from(random) * u128::from(total)) >> 64;
        for (group, partial) in (0u64..).zip(partials) {
            let Partial::Sum(sum) = partial else { continue };
            let sum = *sum as u128;
            if left >= sum {
                left -= sum;
                continue;
            }
            let start = group * GROUP;
            let range = start..(start + GROUP).min(self.row());
            let chances = read_row::<u32, _>(source, 0, (index, self.row()), range)?;
            for (at, chance) in (start..).zip(chances.iter()) {
                let chance = u128::from(*chance);
                if left < chance {
                    return Ok(at);
                }
                left -= chance;
            }
        }
        // Nothing is left to draw from, or the total is more than there is
        Err(Fault::Weight)
    }

    pub(super) fn random<S: Source + ?Sized>(&self, stream: u32, index: u64, source: &S) -> Result<u64, Fault> {
        let (seed, sequence): (u64, u32) = (source.one(0, 0)?, source.one(1, index)?);
        let position = self.bindings.position.wrapping_add(self.bindings.length);
        Ok(random::Draw::new(seed, sequence, position, stream).integer())
    }
}
