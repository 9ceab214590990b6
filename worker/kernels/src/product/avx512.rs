//! The kernel in AVX-512 with VNNI, and what surrounds it compiled for that.

use super::{avx2::transpose, blocks::Tile, compiled::compiled_for, PANEL};
use crate::Isa;
use std::arch::x86_64::*;

/// The kernel. Only used in functions that are compiled for AVX-512 with VNNI.
struct Avx512;

compiled_for!(
    Isa::Avx512,
    "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni",
    Avx512,
    transpose
);

impl Tile for Avx512 {
    const CONVERTS: bool = true;

    #[inline(always)]
    fn sum<const R: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]) {
        // SAFETY: only functions that are compiled for AVX-512 with VNNI name this type, and those are only called
        // where it is.
        unsafe {
            // A sum waits some five cycles for the one before it, while two could be begun in each: about twelve of them
            match R {
                1 => sum::<R, 8>(a, stride, b, sums),
                2 | 3 => sum::<R, 4>(a, stride, b, sums),
                4 => sum::<R, 3>(a, stride, b, sums),
                _ => sum::<R, 2>(a, stride, b, sums),
            }
        }
    }
}

/// [`Tile::sum`]: pairs along the depth go to `CHAINS` sums by turns. `vpdpwssd` multiplies both of a pair and adds the
/// two products to the sum, all in 32 bits; a register has the sums of a whole panel.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn sum<const R: usize, const CHAINS: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]) {
    let pairs = b.len() / (2 * PANEL);
    assert!(R > 0 && a.len() >= (R - 1) * stride + 2 * pairs);
    let mut totals = [[_mm512_setzero_si512(); R]; CHAINS];
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
    for (row, sums) in sums.iter_mut().enumerate() {
        let mut total = totals[0][row];
        for totals in &totals[1..] {
            total = _mm512_add_epi32(total, totals[row]);
        }
        // SAFETY: these are sixteen integers of 32 bits.
        unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), total) };
    }
}

/// Adds what a pair gives.
///
/// # Safety
///
/// `b` must have 32 bytes for the pair, and each of the rows two integers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn add<const R: usize>(a: &[i16], stride: usize, b: &[u8], pair: usize, totals: &mut [__m512i; R]) {
    // SAFETY: the caller's promise.
    let digits = unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(b.as_ptr().add(2 * PANEL * pair).cast())) };
    for (row, total) in totals.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        let parts = unsafe { a.as_ptr().add(row * stride + 2 * pair).cast::<i32>().read_unaligned() };
        *total = _mm512_dpwssd_epi32(*total, _mm512_set1_epi32(parts), digits);
    }
}
