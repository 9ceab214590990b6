//! The product of a few rows with integers of one digit, in AVX2: what takes in a token or a handful of them.
//!
//! Of so few rows, reading b takes most of the time. So each byte of it is read once, in the order in which it lies in
//! memory, and asked for well ahead: a panel ends where the next one begins, but the CPU does not read ahead across
//! pages. Sums stay in registers.

use super::{blocks::Window, Packed, Prepared, PANEL};
use assay_exact::product::Class;
use std::{arch::x86_64::*, ops::Range};

/// Most rows: with two registers of sums each, all of them are multiplied by a panel at once.
const MOST: usize = 4;

/// Pairs along the depth that are summed in 32 bits. Two products of at most 2¹⁴ · 127 each, that is 2,147,352,576.
const RUN: usize = 516;

/// Bytes by which b is asked for ahead of its use.
const AHEAD: usize = 2_048;

/// Bytes of b for a pair along the depth.
const PAIR: usize = 2 * PANEL;

/// Exact sums of a row with the columns of a panel: as doubles, since they are below 2⁵³ for any depth there is.
type Sums = [__m256d; 4];

/// Whether the window is one for [`multiply`].
pub(super) fn is_for(a: &Prepared, b: &Packed, window: &Window) -> bool {
    window.rows.len() <= MOST && a.class() != Class::Int24 && b.class() == Class::Int8
}

/// All products of the window. Whether they are finite.
pub(super) fn multiply(a: &Prepared, b: &Packed, window: &Window, out: &mut [f32]) -> bool {
    assert!(
        std::arch::is_x86_feature_detected!("avx2"),
        "this processor does not have AVX2"
    );
    debug_assert!(is_for(a, b, window));
    let rows = &window.rows;
    // SAFETY: this machine has AVX2.
    let largest = unsafe {
        match rows.len() {
            1 => multiply_rows::<1>(a, b, window, out),
            2 => multiply_rows::<2>(a, b, window, out),
            3 => multiply_rows::<3>(a, b, window, out),
            MOST => multiply_rows::<MOST>(a, b, window, out),
            _ => return true,
        }
    };
    largest < f32::INFINITY.to_bits()
}

/// The same for R rows. Returns the largest absolute value, as bits.
#[target_feature(enable = "avx2")]
fn multiply_rows<const R: usize>(a: &Prepared, b: &Packed, window: &Window, out: &mut [f32]) -> u32 {
    let stride = a.stride();
    let first = window.rows.start;
    let mut rows: [&[i16]; R] = [&[]; R];
    let mut factors = [_mm256_setzero_ps(); R];
    for row in 0..R {
        rows[row] = &a.parts()[(first + row) * stride..][..stride];
        factors[row] = _mm256_set1_ps(a.factors()[first + row]);
    }
    let sign = _mm256_castsi256_ps(_mm256_set1_epi32(i32::MIN));
    let mut largest = _mm256_setzero_si256();
    for column in window.columns.clone().step_by(PANEL) {
        let width = PANEL.min(window.columns.end - column);
        let panel = &b.digits()[column / PANEL * b.panel()..][..b.panel()];
        let sums = sums(rows, panel);
        let factors_b = &b.factors()[column..column + PANEL];
        for row in 0..R {
            let mut products = [0.0; PANEL];
            for half in 0..2 {
                // Rounds once: what is rounded is exact
                let (low, high) = (sums[row][2 * half], sums[row][2 * half + 1]);
                let sum = _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
                // SAFETY: a panel has 16 factors, of which these are eight
                let factor = unsafe { _mm256_loadu_ps(factors_b[half * PANEL / 2..].as_ptr()) };
                let y = _mm256_mul_ps(_mm256_mul_ps(sum, factors[row]), factor);
                // Columns beyond the last are zeros. What is no number is larger than what is not finite
                largest = _mm256_max_epu32(largest, _mm256_castps_si256(_mm256_andnot_ps(sign, y)));
                // SAFETY: there are 16 products, of which these are eight
                unsafe { _mm256_storeu_ps(products[half * PANEL / 2..].as_mut_ptr(), y) };
            }
            let at = row * window.stride + column - window.columns.start;
            out[at..at + width].copy_from_slice(&products[..width]);
        }
    }
    let mut all = [0; PANEL / 2];
    // SAFETY: these are eight integers of 32 bits
    unsafe { _mm256_storeu_si256(all.as_mut_ptr().cast(), largest) };
    all.into_iter().max().unwrap_or_default()
}

/// The sums of R rows with a panel.
#[target_feature(enable = "avx2")]
#[inline]
fn sums<const R: usize>(rows: [&[i16]; R], panel: &[u8]) -> [Sums; R] {
    let pairs = panel.len() / PAIR;
    for row in rows {
        assert!(row.len() >= 2 * pairs, "expected two integers for each pair");
    }
    let mut sums = [[_mm256_setzero_pd(); 4]; R];
    let mut start = 0;
    while start < pairs {
        let run = start..pairs.min(start + RUN);
        start = run.end;
        // SAFETY: the panel has all pairs, and so has each row
        let parts = unsafe { run_sums(rows, panel, run) };
        for (sums, parts) in sums.iter_mut().zip(parts) {
            for (half, part) in parts.into_iter().enumerate() {
                let (low, high) = (_mm256_castsi256_si128(part), _mm256_extracti128_si256::<1>(part));
                sums[2 * half] = _mm256_add_pd(sums[2 * half], _mm256_cvtepi32_pd(low));
                sums[2 * half + 1] = _mm256_add_pd(sums[2 * half + 1], _mm256_cvtepi32_pd(high));
            }
        }
    }
    sums
}

/// The sums of some pairs, at most [`RUN`] of them.
///
/// # Safety
///
/// The panel must have these pairs, and each row two integers for each of them.
#[target_feature(enable = "avx2")]
#[inline]
unsafe fn run_sums<const R: usize>(rows: [&[i16]; R], panel: &[u8], pairs: Range<usize>) -> [[__m256i; 2]; R] {
    let mut totals = [[_mm256_setzero_si256(); 2]; R];
    for pair in pairs {
        // Two pairs are a line of the cache; to ask for one twice costs next to nothing
        _mm_prefetch::<_MM_HINT_T0>(panel.as_ptr().wrapping_add(PAIR * pair + AHEAD).cast());
        // SAFETY: the caller's promise
        let digits = unsafe {
            let panel = panel.as_ptr().add(PAIR * pair);
            [
                _mm256_cvtepi8_epi16(_mm_loadu_si128(panel.cast())),
                _mm256_cvtepi8_epi16(_mm_loadu_si128(panel.add(PANEL).cast())),
            ]
        };
        for (row, totals) in rows.iter().zip(&mut totals) {
            // SAFETY: the caller's promise
            let integers = unsafe { row.as_ptr().add(2 * pair).cast::<i32>().read_unaligned() };
            let integers = _mm256_set1_epi32(integers);
            for (total, digits) in totals.iter_mut().zip(digits) {
                *total = _mm256_add_epi32(*total, _mm256_madd_epi16(integers, digits));
            }
        }
    }
    totals
}
