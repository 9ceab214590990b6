//! The kernel in plain Rust.

use super::{blocks::Tile, PANEL};

/// What the compiler makes of it.
pub(super) struct Portable;

impl Tile for Portable {
    #[inline(always)]
    fn sum<const R: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]) {
        let mut totals = [[0i32; PANEL]; R];
        let length = b.len() / PANEL;
        let rows: [&[i16]; R] = std::array::from_fn(|row| &a[row * stride..][..length]);
        for (pair, b) in b.chunks_exact(2 * PANEL).enumerate() {
            // Even and odd elements apart, so that each is a vector of its own
            let even: [i16; PANEL] = std::array::from_fn(|column| i16::from(b[2 * column] as i8));
            let odd: [i16; PANEL] = std::array::from_fn(|column| i16::from(b[2 * column + 1] as i8));
            for (row, totals) in rows.iter().zip(&mut totals) {
                let (x, y) = (i32::from(row[2 * pair]), i32::from(row[2 * pair + 1]));
                for ((total, even), odd) in totals.iter_mut().zip(even).zip(odd) {
                    *total += x * i32::from(even) + y * i32::from(odd);
                }
            }
        }
        *sums = totals;
    }
}
