//! The way through both operands: panels of b, blocks of the depth, tiles of rows; and what becomes of accumulators.

use super::{
    plan::{blocks, plan, Plan, DEPTH, MAX_BITS_IN_F64, MAX_DEPTH_IN_F64},
    Packed, Prepared, PANEL,
};
use assay_exact::{
    product::{Class, BLOCK},
    scalar::from_i64,
};
use std::ops::Range;

/// Rows of a tile: with two registers of sums each they leave room for two of b, in sixteen registers.
pub(super) const TILE: usize = 6;

/// Rows that are multiplied by one panel before the next: their accumulators stay in the first cache.
const ROWS: usize = 8 * TILE;

/// The kernel of an instruction set.
pub(super) trait Tile {
    /// Whether there is an instruction that makes floats of integers of 64 bits, rounded once.
    const CONVERTS: bool = false;

    /// `sums` = for R rows of a, `stride` apart, their products with all rows of a panel, over the depth of `b`: a
    /// multiple of 2, at most [`DEPTH`] for each part.
    fn sum<const R: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]);
}

/// What part of the output is computed, and where it goes.
pub(super) struct Window {
    /// Rows of a.
    pub(super) rows: Range<usize>,
    /// Rows of b.
    pub(super) columns: Range<usize>,
    /// From row to row of the output.
    pub(super) stride: usize,
}

/// How accumulators become floats.
#[derive(Clone, Copy)]
struct Finish {
    /// Whether b's factor comes first: powers of two come before scales.
    b_first: bool,
    /// Whether floats are made by way of 64-bit floats: all accumulators are below 2⁵¹.
    in_f64: bool,
}

/// All products of the window. Whether they are finite.
#[inline(always)]
pub(super) fn multiply<K: Tile>(a: &Prepared, b: &Packed, window: &Window, out: &mut [f32]) -> bool {
    let plan = plan(a.class(), b.class());
    let finish = Finish {
        b_first: a.class() == Class::Int8 && b.class() != Class::Int8,
        in_f64: !K::CONVERTS
            && match b.multipliers(0) {
                None => a.depth() <= MAX_DEPTH_IN_F64,
                Some(_) => {
                    let most = [a.class().most(), Class::Int8.most(), Class::Int16.most()].map(|most| most as u64);
                    most.iter().product::<u64>().saturating_mul(a.depth() as u64) <= 1 << MAX_BITS_IN_F64
                }
            },
    };
    let in_one_pass = plan.passes.len() == 1 && a.depth() <= DEPTH;
    let mut worst = [0; PANEL];
    let mut accumulators = [[0; PANEL]; ROWS];
    for first in window.rows.clone().step_by(ROWS) {
        let rows = first..window.rows.end.min(first + ROWS);
        let out = &mut out[(first - window.rows.start) * window.stride..];
        for column in window.columns.clone().step_by(PANEL) {
            let columns = column..window.columns.end.min(column + PANEL);
            let mut target = Target {
                out: &mut out[column - window.columns.start..],
                stride: window.stride,
                width: columns.len(),
                factors_a: &a.factors()[rows.clone()],
                factors_b: panel_of(&b.factors()[column..]),
                finish,
                worst: &mut worst,
            };
            let panel = &b.digits()[column / PANEL * b.panel()..][..b.panel()];
            let a_rows = &a.parts()[rows.start * a.stride()..rows.end * a.stride()];
            let operands = Operands {
                a: a_rows,
                stride: a.stride(),
                rows: rows.len(),
                b: panel,
                digits: b.class().digits(),
                depth: a.depth(),
            };
            if let Some(multipliers) = b.multipliers(column / PANEL) {
                operands.multiplied::<K>(&plan, multipliers, &mut accumulators, &mut target);
            } else if in_one_pass {
                operands.direct::<K>(&plan, &mut target);
            } else {
                operands.accumulate::<K>(&plan, &mut accumulators, &mut target);
            }
        }
    }
    worst.iter().all(|worst| *worst < f32::INFINITY.to_bits())
}

