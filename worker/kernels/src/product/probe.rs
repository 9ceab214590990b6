//! Products of hostile integers, by which one instruction set is held against another.

use super::{multiply, Integers, Packed, Prepared, Rows};
use crate::{
    check::{record, Noise},
    Isa,
};
use assay_exact::{operator::Fault, product::Class, row::OPERAND_LIMIT};
use std::ops::Range;

const CLASSES: [Class; 3] = [Class::Int8, Class::Int16, Class::Int24];

/// More than are summed in 32 bits at once, odd, and in the rest not a multiple of anything.
const DEPTH: usize = 512 + 19;

/// A whole tile of rows, and one.
const ROWS: usize = 7;

/// A whole panel, and a part.
const COLUMNS: usize = 18;

/// Parts of the output: all of it, and one panel for each number of rows that a tile can have.
const WINDOWS: [(Range<usize>, Range<usize>); 6] = [
    (0..ROWS, 0..COLUMNS),
    (1..2, 0..16),
    (4..6, 0..16),
    (2..5, 0..16),
    (1..5, 0..16),
    (2..7, 0..16),
];

/// The integers whose digits are largest in absolute value: of 16 bits, 63·2⁸ − 2⁷ and −64·2⁸ + 127 as well.
pub(super) fn extremes(class: Class) -> [i32; 5] {
    let most = class.most();
    match class {
        Class::Int8 => [most, -most, 0, 1, -1],
        Class::Int16 => [most, -most, 63 * 256 - 128, -64 * 256 + 127, -128],
        Class::Int24 => [
            most,
            -most,
            63 * 65_536 - 128 * 257,
            -64 * 65_536 + 127 * 257,
            -128 * 257,
        ],
    }
}

/// Bits of products, and what is refused.
pub(crate) fn probe(isa: Isa) -> Vec<u32> {
    products(isa, |a, b, (rows, columns), out| {
        let stride = columns.len();
        multiply(isa, a, b, rows, columns, out, stride)
    })
}

/// What `multiply` gives for all classes, of operands that are made by an instruction set.
fn products(
    isa: Isa,
    multiply: impl Fn(&Prepared, &Packed, (Range<usize>, Range<usize>), &mut [f32]) -> Result<(), Fault>,
) -> Vec<u32> {
    let mut all = Vec::new();
    let (mut a, mut b) = (Prepared::new(), Packed::new());
    let mut out = [0.0; ROWS * COLUMNS];
    for (class_a, class_b) in CLASSES.into_iter().flat_map(|a| CLASSES.map(|b| (a, b))) {
        let mut rows = Matrix::new(class_a, ROWS);
        let mut columns = Matrix::new(class_b, COLUMNS);
        for overflows in [false, true] {
            if overflows {
                rows.magnitudes[3] = f32::from_bits(OPERAND_LIMIT - 1);
                columns.magnitudes[1] = f32::from_bits(OPERAND_LIMIT - 1);
            }
            record(&mut all, rows.with(|rows| a.fill(isa, rows, class_b)));
            record(&mut all, columns.with(|rows| b.fill(isa, rows)));
            for (rows, columns) in WINDOWS {
                let out = &mut out[..rows.len() * columns.len()];
                let done = multiply(&a, &b, (rows, columns), out);
                if done.is_ok() {
                    all.extend(out.iter().map(|y| y.to_bits()));
                }
                record(&mut all, done);
            }
        }
        // One beyond the class, in the last part of the depth
        rows.integers[2 * DEPTH - 3] = -class_a.most() - 1;
        record(&mut all, rows.with(|rows| a.fill(isa, rows, class_b)));
        record(&mut all, rows.with(|rows| b.fill(isa, rows)));
    }
    all
}

/// Rows of one value that is extreme, and rows of any.
struct Matrix {
    class: Class,
    integers: Vec<i32>,
    magnitudes: Vec<f32>,
}

impl Matrix {
    fn new(class: Class, rows: usize) -> Self {
        let (extremes, most) = (extremes(class), class.most());
        let mut noise = Noise(rows as u32);
        let integers = (0..rows * DEPTH).map(|at| match extremes.get(at / DEPTH) {
            Some(extreme) => *extreme,
            None if noise.next().is_multiple_of(4) => extremes[noise.next() as usize % extremes.len()],
            None => (noise.next() % (2 * most as u32 + 1)) as i32 - most,
        });
        let integers = integers.collect();
        // With the third of the other operand, some products are subnormal
        let magnitudes = [1.0, 1.7, 3e-21, 0.6, 1e9].into_iter().cycle().take(rows).collect();
        Self {
            class,
            integers,
            magnitudes,
        }
    }

