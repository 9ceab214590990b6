//! Every operator by the kernels, on this machine, against the reference: bits, digests, and faults.

#![allow(clippy::unwrap_used)]

mod cases;
mod host;

use assay_exact::{
    expression::{Binary, Comparison, Expression, Node, Unary},
    memory::Tensor,
    operator::{Bindings, Coordinate, Dim, Operator, Side, Term, Visible},
    product::Class,
    row::magnitude,
};
use cases::{check, check_at, floats, Kind, Numbers, KINDS, LENGTHS};

fn tensor(dims: &[usize], elements: &[f32]) -> Tensor {
    let dims: Vec<_> = dims.iter().map(|dim| *dim as u32).collect();
    Tensor::new(&dims, elements).unwrap()
}

fn integers(dims: &[usize], elements: &[u32]) -> Tensor {
    let dims: Vec<_> = dims.iter().map(|dim| *dim as u32).collect();
    Tensor::new(&dims, elements).unwrap()
}

fn sums(dims: &[usize], elements: &[u64]) -> Tensor {
    let dims: Vec<_> = dims.iter().map(|dim| *dim as u32).collect();
    Tensor::new(&dims, elements).unwrap()
}

/// The rows' magnitudes where they have one; 1 where not.
fn magnitudes(rows: usize, length: usize, x: &[f32]) -> Tensor {
    let of = |row: usize| magnitude(&x[row * length..(row + 1) * length]).unwrap_or(1.0);
    tensor(&[rows], &(0..rows).map(of).collect::<Vec<_>>())
}

/// Rows of all lengths and kinds.
fn rows(seed: u64, mut each: impl FnMut(&mut Numbers, usize, usize, &[f32])) {
    let mut numbers = Numbers(seed);
    for length in LENGTHS {
        for kind in KINDS {
            let rows = 1 + numbers.below(3) as usize;
            let x = floats(&mut numbers, kind, rows * length);
            each(&mut numbers, rows, length, &x);
        }
    }
}

#[test]
fn magnitude_should_be_the_reference_s() {
    rows(1, |_, rows, length, x| {
        check(Operator::Magnitude, &[tensor(&[rows, length], x)])
    });
}

#[test]
fn largest_should_be_the_reference_s() {
    rows(2, |_, rows, length, x| {
        if length > 0 {
            check(Operator::Maximum(Visible::All), &[tensor(&[rows, length], x)]);
            check(Operator::ArgMax, &[tensor(&[rows, length], x)]);
        }
    });
}

#[test]
fn largest_should_ignore_groups_that_begin_with_what_is_no_number() {
    let mut x = vec![1.0; 5_000];
    (x[3_000], x[4_999]) = (7.0, 5.0);
    for nan in [0, 1, 2_048, 2_049, 4_096] {
        let mut x = x.clone();
        x[nan] = f32::NAN;
        check(Operator::Maximum(Visible::All), &[tensor(&[1, 5_000], &x)]);
        check(Operator::ArgMax, &[tensor(&[1, 5_000], &x)]);
    }
}

#[test]
fn what_is_visible_should_depend_on_row_and_position() {
    let mut numbers = Numbers(3);
    for (parts, length, position) in [(2, 3, 0), (3, 4, 5), (1, 5, 2_100)] {
        let tokens = length + position;
        let x = floats(&mut numbers, Kind::Usual, parts * length * tokens);
        let scores = tensor(&[parts, length, tokens], &x);
        let bindings = Bindings {
            length: length as u32,
            position: position as u32,
        };
        check_at(
            Operator::Maximum(Visible::Causal),
            std::slice::from_ref(&scores),
            bindings,
        );
        let maxima = tensor(&[parts, length], &vec![1.0; parts * length]);
        check_at(Operator::Weights(Visible::Causal), &[scores, maxima], bindings);
    }
}