fn panel_of(factors: &[f32]) -> &[f32; PANEL] {
    factors
        .first_chunk()
        .expect("factors are filled up to whole panels; qed")
}

/// Some rows and a panel.
struct Operands<'a> {
    a: &'a [i16],
    stride: usize,
    rows: usize,
    b: &'a [u8],
    digits: usize,
    depth: usize,
}

/// Rows of sums, for each tile's number of rows.
macro_rules! for_tile {
    ($rows:expr, $run:ident, $($argument:expr),*) => {
        match $rows {
            1 => $run::<K, 1>($($argument),*),
            2 => $run::<K, 2>($($argument),*),
            3 => $run::<K, 3>($($argument),*),
            4 => $run::<K, 4>($($argument),*),
            5 => $run::<K, 5>($($argument),*),
            _ => $run::<K, TILE>($($argument),*),
        }
    };
}

impl Operands<'_> {
    /// Sums of one pass that are the accumulators.
    #[inline(always)]
    fn direct<K: Tile>(&self, plan: &Plan, target: &mut Target<'_>) {
        #[inline(always)]
        fn run<K: Tile, const R: usize>(a: &[i16], stride: usize, b: &[u8], first: usize, target: &mut Target<'_>) {
            let mut sums = [[0; PANEL]; R];
            K::sum(a, stride, b, &mut sums);
            for (row, sums) in sums.iter().enumerate() {
                // Rounds once, as from 64 bits
                target.write(first + row, &sums.map(|sum| sum as f32));
            }
        }
        debug_assert_eq!(plan.parts.len(), self.digits);
        for first in (0..self.rows).step_by(TILE) {
            let a = &self.a[first * self.stride..];
            for_tile!(self.rows - first, run, a, self.stride, self.b, first, target);
        }
    }

    /// Accumulators in 64 bits.
    #[inline(always)]
    fn accumulate<K: Tile>(&self, plan: &Plan, accumulators: &mut [[i64; PANEL]; ROWS], target: &mut Target<'_>) {
        #[inline(always)]
        fn run<K: Tile, const R: usize>(
            a: &[i16],
            stride: usize,
            b: &[u8],
            shift: u32,
            accumulators: &mut [[i64; PANEL]],
        ) {
            let mut sums = [[0; PANEL]; R];
            K::sum(a, stride, b, &mut sums);
            for (accumulators, sums) in accumulators.iter_mut().zip(&sums) {
                for (accumulator, sum) in accumulators.iter_mut().zip(sums) {
                    *accumulator += i64::from(*sum) << shift;
                }
            }
        }
        let accumulators = &mut accumulators[..self.rows];
        accumulators.fill([0; PANEL]);
        for (start, length) in blocks(self.depth) {
            for pass in plan.passes {
                let a = &self.a[start * plan.parts.len() + pass.part * length..];
                let b = &self.b[(start * self.digits + pass.digit * length) * PANEL..][..pass.count * length * PANEL];
                for first in (0..self.rows).step_by(TILE) {
                    let (a, accumulators) = (&a[first * self.stride..], &mut accumulators[first..]);
                    for_tile!(self.rows - first, run, a, self.stride, b, pass.shift, accumulators);
                }
            }
        }
        target.write_all(accumulators);
    }

    /// Accumulators in 64 bits, where what each block adds is multiplied.
    #[inline(always)]
    fn multiplied<K: Tile>(
        &self,
        plan: &Plan,
        multipliers: &[[i16; PANEL]],
        accumulators: &mut [[i64; PANEL]; ROWS],
        target: &mut Target<'_>,
    ) {
        #[inline(always)]
        fn run<K: Tile, const R: usize>(
            a: &[i16],
            operands: &Operands<'_>,
            plan: &Plan,
            multipliers: &[[i16; PANEL]],
            accumulators: &mut [[i64; PANEL]],
        ) {
            const LENGTH: usize = BLOCK as usize;
            let mut totals = [[0i64; PANEL]; R];
            for (start, length) in blocks(operands.depth) {
                let digits = &operands.b[start * PANEL..][..length * PANEL];
                let of_blocks = digits.chunks_exact(LENGTH * PANEL).zip(&multipliers[start / LENGTH..]);
                for (block, (digits, multipliers)) in of_blocks.enumerate() {
                    for pass in plan.passes {
                        let a = &a[start * plan.parts.len() + pass.part * length + block * LENGTH..];
                        let mut sums = [[0; PANEL]; R];
                        K::sum(a, operands.stride, digits, &mut sums);
                        for (totals, sums) in totals.iter_mut().zip(&sums) {
                            for ((total, sum), multiplier) in totals.iter_mut().zip(sums).zip(multipliers) {
                                *total += (i64::from(*sum) * i64::from(*multiplier)) << pass.shift;
                            }
                        }
                    }
                }
            }
            accumulators[..R].copy_from_slice(&totals);
        }
        for first in (0..self.rows).step_by(TILE) {
            let (a, accumulators) = (&self.a[first * self.stride..], &mut accumulators[first..]);
            for_tile!(self.rows - first, run, a, self, plan, multipliers, accumulators);
        }
        target.write_all(&accumulators[..self.rows]);
    }
}

