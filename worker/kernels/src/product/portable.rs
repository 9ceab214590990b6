//! The kernel in plain Rust.

use super::{blocks::Tile, PANEL};

/// What the compiler makes of it.
pub(super) struct Portable;

/// Pairs of elements of the depth that are widened at once.
const PAIRS: usize = 128;

impl Tile for Portable {
    /// Digits are widened and brought into rows first: sums of products along two rows are what compilers know how to
    /// make vectors of.
    #[inline(always)]
    fn sum<const R: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]) {
        *sums = [[0; PANEL]; R];
        let mut digits = [[[0i16; 2]; PAIRS]; PANEL];
        for (chunk, b) in b.chunks(PAIRS * 2 * PANEL).enumerate() {
            let length = b.len() / PANEL;
            for (pair, b) in b.chunks_exact(2 * PANEL).enumerate() {
                for (digits, b) in digits.iter_mut().zip(b.chunks_exact(2)) {
                    digits[pair] = [i16::from(b[0] as i8), i16::from(b[1] as i8)];
                }
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let parts = &a[row * stride + chunk * 2 * PAIRS..][..length];
                for (digits, sum) in digits.iter().zip(sums) {
                    let products = parts.iter().zip(digits.as_flattened());
                    *sum += products.map(|(x, y)| i32::from(*x) * i32::from(*y)).sum::<i32>();
                }
            }
        }
    }
}
