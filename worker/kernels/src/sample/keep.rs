//! Chances that remain of the likeliest tokens, without ranks and masses of all tokens.
//!
//! Tokens are in a strict order. Those that remain, by rank or by mass, are those up to one of them: the last before
//! which the others weigh less than a bound, together. A rank weighs each token 1, a mass its chance. That token is
//! found digit by digit of its key, from the top one: what tokens of each digit weigh is added up, and only those of
//! the digit in which the bound is reached are looked at further. Nothing is sorted.

#[cfg(test)]
mod tests;

use super::total;
use crate::{row::rows, vectorised::vectorised, Isa};

/// The sign of a float.
const SIGN: u32 = 1 << 31;

/// Bits of a digit of a key, and by how many bits the digits of a key are raised, from the top one.
const DIGIT_BITS: u32 = 11;
const SHIFTS: [u32; 3] = [21, 10, 0];

vectorised! {
    /// A key for each score: larger floats have smaller ones, both zeros the same. What is no number has 0, which no float
    /// has.
    fn keys(scores: &[f32], out: &mut [u32]) {
        for (out, score) in out.iter_mut().zip(scores) {
            // −0 is as large as +0
            let bits = (*score + 0.0).to_bits();
            let key = if bits & SIGN == 0 { !(bits | SIGN) } else { bits };
            *out = if score.is_nan() { 0 } else { key };
        }
    }

    /// The least key but 0.
    fn least(keys: &[u32]) -> u32 {
        keys.iter().fold(u32::MAX, |least, key| least.min(key.wrapping_sub(1))).wrapping_add(1)
    }

    /// The chances of those whose key is below the bound.
    fn keep_below(chances: &[u32], keys: &[u32], bound: u64, out: &mut [u32]) {
        for ((out, chance), key) in out.iter_mut().zip(chances).zip(keys) {
            let chance = *chance;
            *out = if u64::from(*key) < bound { chance } else { 0 };
        }
    }
}

/// Memory that is used for one row after the other.
#[derive(Default)]
struct Search {
    keys: Vec<u32>,
    weights: Vec<u64>,
    /// Tokens that are still looked at.
    tokens: Vec<u32>,
}

impl Search {
    /// The last token in the order of `self.keys` before which the others weigh less than `bound`, which is not 0; none,
    /// if that holds for all.
    fn last(&mut self, weight: impl Fn(usize) -> u64, bound: u64) -> Option<usize> {
        let mut before = 0;
        self.tokens.clear();
        for (level, shift) in SHIFTS.into_iter().enumerate() {
            let digit = |key: u32| (key >> shift) as usize & ((1 << DIGIT_BITS) - 1);
            self.weights.clear();
            self.weights.resize(1 << DIGIT_BITS, 0);
            let keys = &self.keys;
            let mut add = |token: usize| self.weights[digit(keys[token])] += weight(token);
            if level == 0 {
                (0..keys.len()).filter(|token| keys[*token] != 0).for_each(&mut add);
            } else {
                self.tokens.iter().for_each(|token| add(*token as usize));
            }
            let reached = self.weights.iter().position(|weight| {
                let is_reached = before + weight >= bound;
                before += if is_reached { 0 } else { *weight };
                is_reached
            })?;
            if level == 0 {
                let numbers = (0..).zip(keys).filter(|(_, key)| **key != 0);
                let within = numbers.filter(|(_, key)| digit(**key) == reached);
                self.tokens.extend(within.map(|(token, _)| token));
            } else {
                self.tokens.retain(|token| digit(keys[*token as usize]) == reached);
            }
        }
        // All of the same key, by index
        let mut left = self.tokens.iter().map(|token| *token as usize);
        left.find(|token| {
            before += weight(*token);
            before >= bound
        })
    }

    /// The chances of what comes up to `last` in the order.
    fn keep(&self, isa: Isa, chances: &[u32], last: usize, out: &mut [u32]) {
        // Of those with the same key, the ones with lower indices come before
        let key = u64::from(self.keys[last]);
        let (with, without) = out.split_at_mut(last + 1);
        keep_below(isa, &chances[..=last], &self.keys[..=last], key + 1, with);
        keep_below(isa, &chances[last + 1..], &self.keys[last + 1..], key, without);
    }

    fn set_keys(&mut self, isa: Isa, scores: &[f32]) {
        self.keys.resize(scores.len(), 0);
        keys(isa, scores, &mut self.keys);
    }
}

/// What [`keep_ranks`](super::keep_ranks) gives with the [`ranks`](super::ranks) of these scores.
pub fn keep_likeliest(isa: Isa, chances: &[u32], scores: &[f32], width: usize, most: &[u32], out: &mut [u32]) {
    assert_eq!(
        (chances.len(), scores.len()),
        (out.len(), out.len()),
        "expected as many results as chances"
    );
    let mut search = Search::default();
    let mut rest = out;
    let of = rows(chances, width, most.len()).zip(rows(scores, width, most.len()));
    for ((chances, scores), most) in of.zip(most) {
        let (out, others) = rest.split_at_mut(width);
        rest = others;
        if *most == 0 || *most as usize >= width {
            out.copy_from_slice(chances);
            continue;
        }
        search.set_keys(isa, scores);
        let last = match most {
            1 => {
                let least = least(isa, &search.keys);
                search.keys.iter().position(|key| *key == least && *key != 0)
            }
            most => search.last(|_| 1, u64::from(*most)),
        };
        match last {
            Some(last) => search.keep(isa, chances, last, out),
            None => out.copy_from_slice(chances),
        }
    }
}

/// What [`keep_mass`](super::keep_mass) gives with the [`masses`](super::masses) of these scores and chances.
pub fn keep_heaviest(
    isa: Isa,
    chances: &[u32],
    scores: &[f32],
    width: usize,
    (totals, shares): (&[u64], &[u32]),
    out: &mut [u32],
) {
    assert_eq!(
        (chances.len(), scores.len()),
        (out.len(), out.len()),
        "expected as many results as chances"
    );
    assert_eq!(totals.len(), shares.len(), "expected a share for each total");
    let mut search = Search::default();
    let mut rest = out;
    let of = rows(chances, width, totals.len()).zip(rows(scores, width, totals.len()));
    for ((chances, scores), (total_of_row, share)) in of.zip(totals.iter().zip(shares)) {
        let (out, others) = rest.split_at_mut(width);
        rest = others;
        let bound = super::mass_bound(*total_of_row, *share);
        if bound == Some(0) {
            out.fill(0);
            continue;
        }
        // Tokens without a chance are none that could remain: all others weigh less than all together
        let Some(bound) = bound.filter(|bound| *bound < total(isa, chances)) else {
            out.copy_from_slice(chances);
            continue;
        };
        search.set_keys(isa, scores);
        match search.last(|token| chances[token].into(), bound) {
            Some(last) => search.keep(isa, chances, last, out),
            None => out.copy_from_slice(chances),
        }
    }
}
