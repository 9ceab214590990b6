//! Every operator: what it gives, element by element and by groups, and what it refuses.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    expression::{Binary, Comparison, Node, Unary},
    memory::Tensor,
    row,
    tensor::MAX_BYTES,
};
use alloc::{vec, vec::Vec};
use proptest::prelude::*;

const NOWHERE: Bindings = Bindings { length: 0, position: 0 };

fn floats(dims: &[u32], elements: &[f32]) -> Tensor {
    Tensor::new(dims, elements).unwrap()
}

fn indices(elements: &[u32]) -> Tensor {
    Tensor::new(&[elements.len() as u32], elements).unwrap()
}

/// Runs an operator as the reference does.
fn run_at(operator: &Operator, inputs: &[&Tensor], bindings: Bindings) -> Result<Tensor, Fault> {
    let kinds: Vec<_> = inputs.iter().map(|tensor| tensor.kind).collect();
    let call = Call::new(operator, &kinds, bindings).unwrap();
    let bytes = call.evaluate(inputs)?;
    Ok(Tensor {
        kind: call.output(),
        bytes,
    })
}

fn run(operator: &Operator, inputs: &[&Tensor]) -> Result<Tensor, Fault> {
    run_at(operator, inputs, NOWHERE)
}

/// The elements that an operator gives.
fn give<T: Element>(operator: &Operator, inputs: &[&Tensor]) -> Vec<T> {
    run(operator, inputs).unwrap().elements().unwrap()
}

fn refuse(operator: &Operator, inputs: &[&Tensor]) -> TypeError {
    let kinds: Vec<_> = inputs.iter().map(|tensor| tensor.kind).collect();
    Call::new(operator, &kinds, NOWHERE).unwrap_err()
}

fn magnitudes(x: &Tensor) -> Tensor {
    run(&Operator::Magnitude, &[x]).unwrap()
}

fn side(class: Class) -> Side {
    Side { class, scaled: true }
}

/// A coordinate that is the output's along `dimension`.
fn along(dimension: u8) -> Coordinate {
    Coordinate {
        offset: Dim::default(),
        terms: vec![Term { dimension, factor: 1 }],
        divisor: 1,
    }
}

/// Floats from a seed, from −1 to 1.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn map_should_repeat_dimensions_of_one() {
    // a + b · coordinate along the last dimension
    let expression = Operator::Map(Expression(vec![
        Node::Input(0),
        Node::Input(1),
        Node::Coordinate(0),
        Node::Binary(Binary::Mul, 1, 2),
        Node::Binary(Binary::Add, 0, 3),
    ]));
    let (column, row) = (floats(&[2, 1], &[10.0, 20.0]), floats(&[3], &[1.0, 2.0, 3.0]));
    let sum: Vec<f32> = give(&expression, &[&column, &row]);
    assert_eq!(sum, [10.0, 12.0, 16.0, 20.0, 22.0, 26.0]);

    let misfit = floats(&[2], &[0.0; 2]);
    let got = misfit.kind.shape;
    assert_eq!(
        refuse(&expression, &[&row, &misfit]),
        TypeError::Shape { input: 1, got }
    );
}

#[test]
fn map_should_take_integers_as_floats() {
    let scaled = Operator::Map(Expression(vec![
        Node::Input(0),
        Node::Input(1),
        Node::Unary(Unary::Power, 1),
        Node::Binary(Binary::Mul, 0, 2),
    ]));
    let integers = Tensor::new(&[3], &[-2i16, 0, 300]).unwrap();
    let result: Vec<f32> = give(&scaled, &[&integers, &floats(&[], &[1.5])]);
    assert_eq!(result, [-4.0, 0.0, 600.0]);
}

#[test]
fn map_should_fail_when_a_result_is_not_finite() {
    let quotient = Operator::Map(Expression(vec![
        Node::Input(0),
        Node::Input(1),
        Node::Binary(Binary::Div, 0, 1),
    ]));
    let zero = floats(&[1], &[0.0]);
    assert_eq!(run(&quotient, &[&zero, &zero]), Err(Fault::NotFinite));
}

#[test]
fn map_should_select_by_comparison() {
    let relu_gradient = Operator::Map(Expression(vec![
        Node::Input(0),
        Node::Input(1),
        Node::Constant(0),
        Node::Select(Comparison::Less, [2, 0, 1, 2]),
    ]));
    let (x, g) = (floats(&[3], &[-1.0, 0.0, 2.0]), floats(&[3], &[5.0, 6.0, 7.0]));
    assert_eq!(give::<f32>(&relu_gradient, &[&x, &g]), [0.0, 0.0, 7.0]);
}

