//! Panels of 16 columns, and the kernel that multiplies two rows with one.

use super::vector::load_integers;
use crate::attention::{task::Task, DEPTH};
use std::arch::x86_64::*;

/// Columns of a panel.
pub(super) const COLUMNS: usize = 16;

/// Pairs of elements over which products are summed in 32 bits.
pub(super) const PAIRS: usize = DEPTH / 2;

/// Two consecutive elements of all columns of a panel: their digits, each pair in 32 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    high: [__m256i; 2],
    low: [__m256i; 2],
}

impl Default for Step {
    fn default() -> Self {
        // SAFETY: zeros are such vectors
        unsafe { std::mem::zeroed() }
    }
}

/// Part of a row of 24-bit integers, two in 32 bits: upper parts, and lowest digits.
#[derive(Clone, Copy)]
pub(super) struct Digits<'a> {
    pub(super) upper: &'a [i32],
    pub(super) lower: &'a [i32],
}

/// The accumulators of two rows with 16 columns. As doubles they are exact: fewer than 2²³ products of less than
/// 2²⁹ each.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn tile(rows: [Digits<'_>; 2], steps: &[Step]) -> [[__m256d; 4]; 2] {
    let mut sums = [[_mm256_setzero_pd(); 4]; 2];
    let start = |at: usize| at * PAIRS;
    for (block, steps) in steps.chunks(PAIRS).enumerate() {
        let part = |row: &[i32]| -> *const i32 { row[start(block)..start(block) + steps.len()].as_ptr() };
        let (upper, lower) = (rows.map(|row| part(row.upper)), rows.map(|row| part(row.lower)));
        let mut high = [[_mm256_setzero_si256(); 2]; 2];
        let mut low = [[_mm256_setzero_si256(); 2]; 2];
        for (at, step) in steps.iter().enumerate() {
            for row in 0..2 {
                // SAFETY: the parts are as long as the steps
                let (upper, lower) = unsafe { (*upper[row].add(at), *lower[row].add(at)) };
                let (upper, lower) = (_mm256_set1_epi32(upper), _mm256_set1_epi32(lower));
                for half in 0..2 {
                    let (of_high, of_low) = (&mut high[row][half], &mut low[row][half]);
                    *of_high = _mm256_add_epi32(*of_high, _mm256_madd_epi16(upper, step.high[half]));
                    *of_low = _mm256_add_epi32(*of_low, _mm256_madd_epi16(upper, step.low[half]));
                    *of_low = _mm256_add_epi32(*of_low, _mm256_madd_epi16(lower, step.high[half]));
                }
            }
        }
        for row in 0..2 {
            for half in 0..2 {
                let parts = together(high[row][half], low[row][half]);
                for (sum, part) in sums[row][2 * half..].iter_mut().zip(parts) {
                    *sum = _mm256_add_pd(*sum, part);
                }
            }
        }
    }
    sums
}

/// 256 · high + low.
#[target_feature(enable = "avx2")]
#[inline]
fn together(high: __m256i, low: __m256i) -> [__m256d; 2] {
    let halves = |x: __m256i| [_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x)];
    let (high, low) = (halves(high), halves(low));
    [0, 1].map(|half| {
        let high = _mm256_mul_pd(_mm256_cvtepi32_pd(high[half]), _mm256_set1_pd(256.0));
        _mm256_add_pd(high, _mm256_cvtepi32_pd(low[half]))
    })
}

/// The digits of 16-bit integers. Those outside of their class give something, and fail the check of their absolute
/// values.
#[target_feature(enable = "avx2")]
#[inline]
fn split(b: __m256i) -> (__m256i, __m256i) {
    let high = _mm256_srai_epi16::<8>(_mm256_add_epi16(b, _mm256_set1_epi16(128)));
    (high, _mm256_sub_epi16(b, _mm256_slli_epi16::<8>(high)))
}

/// Makes the panel of 16 keys from `first` on. Returns the largest absolute values.
#[target_feature(enable = "avx2")]
pub(super) fn pack_keys(task: &Task<'_>, first: usize, steps: &mut [Step]) -> __m256i {
    let mut largest = _mm256_setzero_si256();
    for half in 0..2 {
        let keys: [&[i16]; 8] = std::array::from_fn(|lane| {
            let token = first + half * 8 + lane;
            if token < task.keys.tokens {
                task.key(token)
            } else {
                &[]
            }
        });
        for (at, steps) in steps.chunks_exact_mut(8).enumerate() {
            let rows = keys.map(|key| load_integers(key, at * COLUMNS));
            for row in rows {
                largest = _mm256_max_epu16(largest, _mm256_abs_epi16(row));
            }
            for (step, pair) in steps.iter_mut().zip(transpose(rows)) {
                (step.high[half], step.low[half]) = split(pair);
            }
        }
    }
    largest
}

/// Transposes 8 vectors of 8 integers of 32 bits.
#[target_feature(enable = "avx2")]
#[inline]
fn transpose(rows: [__m256i; 8]) -> [__m256i; 8] {
    let [a, b, c, d, e, f, g, h] = rows;
    let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
    let (ef, gh) = (_mm256_unpacklo_epi32(e, f), _mm256_unpacklo_epi32(g, h));
    let (ab_, cd_) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
    let (ef_, gh_) = (_mm256_unpackhi_epi32(e, f), _mm256_unpackhi_epi32(g, h));
    let first = [
        _mm256_unpacklo_epi64(ab, cd),
        _mm256_unpackhi_epi64(ab, cd),
        _mm256_unpacklo_epi64(ab_, cd_),
        _mm256_unpackhi_epi64(ab_, cd_),
    ];
    let second = [
        _mm256_unpacklo_epi64(ef, gh),
        _mm256_unpackhi_epi64(ef, gh),
        _mm256_unpacklo_epi64(ef_, gh_),
        _mm256_unpackhi_epi64(ef_, gh_),
    ];
    std::array::from_fn(|i| {
        let (x, y) = (first[i % 4], second[i % 4]);
        if i < 4 {
            _mm256_permute2x128_si256::<0x20>(x, y)
        } else {
            _mm256_permute2x128_si256::<0x31>(x, y)
        }
    })
}

/// Makes the panel of 16 elements from `column` on of the values of [`DEPTH`] tokens from `first` on. Returns the
/// largest absolute values.
#[target_feature(enable = "avx2")]
pub(super) fn pack_values(task: &Task<'_>, first: usize, column: usize, steps: &mut [Step]) -> __m256i {
    let mut largest = _mm256_setzero_si256();
    let tokens = task.keys.tokens;
    for (token, step) in (first..tokens).step_by(2).zip(steps) {
        let even = load_integers(task.value(token), column);
        let odd = if token + 1 < tokens {
            load_integers(task.value(token + 1), column)
        } else {
            _mm256_setzero_si256()
        };
        largest = _mm256_max_epu16(largest, _mm256_max_epu16(_mm256_abs_epi16(even), _mm256_abs_epi16(odd)));
        let (low, high) = (_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd));
        (step.high[0], step.low[0]) = split(_mm256_permute2x128_si256::<0x20>(low, high));
        (step.high[1], step.low[1]) = split(_mm256_permute2x128_si256::<0x31>(low, high));
    }
    largest
}
