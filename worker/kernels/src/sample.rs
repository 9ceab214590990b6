//! Drawing tokens, and what goes by index: ranks, masses, draws; lookups, picks, counts, scattered sums.
//!
//! The reference finds a rank by comparing with every other element. Here a row is sorted once, which gives the same:
//! tokens are in a strict order, by score and then by index. What is no number neither precedes anything nor is preceded.

mod keep;
#[cfg(test)]
mod tests;

pub use keep::{keep_heaviest, keep_likeliest};

use crate::{
    row::{self, ensure, finite, rows, shifted, unshifted, within},
    vectorised::vectorised,
    Isa,
};
use assay_exact::{
    operator::Fault,
    random,
    row::{dequantise_column, exponent, is_magnitude, GROUP},
    scalar::pow2,
};

/// Fractional bits of the mass that remains.
const MASS_BITS: u32 = 16;

/// The sign of a float.
const SIGN: u32 = 1 << 31;

vectorised! {
    /// The sum of chances.
    fn total(chances: &[u32]) -> u64 {
        chances.iter().map(|chance| u64::from(*chance)).sum()
    }

    /// Writes what [`assay_exact::row::quantise_column`] gives for each element; `factor` is 2^(30−e). Returns whether no
    /// element is larger than the magnitude.
    fn column_integers(row: &[f32], factor: f32, magnitude: f32, out: &mut [i64]) -> bool {
        let mut beyond = 0u32;
        for (out, x) in out.iter_mut().zip(row) {
            beyond |= u32::from(!within(*x, magnitude));
            *out = unshifted(shifted(*x * factor * 1024.0), 1);
        }
        beyond == 0
    }

    fn keep_below(chances: &[u32], ranks: &[u32], most: u32, out: &mut [u32]) {
        for ((out, chance), rank) in out.iter_mut().zip(chances).zip(ranks) {
            let chance = *chance;
            *out = if *rank < most { chance } else { 0 };
        }
    }

    fn keep_lighter(chances: &[u32], masses: &[u64], bound: u64, out: &mut [u32]) {
        for ((out, chance), mass) in out.iter_mut().zip(chances).zip(masses) {
            let chance = *chance;
            *out = if *mass < bound { chance } else { 0 };
        }
    }
}

/// Chances of the tokens of rows of scores, whose maxima are given: rne(e^(y−maximum) · 2³⁰). Fails when a score is above
/// its row's maximum.
pub fn chances(isa: Isa, scores: &[f32], width: usize, maxima: &[f32], out: &mut [u32]) -> Result<(), Fault> {
    assert_eq!(scores.len(), out.len(), "expected as many chances as scores");
    let mut rest = out;
    for (row, maximum) in rows(scores, width, maxima.len()).zip(maxima) {
        let (out, others) = rest.split_at_mut(width);
        row::chances(isa, row, *maximum, out)?;
        rest = others;
    }
    Ok(())
}

/// Bits of a key that are sorted at a time, and how often that makes all 32.
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 3;

/// Rows shorter than this are sorted by comparing.
const SHORT: usize = 1_024;

/// The tokens of a row in their order, each an index in the low half of an integer.
#[derive(Default)]
struct Order {
    tokens: Vec<u64>,
    other: Vec<u64>,
}

impl Order {
    /// Orders the tokens of a row, the one of the highest score first. What is no number is left out.
    fn of(&mut self, scores: &[f32]) -> &[u64] {
        self.tokens.clear();
        let numbers = scores.iter().zip(0u64..).filter(|(score, _)| !score.is_nan());
        self.tokens.extend(numbers.map(|(score, index)| {
            // −0 is as large as +0
            let bits = (score + 0.0).to_bits();
            // Larger floats have smaller keys
            let key = if bits & SIGN == 0 { !(bits | SIGN) } else { bits };
            (u64::from(key) << 32) | index
        }));
        if self.tokens.len() < SHORT {
            self.tokens.sort_unstable();
        } else {
            self.sort_by_digits();
        }
        &self.tokens
    }