#[test]
fn sum_should_be_the_reference_s() {
    rows(4, |numbers, rows, length, x| {
        let own = magnitudes(rows, length, x);
        check(Operator::Sum, &[tensor(&[rows, length], x), own]);
        let others = floats(numbers, Kind::Any, rows);
        check(Operator::Sum, &[tensor(&[rows, length], x), tensor(&[rows], &others)]);
    });
}

#[test]
fn weights_and_their_sum_should_be_the_reference_s() {
    rows(5, |numbers, rows, length, x| {
        let maxima = floats(numbers, Kind::Usual, rows);
        let x_and_maxima = [tensor(&[rows, length], x), tensor(&[rows], &maxima)];
        check(Operator::Weights(Visible::All), &x_and_maxima);
        check(Operator::Chance, &x_and_maxima);
        let weights: Vec<_> = x.iter().map(|x| x.abs().min(1.0)).collect();
        for bits in [30, 40] {
            check(Operator::WeightSum(bits), &[tensor(&[rows, length], &weights)]);
            check(Operator::WeightSum(bits), &[tensor(&[rows, length], x)]);
        }
    });
}

#[test]
fn quantise_should_be_the_reference_s() {
    rows(6, |numbers, rows, length, x| {
        for class in [Class::Int8, Class::Int16] {
            let own = magnitudes(rows, length, x);
            check(Operator::Quantise(class), &[tensor(&[rows, length], x), own]);
            let others = floats(numbers, Kind::Any, rows);
            let inputs = [tensor(&[rows, length], x), tensor(&[rows], &others)];
            check(Operator::Quantise(class), &inputs);
        }
    });
}

fn operand(numbers: &mut Numbers, kind: Kind, class: Class, dims: &[usize], stored: bool) -> (Tensor, Option<Tensor>) {
    let (length, outer) = dims.split_last().unwrap();
    let rows: usize = outer.iter().product();
    let wide: Vec<_> = dims.iter().map(|dim| *dim as u32).collect();
    let outer: Vec<_> = outer.iter().map(|dim| *dim as u32).collect();
    let x = floats(numbers, kind, rows * length);
    let scales = magnitudes(rows, *length, &x);
    let scales = Tensor::new(&outer, &scales.elements::<f32>().unwrap()).unwrap();
    let most = class.most() as u64;
    let rare = |numbers: &mut Numbers| kind == Kind::Any && numbers.below(40) == 0;
    let x = match (class, stored) {
        (Class::Int8, true) => {
            let q = (0..rows * length).map(|_| match rare(numbers) {
                true => -128,
                false => (numbers.below(2 * most + 1) as i64 - most as i64) as i8,
            });
            Tensor::new(&wide, &q.collect::<Vec<_>>())
        }
        (Class::Int16, true) => {
            let q = (0..rows * length).map(|_| match rare(numbers) {
                true => 16_385,
                false => (numbers.below(2 * most + 1) as i64 - most as i64) as i16,
            });
            Tensor::new(&wide, &q.collect::<Vec<_>>())
        }
        _ => Tensor::new(&wide, &x),
    };
    (x.unwrap(), Some(scales))
}

fn product(numbers: &mut Numbers, kind: Kind, classes: [Class; 2], [a, b]: [&[usize]; 2]) {
    let stored = |numbers: &mut Numbers, class| class != Class::Int24 && numbers.below(2) == 0;
    let stored_a = stored(numbers, classes[0]);
    let stored_b = stored(numbers, classes[1]);
    let scaled_a = !stored_a || numbers.below(2) == 0;
    let scaled_b = !stored_b || numbers.below(2) == 0;
    let (x, x_scales) = operand(numbers, kind, classes[0], a, stored_a);
    let (w, w_scales) = operand(numbers, kind, classes[1], b, stored_b);
    let mut inputs = vec![x, w];
    inputs.extend(x_scales.filter(|_| scaled_a));
    inputs.extend(w_scales.filter(|_| scaled_b));
    let side = |class, scaled| Side { class, scaled };
    let operator = Operator::Product {
        a: side(classes[0], scaled_a),
        b: side(classes[1], scaled_b),
    };
    check(operator, &inputs);
}

