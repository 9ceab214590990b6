//! Products of rows with integers of one digit, in AVX2: the weights of most models.
//!
//! What is multiplied fits one instruction, and what is summed 32 bits for the whole depth of many layers, so that sums
//! stay in registers until they are floats.
//!
//! Of few rows, which are a token or a handful of them, reading b takes most of the time. Each byte of it is read once for
//! all of them, in the order in which it lies in memory, and asked for well ahead: a panel ends where the next one
//! begins, but the CPU does not read ahead across pages.

use super::{blocks::Window, Packed, Prepared, PANEL};
use assay_exact::product::{Class, BLOCK};
use std::{arch::x86_64::*, ops::Range};

/// Rows of a tile: with two registers of sums each they leave room for two of b and one of a, in sixteen registers.
const TILE: usize = 6;

/// Rows that are multiplied by one panel before the next: they stay near.
const ROWS: usize = 8 * TILE;

/// Pairs along the depth that are summed in 32 bits. Two products of at most 2¹⁴ · 127 each, that is 2,147,352,576.
const RUN: usize = 516;

/// Bytes by which b is asked for ahead of its use.
const AHEAD: usize = 2_048;

/// Bytes of b for a pair along the depth.
const PAIR: usize = 2 * PANEL;

/// Elements of a vector.
const HALF: usize = PANEL / 2;

/// Pairs of a block that shares multipliers.
const BLOCK_PAIRS: usize = BLOCK as usize / 2;

/// Longest rows with multipliers: a term is below 2²¹ and a multiplier at most 2¹⁴, and 2⁵³ is what a double holds exactly.
const MAX_MULTIPLIED: usize = 1 << 18;

/// Whether the operands are some for [`multiply`].
pub(super) fn is_for(a: &Prepared, b: &Packed) -> bool {
    let is_short = b.multipliers(0).is_none() || a.depth() <= MAX_MULTIPLIED;
    a.class() != Class::Int24 && b.class() == Class::Int8 && is_short
}

/// All products of the window. Whether they are finite.
pub(super) fn multiply(a: &Prepared, b: &Packed, window: &Window, out: &mut [f32]) -> bool {
    assert!(
        std::arch::is_x86_feature_detected!("avx2"),
        "this processor does not have AVX2"
    );
    debug_assert!(is_for(a, b));
    // SAFETY: this machine has AVX2.
    unsafe { multiply_window(a, b, window, out) }
}

/// The rows of a tile, and where their products go.
struct Tile<'a> {
    /// Row after row of a, each `stride` integers long.
    a: &'a [i16],
    stride: usize,
    factors_a: &'a [f32],
    panel: &'a [u8],
    /// Of each block of the panel, if it has any.
    multipliers: Option<&'a [[i16; PANEL]]>,
    factors_b: &'a [f32],
    out: &'a mut [f32],
    /// From row to row of the output.
    out_stride: usize,
    /// Columns that are written.
    width: usize,
}

#[target_feature(enable = "avx2")]
fn multiply_window(a: &Prepared, b: &Packed, window: &Window, out: &mut [f32]) -> bool {
    let stride = a.stride();
    let mut largest = _mm256_setzero_si256();
    for start in window.rows.clone().step_by(ROWS) {
        let rows = start..window.rows.end.min(start + ROWS);
        for column in window.columns.clone().step_by(PANEL) {
            for first in rows.clone().step_by(TILE) {
                let count = TILE.min(rows.end - first);
                let mut tile = Tile {
                    a: &a.parts()[first * stride..(first + count) * stride],
                    stride,
                    factors_a: &a.factors()[first..first + count],
                    panel: &b.digits()[column / PANEL * b.panel()..][..b.panel()],
                    multipliers: b.multipliers(column / PANEL),
                    factors_b: &b.factors()[column..column + PANEL],
                    out: &mut out[(first - window.rows.start) * window.stride + column - window.columns.start..],
                    out_stride: window.stride,
                    width: PANEL.min(window.columns.end - column),
                };
                let of_tile = match (count, first == start) {
                    (1, true) => tile.multiply::<1, true>(),
                    (2, true) => tile.multiply::<2, true>(),
                    (3, true) => tile.multiply::<3, true>(),
                    (4, true) => tile.multiply::<4, true>(),
                    (5, true) => tile.multiply::<5, true>(),
                    (_, true) => tile.multiply::<TILE, true>(),
                    (1, false) => tile.multiply::<1, false>(),
                    (2, false) => tile.multiply::<2, false>(),
                    (3, false) => tile.multiply::<3, false>(),
                    (4, false) => tile.multiply::<4, false>(),
                    (5, false) => tile.multiply::<5, false>(),
                    (_, false) => tile.multiply::<TILE, false>(),
                };
                largest = _mm256_max_epu32(largest, of_tile);
            }
        }
    }
    let mut all = [0; HALF];
    // SAFETY: these are eight integers of 32 bits
    unsafe { _mm256_storeu_si256(all.as_mut_ptr().cast(), largest) };
    all.iter().all(|bits| *bits < f32::INFINITY.to_bits())
}

