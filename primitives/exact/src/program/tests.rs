//! Programs: what is refused, what a step gives, and that tokens can be cut into steps anyhow.

#![allow(clippy::unwrap_used)]

mod encoding;

use super::*;
use crate::{
    expression::{Binary, Expression, Node, Unary},
    memory::Tensor,
    operator::{Bindings, Fault, Side, Visible},
    product::Class,
    tensor::ShapeError,
};
use alloc::{borrow::ToOwned, vec, vec::Vec};
use proptest::prelude::*;

const WIDTH: u32 = 4;

fn declare(name: &str, dtype: DType, shape: &[Dim]) -> Declaration {
    Declaration {
        name: name.to_owned(),
        dtype,
        shape: shape.to_vec(),
    }
}

fn instruction(operator: Operator, inputs: &[Value]) -> Instruction {
    Instruction {
        operator,
        inputs: inputs.to_vec(),
    }
}

fn binary(function: Binary) -> Operator {
    Operator::Map(Expression(vec![
        Node::Input(0),
        Node::Input(1),
        Node::Binary(function, 0, 1),
    ]))
}

/// Attention over all tokens so far, with one head: tokens are rows of a table, which are key, value and query
/// at once. The cache is a state to which each step appends.
fn attention() -> Program {
    let width = Dim::constant(WIDTH as i32);
    let cache = |name| declare(name, DType::I16, &[Dim::POSITION, width]);
    let of = Value::Operator;
    let embed = vec![
        instruction(Operator::Lookup, &[Value::Weight(0), Value::Input(0)]),
        instruction(Operator::Magnitude, &[of(0)]),
        instruction(Operator::Quantise(Class::Int16), &[of(0), of(1)]),
        instruction(Operator::Concat(1), &[Value::State(0), of(2)]),
        instruction(Operator::Concat(0), &[Value::State(1), of(1)]),
    ];
    let (x, keys, scales) = (Value::Handed(0, 0), Value::Handed(0, 1), Value::Handed(0, 2));
    let side = |class, scaled| Side { class, scaled };
    let transposed = Operator::View {
        shape: vec![width, Dim::TOTAL],
        coordinates: [1, 0].map(along).to_vec(),
    };
    let power = Operator::Map(Expression(vec![
        Node::Input(0),
        Node::Input(1),
        Node::Unary(Unary::Power, 1),
        Node::Binary(Binary::Mul, 0, 2),
    ]));
    let per_row = Operator::Reshape(vec![Dim::LENGTH, Dim::constant(1)]);
    let attend = vec![
        instruction(Operator::Magnitude, &[x]),
        instruction(
            Operator::Product {
                a: side(Class::Int24, true),
                b: side(Class::Int16, true),
            },
            &[x, keys, of(0), scales],
        ),
        instruction(Operator::Maximum(Visible::Causal), &[of(1)]),
        instruction(Operator::Weights(Visible::Causal), &[of(1), of(2)]),
        instruction(Operator::WeightSum(30), &[of(3)]),
        instruction(power, &[of(3), scales]),
        instruction(Operator::Magnitude, &[of(5)]),
        instruction(transposed, &[keys]),
        instruction(
            Operator::Product {
                a: side(Class::Int24, true),
                b: side(Class::Int16, false),
            },
            &[of(5), of(7), of(6)],
        ),
        instruction(per_row, &[of(4)]),
        instruction(binary(Binary::Div), &[of(8), of(9)]),
    ];
    Program {
        version: VERSION,
        weights: vec![declare("table", DType::F32, &[Dim::constant(8), width])],
        inputs: vec![declare("tokens", DType::U32, &[Dim::LENGTH])],
        states: vec![
            State {
                declaration: cache("keys"),
                next: keys,
            },
            State {
                declaration: declare("scales", DType::F32, &[Dim::POSITION]),
                next: scales,
            },
        ],
        segments: vec![
            Segment {
                instructions: embed,
                hands_on: vec![0, 3, 4],
            },
            Segment {
                instructions: attend,
                hands_on: vec![10],
            },
        ],
        results: vec![Value::Handed(1, 0)],
    }
}

fn along(dimension: u8) -> crate::operator::Coordinate {
    crate::operator::Coordinate {
        offset: Dim::default(),
        terms: vec![crate::operator::Term { dimension, factor: 1 }],
        divisor: 1,
    }
}