const CLASSES: [Class; 3] = [Class::Int8, Class::Int16, Class::Int24];

#[test]
fn product_should_be_the_reference_s_for_all_classes_and_shapes() {
    let mut numbers = Numbers(7);
    let shapes: [[&[usize]; 2]; 9] = [
        [&[1, 1], &[1, 1]],
        [&[3, 16], &[32, 16]],
        [&[5, 33], &[7, 33]],
        [&[17, 40], &[16, 40]],
        [&[2, 0], &[3, 0]],
        [&[0, 4], &[3, 4]],
        [&[4, 3, 20], &[2, 5, 20]],
        [&[2, 2, 3, 9], &[2, 4, 9]],
        [&[1, 2_100], &[2, 2_100]],
    ];
    for a in CLASSES {
        for b in CLASSES {
            for shapes in shapes {
                for kind in [Kind::Usual, Kind::Finite] {
                    product(&mut numbers, kind, [a, b], shapes);
                }
            }
        }
    }
}

#[test]
fn product_should_fail_where_the_reference_does() {
    let mut numbers = Numbers(8);
    for a in CLASSES {
        for b in CLASSES {
            for _ in 0..3 {
                product(&mut numbers, Kind::Any, [a, b], [&[2, 4, 9], &[2, 3, 9]]);
                product(&mut numbers, Kind::Any, [a, b], [&[3, 16], &[16, 16]]);
            }
        }
    }
}

#[test]
fn product_should_be_exact_when_rows_are_longer_than_32_bits_can_sum() {
    let length = (1 << 16) + 40;
    for classes in [[Class::Int8; 2], [Class::Int24, Class::Int16]] {
        let x = tensor(&[1, length], &vec![1.0; length]);
        let w = tensor(&[2, length], &vec![-1.0; 2 * length]);
        let scales = [tensor(&[1], &[1.0]), tensor(&[2], &[1.0, 1.0])];
        let [a, b] = classes.map(|class| Side { class, scaled: true });
        let [x_scales, w_scales] = scales;
        check(Operator::Product { a, b }, &[x, w, x_scales, w_scales]);
    }
}

/// A product whose second operand's blocks have these multipliers, by what classes and scales a may have.
fn multiplied(numbers: &mut Numbers, kind: Kind, [a, b]: [&[usize]; 2], multipliers: &[i16]) {
    let mut dims: Vec<_> = b.iter().map(|dim| *dim as u32).collect();
    *dims.last_mut().unwrap() /= 32;
    let multipliers = Tensor::new(&dims, multipliers).unwrap();
    for class in CLASSES {
        let is_stored = class != Class::Int24 && numbers.below(2) == 0;
        let is_scaled = [!is_stored || numbers.below(2) == 0, numbers.below(2) == 0];
        let (x, x_scales) = operand(numbers, kind, class, a, is_stored);
        let (w, w_scales) = operand(numbers, kind, Class::Int8, b, true);
        let mut inputs = vec![x, w];
        inputs.extend(x_scales.filter(|_| is_scaled[0]));
        inputs.extend(w_scales.filter(|_| is_scaled[1]));
        inputs.push(multipliers.clone());
        let side = |class, scaled| Side { class, scaled };
        let operator = Operator::Product {
            a: side(class, is_scaled[0]),
            b: side(Class::Int8, is_scaled[1]),
        };
        check(operator, &inputs);
    }
}

/// As many multipliers as rows of these dimensions have, of any value of their class and often the largest.
fn some_multipliers(numbers: &mut Numbers, dims: &[usize]) -> Vec<i16> {
    let most = Class::Int16.most() as i16;
    let one = |_| match numbers.below(8) {
        0 => most,
        1 => -most,
        2 => 0,
        _ => (numbers.below(1 << 15) as i32 - (1 << 14)) as i16,
    };
    (0..dims.iter().product::<usize>() / 32).map(one).collect()
}

