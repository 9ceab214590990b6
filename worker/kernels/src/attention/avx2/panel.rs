//! Panels of 16 columns, and the kernel that multiplies two rows with one.

use super::vector::load_integers;
use crate::attention::{task::Task, DEPTH};
use std::arch::x86_64::*;

/// Columns of a panel.
pub(super) const COLUMNS: usize = 16;

/// Pairs of elements over which products are summed in 32 bits.
pub(super) const PAIRS: usize = DEPTH / 2;

/// Tokens by which the cache is asked for ahead of its use.
const AHEAD: usize = 32;

/// Integers of a cache line.
const LINE: usize = 32;

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

/// The accumulators of rows with 16 columns. As doubles they are exact: fewer than 2²³ products of less than 2²⁹ each.
pub(super) type Sums<const ROWS: usize> = [[__m256d; 4]; ROWS];

/// The accumulators of one or two rows with 16 columns, over at most [`PAIRS`] steps.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn tile<const ROWS: usize>(rows: [Digits<'_>; ROWS], steps: &[Step]) -> Sums<ROWS> {
    debug_assert!(steps.len() <= PAIRS, "longer sums could overflow");
    for row in &rows {
        assert!(row.upper.len() >= steps.len() && row.lower.len() >= steps.len());
    }
    let mut high = [[_mm256_setzero_si256(); 2]; ROWS];
    let mut low = [[_mm256_setzero_si256(); 2]; ROWS];
    for (at, step) in steps.iter().enumerate() {
        for row in 0..ROWS {
            // SAFETY: the rows are at least as long as the steps
            let (upper, lower) = unsafe { (*rows[row].upper.get_unchecked(at), *rows[row].lower.get_unchecked(at)) };
            let (upper, lower) = (_mm256_set1_epi32(upper), _mm256_set1_epi32(lower));
            for half in 0..2 {
                let (of_high, of_low) = (&mut high[row][half], &mut low[row][half]);
                *of_high = _mm256_add_epi32(*of_high, _mm256_madd_epi16(upper, step.high[half]));
                *of_low = _mm256_add_epi32(*of_low, _mm256_madd_epi16(upper, step.low[half]));
                *of_low = _mm256_add_epi32(*of_low, _mm256_madd_epi16(lower, step.high[half]));
            }
        }
    }
    let mut sums = [[_mm256_setzero_pd(); 4]; ROWS];
    for row in 0..ROWS {
        for half in 0..2 {
            [sums[row][2 * half], sums[row][2 * half + 1]] = together(high[row][half], low[row][half]);
        }
    }
    sums
}

/// The accumulators of one or two rows with 16 columns, over any number of steps.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn tiles<const ROWS: usize>(rows: [Digits<'_>; ROWS], steps: &[Step]) -> Sums<ROWS> {
    if steps.len() <= PAIRS {
        return tile(rows, steps);
    }
    let mut sums = [[_mm256_setzero_pd(); 4]; ROWS];
    let mut rest = rows;
    for steps in steps.chunks(PAIRS) {
        let parts = tile(rest, steps);
        for row in 0..ROWS {
            add(&mut sums[row], parts[row]);
            rest[row].upper = &rest[row].upper[steps.len()..];
            rest[row].lower = &rest[row].lower[steps.len()..];
        }
    }
    sums
}

/// Adds accumulators to others.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn add(sums: &mut [__m256d; 4], parts: [__m256d; 4]) {
    for (sum, part) in sums.iter_mut().zip(parts) {
        *sum = _mm256_add_pd(*sum, part);
    }
}

/// 256 · high + low.
#[target_feature(enable = "avx2")]
#[inline]
fn together(high: __m256i, low: __m256i) -> [__m256d; 2] {
    [
        together_half(_mm256_castsi256_si128(high), _mm256_castsi256_si128(low)),
        together_half(_mm256_extracti128_si256::<1>(high), _mm256_extracti128_si256::<1>(low)),
    ]
}

#[target_feature(enable = "avx2")]
#[inline]
fn together_half(high: __m128i, low: __m128i) -> __m256d {
    let high = _mm256_mul_pd(_mm256_cvtepi32_pd(high), _mm256_set1_pd(256.0));
    _mm256_add_pd(high, _mm256_cvtepi32_pd(low))
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
        for lane in 0..8 {
            prefetch(task, task.keys.k, first + half * 8 + lane + AHEAD);
        }
        for (at, steps) in steps.chunks_exact_mut(8).enumerate() {
            let mut rows = [_mm256_setzero_si256(); 8];
            for (row, key) in rows.iter_mut().zip(keys) {
                *row = load_integers(key, at * COLUMNS);
                largest = _mm256_max_epu16(largest, _mm256_abs_epi16(*row));
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

/// Makes the panels of the values of some tokens from `first` on: as many as `pairs` steps of each panel hold. Returns
/// the largest absolute values.
#[target_feature(enable = "avx2")]
pub(super) fn pack_values(task: &Task<'_>, first: usize, pairs: usize, steps: &mut [Step]) -> __m256i {
    let mut largest = _mm256_setzero_si256();
    let tokens = task.keys.tokens;
    for (pair, token) in (first..tokens).step_by(2).take(pairs).enumerate() {
        let even = task.value(token);
        let odd: &[i16] = if token + 1 < tokens { task.value(token + 1) } else { &[] };
        prefetch(task, task.keys.v, token + AHEAD);
        prefetch(task, task.keys.v, token + 1 + AHEAD);
        for (panel, steps) in steps.chunks_exact_mut(pairs).enumerate() {
            let (even, odd) = (
                load_integers(even, panel * COLUMNS),
                load_integers(odd, panel * COLUMNS),
            );
            largest = _mm256_max_epu16(largest, _mm256_max_epu16(_mm256_abs_epi16(even), _mm256_abs_epi16(odd)));
            let (low, high) = (_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd));
            let step = &mut steps[pair];
            (step.high[0], step.low[0]) = split(_mm256_permute2x128_si256::<0x20>(low, high));
            (step.high[1], step.low[1]) = split(_mm256_permute2x128_si256::<0x31>(low, high));
        }
    }
    largest
}

/// Asks for a token's row of the cache. Rows of one head do not lie next to each other, so that the CPU would not
/// guess which comes next.
#[target_feature(enable = "avx2")]
#[inline]
fn prefetch(task: &Task<'_>, integers: &[i16], token: usize) {
    if token < task.keys.tokens {
        for line in task.row_of(integers, token).chunks(LINE) {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
    }
}