    /// Sorts by one digit of the keys after the other, from the lowest. Tokens of the same digit keep their order, which at
    /// first is that of their indices.
    fn sort_by_digits(&mut self) {
        let digit = |token: u64, of: usize| (token >> (32 + DIGIT_BITS * of as u32)) as usize & ((1 << DIGIT_BITS) - 1);
        let mut counts = [[0usize; 1 << DIGIT_BITS]; DIGITS];
        for token in &self.tokens {
            for (of, counts) in counts.iter_mut().enumerate() {
                counts[digit(*token, of)] += 1;
            }
        }
        self.other.resize(self.tokens.len(), 0);
        for (of, counts) in counts.iter_mut().enumerate() {
            let mut start = 0;
            for count in counts.iter_mut() {
                (*count, start) = (start, start + *count);
            }
            for token in &self.tokens {
                let place = &mut counts[digit(*token, of)];
                self.other[*place] = *token;
                *place += 1;
            }
            std::mem::swap(&mut self.tokens, &mut self.other);
        }
    }
}

/// How many tokens come before each, in rows of scores.
pub fn ranks(scores: &[f32], width: usize, out: &mut [u32]) {
    assert_eq!(scores.len(), out.len(), "expected as many ranks as scores");
    let mut order = Order::default();
    for (row, out) in scores
        .chunks_exact(width.max(1))
        .zip(out.chunks_exact_mut(width.max(1)))
    {
        out.fill(0);
        for (index, rank) in order.of(row).iter().zip(0u32..) {
            out[*index as u32 as usize] = rank;
        }
    }
}

/// What the tokens before each have of chance together, in rows of scores and of chances.
pub fn masses(scores: &[f32], chances: &[u32], width: usize, out: &mut [u64]) {
    assert_eq!(
        (scores.len(), chances.len()),
        (out.len(), out.len()),
        "expected as many masses as scores"
    );
    let mut order = Order::default();
    let width = width.max(1);
    let of = scores.chunks_exact(width).zip(chances.chunks_exact(width));
    for ((row, chances), out) in of.zip(out.chunks_exact_mut(width)) {
        out.fill(0);
        let mut mass = 0;
        for index in order.of(row) {
            let index = *index as u32 as usize;
            out[index] = mass;
            mass += u64::from(chances[index]);
        }
    }
}

/// The chances of those whose rank is below their row's in `most`, and 0 for the others; all, if that is 0.
pub fn keep_ranks(isa: Isa, chances: &[u32], ranks: &[u32], width: usize, most: &[u32], out: &mut [u32]) {
    assert_eq!(
        (chances.len(), ranks.len()),
        (out.len(), out.len()),
        "expected as many results as chances"
    );
    let mut rest = out;
    for ((chances, ranks), most) in rows(chances, width, most.len())
        .zip(rows(ranks, width, most.len()))
        .zip(most)
    {
        let (out, others) = rest.split_at_mut(width);
        match most {
            0 => out.copy_from_slice(chances),
            most => keep_below(isa, chances, ranks, *most, out),
        }
        rest = others;
    }
}

/// The least mass that is too much, rounded up to a whole one; none where that is more than 64 bits hold, so that all are
/// kept.
fn mass_bound(total: u64, share: u32) -> Option<u64> {
    let bound = (u128::from(share) * u128::from(total)).div_ceil(1 << MASS_BITS);
    bound.try_into().ok()
}

