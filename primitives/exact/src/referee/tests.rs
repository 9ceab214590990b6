//! Every operator's element, recomputed from openings alone.

#![allow(clippy::unwrap_used)]

mod request;

use super::*;
use crate::{
    expression::{Binary, Expression, Node},
    operator::{Bindings, Coordinate, Dim, Operator, Side, TensorType, Term, Visible},
    product::Class,
    row::GROUP,
};
use alloc::{vec, vec::Vec};
use proptest::prelude::*;

/// Longer than two groups, so that a row has three.
const LONG: u32 = 2 * GROUP as u32 + 100;

/// A step in which causal rows see less than all.
const BINDINGS: Bindings = Bindings {
    length: 2,
    position: LONG - 2,
};

fn noise(count: u32, seed: u32) -> Vec<f32> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn floats(dims: &[u32], seed: u32) -> Tensor {
    Tensor::new(dims, &noise(dims.iter().product(), seed)).unwrap()
}

fn integers(dims: &[u32], below: u32) -> Tensor {
    let count = dims.iter().product();
    let elements: Vec<_> = (0..count)
        .map(|at: u32| at.wrapping_mul(2_654_435_761) % below)
        .collect();
    Tensor::new(dims, &elements).unwrap()
}

fn wide(dims: &[u32], factor: u64) -> Tensor {
    let count: u32 = dims.iter().product();
    let elements: Vec<_> = (0..count).map(|at| (u64::from(at) + 1).wrapping_mul(factor)).collect();
    Tensor::new(dims, &elements).unwrap()
}

fn run(operator: &Operator, inputs: &[&Tensor]) -> Tensor {
    let kinds = kinds(inputs);
    let call = Call::new(operator, &kinds, BINDINGS).unwrap();
    Tensor {
        kind: call.output(),
        bytes: call.evaluate(inputs).unwrap(),
    }
}

fn kinds(inputs: &[&Tensor]) -> Vec<TensorType> {
    inputs.iter().map(|tensor| tensor.kind).collect()
}

fn along(dimension: u8) -> Coordinate {
    Coordinate {
        offset: Dim::default(),
        terms: vec![Term { dimension, factor: 1 }],
        divisor: 1,
    }
}

/// An example of every operator, with inputs whose rows are long where it reduces them.
fn examples() -> Vec<(Operator, Vec<Tensor>)> {
    let x = floats(&[2, LONG], 1);
    let magnitudes = run(&Operator::Magnitude, &[&x]);
    let maxima = run(&Operator::Maximum(Visible::Causal), &[&x]);
    let weights = run(&Operator::Weights(Visible::Causal), &[&x, &maxima]);
    let whole = run(&Operator::Maximum(Visible::All), &[&x]);
    let chances = run(&Operator::Chance, &[&x, &whole]);
    // Ranks and masses of a long row would take the reference long
    let few = floats(&[2, 300], 2);
    let few_maxima = run(&Operator::Maximum(Visible::All), &[&few]);
    let few_chances = run(&Operator::Chance, &[&few, &few_maxima]);
    let (ranks, masses) = (
        run(&Operator::Rank, &[&few]),
        run(&Operator::Mass, &[&few, &few_chances]),
    );
    let (totals, few_totals) = (
        run(&Operator::Total, &[&chances]),
        run(&Operator::Total, &[&few_chances]),
    );
    let side = |class| Side { class, scaled: true };
    let size = |size: u32| Dim::constant(size as i32);
    let sum = Expression(vec![Node::Input(0), Node::Input(1), Node::Binary(Binary::Add, 0, 1)]);
    let scatter = Operator::Scatter { rows: size(7) };
    let rotate = Operator::Rotate {
        axis: 1,
        inverse: false,
    };
    let product = Operator::Product {
        a: side(Class::Int24),
        b: side(Class::Int24),
    };
    // Whole blocks, in three groups
    let blocks = LONG / 32;
    let of_blocks = floats(&[2, 32 * blocks], 7);
    let integers_of = |count: u32, step: u32| (0..count).map(move |at| at.wrapping_mul(step));
    let small: Vec<i8> = integers_of(3 * 32 * blocks, 89)
        .map(|q| (q % 255) as i8)
        .map(|q| q.max(-127))
        .collect();
    let multipliers: Vec<i16> = integers_of(3 * blocks, 7_919).map(|c| (c % 16_385) as i16).collect();
    let in_blocks = vec![
        of_blocks.clone(),
        Tensor::new(&[3, 32 * blocks], &small).unwrap(),
        run(&Operator::Magnitude, &[&of_blocks]),
        Tensor::new(&[3], &[1.0f32, 2.0, 0.5]).unwrap(),
        Tensor::new(&[3, blocks], &multipliers).unwrap(),
    ];
    let product_in_blocks = Operator::Product {
        a: side(Class::Int16),
        b: side(Class::Int8),
    };
    let transposed = Operator::View {
        shape: vec![size(LONG), size(2)],
        coordinates: vec![along(1), along(0)],
    };
    let pick = integers(&[2], LONG);
    let (k, p) = (integers(&[2], 50), Tensor::new(&[2], &[40_000u32, 60_000]).unwrap());
    vec![
        (Operator::Map(sum), vec![x.clone(), floats(&[LONG], 3)]),
        (transposed, vec![x.clone()]),
        (Operator::Reshape(vec![size(2 * LONG)]), vec![x.clone()]),
        (Operator::Concat(0), vec![x.clone(), floats(&[2, 5], 4)]),
        (Operator::Magnitude, vec![x.clone()]),
        (Operator::Maximum(Visible::Causal), vec![x.clone()]),
        (Operator::ArgMax, vec![x.clone()]),
        (Operator::Sum, vec![x.clone(), magnitudes.clone()]),
        (Operator::Weights(Visible::Causal), vec![x.clone(), maxima]),
        (Operator::WeightSum(30), vec![weights]),
        (Operator::Quantise(Class::Int16), vec![x.clone(), magnitudes.clone()]),
        (
            product,
            vec![x.clone(), x.clone(), magnitudes.clone(), magnitudes.clone()],
        ),
        (product_in_blocks, in_blocks),
        (Operator::Lookup, vec![floats(&[100, 60], 5), integers(&[3], 100)]),
        (Operator::Pick, vec![x.clone(), pick]),
        (scatter, vec![x.clone(), magnitudes, integers(&[LONG], 7)]),
        (rotate, vec![floats(&[3, 64], 6), wide(&[32], 0x0123_4567_89ab_cdef)]),
        (Operator::Chance, vec![x, whole]),
        (Operator::Rank, vec![few.clone()]),
        (Operator::Mass, vec![few, few_chances.clone()]),
        (Operator::KeepRanks, vec![few_chances.clone(), ranks, k]),
        (Operator::KeepMass, vec![few_chances, masses, few_totals, p]),
        (Operator::Total, vec![chances.clone()]),
        (Operator::Draw, vec![chances, totals, wide(&[2], 0x5555_5555_5555_5555)]),
        (Operator::Random(3), vec![wide(&[], 99), integers(&[4], 1_000)]),
        (Operator::Count { rows: size(9) }, vec![integers(&[LONG], 9)]),
    ]
}

