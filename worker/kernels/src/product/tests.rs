//! Products against the reference, for all classes and instruction sets.

#![allow(clippy::unwrap_used)]

use super::{probe::extremes, *};
use assay_exact::{
    memory::Tensor,
    operator::{Bindings, Call, Operator, Side},
    product::{finish, term, Operand, BLOCK},
    row::{magnitude, LEAST_MAGNITUDE, OPERAND_LIMIT},
};
use proptest::prelude::*;

const CLASSES: [Class; 3] = [Class::Int8, Class::Int16, Class::Int24];

/// All pairs of classes.
fn pairs() -> impl Iterator<Item = (Class, Class)> {
    CLASSES.into_iter().flat_map(|a| CLASSES.map(|b| (a, b)))
}

/// Numbers from a seed.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    /// An integer of the class, often an extreme one.
    fn integer(&mut self, class: Class) -> i32 {
        let extremes = extremes(class);
        match self.next() % 4 {
            0 => extremes[self.next() as usize % extremes.len()],
            _ => (self.next() % (2 * class.most() as u32 + 1)) as i32 - class.most(),
        }
    }

    /// A magnitude that an operand can have, by what is asked for: ordinary, or any at all.
    fn magnitude(&mut self, any: bool) -> f32 {
        let range = if any {
            LEAST_MAGNITUDE..OPERAND_LIMIT
        } else {
            0.5f32.to_bits()..4.0f32.to_bits()
        };
        f32::from_bits(range.start + self.next() % (range.end - range.start))
    }
}

/// An operand in memory.
#[derive(Clone, Debug)]
struct Matrix {
    class: Class,
    rows: usize,
    depth: usize,
    integers: Vec<i32>,
    magnitudes: Option<Vec<f32>>,
    multipliers: Option<Vec<i16>>,
}

impl Matrix {
    fn new(class: Class, rows: usize, depth: usize, mut element: impl FnMut(usize) -> i32) -> Self {
        Self {
            class,
            rows,
            depth,
            integers: (0..rows * depth).map(|at| element(at / depth)).collect(),
            magnitudes: None,
            multipliers: None,
        }
    }

    fn random(class: Class, rows: usize, depth: usize, noise: &mut Noise) -> Self {
        Self::new(class, rows, depth, |_| noise.integer(class))
    }

    fn scaled(mut self, any: bool, noise: &mut Noise) -> Self {
        self.magnitudes = Some((0..self.rows).map(|_| noise.magnitude(any)).collect());
        self
    }

    /// With multipliers, often extreme ones.
    fn multiplied(mut self, noise: &mut Noise) -> Self {
        let count = self.rows * self.depth / BLOCK as usize;
        self.multipliers = Some((0..count).map(|_| noise.integer(Class::Int16) as i16).collect());
        self
    }

    /// The multiplier of an element of a row.
    fn multiplier(&self, row: usize, at: usize) -> i64 {
        let block = (row * self.depth + at) / BLOCK as usize;
        self.multipliers.as_ref().map_or(1, |all| all[block].into())
    }

