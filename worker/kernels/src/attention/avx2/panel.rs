//! Panels of 16 columns, and the kernel that multiplies two rows with one.

use super::vector::load_integers;
use crate::attention::task::Task;
use std::arch::x86_64::*;

/// Columns of a panel.
pub(super) const COLUMNS: usize = 16;

/// Elements of which products are summed in 32 bits before they are split: each product is at most 2²⁸ + 2¹³.
const RUN: usize = 7;

/// Tokens by which the cache is asked for ahead of its use.
const AHEAD: usize = 32;

/// Integers of a cache line.
const LINE: usize = 32;

/// One element of all columns of a panel: for each the integer b and its upper digit b₀, in 32 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step([__m256i; 2]);

impl Default for Step {
    fn default() -> Self {
        // SAFETY: zeros are such vectors
        unsafe { std::mem::zeroed() }
    }
}

/// The accumulators of rows with 16 columns. As doubles they are exact: fewer than 2²³ products of less than 2²⁹ each.
pub(super) type Sums<const ROWS: usize> = [[__m256d; 4]; ROWS];

/// Sums in twice 32 bits.
#[derive(Clone, Copy)]
struct Total {
    /// The sum, modulo 2³².
    wrapped: __m256i,
    /// The sum of all parts' upper halves.
    upper: __m256i,
}

/// The accumulators of one or two rows with 16 columns. A row's element is its upper part and its lowest digit, in 32
/// bits, so that one instruction gives what it and an element of a column add. At most 2¹⁵ times [`RUN`] steps.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn tile<const ROWS: usize>(rows: [&[i32]; ROWS], steps: &[Step]) -> Sums<ROWS> {
    debug_assert!(steps.len() <= RUN << 15, "lower halves could overflow");
    let zero = _mm256_setzero_si256();
    let empty = Total {
        wrapped: zero,
        upper: zero,
    };
    let mut totals = [[empty; 2]; ROWS];
    // Plain loops here and below: closures that other functions call would not be compiled for AVX2 together with those
    for row in rows {
        assert!(row.len() >= steps.len(), "expected an element for each step");
    }
    let (runs, rest) = steps.as_chunks::<RUN>();
    for (run, steps) in runs.iter().enumerate() {
        // SAFETY: the rows are at least as long as all steps
        unsafe { add_run(rows, run * RUN, steps, &mut totals) };
    }
    if !rest.is_empty() {
        // SAFETY: as above
        unsafe { add_run(rows, runs.len() * RUN, rest, &mut totals) };
    }
    let mut sums = [[_mm256_setzero_pd(); 4]; ROWS];
    for (sums, totals) in sums.iter_mut().zip(totals) {
        [sums[0], sums[1]] = exact(totals[0]);
        [sums[2], sums[3]] = exact(totals[1]);
    }
    sums
}

/// Adds what at most [`RUN`] steps give.
///
/// # Safety
///
/// The rows must have elements `start..start + steps.len()`.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn add_run<const ROWS: usize>(
    rows: [&[i32]; ROWS],
    start: usize,
    steps: &[Step],
    totals: &mut [[Total; 2]; ROWS],
) {
    let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
    for (at, step) in steps.iter().enumerate() {
        for (row, sums) in rows.iter().zip(&mut sums) {
            // SAFETY: the caller's promise
            let element = _mm256_set1_epi32(unsafe { *row.get_unchecked(start + at) });
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(element, step.0[0]));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(element, step.0[1]));
        }
    }
    for (total, sum) in totals.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
        total.wrapped = _mm256_add_epi32(total.wrapped, *sum);
        total.upper = _mm256_add_epi32(total.upper, _mm256_srai_epi32::<16>(*sum));
    }
}

/// A total as doubles. What it is more than 2¹⁶ times the upper halves fits in 32 bits, so that it is known from both
/// modulo 2³².
#[target_feature(enable = "avx2")]
#[inline]
fn exact(total: Total) -> [__m256d; 2] {
    let lower = _mm256_sub_epi32(total.wrapped, _mm256_slli_epi32::<16>(total.upper));
    [
        together(_mm256_castsi256_si128(total.upper), _mm256_castsi256_si128(lower)),
        together(
            _mm256_extracti128_si256::<1>(total.upper),
            _mm256_extracti128_si256::<1>(lower),
        ),
    ]
}

/// 2¹⁶ · upper + lower.
#[target_feature(enable = "avx2")]
#[inline]
fn together(upper: __m128i, lower: __m128i) -> __m256d {
    let upper = _mm256_mul_pd(_mm256_cvtepi32_pd(upper), _mm256_set1_pd(65_536.0));
    _mm256_add_pd(upper, _mm256_cvtepi32_pd(lower))
}

/// Adds accumulators to others.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn add(sums: &mut [__m256d; 4], parts: [__m256d; 4]) {
    for (sum, part) in sums.iter_mut().zip(parts) {
        *sum = _mm256_add_pd(*sum, part);
    }
}

/// The upper digits of 16-bit integers. Those outside of their class give something, and fail the check of their
/// absolute values.
#[target_feature(enable = "avx2")]
#[inline]
fn upper_digits(b: __m256i) -> __m256i {
    _mm256_srai_epi16::<8>(_mm256_add_epi16(b, _mm256_set1_epi16(128)))
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
        for (at, steps) in steps.chunks_exact_mut(COLUMNS).enumerate() {
            let mut rows = [_mm256_setzero_si256(); 8];
            for (row, key) in rows.iter_mut().zip(keys) {
                *row = load_integers(key, at * COLUMNS);
                largest = _mm256_max_epu16(largest, _mm256_abs_epi16(*row));
            }
            for (steps, pair) in steps.chunks_exact_mut(2).zip(transpose(rows)) {
                let digits = upper_digits(pair);
                steps[0].0[half] = _mm256_blend_epi16::<0xAA>(pair, _mm256_slli_epi32::<16>(digits));
                steps[1].0[half] = _mm256_blend_epi16::<0xAA>(_mm256_srli_epi32::<16>(pair), digits);
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

/// Makes the panels of the values of at most `count` tokens from `first` on. Returns the largest absolute values.
#[target_feature(enable = "avx2")]
pub(super) fn pack_values(task: &Task<'_>, first: usize, count: usize, steps: &mut [Step]) -> __m256i {
    let mut largest = _mm256_setzero_si256();
    for (at, token) in (first..task.keys.tokens).take(count).enumerate() {
        let value = task.value(token);
        prefetch(task, task.keys.v, token + AHEAD);
        for (panel, steps) in steps.chunks_exact_mut(count).enumerate() {
            let value = load_integers(value, panel * COLUMNS);
            largest = _mm256_max_epu16(largest, _mm256_abs_epi16(value));
            let digits = upper_digits(value);
            let (low, high) = (
                _mm256_unpacklo_epi16(value, digits),
                _mm256_unpackhi_epi16(value, digits),
            );
            steps[at].0 = [
                _mm256_permute2x128_si256::<0x20>(low, high),
                _mm256_permute2x128_si256::<0x31>(low, high),
            ];
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