fn table() -> Tensor {
    let elements: Vec<f32> = (0..8 * WIDTH).map(|at| ((at * 37 % 23) as f32 - 11.0) / 5.0).collect();
    Tensor::new(&[8, WIDTH], &elements).unwrap()
}

/// The results for tokens that come in steps of these lengths, one after the other.
fn attend(tokens: &[u32], steps: &[usize]) -> Result<Vec<f32>, StepError> {
    let program = attention();
    program.check().unwrap();
    let mut states = vec![
        Tensor::new::<i16>(&[0, WIDTH], &[]).unwrap(),
        Tensor::new::<f32>(&[0], &[]).unwrap(),
    ];
    let (mut given, mut results) = (0, Vec::new());
    for length in steps {
        let part = &tokens[given..given + length];
        let bindings = Bindings {
            length: part.len() as u32,
            position: given as u32,
        };
        let input = Tensor::new(&[bindings.length], part).unwrap();
        let step = run_step(&program, bindings, &[table()], &[input], &states)?;
        results.extend(step.results[0].elements::<f32>().unwrap());
        states = step.states;
        given += length;
    }
    Ok(results)
}

#[test]
fn attention_should_be_near_the_true_one() {
    let tokens = [3, 1, 4, 1, 5];
    let results = attend(&tokens, &[5]).unwrap();
    let table: Vec<f32> = table().elements().unwrap();
    let row = |token: u32| {
        table[(token * WIDTH) as usize..][..WIDTH as usize]
            .iter()
            .map(|x| f64::from(*x))
    };
    for (at, query) in tokens.iter().enumerate() {
        let seen = &tokens[..=at];
        let scores = seen
            .iter()
            .map(|key| row(*query).zip(row(*key)).map(|(q, k)| q * k).sum::<f64>());
        let weights: Vec<_> = scores.map(f64::exp).collect();
        let total: f64 = weights.iter().sum();
        for dim in 0..WIDTH as usize {
            let values = seen.iter().map(|token| row(*token).nth(dim).unwrap());
            let exact: f64 = weights.iter().zip(values).map(|(w, v)| w * v / total).sum();
            let got = f64::from(results[at * WIDTH as usize + dim]);
            assert!((got - exact).abs() < 2e-3, "token {at}, {dim}: {got}, not {exact}");
        }
    }
}

#[test]
fn program_should_be_refused_when_it_names_what_is_not_there() {
    let broken = |change: &dyn Fn(&mut Program)| {
        let mut program = attention();
        change(&mut program);
        program.check().unwrap_err()
    };
    let at = |segment, operator| Place { segment, operator };
    let read = |at, value| ProgramError::Unknown { at, value };
    let set = |value: Value| move |program: &mut Program| program.segments[0].instructions[1].inputs = vec![value];
    for value in [
        Value::Weight(1),
        Value::Input(1),
        Value::State(2),
        Value::Operator(1),
        Value::Handed(0, 0),
        Value::Handed(9, 0),
    ] {
        assert_eq!(broken(&set(value)), read(at(0, 1), value));
    }
    let handed_too_far = Value::Handed(0, 3);
    assert_eq!(
        broken(&|program| program.segments[1].instructions[0].inputs = vec![handed_too_far]),
        read(at(1, 0), handed_too_far)
    );
    assert_eq!(broken(&|program| program.version = 2), ProgramError::Version(2));
    assert_eq!(
        broken(&|program| program.segments[1].instructions.clear()),
        ProgramError::Operators { segment: 1, got: 0 }
    );
    for (hands_on, operator) in [(vec![10, 10], 10), (vec![10, 11], 11)] {
        assert_eq!(
            broken(&|program| program.segments[1].hands_on = hands_on.clone()),
            ProgramError::HandsOn { segment: 1, operator }
        );
    }
    let unseen = Value::Operator(0);
    assert_eq!(
        broken(&|program| program.results = vec![unseen]),
        ProgramError::NotHandedOn(unseen)
    );
    let many = vec![Value::Input(0); MAX_INPUTS + 1];
    assert_eq!(
        broken(&|program| program.segments[0].instructions[0].inputs = many.clone()),
        ProgramError::Inputs(at(0, 0))
    );
}