/// A number for each kind of operator. One that is not in [`examples`] fails the test that counts them.
fn kind_of(operator: &Operator) -> usize {
    match operator {
        Operator::Map(_) => 0,
        Operator::View { .. } => 1,
        Operator::Reshape(_) => 2,
        Operator::Concat(_) => 3,
        Operator::Magnitude => 4,
        Operator::Maximum(_) => 5,
        Operator::ArgMax => 6,
        Operator::Sum => 7,
        Operator::Weights(_) => 8,
        Operator::WeightSum(_) => 9,
        Operator::Quantise(_) => 10,
        Operator::Product { .. } => 11,
        Operator::Lookup => 12,
        Operator::Pick => 13,
        Operator::Scatter { .. } => 14,
        Operator::Rotate { .. } => 15,
        Operator::Chance => 16,
        Operator::Rank => 17,
        Operator::Mass => 18,
        Operator::KeepRanks => 19,
        Operator::KeepMass => 20,
        Operator::Total => 21,
        Operator::Draw => 22,
        Operator::Random(_) => 23,
        Operator::Count { .. } => 24,
    }
}

fn committed(tensors: &[&Tensor]) -> Vec<Committed> {
    let mode = HashMode::Plain;
    let of = |tensor: &&Tensor| Committed {
        digest: mode.digest(&tensor.bytes),
        mode,
    };
    tensors.iter().map(of).collect()
}

/// Proves a question from the tensors and answers it from the proof.
fn ask(call: &Call<'_>, question: &Question, tensors: &[&Tensor]) -> Answer {
    let modes = vec![HashMode::Plain; tensors.len()];
    let openings = open(call, question, tensors, &modes).unwrap();
    let size = openings.encoded_size();
    assert!(size <= MAX_OPENED, "{question:?} takes {size} bytes");
    recompute(call, question, &committed(tensors), &openings).unwrap()
}

/// An element as a dispute finds it: at once, or group by group.
fn dispute(call: &Call<'_>, element: u64, tensors: &[&Tensor]) -> Answer {
    if call.groups() <= 1 {
        return ask(call, &Question::Element(element), tensors);
    }
    let partials = (0..call.groups()).map(|group| match ask(call, &Question::Group { element, group }, tensors) {
        Answer::Partial(partial) => partial,
        other => panic!("a group gave {other:?}"),
    });
    let partials = partials.collect();
    ask(call, &Question::Combination { element, partials }, tensors)
}