/// The nearest float of an integer below 2⁵¹ in absolute value, rounded once: an f64 holds it exactly.
///
/// The sum with 1.5·2⁵² has the integer in its low bits; that is done on the bits, since before AVX-512 no instruction
/// converts integers of 64 bits.
#[inline(always)]
fn from_small(n: i64) -> f32 {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    let shifted = f64::from_bits((SHIFT.to_bits() as i64).wrapping_add(n) as u64);
    (shifted - SHIFT) as f32
}

/// Where the products of some rows and a panel go.
struct Target<'a> {
    out: &'a mut [f32],
    stride: usize,
    width: usize,
    factors_a: &'a [f32],
    factors_b: &'a [f32; PANEL],
    finish: Finish,
    /// The largest absolute values written, as bits.
    worst: &'a mut [u32; PANEL],
}

impl Target<'_> {
    /// Writes rows of products, out of the accumulators.
    #[inline(always)]
    fn write_all(&mut self, accumulators: &[[i64; PANEL]]) {
        for (row, accumulators) in accumulators.iter().enumerate() {
            let floats = if self.finish.in_f64 {
                accumulators.map(from_small)
            } else {
                accumulators.map(from_i64)
            };
            self.write(row, &floats);
        }
    }

    /// Writes a row of products, out of the accumulators as floats.
    #[inline(always)]
    fn write(&mut self, row: usize, accumulators: &[f32; PANEL]) {
        let (a, b) = (self.factors_a[row], *self.factors_b);
        let y: [f32; PANEL] = if self.finish.b_first {
            std::array::from_fn(|column| accumulators[column] * b[column] * a)
        } else {
            std::array::from_fn(|column| accumulators[column] * a * b[column])
        };
        // Columns beyond the last are zeros
        for (worst, y) in self.worst.iter_mut().zip(&y) {
            *worst = (*worst).max(y.to_bits() & (u32::MAX >> 1));
        }
        let out = &mut self.out[row * self.stride..];
        match out.first_chunk_mut::<PANEL>() {
            Some(out) if self.width == PANEL => *out = y,
            _ => write_part(&mut out[..self.width], &y),
        }
    }
}

/// The last columns. Apart, lest the compiler makes one copy of a variable length of both.
#[cold]
#[inline(never)]
fn write_part(out: &mut [f32], y: &[f32; PANEL]) {
    out.copy_from_slice(&y[..out.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_below_2_to_the_51st_should_be_rounded_once() {
        // Just above the middle between two floats, where rounding twice would lose what is above
        let ties = (0..27).map(|shift| ((1i64 << 24) + 1) << shift);
        for n in ties.flat_map(|n| [n - 1, n, n + 1]).chain([0, 1, (1 << 51) - 1]) {
            assert_eq!(from_small(n).to_bits(), from_i64(n).to_bits(), "{n}");
            assert_eq!(from_small(-n).to_bits(), from_i64(-n).to_bits(), "−{n}");
        }
    }
}
