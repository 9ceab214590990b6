//! The kernel in AVX2, and what surrounds it compiled for AVX2.

use super::{blocks::Tile, compiled::compiled_for, plan::DEPTH, PANEL};
use crate::Isa;
use std::arch::x86_64::*;

/// The kernel. Only used in functions that are compiled for AVX2.
struct Avx2;

compiled_for!(Isa::Avx2, "avx2", Avx2, transpose);

impl Tile for Avx2 {
    #[inline(always)]
    fn sum<const R: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]) {
        // SAFETY: only functions that are compiled for AVX2 name this type, and those are only called where it is.
        unsafe { sum(a, stride, b, sums) }
    }
}

/// [`Tile::sum`]. `vpmaddwd` multiplies pairs along the depth and adds the two products, here of at most 2¹⁵ · 2⁷.
#[inline]
#[target_feature(enable = "avx2")]
fn sum<const R: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]) {
    const HALF: usize = PANEL / 2;
    let pairs = b.len() / (2 * PANEL);
    assert!(R > 0 && a.len() >= (R - 1) * stride + 2 * pairs);
    let mut totals = [[_mm256_setzero_si256(); 2]; R];
    for pair in 0..pairs {
        // SAFETY: `b` has 32 bytes for each pair.
        let digits = unsafe {
            let b = b.as_ptr().add(2 * PANEL * pair);
            [
                _mm256_cvtepi8_epi16(_mm_loadu_si128(b.cast())),
                _mm256_cvtepi8_epi16(_mm_loadu_si128(b.add(PANEL).cast())),
            ]
        };
        for (row, totals) in totals.iter_mut().enumerate() {
            // SAFETY: each of the R rows has two integers for each pair, as asserted.
            let parts = unsafe { a.as_ptr().add(row * stride + 2 * pair).cast::<i32>().read_unaligned() };
            let parts = _mm256_set1_epi32(parts);
            for (total, digits) in totals.iter_mut().zip(digits) {
                *total = _mm256_add_epi32(*total, _mm256_madd_epi16(parts, digits));
            }
        }
    }
    for (sums, totals) in sums.iter_mut().zip(totals) {
        for (sums, total) in sums.chunks_exact_mut(HALF).zip(totals) {
            // SAFETY: these are eight integers of 32 bits.
            unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), total) };
        }
    }
}

/// The same as [`super::packed::transpose`].
#[target_feature(enable = "avx2")]
pub(super) fn transpose(rows: &[[u8; DEPTH]; PANEL], out: &mut [u8]) {
    /// Rows and pairs that are transposed in registers.
    const SIDE: usize = 8;
    let pairs = out.len() / (2 * PANEL);
    let whole = pairs / SIDE * SIDE;
    for first_pair in (0..whole).step_by(SIDE) {
        for first_row in (0..PANEL).step_by(SIDE) {
            // SAFETY: `first_pair` is at most DEPTH/2 − 8, so each row has 16 bytes from there on.
            let x: [__m128i; SIDE] = std::array::from_fn(|row| unsafe {
                _mm_loadu_si128(rows[first_row + row][2 * first_pair..][..2 * SIDE].as_ptr().cast())
            });
            // Pairs 0 to 3 and 4 to 7 of two rows, of four, of eight
            let two = |at: usize| {
                let (low, high) = (x[at], x[at + 1]);
                [_mm_unpacklo_epi16(low, high), _mm_unpackhi_epi16(low, high)]
            };
            let four = |at: usize| {
                let (low, high) = (two(at), two(at + 2));
                [
                    _mm_unpacklo_epi32(low[0], high[0]),
                    _mm_unpackhi_epi32(low[0], high[0]),
                    _mm_unpacklo_epi32(low[1], high[1]),
                    _mm_unpackhi_epi32(low[1], high[1]),
                ]
            };
            let (low, high) = (four(0), four(4));
            for (at, (low, high)) in low.into_iter().zip(high).enumerate() {
                let columns = [_mm_unpacklo_epi64(low, high), _mm_unpackhi_epi64(low, high)];
                for (next, columns) in columns.into_iter().enumerate() {
                    let pair = first_pair + 2 * at + next;
                    let out = &mut out[2 * PANEL * pair + 2 * first_row..][..2 * SIDE];
                    // SAFETY: `out` is sixteen bytes.
                    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), columns) };
                }
            }
        }
    }
    for (pair, out) in out.chunks_exact_mut(2 * PANEL).enumerate().skip(whole) {
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(2)) {
            out.copy_from_slice(&row[2 * pair..][..2]);
        }
    }
}
