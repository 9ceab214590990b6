//! The kernel in AVX-VNNI, and what surrounds it compiled for that.

use super::{avx2::transpose, blocks::Tile, compiled::compiled_for, PANEL};
use crate::Isa;
use std::arch::x86_64::*;

/// The kernel. Only used in functions that are compiled for AVX-VNNI.
struct AvxVnni;

/// Columns of a register of sums.
const LANES: usize = PANEL / 2;

compiled_for!(Isa::AvxVnni, "avx2,avxvnni", AvxVnni, transpose);

impl Tile for AvxVnni {
    #[inline(always)]
    fn sum<const R: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]) {
        // SAFETY: only functions that are compiled for AVX-VNNI name this type, and those are only called where it is.
        unsafe {
            // A sum waits some five cycles for the one before it, while two could be begun in each: few rows need
            // more than one sum for a column, as far as there are registers
            match R {
                1 => sum::<R, 4>(a, stride, b, sums),
                2 | 3 => sum::<R, 2>(a, stride, b, sums),
                _ => sum::<R, 1>(a, stride, b, sums),
            }
        }
    }
}

/// [`Tile::sum`]: pairs along the depth go to `CHAINS` sums by turns. `vpdpwssd` multiplies both of a pair and adds the
/// two products to the sum, all in 32 bits.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn sum<const R: usize, const CHAINS: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]) {
    let pairs = b.len() / (2 * PANEL);
    assert!(R > 0 && a.len() >= (R - 1) * stride + 2 * pairs);
    let mut totals = [[[_mm256_setzero_si256(); 2]; R]; CHAINS];
    let whole = pairs / CHAINS * CHAINS;
    for first in (0..whole).step_by(CHAINS) {
        for (chain, totals) in totals.iter_mut().enumerate() {
            // SAFETY: there are that many pairs, as asserted.
            unsafe { add(a, stride, b, first + chain, totals) };
        }
    }
    for pair in whole..pairs {
        // SAFETY: as above.
        unsafe { add(a, stride, b, pair, &mut totals[0]) };
    }
    let (first, others) = totals.split_at_mut(1);
    let first = &mut first[0];
    for other in others {
        for (total, other) in first.as_flattened_mut().iter_mut().zip(other.as_flattened()) {
            *total = _mm256_add_epi32(*total, *other);
        }
    }
    for (sums, totals) in sums.iter_mut().zip(first) {
        for (sums, total) in sums.chunks_exact_mut(LANES).zip(totals) {
            // SAFETY: these are eight integers of 32 bits.
            unsafe { _mm256_storeu_si256(sums.as_mut_ptr().cast(), *total) };
        }
    }
}

/// Adds what a pair gives.
///
/// # Safety
///
/// `b` must have 32 bytes for the pair, and each of the rows two integers.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn add<const R: usize>(a: &[i16], stride: usize, b: &[u8], pair: usize, totals: &mut [[__m256i; 2]; R]) {
    // SAFETY: the caller's promise.
    let digits = unsafe {
        let b = b.as_ptr().add(2 * PANEL * pair);
        [
            _mm256_cvtepi8_epi16(_mm_loadu_si128(b.cast())),
            _mm256_cvtepi8_epi16(_mm_loadu_si128(b.add(PANEL).cast())),
        ]
    };
    for (row, totals) in totals.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        let parts = unsafe { a.as_ptr().add(row * stride + 2 * pair).cast::<i32>().read_unaligned() };
        let parts = _mm256_set1_epi32(parts);
        for (total, digits) in totals.iter_mut().zip(digits) {
            *total = _mm256_dpwssd_avx_epi32(*total, parts, digits);
        }
    }
}
