//! Expressions against the reference: every function over patterns, and random expressions over random shapes.

use super::*;
use crate::reference::{assert_same, floats, shape, tensor};
use assay_exact::{
    expression::{Binary, Unary},
    memory::Tensor,
    operator::{Bindings, Operator},
    tensor::DType,
};
use proptest::prelude::*;

#[path = "../../../../primitives/exact/src/scalar/tests/values.rs"]
mod values;

use values::{NANS, NUMBERS, RESULTS};

const NOWHERE: Bindings = Bindings { length: 0, position: 0 };

const FUNCTIONS: [Unary; 18] = [
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

/// Bits at which a definition switches, or a result starts to over- or underflow.
const SEAMS: [u32; 24] = [
    0x0000_0000, // zero
    0x0080_0000, // the least normal number
    0x0f80_0000, // the least magnitude
    0x3f00_0000, // ½
    0x3f0c_cccd, // tanh: 0.55
    0x3f35_04f3, // ln: √½
    0x3f80_0000, // 1
    0x3fb5_04f3, // ln: √2
    0x4059_0000, // gelu: 3.390625
    0x407a_e148, // erf: about 3.92
    0x4080_0000, // erf: 4
    0x4110_2cb4, // tanh: about 9.01
    0x4130_0000, // gelu_tanh: 11
    0x4160_0000, // gelu: about 14
    0x4170_0000, // gelu: 15
    0x4180_0000, // tanh: 16
    0x42ae_ac50, // exp: the first subnormal result
    0x42b1_7217, // exp: the last finite result
    0x42b2_0000, // exp: 89
    0x42cf_f1b5, // exp: the first zero
    0x42fc_0000, // silu: 126
    0x4b00_0000, // rne: 2²³
    0x7f7f_ffff, // the greatest finite number
    0x7f80_0000, // infinity
];

/// Bits of floats: about two million at a fixed distance, and all around the seams and the powers of two.
fn patterns() -> Vec<f32> {
    let around = |bits: u32, distance: u32| bits.saturating_sub(distance)..=bits.saturating_add(distance);
    let seams = SEAMS.into_iter().flat_map(|bits| around(bits, 300));
    let powers = (0..=255u32).flat_map(|exponent| around(exponent << 23, 8));
    let special = seams.chain(powers).flat_map(|bits| [bits, bits | 1 << 31]);
    (0..=u32::MAX)
        .step_by(2_053)
        .chain(special)
        .map(f32::from_bits)
        .collect()
}

/// Bits, but all that is no number is the same.
fn bits(x: f32) -> u32 {
    if x.is_nan() {
        f32::NAN.to_bits()
    } else {
        x.to_bits()
    }
}

#[test]
fn functions_should_give_the_bits_of_the_reference() {
    let x = patterns();
    let mut out = vec![0.0; x.len()];
    for function in FUNCTIONS {
        for isa in Isa::available() {
            unary(isa, function, &x, &mut out);
            for (x, out) in x.iter().zip(&out) {
                let expected = function.apply(*x);
                assert_eq!(
                    bits(*out),
                    bits(expected),
                    "{isa}: {function:?} of {x:e} ({:08x})",
                    x.to_bits()
                );
            }
        }
    }
}

#[test]
fn functions_of_two_should_give_the_bits_of_the_reference() {
    let x: Vec<_> = patterns().into_iter().step_by(37).collect();
    let y: Vec<_> = x
        .iter()
        .rev()
        .enumerate()
        .map(|(at, y)| if at % 5 == 0 { x[x.len() - 1 - at] } else { *y })
        .collect();
    let mut out = vec![0.0; x.len()];
    for function in [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Max,
        Binary::Min,
    ] {
        for isa in Isa::available() {
            for scalar in [None, Some(-0.0), Some(3.5), Some(f32::MAX)] {
                let one = scalar.map_or(Lane::Row(&y[..]), Lane::Scalar);
                let other = |at: usize| scalar.unwrap_or(y[at]);
                binary(isa, function, Lane::Row(&x), one, &mut out);
                for (at, out) in out.iter().enumerate() {
                    assert_eq!(
                        bits(*out),
                        bits(function.apply(x[at], other(at))),
                        "{isa}: {function:?}"
                    );
                }
                binary(isa, function, one, Lane::Row(&x), &mut out);
                for (at, out) in out.iter().enumerate() {
                    assert_eq!(
                        bits(*out),
                        bits(function.apply(other(at), x[at])),
                        "{isa}: {function:?}"
                    );
                }
            }
        }
    }
}

/// The special values over and over, so that they are in vectors and in what is left behind them.
fn special_values() -> Vec<f32> {
    let all = NUMBERS.into_iter().chain(NANS).cycle();
    all.take(107).map(f32::from_bits).collect()
}

#[test]
fn functions_should_give_the_listed_bits_for_special_values() {
    let x = special_values();
    let mut out = vec![0.0; x.len()];
    for (function, (name, results, of_nan)) in FUNCTIONS.into_iter().zip(RESULTS) {
        assert_eq!(format!("{function:?}").to_lowercase(), name.replace('_', ""));
        let expected = results.into_iter().chain([of_nan; NANS.len()]).cycle();
        for isa in Isa::available() {
            unary(isa, function, &x, &mut out);
            for ((x, out), expected) in x.iter().zip(&out).zip(expected.clone()) {
                assert_eq!(bits(*out), expected, "{isa}: {name} of {:08x}", x.to_bits());
            }
        }
    }
}

#[test]
fn largest_and_least_should_be_the_second_when_either_is_no_number() {
    let nans: Vec<_> = NANS.into_iter().cycle().take(107).map(f32::from_bits).collect();
    let mut out = vec![0.0; nans.len()];
    for function in [Binary::Max, Binary::Min] {
        for (number, expected) in [
            (2.0f32, 0x40000000),
            (-0.0, 0),
            (1e-45, 1),
            (f32::NEG_INFINITY, 0xff800000),
        ] {
            let numbers = vec![number; nans.len()];
            for isa in Isa::available() {
                for one in [Lane::Scalar(number), Lane::Row(&numbers)] {
                    binary(isa, function, Lane::Row(&nans), one, &mut out);
                    assert!(
                        out.iter().all(|x| x.to_bits() == expected),
                        "{isa}: {function:?}: {out:?}"
                    );
                    binary(isa, function, one, Lane::Row(&nans), &mut out);
                    assert!(out.iter().all(|x| x.is_nan()), "{isa}: {function:?}: {out:?}");
                }
                binary(isa, function, Lane::Scalar(nans[5]), Lane::Row(&numbers), &mut out);
                assert!(
                    out.iter().all(|x| x.to_bits() == expected),
                    "{isa}: {function:?}: {out:?}"
                );
            }
        }
    }
}

fn data(tensor: &Tensor) -> (Vec<f32>, Vec<i8>, Vec<i16>, Vec<u32>) {
    (
        tensor.elements().unwrap_or_default(),
        tensor.elements().unwrap_or_default(),
        tensor.elements().unwrap_or_default(),
        tensor.elements().unwrap_or_default(),
    )
}

/// Holds an expression over these tensors against the reference, its rows cut in two at `cut`.
#[track_caller]
fn check(nodes: Vec<Node>, tensors: &[Tensor], output: &[usize], cut: u64) {
    let expression = Expression(nodes);
    let evaluator = Evaluator::new(&expression);
    let elements: Vec<_> = tensors.iter().map(data).collect();
    let inputs: Vec<_> = tensors
        .iter()
        .zip(&elements)
        .map(|(tensor, (floats, bytes, words, indices))| Input {
            shape: tensor.kind.shape,
            data: match tensor.dtype() {
                DType::F32 => Data::F32(floats),
                DType::I8 => Data::I8(bytes),
                DType::I16 => Data::I16(words),
                _ => Data::U32(indices),
            },
        })
        .collect();
    let output = shape(output);
    let cut = cut % (output.rows() + 1);
    let references: Vec<_> = tensors.iter().collect();
    assert_same(
        &Operator::Map(expression),
        &references,
        NOWHERE,
        |isa, out: &mut [f32]| {
            let (first, second) = out.split_at_mut((cut * output.row()) as usize);
            map(isa, &evaluator, &inputs, &output, 0..cut, first)?;
            map(isa, &evaluator, &inputs, &output, cut..output.rows(), second)
        },
    );
}

/// A node that reads earlier ones, of `inputs` inputs and `rank` dimensions.
fn node(at: usize, inputs: usize, rank: usize, bits: u64) -> Node {
    let part = |place: u32, of: usize| ((bits >> (8 * place)) as usize & 255) % of;
    let earlier = |place: u32| part(place, at.max(1)) as u8;
    let binary = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Max,
        Binary::Min,
    ];
    let constants = [0.0f32, -0.0, 1.0, -1.5, 0.125, 1e-40, 3e4];
    match part(0, 12) {
        _ if at < inputs => Node::Input(at as u8),
        0 => Node::Input(part(1, inputs) as u8),
        1 => Node::Constant(constants[part(1, constants.len())].to_bits()),
        2 => Node::Coordinate(part(1, rank) as u8),
        3..=5 => Node::Unary(FUNCTIONS[part(1, FUNCTIONS.len())], earlier(2)),
        6..=9 => Node::Binary(binary[part(1, binary.len())], earlier(2), earlier(3)),
        10 => Node::Select(Comparison::Less, [2, 3, 4, 5].map(earlier)),
        _ => Node::Select(Comparison::Equal, [2, 3, 4, 5].map(earlier)),
    }
}

