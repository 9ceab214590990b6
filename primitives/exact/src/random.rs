//! Random numbers that any position can draw for itself: Philox 4×32-10 keyed by a job's seed.
//!
//! A counter-based generator has no state that would have to be carried from one draw to the next, so the draw for a
//! token does not depend on what else is in the batch, and a referee recomputes a single one.
//!
//! Source: J. Salmon et al., *Parallel Random Numbers: As Easy as 1, 2, 3*, SC 2011; the Random123 library.

use crate::scalar::from_i64;

/// The multipliers of the first and the second half of a round.
const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
/// What each round adds to the key words: the golden ratio and √3 − 1.
const KEY_STEPS: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: usize = 10;

/// 2⁻²⁴, the distance between two neighbouring values of [`Draw::uniform`].
const UNIFORM_STEP: f32 = f32::from_bits(0x3380_0000);

/// One block of Philox 4×32-10: four words from a counter and a key.
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut x0, mut x1, mut x2, mut x3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        let first = u64::from(MULTIPLIERS[0]) * u64::from(x0);
        let second = u64::from(MULTIPLIERS[1]) * u64::from(x2);
        (x0, x1, x2, x3) = (
            (second >> 32) as u32 ^ x1 ^ k0,
            second as u32,
            (first >> 32) as u32 ^ x3 ^ k1,
            first as u32,
        );
        k0 = k0.wrapping_add(KEY_STEPS[0]);
        k1 = k1.wrapping_add(KEY_STEPS[1]);
    }
    [x0, x1, x2, x3]
}

/// What one operator draws for one position of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw([u32; 4]);

impl Draw {
    /// The draw of `operator` (its index in the program) at the absolute `position` of `sequence` under `seed`.
    pub fn new(seed: u64, sequence: u32, position: u32, operator: u32) -> Self {
        Self(philox4x32_10(
            [sequence, position, 0, operator],
            [seed as u32, (seed >> 32) as u32],
        ))
    }

    /// The four words x₀ … x₃.
    pub fn words(&self) -> [u32; 4] {
        self.0
    }

    /// r = x₀ + 2³²·x₁, uniform over all 64-bit integers.
    pub fn integer(&self) -> u64 {
        u64::from(self.0[0]) | u64::from(self.0[1]) << 32
    }

    /// (x₀ ≫ 8) · 2⁻²⁴, uniform over the multiples of 2⁻²⁴ in 0 ≤ u < 1; both steps are exact.
    pub fn uniform(&self) -> f32 {
        from_i64(i64::from(self.0[0] >> 8)) * UNIFORM_STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_should_give_the_known_answers_of_random123() {
        // `tests/kat_vectors` of Random123, its three lines "philox4x32 10": counter, key, expected.
        let vectors = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in vectors {
            assert_eq!(
                philox4x32_10(counter, key),
                expected,
                "counter {counter:08x?}, key {key:08x?}"
            );
        }
    }

    #[test]
    fn draw_should_place_its_arguments_in_key_and_counter() {
        // The third known answer has a counter whose third word is not zero, so compare with the block itself.
        let draw = Draw::new(0x0123_4567_89ab_cdef, 7, 11, 13);
        assert_eq!(draw.words(), philox4x32_10([7, 11, 0, 13], [0x89ab_cdef, 0x0123_4567]));
    }

    #[test]
    fn draw_should_read_its_words_as_the_rule_says() {
        let zeros = Draw::new(0, 0, 0, 0);
        assert_eq!(zeros.integer(), 0xe169_c58d_6627_e8d5);
        assert_eq!(zeros.uniform().to_bits(), (0x66_27e8 as f32 / 16_777_216.0).to_bits());
        let most = Draw([u32::MAX; 4]);
        assert_eq!(
            most.uniform().to_bits(),
            0x3f7f_ffff,
            "the greatest draw stays below one"
        );
        assert_eq!(Draw([0xff; 4]).uniform(), 0.0, "the low eight bits are not used");
    }
}