#[test]
fn plan_should_refuse_a_state_that_does_not_continue() {
    let mut program = attention();
    // The cache is not appended to
    program.states[0].next = Value::State(0);
    let bindings = Bindings { length: 2, position: 3 };
    let error = Plan::new(&program, bindings).unwrap_err();
    assert!(matches!(error, PlanError::Next { state: 0, .. }), "{error}");
    program.states[0].declaration.shape = vec![Dim::constant(-1)];
    let declared = PlanError::Declared {
        value: Value::State(0),
        error: None,
    };
    assert_eq!(Plan::new(&program, bindings).unwrap_err(), declared);
}

#[test]
fn step_should_name_the_first_operator_that_fails() {
    let failed = StepError::Failed {
        at: Place {
            segment: 0,
            operator: 0,
        },
        fault: Fault::Index { got: 8, below: 8 },
    };
    assert_eq!(attend(&[1, 8], &[2]).unwrap_err(), failed);
}

#[test]
fn step_should_name_the_operator_when_a_weight_is_no_number() {
    let program = attention();
    let mut table = table();
    table.bytes[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    let states = [
        Tensor::new::<i16>(&[0, WIDTH], &[]).unwrap(),
        Tensor::new::<f32>(&[0], &[]).unwrap(),
    ];
    let bindings = Bindings { length: 1, position: 0 };
    let run = |token: u32| {
        let input = Tensor::new(&[1], &[token]).unwrap();
        run_step(&program, bindings, &[table.clone()], &[input], &states)
    };
    let failed = StepError::Failed {
        at: Place {
            segment: 0,
            operator: 1,
        },
        fault: Fault::NotFinite,
    };
    assert_eq!(run(0).unwrap_err(), failed);
    assert!(run(1).is_ok(), "the row of another token");
}

#[test]
fn plan_should_refuse_a_dimension_that_overflows() {
    let mut program = attention();
    let bindings = Bindings { length: 2, position: 3 };
    let mut planned = |constant: i32, length: i32| {
        program.weights[0].shape[0] = Dim {
            constant,
            length,
            position: 0,
        };
        Plan::new(&program, bindings).unwrap_err()
    };
    let declared = |error| PlanError::Declared {
        value: Value::Weight(0),
        error,
    };
    assert_eq!(planned(i32::MAX, 0), declared(Some(ShapeError::TooLarge)));
    assert_eq!(planned(2, i32::MAX), declared(None), "above 32 bits");
    assert_eq!(planned(-1, 0), declared(None));
}

#[test]
fn step_should_refuse_what_is_not_declared() {
    let program = attention();
    let bindings = Bindings { length: 1, position: 0 };
    let wrong = Tensor::new(&[1], &[1.0f32]).unwrap();
    let error = run_step(&program, bindings, &[table()], &[wrong], &[]).unwrap_err();
    assert!(
        matches!(
            error,
            StepError::Given {
                value: Value::Input(0),
                got: Some(_),
                ..
            }
        ),
        "{error}"
    );
    let token = Tensor::new(&[1], &[1u32]).unwrap();
    let error = run_step(&program, bindings, &[table()], &[token], &[]).unwrap_err();
    assert!(
        matches!(
            error,
            StepError::Given {
                value: Value::State(0),
                got: None,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn units_should_grow_with_what_there_is_to_do() {
    let program = attention();
    let cost = |length, position| {
        let plan = Plan::new(&program, Bindings { length, position }).unwrap();
        units(&program, &plan)
    };
    assert!(cost(2, 0) > cost(1, 0) && cost(1, 100) > cost(1, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn results_should_not_depend_on_how_tokens_are_cut_into_steps(
        tokens in prop::collection::vec(0u32..8, 1..9), cuts: u16,
    ) {
        let mut steps = vec![1];
        for at in 1..tokens.len() {
            if cuts >> at & 1 == 1 {
                steps.push(1);
            } else if let Some(last) = steps.last_mut() {
                *last += 1;
            }
        }
        let bits = |results: Vec<f32>| results.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let at_once = attend(&tokens, &[tokens.len()]).map(bits);
        prop_assert_eq!(attend(&tokens, &steps).map(bits), at_once);
    }
}