/// A tensor that can be repeated to `output`: some dimensions left out or 1, of one of four types.
fn input(output: &[usize], seed: u64) -> Tensor {
    let skipped = if seed.is_multiple_of(3) {
        (seed >> 4) as usize % (output.len() + 1)
    } else {
        0
    };
    let single = if seed.is_multiple_of(2) { (seed >> 8) & 31 } else { 0 };
    let dims = output.iter().enumerate().skip(skipped);
    let dims: Vec<_> = dims
        .map(|(at, dim)| if single >> at & 1 == 1 { 1 } else { *dim })
        .collect();
    let count = dims.iter().product();
    let all = floats(count, seed);
    let integers = all.iter().map(|x| x.to_bits().wrapping_mul(0x9e37_79b9));
    match seed >> 16 & 7 {
        0 => tensor(&dims, &integers.map(|x| (x >> 24) as i8).collect::<Vec<_>>()),
        1 => tensor(&dims, &integers.map(|x| (x >> 16) as i16).collect::<Vec<_>>()),
        2 => tensor(&dims, &integers.collect::<Vec<_>>()),
        _ => tensor(&dims, &all),
    }
}

fn dims() -> impl Strategy<Value = Vec<usize>> {
    let width = prop::sample::select(&[0usize, 1, 2, 8, 9, 31, 100, 513, 1_023, 1_024, 1_025, 1_100][..]);
    let outer = prop_oneof![
        1 => Just(vec![]),
        8 => prop::collection::vec(1usize..4, 0..4),
        1 => prop::collection::vec(0usize..3, 1..3),
    ];
    (outer, width).prop_map(|(mut dims, width)| {
        dims.push(width);
        dims
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn expression_should_give_the_bits_of_the_reference(
        dims in dims(),
        seeds in prop::collection::vec(any::<u64>(), 1..4),
        nodes in prop::collection::vec(any::<u64>(), 1..24),
        cut: u64,
    ) {
        let mut tensors: Vec<_> = seeds.iter().map(|seed| input(&dims, *seed)).collect();
        // The output has the dimensions meant if one input has them all
        tensors[0] = tensor(&dims, &floats(dims.iter().product(), seeds[0]));
        let count = nodes.len().max(tensors.len());
        let nodes = (0..count).map(|at| node(at, tensors.len(), dims.len(), nodes[at % nodes.len()])).collect();
        check(nodes, &tensors, &dims, cut);
    }
}

#[test]
fn expression_should_be_the_same_for_all_when_all_is_scalar() {
    let scalar = tensor(&[], &[2.0f32]);
    check(vec![Node::Input(0), Node::Unary(Unary::Exp, 0)], &[scalar], &[], 0);
    let column = [tensor(&[5, 1], &floats(5, 2))];
    check(vec![Node::Input(0), Node::Unary(Unary::Silu, 0)], &column, &[5, 1], 3);
}

#[test]
fn expression_should_take_many_buffers_when_values_live_long() {
    // Sixteen values that are all still wanted at the end
    let mut nodes = vec![Node::Input(0)];
    nodes.extend((0..16).map(|at| Node::Unary(FUNCTIONS[at], 0)));
    nodes.extend((0..15).map(|at| Node::Binary(Binary::Max, 16 + at, 15 - at)));
    check(nodes, &[tensor(&[3, 700], &floats(2_100, 6))], &[3, 700], 1);
}

#[test]
fn expression_should_fail_when_only_its_last_element_is_not_finite() {
    let mut x = vec![1.0f32; 1_025];
    x[1_024] = f32::MAX;
    let nodes = vec![Node::Input(0), Node::Binary(Binary::Add, 0, 0)];
    check(nodes, &[tensor(&[1_025], &x)], &[1_025], 0);
}
