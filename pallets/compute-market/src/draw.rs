//! The draw of a worker: pure mathematics, no storage.
//!
//! A candidate's chance is proportional to free bond ÷ ask². Squaring rewards a lower price more
//! than in proportion, but still leaves dearer workers a share, so that the cheapest cannot hold up
//! the market alone.

use crate::Balance;
use sp_core::U256;

/// Fixed-point one of price ratios: 32 fractional bits. A weight is then at most
/// 2^128 · (2^32)² = 2^192, and a sum over fewer than 2^32 candidates fits 256 bits.
const ONE: u64 = 1 << 32;

/// What the draw looks at in a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The part of its bond that no job has locked.
    pub free_bond: Balance,
    /// Its price.
    pub ask: Balance,
}

/// Index of the drawn entry; `None` if there are no entries.
///
/// The remainder by which `randomness` is brought into range favours early entries by less than
/// one in 2^32, since the weights' sum stays under 2^224.
pub fn draw(entries: &[Entry], randomness: [u8; 32]) -> Option<usize> {
    let lowest = entries.iter().map(|entry| entry.ask).min()?;
    let weights = || entries.iter().map(|entry| weight(entry, lowest));
    let total = weights().fold(U256::zero(), |sum, weight| sum.saturating_add(weight));
    let mut point = U256::from_little_endian(&randomness).checked_rem(total)?;
    weights().position(|weight| {
        let hit = point < weight;
        point = point.saturating_sub(weight);
        hit
    })
}

/// Free bond × (`lowest` ÷ ask)², in fixed point. Never zero: whoever is eligible can be drawn.
fn weight(entry: &Entry, lowest: Balance) -> U256 {
    // An ask of zero counts as one: dividing by it is not possible, and asking less is not either.
    let ask = U256::from(entry.ask.max(1));
    let ratio = (U256::from(lowest.max(1)) * U256::from(ONE) / ask).max(U256::one());
    (U256::from(entry.free_bond) * ratio * ratio).max(U256::one())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn entry(free_bond: Balance, ask: Balance) -> Entry {
        Entry { free_bond, ask }
    }

    /// How often each entry is drawn in `rounds` draws.
    fn frequencies(entries: &[Entry], rounds: u32) -> Vec<u32> {
        let mut drawn = vec![0; entries.len()];
        for round in 0..rounds {
            let randomness = sp_io::hashing::blake2_256(&round.to_le_bytes());
            drawn[draw(entries, randomness).unwrap()] += 1;
        }
        drawn
    }

    #[test]
    fn draw_should_be_none_without_entries() {
        assert_eq!(draw(&[], [7; 32]), None);
    }

    #[test]
    fn draw_should_reach_every_entry_by_its_range() {
        // Equal weights of bond × ONE².
        let entries = [entry(1, 5), entry(1, 5), entry(1, 5)];
        let unit = U256::from(ONE) * U256::from(ONE);
        for (index, _) in entries.iter().enumerate() {
            let start = unit * U256::from(index);
            assert_eq!(draw(&entries, start.to_little_endian()), Some(index));
            assert_eq!(draw(&entries, (start + unit - 1).to_little_endian()), Some(index));
        }
        assert_eq!(draw(&entries, (unit * U256::from(3)).to_little_endian()), Some(0));
    }

    #[test]
    fn draw_should_weigh_by_free_bond() {
        let drawn = frequencies(&[entry(100, 3), entry(300, 3)], 4_000);
        assert!(
            (900..1_100).contains(&drawn[0]),
            "expected about a quarter of 4000, got {}",
            drawn[0]
        );
    }

    #[test]
    fn draw_should_weigh_by_inverse_square_of_ask() {
        let drawn = frequencies(&[entry(100, 6), entry(100, 3)], 5_000);
        assert!(
            (880..1_120).contains(&drawn[0]),
            "expected about a fifth of 5000, got {}",
            drawn[0]
        );
    }

    #[test]
    fn draw_should_not_favour_whoever_splits_its_bond() {
        let whole = frequencies(&[entry(1_000, 3), entry(1_000, 3)], 4_000);
        let split = frequencies(&[entry(1_000, 3), entry(500, 3), entry(500, 3)], 4_000);
        let (one, two) = (f64::from(whole[1]), f64::from(split[1] + split[2]));
        assert!((one - two).abs() / one < 0.1, "{one} draws as one worker, {two} as two");
    }

    #[test]
    fn weight_should_never_be_zero() {
        assert_eq!(weight(&entry(0, u128::MAX), 1), U256::one());
        assert!(weight(&entry(1, u128::MAX), 1) >= U256::one());
    }

    #[test]
    fn draw_should_not_overflow_at_extremes() {
        let entries = vec![entry(u128::MAX, 0); 1_000];
        assert!(draw(&entries, [0xff; 32]).is_some());
        let mixed = [entry(u128::MAX, u128::MAX), entry(0, 0), entry(u128::MAX, 1)];
        assert!(draw(&mixed, [0xff; 32]).is_some());
    }
}