    fn with<T>(&self, with: impl FnOnce(&Rows<'_>) -> T) -> T {
        let (bytes, words): (Vec<i8>, Vec<i16>) = self.integers.iter().map(|q| (*q as i8, *q as i16)).unzip();
        let integers = match self.class {
            Class::Int8 => Integers::Int8(&bytes),
            Class::Int16 => Integers::Int16(&words),
            Class::Int24 => Integers::Int24(&self.integers),
        };
        with(&Rows::new(
            integers,
            self.magnitudes.len(),
            DEPTH,
            Some(&self.magnitudes),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::{
        blocks::{self, Tile, Window},
        portable::Portable,
        PANEL,
    };

    /// What the surroundings of the kernels give with this one.
    fn with_kernel<K: Tile>() -> Vec<u32> {
        products(Isa::Portable, |a, b, (rows, columns), out| {
            let stride = columns.len();
            let window = Window { rows, columns, stride };
            match blocks::multiply::<K>(a, b, &window, out) {
                true => Ok(()),
                false => Err(Fault::NotFinite),
            }
        })
    }

    /// Kernels by what they do with two pairs of factors; all else is right.
    macro_rules! kernels {
        ($($name:ident = $pair:expr;)*) => {$(
            struct $name;

            impl Tile for $name {
                fn sum<const R: usize>(a: &[i16], stride: usize, b: &[u8], sums: &mut [[i32; PANEL]; R]) {
                    *sums = [[0; PANEL]; R];
                    for (row, sums) in sums.iter_mut().enumerate() {
                        for (pair, b) in b.chunks_exact(2 * PANEL).enumerate() {
                            for (b, sum) in b.chunks_exact(2).zip(sums.iter_mut()) {
                                let at = row * stride + 2 * pair;
                                let products = |x: i16, y: i16| i32::from(x) * i32::from(y);
                                *sum += $pair(products, [a[at], a[at + 1]], [b[0] as i8, b[1] as i8], (R, pair));
                            }
                        }
                    }
                }
            }
        )*};
    }

    type Place = (usize, usize);

    kernels! {
        Right = |times: fn(i16, i16) -> i32, a: [i16; 2], b: [i8; 2], _: Place|
            times(a[0], b[0].into()) + times(a[1], b[1].into());
        SaturatesPairs = |times: fn(i16, i16) -> i32, a: [i16; 2], b: [i8; 2], _: Place| {
            let sum = times(a[0], b[0].into()) + times(a[1], b[1].into());
            sum.clamp(-(1 << 21), (1 << 21) - 1)
        };
        ForgetsTheLeastDigit = |times: fn(i16, i16) -> i32, a: [i16; 2], b: [i8; 2], _: Place|
            times(a[0], b[0].max(-127).into()) + times(a[1], b[1].max(-127).into());
        ForgetsPairs = |times: fn(i16, i16) -> i32, a: [i16; 2], b: [i8; 2], (_, pair): Place|
            if pair == 255 { 0 } else { times(a[0], b[0].into()) + times(a[1], b[1].into()) };
        FailsForThreeRows = |times: fn(i16, i16) -> i32, a: [i16; 2], b: [i8; 2], (rows, pair): Place|
            times(a[0], b[0].into()) + times(a[1], b[1].into()) + i32::from(rows == 3 && pair == 9);
        TakesBytesAsUnsigned = |times: fn(i16, i16) -> i32, a: [i16; 2], b: [i8; 2], _: Place|
            times(a[0], b[0].into()) + times(a[1], (b[1] as u8).into());
    }

    #[test]
    fn probe_should_be_the_same_when_the_kernel_is_right() {
        let portable = with_kernel::<Portable>();
        assert_eq!(probe(Isa::Portable), portable);
        assert_eq!(with_kernel::<Right>(), portable);
    }

    #[test]
    fn probe_should_differ_when_the_kernel_is_wrong() {
        let right = with_kernel::<Portable>();
        assert_ne!(with_kernel::<SaturatesPairs>(), right);
        assert_ne!(with_kernel::<ForgetsTheLeastDigit>(), right);
        assert_ne!(with_kernel::<ForgetsPairs>(), right);
        assert_ne!(with_kernel::<FailsForThreeRows>(), right);
        assert_ne!(with_kernel::<TakesBytesAsUnsigned>(), right);
    }

    #[test]
    fn probe_should_see_subnormal_products_and_faults() {
        let bits = with_kernel::<Portable>();
        assert!(bits
            .iter()
            .any(|bits| f32::from_bits(*bits).is_subnormal() && *bits > 2));
        let (mut a, mut b) = (Prepared::new(), Packed::new());
        let mut refused = Matrix::new(Class::Int16, ROWS);
        refused.integers[2 * DEPTH - 3] = -Class::Int16.most() - 1;
        assert_eq!(
            refused.with(|rows| a.fill(Isa::Portable, rows, Class::Int8)),
            Err(Fault::Class)
        );
        assert_eq!(refused.with(|rows| b.fill(Isa::Portable, rows)), Err(Fault::Class));
    }
}
