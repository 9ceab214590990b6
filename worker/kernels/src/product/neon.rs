//! The kernel in NEON, and what surrounds it.

use super::{blocks::Tile, compiled::compiled_for, plan::DEPTH, PANEL};
use crate::Isa;
use std::arch::aarch64::*;

/// The kernel. Only used in functions that are compiled for NEON.
struct Neon;

/// Columns of a register of sums.
const LANES: usize = 4;

/// Pairs of elements of the depth of which a register holds a row's integers.
const PAIRS: usize = 4;

/// A row's sums.
type Totals = [int32x4_t; PANEL / LANES];

compiled_for!(Isa::Neon, "neon", Neon, transpose);

impl Tile for Neon {
    #[inline(always)]
    fn sum<const R: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]) {
        // SAFETY: only functions that are compiled for NEON name this type, and those are only called where it is.
        unsafe {
            // The sums of more than four rows leave no registers for what is multiplied
            if R <= 4 {
                sum::<R>(a, stride, b, sums);
                return;
            }
            let (first, rest) = sums.split_at_mut(3);
            sum::<3>(a, stride, b, first.try_into().expect("three rows; qed"));
            let a = &a[3 * stride..];
            match rest.len() {
                2 => sum::<2>(a, stride, b, rest.try_into().expect("two rows; qed")),
                _ => sum::<3>(a, stride, b, rest.try_into().expect("a tile has at most six rows; qed")),
            }
        }
    }
}

/// [`Tile::sum`]. `smlal` multiplies a row's integer with the digits of four columns and adds the products to their sums,
/// all in 32 bits.
#[inline]
#[target_feature(enable = "neon")]
fn sum<const R: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]) {
    let pairs = b.len() / (2 * PANEL);
    assert!(R > 0 && a.len() >= (R - 1) * stride + 2 * pairs);
    let mut totals: [Totals; R] = [[vdupq_n_s32(0); PANEL / LANES]; R];
    let whole = pairs / PAIRS * PAIRS;
    for first in (0..whole).step_by(PAIRS) {
        // SAFETY: each row has two integers for each of the pairs.
        let rows: [int16x8_t; R] =
            std::array::from_fn(|row| unsafe { vld1q_s16(a.as_ptr().add(row * stride + 2 * first)) });
        // SAFETY: `b` has 32 bytes for each pair.
        unsafe {
            add::<R, 0, 1>(&rows, b, first, &mut totals);
            add::<R, 2, 3>(&rows, b, first + 1, &mut totals);
            add::<R, 4, 5>(&rows, b, first + 2, &mut totals);
            add::<R, 6, 7>(&rows, b, first + 3, &mut totals);
        }
    }
    for pair in whole..pairs {
        let rows: [int16x8_t; R] = std::array::from_fn(|row| {
            let at = row * stride + 2 * pair;
            // SAFETY: each row has two integers for the pair; a lane of 32 bits is both.
            let pair = unsafe { a.as_ptr().add(at).cast::<i32>().read_unaligned() };
            vreinterpretq_s16_s32(vdupq_n_s32(pair))
        });
        // SAFETY: as above.
        unsafe { add::<R, 0, 1>(&rows, b, pair, &mut totals) };
    }
    for (sums, totals) in sums.iter_mut().zip(totals) {
        for (sums, total) in sums.chunks_exact_mut(LANES).zip(totals) {
            // SAFETY: these are four integers of 32 bits.
            unsafe { vst1q_s32(sums.as_mut_ptr(), total) };
        }
    }
}

/// Adds what a pair gives, of which the rows' integers are those two of each register.
///
/// # Safety
///
/// `b` must have 32 bytes for the pair.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add<const R: usize, const FIRST: i32, const SECOND: i32>(
    rows: &[int16x8_t; R],
    b: &[u8],
    pair: usize,
    totals: &mut [Totals; R],
) {
    // SAFETY: the caller's promise. The first elements of all columns, and the second ones.
    let int8x16x2_t(first, second) = unsafe { vld2q_s8(b.as_ptr().add(2 * PANEL * pair).cast()) };
    let first = [vmovl_s8(vget_low_s8(first)), vmovl_high_s8(first)];
    let second = [vmovl_s8(vget_low_s8(second)), vmovl_high_s8(second)];
    for (row, totals) in rows.iter().zip(totals) {
        for half in 0..2 {
            let (low, high) = (2 * half, 2 * half + 1);
            totals[low] = vmlal_laneq_s16::<FIRST>(totals[low], vget_low_s16(first[half]), *row);
            totals[high] = vmlal_high_laneq_s16::<FIRST>(totals[high], first[half], *row);
            totals[low] = vmlal_laneq_s16::<SECOND>(totals[low], vget_low_s16(second[half]), *row);
            totals[high] = vmlal_high_laneq_s16::<SECOND>(totals[high], second[half], *row);
        }
    }
}

/// The same as [`super::packed::transpose`].
#[target_feature(enable = "neon")]
fn transpose(rows: &[[u8; DEPTH]; PANEL], out: &mut [u8]) {
    /// Rows and pairs that are transposed in registers.
    const SIDE: usize = 8;
    let pairs = out.len() / (2 * PANEL);
    let whole = pairs / SIDE * SIDE;
    for first_pair in (0..whole).step_by(SIDE) {
        for first_row in (0..PANEL).step_by(SIDE) {
            let x: [uint16x8_t; SIDE] = std::array::from_fn(|row| {
                let row = &rows[first_row + row][2 * first_pair..][..2 * SIDE];
                // SAFETY: these are sixteen bytes.
                vreinterpretq_u16_u8(unsafe { vld1q_u8(row.as_ptr()) })
            });
            // In squares of two by two pairs, of four by four, of eight by eight
            let two: [uint32x4_t; SIDE] = std::array::from_fn(|at| {
                let (above, below) = (x[at & !1], x[at | 1]);
                vreinterpretq_u32_u16(match at & 1 {
                    0 => vtrn1q_u16(above, below),
                    _ => vtrn2q_u16(above, below),
                })
            });
            let four: [uint64x2_t; SIDE] = std::array::from_fn(|at| {
                let (above, below) = (two[at & !2], two[at | 2]);
                vreinterpretq_u64_u32(match at & 2 {
                    0 => vtrn1q_u32(above, below),
                    _ => vtrn2q_u32(above, below),
                })
            });
            for at in 0..SIDE {
                let (above, below) = (four[at & !4], four[at | 4]);
                let columns = match at & 4 {
                    0 => vtrn1q_u64(above, below),
                    _ => vtrn2q_u64(above, below),
                };
                let out = &mut out[2 * PANEL * (first_pair + at) + 2 * first_row..][..2 * SIDE];
                // SAFETY: these are sixteen bytes.
                unsafe { vst1q_u8(out.as_mut_ptr(), vreinterpretq_u8_u64(columns)) };
            }
        }
    }
    for (pair, out) in out.chunks_exact_mut(2 * PANEL).enumerate().skip(whole) {
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(2)) {
            out.copy_from_slice(&row[2 * pair..][..2]);
        }
    }
}