impl Tile<'_> {
    /// Products of R rows with the panel; `IS_FAR` if it has not just been read. Returns the largest absolute values,
    /// as bits.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn multiply<const R: usize, const IS_FAR: bool>(&mut self) -> __m256i {
        let pairs = self.panel.len() / PAIR;
        assert!(self.stride >= 2 * pairs && self.a.len() >= R * self.stride && self.factors_b.len() == PANEL);
        let mut floats = [[_mm256_setzero_ps(); 2]; R];
        if pairs > RUN || self.multipliers.is_some() {
            // Exact as doubles, since they are below 2⁵³ for any depth there is
            let totals = match self.multipliers {
                // SAFETY: the panel has all pairs, and each row two integers for each, as asserted
                None => unsafe { self.long::<R, IS_FAR>(pairs) },
                // SAFETY: the same
                Some(multipliers) => unsafe { self.multiplied::<R, IS_FAR>(pairs, multipliers) },
            };
            for (floats, totals) in floats.iter_mut().zip(totals) {
                for (half, floats) in floats.iter_mut().enumerate() {
                    let (low, high) = (_mm256_cvtpd_ps(totals[2 * half]), _mm256_cvtpd_ps(totals[2 * half + 1]));
                    *floats = _mm256_set_m128(high, low);
                }
            }
        } else {
            // SAFETY: the same
            let sums = unsafe { self.sums::<R, IS_FAR>(0..pairs) };
            for (floats, sums) in floats.iter_mut().zip(sums) {
                // Rounds once, as from 64 bits
                *floats = [_mm256_cvtepi32_ps(sums[0]), _mm256_cvtepi32_ps(sums[1])];
            }
        }
        self.write(&floats)
    }

    /// The sums of all pairs, each half of eight columns as two times four doubles.
    ///
    /// # Safety
    ///
    /// As [`Tile::sums`] of these pairs.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn long<const R: usize, const IS_FAR: bool>(&self, pairs: usize) -> [[__m256d; 4]; R] {
        let mut totals = [[_mm256_setzero_pd(); 4]; R];
        for start in (0..pairs).step_by(RUN) {
            // SAFETY: the caller's promise
            let sums = unsafe { self.sums::<R, IS_FAR>(start..pairs.min(start + RUN)) };
            for (totals, sums) in totals.iter_mut().zip(sums) {
                for (half, sums) in sums.into_iter().enumerate() {
                    let (low, high) = (_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
                    totals[2 * half] = _mm256_add_pd(totals[2 * half], _mm256_cvtepi32_pd(low));
                    totals[2 * half + 1] = _mm256_add_pd(totals[2 * half + 1], _mm256_cvtepi32_pd(high));
                }
            }
        }
        totals
    }

    /// The same where what each block adds is multiplied.
    ///
    /// # Safety
    ///
    /// As [`Tile::sums`] of these pairs.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn multiplied<const R: usize, const IS_FAR: bool>(
        &self,
        pairs: usize,
        multipliers: &[[i16; PANEL]],
    ) -> [[__m256d; 4]; R] {
        let mut totals = [[_mm256_setzero_pd(); 4]; R];
        for (start, multipliers) in (0..pairs).step_by(BLOCK_PAIRS).zip(multipliers) {
            // SAFETY: the caller's promise
            let sums = unsafe { self.sums::<R, IS_FAR>(start..pairs.min(start + BLOCK_PAIRS)) };
            // SAFETY: these are sixteen integers of 16 bits
            let multipliers = unsafe {
                let of_panel = multipliers.as_ptr();
                [0, 4, 8, 12].map(|first| _mm_cvtepi16_epi32(_mm_loadl_epi64(of_panel.add(first).cast())))
            };
            for (totals, sums) in totals.iter_mut().zip(sums) {
                for (quarter, total) in totals.iter_mut().enumerate() {
                    let half = sums[quarter / 2];
                    let sums = match quarter % 2 {
                        0 => _mm256_castsi256_si128(half),
                        _ => _mm256_extracti128_si256::<1>(half),
                    };
                    let product = _mm256_mul_pd(_mm256_cvtepi32_pd(sums), _mm256_cvtepi32_pd(multipliers[quarter]));
                    *total = _mm256_add_pd(*total, product);
                }
            }
        }
        totals
    }

    /// The sums of some pairs, at most [`RUN`] of them.
    ///
    /// # Safety
    ///
    /// The panel must have these pairs, and there must be R rows with two integers for each of them.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn sums<const R: usize, const IS_FAR: bool>(&self, pairs: Range<usize>) -> [[__m256i; 2]; R] {
        let mut totals = [[_mm256_setzero_si256(); 2]; R];
        for pair in pairs {
            let panel = self.panel.as_ptr().wrapping_add(PAIR * pair);
            if IS_FAR {
                // Two pairs are a line of the cache; to ask for one twice costs next to nothing
                _mm_prefetch::<_MM_HINT_T0>(panel.wrapping_add(AHEAD).cast());
            }
            // SAFETY: the caller's promise
            let digits = unsafe {
                [
                    _mm256_cvtepi8_epi16(_mm_loadu_si128(panel.cast())),
                    _mm256_cvtepi8_epi16(_mm_loadu_si128(panel.add(PANEL).cast())),
                ]
            };
            for (row, totals) in totals.iter_mut().enumerate() {
                let a = self.a.as_ptr().wrapping_add(row * self.stride + 2 * pair);
                // SAFETY: the caller's promise
                let integers = _mm256_set1_epi32(unsafe { a.cast::<i32>().read_unaligned() });
                for (total, digits) in totals.iter_mut().zip(digits) {
                    *total = _mm256_add_epi32(*total, _mm256_madd_epi16(integers, digits));
                }
            }
        }
        totals
    }

    /// Writes products, out of the accumulators as floats. Returns the largest absolute values, as bits; columns beyond
    /// the last are zeros.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn write<const R: usize>(&mut self, floats: &[[__m256; 2]; R]) -> __m256i {
        let sign = _mm256_castsi256_ps(_mm256_set1_epi32(i32::MIN));
        let mut largest = _mm256_setzero_si256();
        // SAFETY: a panel has sixteen factors, as asserted
        let factors_b = unsafe {
            let factors = self.factors_b.as_ptr();
            [_mm256_loadu_ps(factors), _mm256_loadu_ps(factors.add(HALF))]
        };
        for (row, floats) in floats.iter().enumerate() {
            let factor = _mm256_set1_ps(self.factors_a[row]);
            let mut products = [_mm256_setzero_ps(); 2];
            for (products, (floats, factors)) in products.iter_mut().zip(floats.iter().zip(factors_b)) {
                *products = _mm256_mul_ps(_mm256_mul_ps(*floats, factor), factors);
                // What is no number is larger than what is infinite
                let bits = _mm256_castps_si256(_mm256_andnot_ps(sign, *products));
                largest = _mm256_max_epu32(largest, bits);
            }
            let out = &mut self.out[row * self.out_stride..][..self.width];
            if let Some(out) = out.first_chunk_mut::<PANEL>() {
                // SAFETY: `out` is sixteen floats
                unsafe {
                    _mm256_storeu_ps(out.as_mut_ptr(), products[0]);
                    _mm256_storeu_ps(out.as_mut_ptr().add(HALF), products[1]);
                }
            } else {
                write_part(out, &products);
            }
        }
        largest
    }
}

/// The last columns.
#[cold]
#[inline(never)]
fn write_part(out: &mut [f32], products: &[__m256; 2]) {
    // SAFETY: two vectors are sixteen floats
    let products: [f32; PANEL] = unsafe { std::mem::transmute(*products) };
    out.copy_from_slice(&products[..out.len()]);
}
