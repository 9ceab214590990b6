//! Rotary position embedding: sines and cosines of each position once, for all heads.

use crate::{
    row::{ensure, is_finite},
    vectorised::vectorised,
    Isa,
};
use assay_exact::{
    operator::Fault,
    scalar::{cos_turn, sin_turn},
};
use std::ops::Range;

#[cfg(test)]
mod tests;

/// Sines and cosines by which the pairs of rows at consecutive positions are turned.
#[derive(Clone, Debug)]
pub struct Turns {
    /// For each position the sines of all pairs, then the cosines of all pairs.
    table: Vec<f32>,
    pairs: usize,
}

vectorised! {
    fn fill(phases: &[u32], inverse: bool, sines: &mut [f32], cosines: &mut [f32]) {
        let sign = u32::from(inverse) << 31;
        for ((sine, cosine), phase) in sines.iter_mut().zip(cosines).zip(phases) {
            *sine = f32::from_bits(sin_turn(*phase).to_bits() ^ sign);
            *cosine = cos_turn(*phase);
        }
    }

    fn turn(x: (&[f32], &[f32]), sines: &[f32], cosines: &[f32], out: (&mut [f32], &mut [f32])) {
        let pairs = x.0.iter().zip(x.1).zip(sines.iter().zip(cosines));
        for (((first, second), (sine, cosine)), (out_first, out_second)) in pairs.zip(out.0.iter_mut().zip(out.1)) {
            *out_first = *first * *cosine - *second * *sine;
            *out_second = *second * *cosine + *first * *sine;
        }
    }
}

impl Turns {
    /// The turns at `count` positions from `position` on, with these frequencies in 2^−64 of a turn; backwards if
    /// `inverse`.
    pub fn new(isa: Isa, frequencies: &[u64], position: u64, count: usize, inverse: bool) -> Self {
        let pairs = frequencies.len();
        let mut table = vec![0.0; 2 * pairs * count];
        let mut phases = vec![0; pairs];
        for (row, position) in table.chunks_exact_mut((2 * pairs).max(1)).zip(position..) {
            for (phase, frequency) in phases.iter_mut().zip(frequencies) {
                *phase = (position.wrapping_mul(*frequency) >> 32) as u32;
            }
            let (sines, cosines) = row.split_at_mut(pairs);
            fill(isa, &phases, inverse, sines, cosines);
        }
        Self { table, pairs }
    }

    /// Sines and cosines at the `at`-th position.
    fn at(&self, at: usize) -> (&[f32], &[f32]) {
        self.table[2 * self.pairs * at..][..2 * self.pairs].split_at(self.pairs)
    }

    /// Turns a row of 2 × pairs elements that stands at the `at`-th position. Fails when a result is not finite.
    pub fn apply(&self, isa: Isa, at: usize, row: &[f32], out: &mut [f32]) -> Result<(), Fault> {
        assert_eq!(
            (row.len(), out.len()),
            (2 * self.pairs, 2 * self.pairs),
            "expected two elements a pair"
        );
        let (sines, cosines) = self.at(at);
        turn(
            isa,
            row.split_at(self.pairs),
            sines,
            cosines,
            out.split_at_mut(self.pairs),
        );
        ensure(is_finite(isa, out), Fault::NotFinite)
    }

    /// Turns the rows `range` of a tensor, of which `x` and `out` are those rows. Positions count up along the
    /// dimension `axis`, counted from the last (0), of the dimensions `dims`; the table has to hold all of them.
    pub fn apply_rows(
        &self,
        isa: Isa,
        dims: &[u32],
        axis: usize,
        range: Range<usize>,
        x: &[f32],
        out: &mut [f32],
    ) -> Result<(), Fault> {
        let width = 2 * self.pairs;
        assert_eq!(
            (x.len(), out.len()),
            (range.len() * width, range.len() * width),
            "expected the rows' size"
        );
        if width == 0 {
            return Ok(());
        }
        let rows = x.chunks_exact(width).zip(out.chunks_exact_mut(width));
        if axis == 0 {
            // A row's elements stand at different positions
            for (row, out) in rows {
                for (at, out) in out.iter_mut().enumerate() {
                    let ((sines, cosines), pair) = (self.at(at), at % self.pairs);
                    let (first, second) = (row[pair], row[pair + self.pairs]);
                    *out = if at < self.pairs {
                        first * cosines[pair] - second * sines[pair]
                    } else {
                        second * cosines[pair] + first * sines[pair]
                    };
                }
                ensure(is_finite(isa, out), Fault::NotFinite)?;
            }
            return Ok(());
        }
        let of = dims.len() - 1 - axis;
        let inner: usize = dims[of + 1..dims.len() - 1].iter().map(|dim| *dim as usize).product();
        let positions = dims[of] as usize;
        for ((row, out), at) in rows.zip(range) {
            self.apply(isa, at / inner % positions, row, out)?;
        }
        Ok(())
    }
}