#[test]
fn view_should_transpose_slice_and_pad() {
    let x = floats(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let transpose = Operator::View {
        shape: vec![Dim::constant(3), Dim::constant(2)],
        coordinates: vec![along(1), along(0)],
    };
    assert_eq!(give::<f32>(&transpose, &[&x]), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);

    let shifted = Coordinate {
        offset: Dim::constant(-1),
        ..along(1)
    };
    let padded = Operator::View {
        shape: vec![Dim::constant(2), Dim::constant(5)],
        coordinates: vec![along(0), shifted],
    };
    let expected = [0.0, 1.0, 2.0, 3.0, 0.0, 0.0, 4.0, 5.0, 6.0, 0.0];
    assert_eq!(give::<f32>(&padded, &[&x]), expected);
}

#[test]
fn view_should_give_windows_and_their_gradient() {
    // Windows of 2 with stride 2 over 5 elements, and which window an element came from
    let x = floats(&[5], &[1.0, 2.0, 3.0, 4.0, 5.0]);
    let place = Coordinate {
        offset: Dim::default(),
        terms: vec![
            Term {
                dimension: 0,
                factor: 2,
            },
            Term {
                dimension: 1,
                factor: 1,
            },
        ],
        divisor: 1,
    };
    let windows = Operator::View {
        shape: vec![Dim::constant(2), Dim::constant(2)],
        coordinates: vec![place],
    };
    assert_eq!(give::<f32>(&windows, &[&x]), [1.0, 2.0, 3.0, 4.0]);

    let g = floats(&[2], &[10.0, 20.0]);
    let origin = Coordinate {
        terms: vec![
            Term {
                dimension: 0,
                factor: 1,
            },
            Term {
                dimension: 1,
                factor: -1,
            },
        ],
        offset: Dim::default(),
        divisor: 2,
    };
    let gathered = Operator::View {
        shape: vec![Dim::constant(5), Dim::constant(2)],
        coordinates: vec![origin],
    };
    let expected = [10.0, 0.0, 0.0, 10.0, 20.0, 0.0, 0.0, 20.0, 0.0, 0.0];
    assert_eq!(give::<f32>(&gathered, &[&g]), expected);
}

#[test]
fn view_should_be_refused_when_it_divides_by_zero_or_names_no_dimension() {
    let x = floats(&[1], &[1.0]);
    let view = |coordinate| Operator::View {
        shape: vec![Dim::constant(1)],
        coordinates: vec![coordinate],
    };
    let by_zero = Coordinate { divisor: 0, ..along(0) };
    assert_eq!(refuse(&view(by_zero), &[&x]), TypeError::Parameter);
    assert_eq!(refuse(&view(along(1)), &[&x]), TypeError::Parameter);
    let negative = Operator::Reshape(vec![Dim::constant(-1)]);
    assert_eq!(refuse(&negative, &[&x]), TypeError::Dimension(Dim::constant(-1)));
}

#[test]
fn output_should_be_refused_when_its_size_overflows() {
    let x = floats(&[], &[1.0]);
    let huge = Operator::View {
        shape: vec![Dim::constant(i32::MAX); 3],
        coordinates: vec![],
    };
    assert_eq!(refuse(&huge, &[&x]), TypeError::Output(ShapeError::TooLarge));
    let most = Operator::View {
        shape: vec![Dim::constant((MAX_BYTES / 4) as i32)],
        coordinates: vec![],
    };
    assert!(Call::new(&most, &[x.kind], NOWHERE).is_ok());
}

#[test]
fn concat_should_join_along_its_dimension() {
    let (a, b) = (floats(&[2, 1], &[1.0, 2.0]), floats(&[2, 2], &[3.0, 4.0, 5.0, 6.0]));
    assert_eq!(
        give::<f32>(&Operator::Concat(0), &[&a, &b]),
        [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]
    );
    let got = b.kind.shape;
    assert_eq!(
        refuse(&Operator::Concat(1), &[&a, &b]),
        TypeError::Shape { input: 1, got }
    );
    let empty = floats(&[0, 1], &[]);
    assert_eq!(give::<f32>(&Operator::Concat(1), &[&empty, &a]), [1.0, 2.0]);
}

#[test]
fn largest_should_be_the_first_of_equals_and_never_minus_zero() {
    let x = floats(&[2, 3], &[1.0, 7.0, 7.0, -0.0, 0.0, -1.0]);
    assert_eq!(give::<u32>(&Operator::ArgMax, &[&x]), [1, 0]);
    let maxima: Vec<f32> = give(&Operator::Maximum(Visible::All), &[&x]);
    assert_eq!(
        maxima.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
        [7.0f32.to_bits(), 0]
    );
    let empty = floats(&[2, 0], &[]);
    assert!(matches!(
        refuse(&Operator::ArgMax, &[&empty]),
        TypeError::Shape { input: 0, .. }
    ));
}

#[test]
fn causal_rows_should_see_what_came_before() {
    let bindings = Bindings { length: 2, position: 1 };
    let scores = floats(&[2, 3], &[0.0, 1.0, 9.0, 0.0, 1.0, 2.0]);
    let maxima = run_at(&Operator::Maximum(Visible::Causal), &[&scores], bindings).unwrap();
    assert_eq!(maxima.elements::<f32>().unwrap(), [1.0, 2.0]);
    let weights = run_at(&Operator::Weights(Visible::Causal), &[&scores, &maxima], bindings).unwrap();
    let weights: Vec<f32> = weights.elements().unwrap();
    assert_eq!((weights[1], weights[2], weights[5]), (1.0, 0.0, 1.0));
}

#[test]
fn causal_maximum_should_skip_groups_that_do_not_count() {
    let mut row = vec![5.0; 2 * GROUP as usize];
    row[0] = -3.0;
    row[1] = -2.0;
    let x = floats(&[1, row.len() as u32], &row);
    let maximum = run_at(
        &Operator::Maximum(Visible::Causal),
        &[&x],
        Bindings { length: 1, position: 1 },
    );
    assert_eq!(maximum.unwrap().elements::<f32>().unwrap(), [-2.0]);
}

#[test]
fn sum_should_be_that_of_its_rows() {
    let values = noise(3 * 5_000, 1);
    let x = floats(&[3, 5_000], &values);
    let sums: Vec<f32> = give(&Operator::Sum, &[&x, &magnitudes(&x)]);
    let expected: Vec<_> = values.chunks(5_000).map(|row| row::sum(row).unwrap()).collect();
    assert_eq!(sums, expected);
}

#[test]
fn magnitude_that_is_not_the_rows_should_be_refused() {
    let x = floats(&[2], &[1.0, -2.0]);
    for wrong in [1.0, f32::NAN, -2.0, 0.0, f32::INFINITY] {
        let wrong = floats(&[], &[wrong]);
        assert_eq!(run(&Operator::Sum, &[&x, &wrong]), Err(Fault::Magnitude));
        assert_eq!(
            run(&Operator::Quantise(Class::Int8), &[&x, &wrong]),
            Err(Fault::Magnitude)
        );
    }
    let huge = floats(&[1], &[f32::from_bits(row::OPERAND_LIMIT)]);
    let operand = Operator::Quantise(Class::Int16);
    assert_eq!(run(&operand, &[&huge, &magnitudes(&huge)]), Err(Fault::Magnitude));
}

#[test]
fn not_finite_element_should_fail_the_magnitude() {
    let x = floats(&[1, 2], &[1.0, f32::NAN]);
    assert_eq!(run(&Operator::Magnitude, &[&x]), Err(Fault::NotFinite));
}

#[test]
fn weight_sum_should_refuse_what_is_no_weight() {
    let weights = floats(&[3], &[1.0, 0.5, 0.0]);
    assert_eq!(give::<f32>(&Operator::WeightSum(30), &[&weights]), [1.5]);
    for wrong in [1.5, -0.5, f32::NAN] {
        assert_eq!(
            run(&Operator::WeightSum(40), &[&floats(&[1], &[wrong])]),
            Err(Fault::Weight)
        );
    }
    assert_eq!(refuse(&Operator::WeightSum(31), &[&weights]), TypeError::Parameter);
}

#[test]
fn product_should_be_the_same_from_floats_and_from_stored_integers() {
    let (a, b) = (floats(&[4, 70], &noise(280, 2)), floats(&[3, 70], &noise(210, 3)));
    let (of_a, of_b) = (magnitudes(&a), magnitudes(&b));
    for class in [Class::Int8, Class::Int16] {
        let product = Operator::Product {
            a: side(Class::Int24),
            b: side(class),
        };
        let stored = run(&Operator::Quantise(class), &[&b, &of_b]).unwrap();
        let from_floats: Vec<f32> = give(&product, &[&a, &b, &of_a, &of_b]);
        let from_integers: Vec<f32> = give(&product, &[&a, &stored, &of_a, &of_b]);
        assert_eq!(from_floats, from_integers);
    }
}

/// Integers of eight bits and multipliers of their blocks: `[2, 64]`, `[2, 2]`, and magnitudes.
fn in_blocks(multipliers: [i16; 4]) -> [Tensor; 3] {
    let integers: Vec<i8> = (0..128).map(|at: i32| (at * 37 % 255 - 127) as i8).collect();
    [
        Tensor::new(&[2, 64], &integers).unwrap(),
        floats(&[2], &[127.0, 254.0]),
        Tensor::new(&[2, 2], &multipliers).unwrap(),
    ]
}

#[test]
fn product_should_multiply_what_each_block_adds() {
    let multipliers = [1, 300, 1 << 14, 7];
    let [b, m, c] = in_blocks(multipliers);
    let a = Tensor::new(&[1, 64], &(0..64).map(|at| 500 - 16 * at).collect::<Vec<i16>>()).unwrap();
    let product = Operator::Product {
        a: Side {
            class: Class::Int16,
            scaled: false,
        },
        b: side(Class::Int8),
    };
    let got: Vec<f32> = give(&product, &[&a, &b, &m, &c]);
    let (a, b): (Vec<i16>, Vec<i8>) = (a.elements().unwrap(), b.elements().unwrap());
    for (row, got) in got.into_iter().enumerate() {
        let terms = (0..64).map(|k| {
            let multiplier = multipliers[2 * row + k / 32];
            i64::from(a[k]) * i64::from(b[64 * row + k]) * i64::from(multiplier)
        });
        // Integers without magnitudes are in units of 2⁻¹⁴
        let expected = terms.sum::<i64>() as f64 / 16_384.0 * [1.0, 2.0][row];
        assert_eq!(got, expected as f32, "row {row}");
    }
}

#[test]
fn product_should_refuse_multipliers_that_do_not_fit() {
    let [b, m, c] = in_blocks([1; 4]);
    let a = floats(&[1, 64], &noise(64, 5));
    let of_a = magnitudes(&a);
    let product = |class| Operator::Product {
        a: side(Class::Int24),
        b: side(class),
    };
    let short = Tensor::new(&[2, 1], &[1i16; 2]).unwrap();
    let inputs: [&Tensor; 5] = [&a, &b, &of_a, &m, &short];
    assert!(matches!(
        refuse(&product(Class::Int8), &inputs),
        TypeError::Shape { input: 4, .. }
    ));
    let wide = Tensor::new(&[2, 64], &[1i16; 128]).unwrap();
    let inputs: [&Tensor; 5] = [&a, &wide, &of_a, &m, &c];
    assert!(matches!(
        refuse(&product(Class::Int16), &inputs),
        TypeError::DType { input: 1, .. }
    ));
    let inputs: [&Tensor; 6] = [&a, &b, &of_a, &m, &c, &c];
    assert_eq!(
        refuse(&product(Class::Int8), &inputs),
        TypeError::Inputs { expected: 4, got: 6 }
    );
    let odd = floats(&[1, 40], &noise(40, 5));
    let narrow = Tensor::new(&[2, 40], &[1i8; 80]).unwrap();
    let inputs: [&Tensor; 5] = [&odd, &narrow, &magnitudes(&odd), &m, &short];
    assert!(matches!(
        refuse(&product(Class::Int8), &inputs),
        TypeError::Shape { input: 1, .. }
    ));
    let [_, _, beyond] = in_blocks([1, 2, (1 << 14) + 1, 3]);
    assert_eq!(
        run(&product(Class::Int8), &[&a, &b, &of_a, &m, &beyond]),
        Err(Fault::Class)
    );
}

#[test]
fn product_should_share_parts_of_the_second_operand() {
    // Four heads of one row, two of keys: heads 0 and 1 see the first
    let a = floats(&[4, 1, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
    let b = floats(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]);
    let product = Operator::Product {
        a: side(Class::Int16),
        b: side(Class::Int16),
    };
    let result = run(&product, &[&a, &b, &magnitudes(&a), &magnitudes(&b)]).unwrap();
    assert_eq!(result.kind.shape.dims(), [4, 1, 1]);
    assert_eq!(result.elements::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
    let three = floats(&[3, 1, 2], &[0.0; 6]);
    let inputs = [&three, &b, &magnitudes(&three), &magnitudes(&b)];
    assert!(matches!(refuse(&product, &inputs), TypeError::Shape { input: 1, .. }));
}

#[test]
fn product_should_refuse_integers_outside_of_their_class() {
    let a = floats(&[1, 1], &[1.0]);
    let b = Tensor::new(&[1, 1], &[(1i16 << 14) + 1]).unwrap();
    let product = Operator::Product {
        a: side(Class::Int16),
        b: Side {
            class: Class::Int16,
            scaled: false,
        },
    };
    assert_eq!(run(&product, &[&a, &b, &magnitudes(&a)]), Err(Fault::Class));
    let unscaled_floats = Operator::Product {
        a: Side {
            class: Class::Int16,
            scaled: false,
        },
        b: side(Class::Int16),
    };
    let dtype = TypeError::DType {
        input: 0,
        got: DType::F32,
    };
    assert_eq!(refuse(&unscaled_floats, &[&a, &a, &magnitudes(&a)]), dtype);
}

#[test]
fn lookup_and_pick_should_refuse_an_index_behind_the_end() {
    let table = floats(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(
        give::<f32>(&Operator::Lookup, &[&table, &indices(&[2, 0])]),
        [5.0, 6.0, 1.0, 2.0]
    );
    assert_eq!(
        give::<f32>(&Operator::Pick, &[&table, &indices(&[1, 0, 1])]),
        [2.0, 3.0, 6.0]
    );
    let behind = Fault::Index { got: 3, below: 3 };
    assert_eq!(run(&Operator::Lookup, &[&table, &indices(&[3])]), Err(behind));
    let behind = Fault::Index { got: 2, below: 2 };
    assert_eq!(run(&Operator::Pick, &[&table, &indices(&[0, 2, 0])]), Err(behind));
}

#[test]
fn scatter_should_sum_columns_by_index() {
    let x = floats(&[2, 3], &[1.0, 2.0, 4.0, -1.0, 0.5, 0.25]);
    let scatter = Operator::Scatter { rows: Dim::constant(3) };
    let result: Vec<f32> = give(&scatter, &[&x, &magnitudes(&x), &indices(&[2, 0, 2])]);
    assert_eq!(result, [2.0, 0.0, 5.0, 0.5, 0.0, -0.75]);
    let behind = Fault::Index { got: 3, below: 3 };
    assert_eq!(run(&scatter, &[&x, &magnitudes(&x), &indices(&[2, 3, 0])]), Err(behind));
}

#[test]
fn rotation_should_turn_and_turn_back() {
    // A quarter turn a position
    let frequencies = Tensor::new(&[1], &[1u64 << 62]).unwrap();
    let x = floats(&[4, 2], &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
    let turned = run(
        &Operator::Rotate {
            axis: 1,
            inverse: false,
        },
        &[&x, &frequencies],
    )
    .unwrap();
    let expected = [1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0];
    assert_eq!(turned.elements::<f32>().unwrap(), expected);
    let back = run(&Operator::Rotate { axis: 1, inverse: true }, &[&turned, &frequencies]).unwrap();
    assert_eq!(back.elements::<f32>().unwrap(), x.elements::<f32>().unwrap());
}

#[test]
fn rotation_should_not_depend_on_how_tokens_are_cut_into_steps() {
    let frequencies = Tensor::new(&[2], &[0x0123_4567_89ab_cdefu64, u64::MAX / 3]).unwrap();
    let x = floats(&[6, 4], &noise(24, 9));
    let rotate = Operator::Rotate {
        axis: 1,
        inverse: false,
    };
    let whole = run(&rotate, &[&x, &frequencies]).unwrap().elements::<f32>().unwrap();
    let tail = floats(&[2, 4], &x.elements::<f32>().unwrap()[16..]);
    let alone = run_at(&rotate, &[&tail, &frequencies], Bindings { length: 2, position: 4 }).unwrap();
    assert_eq!(alone.elements::<f32>().unwrap(), whole[16..]);
}

/// Ranks, chances and masses of a row of scores.
fn ordered(scores: &Tensor) -> [Tensor; 3] {
    let maxima = run(&Operator::Maximum(Visible::All), &[scores]).unwrap();
    let chances = run(&Operator::Chance, &[scores, &maxima]).unwrap();
    let masses = run(&Operator::Mass, &[scores, &chances]).unwrap();
    [run(&Operator::Rank, &[scores]).unwrap(), chances, masses]
}

#[test]
fn rank_should_order_by_score_and_then_by_index() {
    let scores = floats(&[5], &[1.0, 3.0, -0.0, 3.0, 0.0]);
    let [ranks, chances, masses] = ordered(&scores);
    assert_eq!(ranks.elements::<u32>().unwrap(), [2, 0, 3, 1, 4]);
    let chances: Vec<u32> = chances.elements().unwrap();
    assert_eq!((chances[1], chances[3]), (1 << 30, 1 << 30));
    let two = 2u64 << 30;
    assert_eq!(
        masses.elements::<u64>().unwrap()[..4],
        [two, 0, two + u64::from(chances[0]), 1 << 30]
    );
}

#[test]
fn keeping_should_be_by_rank_and_by_mass() {
    let scores = floats(&[4], &[0.0, 2.0, 1.0, -3.0]);
    let [ranks, chances, masses] = ordered(&scores);
    let all: Vec<u32> = chances.elements().unwrap();
    let most = |k: u32| {
        give::<u32>(
            &Operator::KeepRanks,
            &[&chances, &ranks, &Tensor::new(&[], &[k]).unwrap()],
        )
    };
    assert_eq!(most(2), [0, all[1], all[2], 0]);
    assert_eq!(most(0), all);

    let total = run(&Operator::Total, &[&chances]).unwrap();
    let sum: u64 = all.iter().map(|chance| u64::from(*chance)).sum();
    assert_eq!(total.elements::<u64>().unwrap(), [sum]);
    let share = |p: u32| {
        let p = Tensor::new(&[], &[p]).unwrap();
        give::<u32>(&Operator::KeepMass, &[&chances, &masses, &total, &p])
    };
    // The first has about 64 % of all, the first two 88 %
    assert_eq!(share(1), [0, all[1], 0, 0], "one always remains");
    assert_eq!(share(45_000), [0, all[1], all[2], 0]);
    assert_eq!(share(1 << 16), all);
    assert_eq!(share(0), [0; 4]);
}

#[test]
fn draw_should_follow_the_running_sum() {
    let mut chances = vec![0u32; 3 * GROUP as usize];
    (chances[5], chances[3_000], chances[6_000]) = (1, 2, 1);
    let row = Tensor::new(&[chances.len() as u32], &chances).unwrap();
    let total = run(&Operator::Total, &[&row]).unwrap();
    let draw = |random: u64| {
        let random = Tensor::new(&[], &[random]).unwrap();
        give::<u32>(&Operator::Draw, &[&row, &total, &random])[0]
    };
    let quarter = 1u64 << 62;
    assert_eq!(
        [0, quarter - 1, quarter, 3 * quarter - 1, 3 * quarter, u64::MAX].map(draw),
        [5, 5, 3_000, 3_000, 6_000, 6_000]
    );
    let nothing = Tensor::new(&[2], &[0u32, 0]).unwrap();
    let (zero, random) = (
        run(&Operator::Total, &[&nothing]).unwrap(),
        Tensor::new(&[], &[7u64]).unwrap(),
    );
    assert_eq!(run(&Operator::Draw, &[&nothing, &zero, &random]), Err(Fault::Weight));
}

#[test]
fn random_should_depend_on_seed_sequence_position_and_stream() {
    let number = |seed: u64, sequence: u32, stream: u32, position: u32| {
        let inputs = [
            Tensor::new(&[], &[seed]).unwrap(),
            Tensor::new(&[1], &[sequence]).unwrap(),
        ];
        let bindings = Bindings { length: 1, position };
        let output = run_at(&Operator::Random(stream), &[&inputs[0], &inputs[1]], bindings);
        output.unwrap().elements::<u64>().unwrap()[0]
    };
    let first = number(1, 0, 0, 0);
    for other in [
        number(2, 0, 0, 0),
        number(1, 1, 0, 0),
        number(1, 0, 1, 0),
        number(1, 0, 0, 1),
    ] {
        assert_ne!(first, other);
    }
    let draw = crate::random::Draw::new(1, 0, 1, 0);
    assert_eq!(
        first,
        draw.integer(),
        "the token behind the step's only one is at position 1"
    );
}

#[test]
fn count_should_tell_how_often_an_index_occurs() {
    let count = Operator::Count { rows: Dim::constant(4) };
    assert_eq!(give::<u32>(&count, &[&indices(&[2, 0, 2])]), [1, 0, 2, 0]);
    assert_eq!(run(&count, &[&indices(&[4])]), Err(Fault::Index { got: 4, below: 4 }));
}

#[test]
fn missing_input_should_be_told() {
    let kinds = [floats(&[2, 2], &[0.0; 4]).kind];
    let call = Call::new(&Operator::Magnitude, &kinds, NOWHERE).unwrap();
    let nothing: [&Tensor; 0] = [];
    let missing = Missing {
        input: 0,
        start: 2,
        count: 2,
    };
    assert_eq!(call.element(1, &nothing[..]), Err(Fault::Missing(missing)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn element_should_be_the_combination_of_its_groups(length in 0u32..6_000, seed: u32) {
        let x = floats(&[1, length], &noise(length as usize, seed));
        let of_x = magnitudes(&x);
        let product = Operator::Product { a: side(Class::Int24), b: side(Class::Int24) };
        let reductions: [(Operator, Vec<&Tensor>); 3] = [
            (Operator::Magnitude, vec![&x]),
            (Operator::Sum, vec![&x, &of_x]),
            (product, vec![&x, &x, &of_x, &of_x]),
        ];
        for (operator, inputs) in reductions {
            let kinds: Vec<_> = inputs.iter().map(|tensor| tensor.kind).collect();
            let call = Call::new(&operator, &kinds, NOWHERE).unwrap();
            prop_assert_eq!(call.groups(), u64::from(length).div_ceil(GROUP));
            let partials: Vec<_> = (0..call.groups())
                .map(|group| call.partial(0, group, &inputs[..]).unwrap())
                .collect();
            prop_assert_eq!(call.combine(0, &partials, &inputs[..]), call.element(0, &inputs[..]));
        }
    }

    #[test]
    fn product_should_be_near_the_true_one(rows in 1u32..5, columns in 1u32..5, length in 1u32..200, seed: u32) {
        let a = noise((rows * length) as usize, seed);
        let b = noise((columns * length) as usize, seed.wrapping_add(1));
        let product = Operator::Product { a: side(Class::Int24), b: side(Class::Int24) };
        let (x, y) = (floats(&[rows, length], &a), floats(&[columns, length], &b));
        let result: Vec<f32> = give(&product, &[&x, &y, &magnitudes(&x), &magnitudes(&y)]);
        for (at, got) in result.into_iter().enumerate() {
            let (i, j) = (at / columns as usize, at % columns as usize);
            let row = |of: &[f32], at: usize| of[at * length as usize..][..length as usize].to_vec();
            let exact: f64 = row(&a, i).iter().zip(row(&b, j)).map(|(x, y)| f64::from(*x) * f64::from(y)).sum();
            prop_assert!((f64::from(got) - exact).abs() < 2e-5 * f64::from(length).sqrt() + 1e-5);
        }
    }

    #[test]
    fn hostile_floats_should_give_a_fault_or_finite_floats(
        bits in prop::collection::vec(any::<u32>(), 12..13), m in any::<u32>(),
    ) {
        let elements: Vec<_> = bits.into_iter().map(f32::from_bits).collect();
        let (x, m) = (floats(&[3, 4], &elements), floats(&[3], &[f32::from_bits(m); 3]));
        let operators: [(Operator, Vec<&Tensor>); 6] = [
            (Operator::Sum, vec![&x, &m]),
            (Operator::Weights(Visible::Causal), vec![&x, &m]),
            (Operator::WeightSum(40), vec![&x]),
            (Operator::Maximum(Visible::Causal), vec![&x]),
            (Operator::Magnitude, vec![&x]),
            (
                Operator::Product { a: side(Class::Int8), b: side(Class::Int24) },
                vec![&x, &x, &m, &m],
            ),
        ];
        for (operator, inputs) in operators {
            if let Ok(output) = run(&operator, &inputs) {
                prop_assert!(output.elements::<f32>().unwrap().iter().all(|x| x.is_finite()));
            }
        }
    }
}