/// The chances of those whose mass · 2¹⁶ is below their row's share · total, and 0 for the others.
pub fn keep_mass(
    isa: Isa,
    chances: &[u32],
    masses: &[u64],
    width: usize,
    (totals, shares): (&[u64], &[u32]),
    out: &mut [u32],
) {
    assert_eq!(
        (chances.len(), masses.len()),
        (out.len(), out.len()),
        "expected as many results as chances"
    );
    assert_eq!(totals.len(), shares.len(), "expected a share for each total");
    let mut rest = out;
    let of = rows(chances, width, totals.len()).zip(rows(masses, width, totals.len()));
    for ((chances, masses), (total, share)) in of.zip(totals.iter().zip(shares)) {
        let (out, others) = rest.split_at_mut(width);
        match mass_bound(*total, *share) {
            Some(bound) => keep_lighter(isa, chances, masses, bound, out),
            None => out.copy_from_slice(chances),
        }
        rest = others;
    }
}

/// The sums of rows of chances.
pub fn totals(isa: Isa, chances: &[u32], width: usize, out: &mut [u64]) {
    for (row, out) in rows(chances, width, out.len()).zip(out) {
        *out = total(isa, row);
    }
}

/// A token of a row by chance: the lowest whose running sum of chances exceeds (`random` · `total`) ≫ 64. Fails when there
/// is none.
pub fn draw(isa: Isa, chances: &[u32], row_total: u64, random: u64) -> Result<u32, Fault> {
    let mut left = ((u128::from(random) * u128::from(row_total)) >> 64) as u64;
    for (group, start) in chances.chunks(GROUP as usize).zip((0u32..).step_by(GROUP as usize)) {
        let sum = total(isa, group);
        if left >= sum {
            left -= sum;
            continue;
        }
        for (chance, at) in group.iter().zip(start..) {
            let chance = u64::from(*chance);
            if left < chance {
                return Ok(at);
            }
            left -= chance;
        }
    }
    Err(Fault::Weight)
}

/// A token of each row of chances.
pub fn draws(
    isa: Isa,
    chances: &[u32],
    width: usize,
    (totals, randoms): (&[u64], &[u64]),
    out: &mut [u32],
) -> Result<(), Fault> {
    assert_eq!(
        (totals.len(), randoms.len()),
        (out.len(), out.len()),
        "expected a total and a number for each row"
    );
    let of = rows(chances, width, out.len()).zip(totals.iter().zip(randoms));
    for ((row, (total, random)), out) in of.zip(out) {
        *out = draw(isa, row, *total, *random)?;
    }
    Ok(())
}

/// Random numbers of a use `stream` of a seed, for the token at `position` of each of these sequences.
pub fn randoms(seed: u64, sequences: &[u32], position: u32, stream: u32, out: &mut [u64]) {
    assert_eq!(sequences.len(), out.len(), "expected as many numbers as sequences");
    for (out, sequence) in out.iter_mut().zip(sequences) {
        *out = random::Draw::new(seed, *sequence, position, stream).integer();
    }
}

/// An index, if it is below `below`.
fn checked(got: u32, below: usize) -> Result<usize, Fault> {
    // No dimension is above 32 bits
    ensure(
        (got as usize) < below,
        Fault::Index {
            got,
            below: below as u32,
        },
    )?;
    Ok(got as usize)
}

/// Rows of a table of `length` rows of `width` elements each. Fails when an index is not below `length`.
pub fn lookup<T: Copy>(
    table: &[T],
    (length, width): (usize, usize),
    indices: &[u32],
    out: &mut [T],
) -> Result<(), Fault> {
    assert_eq!(table.len(), length * width, "expected the whole table");
    lookup_rows(length, width, indices, out, |row, out| {
        out.copy_from_slice(&table[row * width..][..width]);
    })
}

/// [`lookup`] in a table that lies in memory in another way: `read` writes one of its rows.
pub fn lookup_rows<T>(
    length: usize,
    width: usize,
    indices: &[u32],
    out: &mut [T],
    read: impl Fn(usize, &mut [T]),
) -> Result<(), Fault> {
    assert_eq!(out.len(), indices.len() * width, "expected a row for each index");
    if width == 0 {
        return Ok(());
    }
    for (index, out) in indices.iter().zip(out.chunks_exact_mut(width)) {
        read(checked(*index, length)?, out);
    }
    Ok(())
}