#[test]
fn product_should_multiply_what_each_block_adds() {
    let mut numbers = Numbers(17);
    let shapes: [[&[usize]; 2]; 9] = [
        [&[1, 32], &[1, 32]],
        [&[3, 64], &[16, 64]],
        [&[17, 96], &[7, 96]],
        [&[2, 0], &[3, 0]],
        [&[0, 32], &[3, 32]],
        [&[4, 3, 64], &[2, 5, 64]],
        [&[2, 2, 3, 32], &[2, 16, 32]],
        [&[6, 2, 32], &[2, 3, 32]],
        [&[1, 2_112], &[2, 2_112]],
    ];
    for [a, b] in shapes {
        for kind in [Kind::Usual, Kind::Finite] {
            let multipliers = some_multipliers(&mut numbers, b);
            multiplied(&mut numbers, kind, [a, b], &multipliers);
        }
    }
}

#[test]
fn product_should_fail_where_a_multiplier_is_none_of_its_class() {
    let mut numbers = Numbers(18);
    let (a, b): (&[usize], &[usize]) = (&[4, 2, 64], &[2, 3, 64]);
    for outside in [i16::MIN, -16_385, 16_385, i16::MAX] {
        for at in [0, 5, 6, 11] {
            let mut multipliers = some_multipliers(&mut numbers, b);
            multipliers[at] = outside;
            multiplied(&mut numbers, Kind::Usual, [a, b], &multipliers);
        }
    }
}

#[test]
fn product_with_multipliers_should_fail_where_the_reference_does() {
    let mut numbers = Numbers(19);
    for _ in 0..6 {
        for (a, b) in [([4, 2, 32], [2, 3, 32]), ([1, 3, 64], [1, 16, 64])] {
            let multipliers = some_multipliers(&mut numbers, &b);
            multiplied(&mut numbers, Kind::Any, [&a, &b], &multipliers);
        }
    }
}

#[test]
fn product_with_multipliers_should_be_exact_in_the_longest_rows() {
    let length = 1 << 19;
    // Just below a power of two: integers are the largest of their class
    let x = tensor(&[1, length], &vec![0.999_999_9; length]);
    let w = Tensor::new(&[1, length as u32], &vec![-127i8; length]).unwrap();
    let multipliers = Tensor::new(&[1, length as u32 / 32], &vec![-(1i16 << 14); length / 32]).unwrap();
    let side = |class, scaled| Side { class, scaled };
    let operator = Operator::Product {
        a: side(Class::Int24, true),
        b: side(Class::Int8, false),
    };
    check(operator, &[x, w, tensor(&[1], &[0.999_999_9]), multipliers]);
}

/// Functions of one scalar.
const UNARY: [Unary; 18] = [
    Unary::Neg,
    Unary::Abs,
    Unary::Sqrt,
    Unary::Exp,
    Unary::Ln,
    Unary::Tanh,
    Unary::Erf,
    Unary::Sigmoid,
    Unary::Silu,
    Unary::SiluDerivative,
    Unary::Gelu,
    Unary::GeluDerivative,
    Unary::GeluTanh,
    Unary::GeluTanhDerivative,
    Unary::Relu,
    Unary::Rne,
    Unary::Floor,
    Unary::Power,
];

/// An expression of everything that there is.
fn expression(numbers: &mut Numbers, inputs: usize, rank: usize) -> Expression {
    const BINARY: [Binary; 6] = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Max,
        Binary::Min,
    ];
    let most = if numbers.below(4) == 0 { 64 } else { 8 };
    let count = 1 + numbers.below(most) as usize;
    let nodes = (0..count).map(|at| {
        let node = |numbers: &mut Numbers| numbers.below(at as u64) as u8;
        match (at, numbers.below(8)) {
            (0, _) | (_, 0) if inputs > 0 => Node::Input(numbers.below(inputs as u64) as u8),
            (_, 1) if rank > 0 => Node::Coordinate(numbers.below(rank as u64) as u8),
            (0, _) | (_, 0..=2) => Node::Constant(floats(numbers, Kind::Finite, 1)[0].to_bits()),
            (_, 3 | 4) => Node::Unary(UNARY[numbers.below(18) as usize], node(numbers)),
            (_, 5 | 6) => Node::Binary(BINARY[numbers.below(6) as usize], node(numbers), node(numbers)),
            _ => {
                let comparison = match numbers.below(2) {
                    0 => Comparison::Less,
                    _ => Comparison::Equal,
                };
                Node::Select(comparison, [(); 4].map(|()| node(numbers)))
            }
        }
    });
    Expression(nodes.collect())
}