    /// Runs `with` on the rows.
    fn with<T>(&self, with: impl FnOnce(Rows<'_>) -> T) -> T {
        let (bytes, words): (Vec<i8>, Vec<i16>) = self.integers.iter().map(|q| (*q as i8, *q as i16)).unzip();
        let integers = match self.class {
            Class::Int8 => Integers::Int8(&bytes),
            Class::Int16 => Integers::Int16(&words),
            Class::Int24 => Integers::Int24(&self.integers),
        };
        with(Rows::new(integers, self.rows, self.depth, self.magnitudes.as_deref()))
    }

    fn row(&self, row: usize) -> (&[i32], Operand) {
        let operand = Operand {
            class: self.class,
            magnitude: self.magnitudes.as_ref().map(|magnitudes| magnitudes[row]),
        };
        (&self.integers[row * self.depth..][..self.depth], operand)
    }

    fn prepare(&self, isa: Isa, other: Class) -> Result<Prepared, Fault> {
        let mut prepared = Prepared::new();
        self.with(|rows| prepared.fill(isa, &rows, other)).map(|()| prepared)
    }

    fn pack(&self, isa: Isa) -> Result<Packed, Fault> {
        let mut packed = Packed::new();
        self.with(|rows| match &self.multipliers {
            None => packed.fill(isa, &rows),
            Some(multipliers) => packed.fill_multiplied(isa, &rows, multipliers),
        })
        .map(|()| packed)
    }
}

/// What the definition gives, as bits.
fn reference(a: &Matrix, b: &Matrix) -> Result<Vec<u32>, Fault> {
    let element = |at: usize| {
        let ((row_a, operand_a), (row_b, operand_b)) = (a.row(at / b.rows), b.row(at % b.rows));
        let terms = row_a.iter().zip(row_b).enumerate();
        let accumulator = terms
            .map(|(k, (x, y))| b.multiplier(at % b.rows, k) * term((*x, a.class), (*y, b.class)))
            .sum();
        finish(accumulator, operand_a, operand_b)
    };
    let elements = (0..a.rows * b.rows).map(element);
    elements
        .map(|y| {
            if y.is_finite() {
                Ok(y.to_bits())
            } else {
                Err(Fault::NotFinite)
            }
        })
        .collect()
}

/// What the kernel gives, as bits.
fn product(isa: Isa, a: &Matrix, b: &Matrix) -> Result<Vec<u32>, Fault> {
    let (prepared, packed) = (a.prepare(isa, b.class)?, b.pack(isa)?);
    let mut out = vec![f32::NAN; a.rows * b.rows];
    multiply(isa, &prepared, &packed, 0..a.rows, 0..b.rows, &mut out, b.rows)?;
    Ok(out.iter().map(|y| y.to_bits()).collect())
}

fn assert_product(a: &Matrix, b: &Matrix) {
    let expected = reference(a, b);
    for isa in Isa::available() {
        let what = (isa, a.class, b.class, a.rows, a.depth, b.rows);
        assert_eq!(product(isa, a, b), expected, "{what:?}");
    }
}

#[test]
fn product_should_be_that_of_the_definition_for_all_classes_and_shapes() {
    let depths = [0, 1, 2, 3, 15, 16, 17, 61, 64, 511, 512, 513, 1_031];
    let mut noise = Noise(1);
    for (at, (class_a, class_b)) in pairs().enumerate() {
        for (rows, depth) in depths.into_iter().enumerate() {
            let (rows, columns) = (rows + 1, [1, 2, 15, 16, 17, 31, 37][(at + rows) % 7]);
            let a = Matrix::random(class_a, rows, depth, &mut noise).scaled(false, &mut noise);
            let b = Matrix::random(class_b, columns, depth, &mut noise).scaled(false, &mut noise);
            assert_product(&a, &b);
        }
    }
}

#[test]
fn product_should_multiply_what_each_block_adds_for_all_classes_and_shapes() {
    let mut noise = Noise(11);
    for class in CLASSES {
        for (rows, depth) in [32, 64, 96, 480, 512, 544, 1_536, 2_080].into_iter().enumerate() {
            let columns = [1, 15, 16, 17, 37][rows % 5];
            let a = Matrix::random(class, 7 * rows + 1, depth, &mut noise).scaled(false, &mut noise);
            let b = Matrix::random(Class::Int8, columns, depth, &mut noise);
            assert_product(&a, &b.scaled(false, &mut noise).multiplied(&mut noise));
        }
    }
}

#[test]
fn product_with_multipliers_should_be_exact_when_every_term_is_extreme() {
    for class in CLASSES {
        // Accumulators beyond 2⁵¹, for wide classes
        let a = Matrix::new(class, 5, 70_016, |row| extremes(class)[row]);
        let mut b = Matrix::new(Class::Int8, 2, 70_016, |row| extremes(Class::Int8)[row]);
        b.multipliers = Some(vec![1 << 14; 2 * 70_016 / 32]);
        assert_product(&a, &b);
    }
}

#[test]
fn multipliers_should_be_refused_outside_of_their_class_and_forgotten_when_filled_again() {
    let mut noise = Noise(12);
    let a = Matrix::random(Class::Int16, 3, 64, &mut noise);
    let plain = Matrix::random(Class::Int8, 5, 64, &mut noise);
    let mut b = plain.clone().multiplied(&mut noise);
    for isa in Isa::available() {
        let mut packed = b.pack(isa).unwrap();
        plain.with(|rows| packed.fill(isa, &rows)).unwrap();
        let prepared = a.prepare(isa, Class::Int8).unwrap();
        let mut out = vec![0.0; 15];
        multiply(isa, &prepared, &packed, 0..3, 0..5, &mut out, 5).unwrap();
        let bits: Vec<_> = out.iter().map(|y| y.to_bits()).collect();
        assert_eq!(Ok(bits), reference(&a, &plain));
    }
    b.multipliers.as_mut().unwrap()[9] = (1 << 14) + 1;
    for isa in Isa::available() {
        assert_eq!(b.pack(isa).map(|_| ()), Err(Fault::Class));
    }
}

#[test]
fn rows_of_eight_bits_should_be_read_as_they_were_packed() {
    let mut noise = Noise(31);
    // Odd depths, more than a block, whole panels and parts of one
    for (rows, depth) in [(1, 1), (16, 2), (17, 33), (40, 512), (3, 513), (19, 1_537)] {
        let b = Matrix::random(Class::Int8, rows, depth, &mut noise);
        for isa in Isa::available() {
            let packed = b.pack(isa).unwrap();
            for row in 0..rows {
                let mut out = vec![0; depth];
                packed.read_row(row, &mut out);
                let read: Vec<_> = out.into_iter().map(i32::from).collect();
                assert_eq!(read, b.row(row).0, "{isa:?}, row {row} of {rows} x {depth}");
            }
        }
    }
}

#[test]
fn product_should_be_exact_when_every_term_is_extreme() {
    for (class_a, class_b) in pairs() {
        // Each row repeats one value; 70,000 are far more than 32 bits could sum
        for depth in [512, 1_540, 70_000] {
            let least = if depth > 2_000 { 2 } else { 0 };
            let a = Matrix::new(class_a, 5 - least, depth, |row| extremes(class_a)[row + least]);
            let b = Matrix::new(class_b, 5 - least, depth, |row| extremes(class_b)[row]);
            assert_product(&a, &b);
        }
    }
}

#[test]
fn product_should_be_exact_when_the_accumulator_is_beyond_2_to_the_51st() {
    let depth = (1 << 22) + (1 << 16) + 3;
    let a = Matrix::new(Class::Int24, 1, depth, |_| Class::Int24.most());
    let b = Matrix::new(Class::Int8, 1, depth, |_| Class::Int8.most());
    assert!(depth as i64 * term((a.integers[0], a.class), (b.integers[0], b.class)) > 1 << 51);
    assert_product(&a, &b);
}

#[test]
fn product_should_be_exact_when_rows_are_more_than_are_taken_at_once() {
    let mut noise = Noise(3);
    for (class_a, class_b) in pairs() {
        let a = Matrix::random(class_a, 101, 19, &mut noise).scaled(false, &mut noise);
        let b = Matrix::random(class_b, 18, 19, &mut noise).scaled(false, &mut noise);
        assert_product(&a, &b);
    }
}

#[test]
fn product_should_fail_when_a_result_is_not_finite() {
    let largest = f32::from_bits(OPERAND_LIMIT - 1);
    for (class_a, class_b) in pairs() {
        let mut a = Matrix::new(class_a, 7, 8, |row| if row == 5 { class_a.most() } else { 0 });
        let mut b = Matrix::new(class_b, 20, 8, |row| if row == 18 { class_b.most() } else { 0 });
        a.magnitudes = Some(vec![largest; 7]);
        b.magnitudes = Some(vec![largest; 20]);
        assert_eq!(reference(&a, &b), Err(Fault::NotFinite));
        assert_product(&a, &b);
        a.integers.fill(0);
        assert_product(&a, &b);
    }
}

#[test]
fn window_should_be_written_and_nothing_else() {
    let mut noise = Noise(4);
    for (class_a, class_b) in [(Class::Int16, Class::Int8), (Class::Int24, Class::Int24)] {
        let a = Matrix::random(class_a, 60, 40, &mut noise).scaled(false, &mut noise);
        let b = Matrix::random(class_b, 45, 40, &mut noise).scaled(false, &mut noise);
        let expected = reference(&a, &b).unwrap();
        for isa in Isa::available() {
            let (prepared, packed) = (a.prepare(isa, class_b).unwrap(), b.pack(isa).unwrap());
            for (rows, columns) in [
                (0..60, 16..45),
                (7..58, 0..32),
                (59..60, 32..33),
                (3..3, 0..45),
                (1..2, 16..16),
            ] {
                let stride = columns.len() + 2;
                let mut out = vec![f32::NAN; 62 * stride];
                multiply(isa, &prepared, &packed, rows.clone(), columns.clone(), &mut out, stride).unwrap();
                for (at, y) in out.iter().enumerate() {
                    let (row, column) = (rows.start + at / stride, columns.start + at % stride);
                    if rows.contains(&row) && columns.contains(&column) {
                        assert_eq!(y.to_bits(), expected[row * 45 + column]);
                    } else {
                        assert!(y.is_nan(), "{isa} wrote {row}, {column}");
                    }
                }
            }
        }
    }
}

#[test]
fn operands_should_keep_nothing_when_they_are_filled_again() {
    let mut noise = Noise(5);
    for isa in Isa::available() {
        let (mut prepared, mut packed) = (Prepared::new(), Packed::new());
        for (class_a, class_b) in pairs() {
            for (m, k, n) in [(9, 700, 33), (2, 5, 3), (4, 31, 17)] {
                let a = Matrix::random(class_a, m, k, &mut noise);
                let b = Matrix::random(class_b, n, k, &mut noise);
                a.with(|rows| prepared.fill(isa, &rows, class_b)).unwrap();
                b.with(|rows| packed.fill(isa, &rows)).unwrap();
                let mut out = vec![0.0; m * n];
                multiply(isa, &prepared, &packed, 0..m, 0..n, &mut out, n).unwrap();
                let bits: Vec<_> = out.iter().map(|y| y.to_bits()).collect();
                assert_eq!(Ok(bits), reference(&a, &b));
            }
        }
    }
}

#[test]
fn rows_should_be_found_when_they_are_apart() {
    let integers: Vec<i16> = (0..100).collect();
    let apart = Rows {
        integers: Integers::Int16(&integers[3..]),
        rows: 4,
        depth: 5,
        stride: 30,
        magnitudes: None,
    };
    let matrix = Matrix::new(Class::Int16, 4, 0, |_| 0);
    let together = Matrix {
        depth: 5,
        integers: (0..20).map(|at| 3 + at / 5 * 30 + at % 5).collect(),
        ..matrix
    };
    for isa in Isa::available() {
        let (mut prepared, mut packed) = (Prepared::new(), Packed::new());
        prepared.fill(isa, &apart, Class::Int16).unwrap();
        packed.fill(isa, &apart).unwrap();
        let mut out = [0.0; 16];
        multiply(isa, &prepared, &packed, 0..4, 0..4, &mut out, 4).unwrap();
        assert_eq!(Ok(out.map(f32::to_bits).to_vec()), reference(&together, &together));
    }
}

#[test]
fn integers_outside_of_their_class_should_be_refused_wherever_they_are() {
    for class in CLASSES {
        let outside = match class {
            Class::Int8 => vec![-128],
            Class::Int16 => vec![(1 << 14) + 1, -(1 << 14) - 1, i32::from(i16::MAX), i32::from(i16::MIN)],
            Class::Int24 => vec![(1 << 22) + 1, -(1 << 22) - 1, i32::MAX, i32::MIN],
        };
        for (at, outside) in [0, 17, 530, 2_099]
            .into_iter()
            .flat_map(|at| outside.iter().map(move |q| (at, q)))
        {
            let mut matrix = Matrix::new(class, 3, 700, |_| class.most());
            matrix.integers[at] = *outside;
            for isa in Isa::available() {
                assert_eq!(matrix.prepare(isa, Class::Int8).err(), Some(Fault::Class));
                assert_eq!(matrix.pack(isa).err(), Some(Fault::Class));
            }
        }
    }
}

#[test]
fn magnitudes_that_no_operand_has_should_be_refused() {
    let wrong = [f32::NAN, f32::INFINITY, 0.0, -1.0, f32::from_bits(OPERAND_LIMIT)];
    for (class, wrong) in CLASSES.into_iter().flat_map(|class| wrong.map(|wrong| (class, wrong))) {
        let mut matrix = Matrix::new(class, 2, 3, |_| 1);
        matrix.magnitudes = Some(vec![1.0, wrong]);
        for isa in Isa::available() {
            assert_eq!(matrix.prepare(isa, Class::Int8).err(), Some(Fault::Magnitude));
            assert_eq!(matrix.pack(isa).err(), Some(Fault::Magnitude));
        }
    }
}

/// A tensor of floats, or of a class's integers, and the magnitudes of its rows.
fn tensors(noise: &mut Noise, class: Class, rows: usize, depth: usize, floats: bool) -> (Matrix, Tensor, Tensor) {
    let dims = [rows as u32, depth as u32];
    let x: Vec<f32> = (0..rows * depth)
        .map(|_| (noise.next() as i32 - (1 << 30)) as f32 * 2f32.powi((noise.next() % 9) as i32 - 40))
        .collect();
    let magnitudes: Vec<f32> = x.chunks(depth).map(|row| magnitude(row).unwrap()).collect();
    let mut matrix = Matrix::random(class, rows, depth, noise);
    let tensor = match class {
        Class::Int8 if !floats => {
            Tensor::new(&dims, &matrix.integers.iter().map(|q| *q as i8).collect::<Vec<_>>()).unwrap()
        }
        Class::Int16 if !floats => {
            Tensor::new(&dims, &matrix.integers.iter().map(|q| *q as i16).collect::<Vec<_>>()).unwrap()
        }
        _ => {
            let rows = x.chunks(depth).zip(&magnitudes);
            matrix.integers = rows
                .flat_map(|(row, m)| row.iter().map(|x| class.quantise(*x, *m)))
                .collect();
            Tensor::new(&dims, &x).unwrap()
        }
    };
    matrix.magnitudes = Some(magnitudes.clone());
    (matrix, tensor, Tensor::new(&dims[..1], &magnitudes).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn product_should_be_that_of_the_definition_for_any_magnitudes(
        (m, k, n) in (1usize..15, 0usize..90, 1usize..40),
        scaled: (bool, bool),
        seed: u64,
    ) {
        let mut noise = Noise(seed);
        for (class_a, class_b) in pairs() {
            let any = noise.next().is_multiple_of(2);
            let mut a = Matrix::random(class_a, m, k, &mut noise);
            let mut b = Matrix::random(class_b, n, k, &mut noise);
            if scaled.0 {
                a = a.scaled(any, &mut noise);
            }
            if scaled.1 {
                b = b.scaled(any, &mut noise);
            }
            let expected = reference(&a, &b);
            for isa in Isa::available() {
                prop_assert_eq!(product(isa, &a, &b), expected.clone(), "{} {:?} × {:?}", isa, class_a, class_b);
            }
        }
    }

    #[test]
    fn product_should_be_subnormal_where_the_definition_is(seed: u64) {
        let mut noise = Noise(seed);
        for (class_a, class_b) in pairs() {
            let tiny = |rows, noise: &mut Noise| {
                Some((0..rows).map(|_| f32::from_bits((60 << 23) + noise.next() % (1 << 26))).collect())
            };
            let mut a = Matrix::random(class_a, 3, 9, &mut noise);
            let mut b = Matrix::random(class_b, 17, 9, &mut noise);
            a.magnitudes = tiny(3, &mut noise);
            b.magnitudes = tiny(17, &mut noise);
            let expected = reference(&a, &b);
            for isa in Isa::available() {
                prop_assert_eq!(product(isa, &a, &b), expected.clone(), "{} {:?} × {:?}", isa, class_a, class_b);
            }
        }
    }

    #[test]
    fn product_should_be_that_of_the_operator(
        (m, k, n) in (1usize..8, 1usize..70, 1usize..20),
        floats: (bool, bool),
        seed: u64,
    ) {
        let mut noise = Noise(seed);
        for (class_a, class_b) in pairs() {
            let (a, tensor_a, magnitudes_a) = tensors(&mut noise, class_a, m, k, floats.0);
            let (b, tensor_b, magnitudes_b) = tensors(&mut noise, class_b, n, k, floats.1);
            let side = |class| Side { class, scaled: true };
            let operator = Operator::Product { a: side(class_a), b: side(class_b) };
            let inputs = [&tensor_a, &tensor_b, &magnitudes_a, &magnitudes_b];
            let kinds = inputs.map(|tensor| tensor.kind);
            let call = Call::new(&operator, &kinds, Bindings::default()).unwrap();
            let bytes = call.evaluate(&inputs[..]).unwrap();
            let expected: Vec<_> = bytes.chunks_exact(4).map(|x| u32::from_le_bytes(x.try_into().unwrap())).collect();
            for isa in Isa::available() {
                prop_assert_eq!(product(isa, &a, &b), Ok(expected.clone()), "{} {:?} × {:?}", isa, class_a, class_b);
            }
        }
    }
}