/// One element of each row of `x`. Fails when an index is not below `width`, or the element is not finite.
pub fn pick(x: &[f32], width: usize, indices: &[u32], out: &mut [f32]) -> Result<(), Fault> {
    assert_eq!(indices.len(), out.len(), "expected an index for each row");
    for ((row, index), out) in rows(x, width, indices.len()).zip(indices).zip(out) {
        *out = finite(row[checked(*index, width)?])?;
    }
    Ok(())
}

/// How often each index below the length of `out` occurs. Fails when another occurs, unless `out` is empty.
pub fn count(indices: &[u32], out: &mut [u32]) -> Result<(), Fault> {
    if out.is_empty() {
        return Ok(());
    }
    out.fill(0);
    for index in indices {
        out[checked(*index, out.len())?] += 1;
    }
    Ok(())
}

/// Sums of columns by index: rows of `x`, as long as `indices`, and of these magnitudes, become rows of `below` sums
/// each. Fails when an index is not below that, a magnitude is none, an element is larger, or a sum is not finite.
pub fn scatter(
    isa: Isa,
    x: &[f32],
    magnitudes: &[f32],
    indices: &[u32],
    below: usize,
    out: &mut [f32],
) -> Result<(), Fault> {
    assert_eq!(
        out.len(),
        magnitudes.len() * below,
        "expected a row of sums for each magnitude"
    );
    if below == 0 {
        return Ok(());
    }
    let outside = indices.iter().position(|index| *index as usize >= below);
    let (mut sums, mut integers) = (vec![0i64; below], vec![0i64; indices.len()]);
    let of = rows(x, indices.len(), magnitudes.len()).zip(magnitudes);
    for ((row, magnitude), out) in of.zip(out.chunks_exact_mut(below)) {
        ensure(is_magnitude(*magnitude), Fault::Magnitude)?;
        let is_within = |x: f32| within(x, *magnitude);
        if let Some(outside) = outside {
            // The sum at index 0 finds it, or an element of its own before it that is too large
            let before = indices[..outside].iter().zip(row);
            let fits = before.filter(|(index, _)| **index == 0).all(|(_, x)| is_within(*x));
            ensure(fits, Fault::Magnitude)?;
            checked(indices[outside], below)?;
        }
        let mut too_large = below;
        if !column_integers(isa, row, pow2(30 - exponent(*magnitude)), *magnitude, &mut integers) {
            let at = row
                .iter()
                .zip(indices)
                .filter(|(x, _)| !is_within(**x))
                .map(|(_, index)| *index as usize);
            too_large = at.min().unwrap_or(below);
        }
        sums.fill(0);
        for (integer, index) in integers.iter().zip(indices) {
            // Those of elements that are too large may be anything
            sums[*index as usize] = sums[*index as usize].wrapping_add(*integer);
        }
        for ((out, sum), at) in out.iter_mut().zip(&sums).zip(0..) {
            ensure(at != too_large, Fault::Magnitude)?;
            *out = finite(dequantise_column(*sum, *magnitude))?;
        }
    }
    Ok(())
}

/// Inputs one after the other: each a slice that consists of parts of a length of its own, of which those `range` are
/// taken, the first of all inputs, then the second, and so on. A part is what an input has of the dimension and all
/// within it.
pub fn concat<T: Copy>(inputs: &[(&[T], usize)], range: std::ops::Range<usize>, out: &mut [T]) {
    let whole: usize = inputs.iter().map(|(_, length)| length).sum();
    assert_eq!(out.len(), range.len() * whole, "expected the size of the parts");
    let mut rest = out;
    for part in range {
        for (input, length) in inputs {
            let (out, others) = rest.split_at_mut(*length);
            out.copy_from_slice(&input[part * length..][..*length]);
            rest = others;
        }
    }
}