#[test]
fn map_should_be_the_reference_s() {
    let mut numbers = Numbers(9);
    for round in 0..300 {
        let rank = numbers.below(5) as usize;
        let dims: Vec<_> = (0..rank).map(|_| 1 + numbers.below(4) as usize).collect();
        let inputs: Vec<_> = (0..1 + numbers.below(3))
            .map(|_| {
                // Any dimension may be repeated, and any number of the first left out
                let skipped = numbers.below(rank as u64 + 1) as usize;
                let own: Vec<_> = dims[skipped..]
                    .iter()
                    .map(|dim| if numbers.below(4) == 0 { 1 } else { *dim })
                    .collect();
                let len = own.iter().product();
                match numbers.below(4) {
                    0 => integers(&own, &(0..len).map(|_| numbers.next() as u32).collect::<Vec<_>>()),
                    _ => tensor(&own, &floats(&mut numbers, KINDS[round % KINDS.len()], len)),
                }
            })
            .collect();
        let common = inputs.iter().map(|input| input.kind.shape.rank()).max().unwrap();
        check(Operator::Map(expression(&mut numbers, inputs.len(), common)), &inputs);
    }
}

#[test]
fn map_should_read_integers_of_every_type() {
    let nodes = |input: u8| {
        Expression(vec![
            Node::Input(input),
            Node::Input(1 - input),
            Node::Binary(Binary::Sub, 0, 1),
        ])
    };
    let bytes = Tensor::new(&[3], &[-128i8, 0, 127]).unwrap();
    let words = Tensor::new(&[3], &[i16::MIN, -1, i16::MAX]).unwrap();
    check(Operator::Map(nodes(0)), &[bytes.clone(), words.clone()]);
    check(
        Operator::Map(nodes(1)),
        &[integers(&[3], &[0, 1 << 25, u32::MAX]), words],
    );
}

#[test]
fn view_should_be_the_reference_s() {
    let mut numbers = Numbers(10);
    for _ in 0..200 {
        let dims = |numbers: &mut Numbers| -> Vec<usize> {
            let rank = numbers.below(5);
            (0..rank).map(|_| numbers.below(5) as usize).collect()
        };
        let (own, to) = (dims(&mut numbers), dims(&mut numbers));
        let dim = |numbers: &mut Numbers, spread: u64| Dim {
            constant: numbers.below(spread) as i32 - spread as i32 / 2,
            length: numbers.below(2) as i32,
            position: numbers.below(2) as i32,
        };
        let far = [1i32 << 30, i32::MIN, i32::MAX];
        let coordinates = own
            .iter()
            .map(|_| {
                let terms = if to.is_empty() { 0 } else { numbers.below(4) };
                let term = |numbers: &mut Numbers| Term {
                    dimension: numbers.below(to.len() as u64) as u8,
                    factor: match numbers.below(12) {
                        0 => far[numbers.below(3) as usize],
                        _ => numbers.below(5) as i32 - 2,
                    },
                };
                Coordinate {
                    offset: dim(&mut numbers, 7),
                    terms: (0..terms).map(|_| term(&mut numbers)).collect(),
                    divisor: 1 + numbers.below(3) as u32,
                }
            })
            .collect();
        let shape = to.iter().map(|dim| Dim::constant(*dim as i32)).collect();
        let view = Operator::View { shape, coordinates };
        let len = own.iter().product();
        let wide: Vec<_> = own.iter().map(|dim| *dim as u32).collect();
        let bindings = Bindings {
            length: numbers.below(3) as u32,
            position: numbers.below(3) as u32,
        };
        let bytes: Vec<_> = (0..len).map(|_| numbers.next() as i8).collect();
        let words: Vec<_> = (0..len).map(|_| numbers.next() as i16).collect();
        let long: Vec<_> = (0..len).map(|_| numbers.next()).collect();
        check_at(view.clone(), &[Tensor::new(&wide, &bytes).unwrap()], bindings);
        check_at(view.clone(), &[Tensor::new(&wide, &words).unwrap()], bindings);
        check_at(view.clone(), &[sums(&own, &long)], bindings);
        check_at(view, &[tensor(&own, &floats(&mut numbers, Kind::Any, len))], bindings);
    }
}