#[test]
fn examples_should_be_of_every_kind() {
    let mut kinds: Vec<_> = examples().iter().map(|(operator, _)| kind_of(operator)).collect();
    // Products with and without multipliers
    kinds.dedup();
    assert_eq!(kinds, (0..=24).collect::<Vec<_>>());
}

#[test]
fn recomputation_should_give_the_reference_for_every_operator() {
    for (operator, tensors) in examples() {
        let tensors: Vec<_> = tensors.iter().collect();
        let kinds = kinds(&tensors);
        let call = Call::new(&operator, &kinds, BINDINGS).unwrap();
        let count = call.output().shape.len();
        for element in [0, count / 3, count / 2 + 1, count - 1] {
            let element = element.min(count - 1);
            let expected = call.element(element, &tensors[..]).unwrap();
            assert_eq!(
                dispute(&call, element, &tensors),
                Answer::Element(expected),
                "{operator:?}"
            );
        }
    }
}

#[test]
fn long_element_should_be_asked_for_group_by_group() {
    let x = floats(&[LONG], 7);
    let kinds = kinds(&[&x]);
    let call = Call::new(&Operator::Magnitude, &kinds, BINDINGS).unwrap();
    let refuse = |question: Question| answer(&call, &question, &[&x][..]).unwrap_err();
    assert_eq!(refuse(Question::Element(0)), RefereeError::Long(3));
    let behind = Question::Group { element: 0, group: 3 };
    assert_eq!(refuse(behind), RefereeError::Group { got: 3, below: 3 });
    let none = Question::Element(1);
    assert_eq!(refuse(none), RefereeError::Element { got: 1, below: 1 });
    for partials in [vec![], vec![Partial::Magnitude(1); 2], vec![Partial::Sum(1); 3]] {
        let question = Question::Combination { element: 0, partials };
        assert_eq!(refuse(question), RefereeError::Partials);
    }
}

#[test]
fn fault_should_be_an_answer() {
    let x = Tensor::new(&[1, 2], &[1.0, f32::NAN]).unwrap();
    let kinds = kinds(&[&x]);
    let call = Call::new(&Operator::Magnitude, &kinds, BINDINGS).unwrap();
    assert_eq!(
        ask(&call, &Question::Element(0), &[&x]),
        Answer::Fault(Fault::NotFinite)
    );
}

#[test]
fn nothing_opened_should_be_missing() {
    let x = floats(&[4], 8);
    let kinds = kinds(&[&x]);
    let call = Call::new(&Operator::Magnitude, &kinds, BINDINGS).unwrap();
    let question = Question::Element(0);
    let missing = Missing {
        input: 0,
        start: 0,
        count: 4,
    };
    let committed = committed(&[&x]);
    assert_eq!(
        recompute(&call, &question, &committed, &[None]),
        Err(RefereeError::Missing(missing))
    );
    let openings = RefereeError::Openings { expected: 1, got: 0 };
    assert_eq!(recompute(&call, &question, &committed, &[]), Err(openings));
}

#[test]
fn opening_of_another_tensor_should_be_refused() {
    let (x, y) = (floats(&[4], 9), floats(&[4], 10));
    let kinds = kinds(&[&x]);
    let call = Call::new(&Operator::Magnitude, &kinds, BINDINGS).unwrap();
    let question = Question::Element(0);
    let openings = open(&call, &question, &[&y], &[HashMode::Plain]).unwrap();
    let refused = recompute(&call, &question, &committed(&[&x]), &openings).unwrap_err();
    assert!(matches!(refused, RefereeError::Opening { input: 0, .. }), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn flipped_bit_should_never_change_an_answer(which in 0usize..25, at: prop::sample::Index, bit in 0u8..8) {
        let (operator, tensors) = examples().swap_remove(which);
        let tensors: Vec<_> = tensors.iter().collect();
        let kinds = kinds(&tensors);
        let call = Call::new(&operator, &kinds, BINDINGS).unwrap();
        let question = match call.groups() {
            0 | 1 => Question::Element(0),
            _ => Question::Group { element: 0, group: 1 },
        };
        let modes = vec![HashMode::Plain; tensors.len()];
        let openings = open(&call, &question, &tensors, &modes).unwrap();
        let honest = recompute(&call, &question, &committed(&tensors), &openings).unwrap();
        let mut bytes = openings.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(flipped) = Vec::<Option<Opening>>::decode(&mut &bytes[..]) {
            let answer = recompute(&call, &question, &committed(&tensors), &flipped);
            prop_assert!(answer.is_err() || answer == Ok(honest));
        }
    }
}