#[test]
fn concat_and_reshape_should_be_the_reference_s() {
    let mut numbers = Numbers(11);
    for axis in 0..3u8 {
        for _ in 0..10 {
            let inputs: Vec<_> = (0..1 + numbers.below(3))
                .map(|_| {
                    let mut dims = [2, 3, 5];
                    dims[2 - usize::from(axis)] = numbers.below(4) as u32;
                    let bytes: Vec<_> = (0..dims.iter().product()).map(|_| numbers.next() as i8).collect();
                    Tensor::new(&dims, &bytes).unwrap()
                })
                .collect();
            check(Operator::Concat(axis), &inputs);
        }
    }
    let x = tensor(&[2, 6], &floats(&mut numbers, Kind::Any, 12));
    check(Operator::Reshape(vec![Dim::constant(3), Dim::constant(4)]), &[x]);
}

#[test]
fn lookups_should_be_the_reference_s() {
    let mut numbers = Numbers(12);
    for bound in [5, 6] {
        for _ in 0..10 {
            let indices: Vec<_> = (0..8).map(|_| numbers.below(bound) as u32).collect();
            let table = tensor(&[5, 3], &floats(&mut numbers, Kind::Finite, 15));
            check(Operator::Lookup, &[table, integers(&[2, 4], &indices)]);
            let x = tensor(&[2, 4, 5], &floats(&mut numbers, Kind::Usual, 40));
            check(Operator::Pick, &[x, integers(&[2, 4], &indices)]);
            let rows = Dim::constant(5);
            check(Operator::Count { rows }, &[integers(&[8], &indices)]);
            let x = floats(&mut numbers, if bound == 5 { Kind::Finite } else { Kind::Any }, 24);
            let own = magnitudes(3, 8, &x);
            check(
                Operator::Scatter { rows },
                &[tensor(&[3, 8], &x), own, integers(&[8], &indices)],
            );
            let others = tensor(&[3], &floats(&mut numbers, Kind::Any, 3));
            check(
                Operator::Scatter { rows },
                &[tensor(&[3, 8], &x), others, integers(&[8], &indices)],
            );
        }
    }
}

#[test]
fn rotation_should_be_the_reference_s() {
    let mut numbers = Numbers(13);
    for axis in 0..3 {
        for inverse in [false, true] {
            for kind in [Kind::Usual, Kind::Any] {
                let x = tensor(&[3, 5, 6], &floats(&mut numbers, kind, 90));
                let frequencies: Vec<_> = (0..3).map(|_| numbers.next()).collect();
                let bindings = Bindings {
                    length: 3,
                    position: numbers.below(1 << 20) as u32,
                };
                let operator = Operator::Rotate { axis, inverse };
                check_at(operator, &[x, sums(&[3], &frequencies)], bindings);
            }
        }
    }
}

#[test]
fn drawing_should_be_the_reference_s() {
    let mut numbers = Numbers(14);
    for length in [0, 1, 2, 5, 64, 300] {
        for kind in KINDS {
            let rows = 2;
            let mut x = floats(&mut numbers, kind, rows * length);
            // Tokens of the same score, in the order of their indices
            for at in 0..x.len() / 2 {
                x[2 * at] = x[at];
            }
            let scores = tensor(&[rows, length], &x);
            check(Operator::Rank, std::slice::from_ref(&scores));
            let chances: Vec<_> = (0..rows * length).map(|_| numbers.below(1 << 30) as u32).collect();
            let chances = integers(&[rows, length], &chances);
            check(Operator::Mass, &[scores, chances.clone()]);
            check(Operator::Total, std::slice::from_ref(&chances));
            let ranks: Vec<_> = (0..rows * length).map(|_| numbers.below(5) as u32).collect();
            let most = integers(&[rows], &[0, 2]);
            let ranks = integers(&[rows, length], &ranks);
            check(Operator::KeepRanks, &[chances.clone(), ranks, most]);
            let masses: Vec<_> = (0..rows * length)
                .map(|_| numbers.next() >> numbers.below(50))
                .collect();
            let totals = sums(&[rows], &[numbers.next(), numbers.below(1 << 48)]);
            let shares = integers(&[rows], &[numbers.next() as u32, 1 << 16]);
            let masses = sums(&[rows, length], &masses);
            check(Operator::KeepMass, &[chances.clone(), masses, totals, shares]);
            let total = numbers.below(1 << 31);
            let draws = sums(&[rows], &[numbers.next(), u64::MAX]);
            check(Operator::Draw, &[chances, sums(&[rows], &[total, total]), draws]);
        }
    }
}

#[test]
fn functions_should_have_the_reference_s_bits_of_what_is_no_number() {
    let nans = [
        0x7fc0_0000,
        0xffc0_0000,
        0xffff_ffff,
        0x7f80_0001,
        0xff80_0001,
        0x7fbf_ffff,
    ];
    let others = [0, 0x8000_0000, 1, 0x8000_0001, 0x007f_ffff, 0x7f80_0000, 0xff80_0000];
    let x: Vec<_> = nans.into_iter().chain(others).map(f32::from_bits).collect();
    let y: Vec<_> = x.iter().rev().copied().collect();
    let inputs = [tensor(&[x.len()], &x), tensor(&[y.len()], &y)];
    let [most, least, of_nan] = [f32::MAX, f32::MIN, 12_345.0].map(|x| Node::Constant(x.to_bits()));
    let unary = UNARY.map(|function| Node::Unary(function, 0));
    let binary = [Node::Binary(Binary::Max, 0, 1), Node::Binary(Binary::Min, 0, 1)];
    for function in unary.into_iter().chain(binary) {
        // A number of its own for NaN, and the greatest ones for infinities, or there would be no output
        let nodes = vec![
            Node::Input(0),
            Node::Input(1),
            function,
            of_nan,
            Node::Select(Comparison::Equal, [2, 2, 2, 3]),
            most,
            Node::Select(Comparison::Less, [4, 5, 4, 5]),
            least,
            Node::Select(Comparison::Less, [7, 6, 6, 7]),
        ];
        check(Operator::Map(Expression(nodes)), &inputs);
    }
}

#[test]
fn draw_should_find_tokens_behind_many_groups() {
    let mut numbers = Numbers(15);
    let chances: Vec<_> = (0..6_000).map(|_| numbers.below(3) as u32).collect();
    let total = chances.iter().map(|chance| u64::from(*chance)).sum();
    for _ in 0..30 {
        let inputs = [
            integers(&[1, 6_000], &chances),
            sums(&[1], &[total]),
            sums(&[1], &[numbers.next()]),
        ];
        check(Operator::Draw, &inputs);
    }
}

#[test]
fn random_numbers_should_be_the_reference_s() {
    let mut numbers = Numbers(16);
    for stream in [0, 7, u32::MAX] {
        let sequences: Vec<_> = (0..5).map(|_| numbers.next() as u32).collect();
        let bindings = Bindings {
            length: 3,
            position: 11,
        };
        let inputs = [sums(&[], &[numbers.next()]), integers(&[5], &sequences)];
        check_at(Operator::Random(stream), &inputs, bindings);
    }
}
