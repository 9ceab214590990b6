//! The encoding: its bytes, that it is the only one, what it costs, and what is refused.

use super::*;
use crate::{
    expression::Comparison,
    operator::{Coordinate, Term},
};
use alloc::{format, string::String};
use codec::Encode;

fn magnitude(value: Value) -> Segment {
    Segment {
        instructions: vec![instruction(Operator::Magnitude, &[value])],
        hands_on: vec![0],
    }
}

/// A program of these segments with an input `x`.
fn of_segments(segments: Vec<Segment>) -> Program {
    Program {
        version: VERSION,
        weights: vec![],
        inputs: vec![declare("x", DType::F32, &[Dim::LENGTH])],
        states: vec![],
        segments,
        results: vec![],
    }
}

fn too_many(what: &'static str, most: usize, got: usize) -> ProgramError {
    ProgramError::TooMany { what, most, got }
}

/// Checks that a program is refused, whether it is built or decoded.
fn assert_refused(program: &Program, error: ProgramError) {
    assert_eq!(program.check(), Err(error));
    let bytes = program.to_bytes();
    assert!(bytes.len() <= MAX_ENCODED);
    assert_eq!(Program::from_bytes(&bytes), Err(error));
}

#[test]
fn encoding_should_have_the_bytes_that_are_documented() {
    let mut program = of_segments(vec![magnitude(Value::Input(0)), magnitude(Value::Handed(0, 0))]);
    program.results = vec![Value::Handed(1, 0)];
    let documented = [
        &[1, 0][..],          // version
        &[4, 0, 4, 4, 8],     // one type: F32, one dimension, L
        &[0, 4, 0],           // no weights, one input, no states
        &[0, 0, 4, b'x'],     // of type 0, nothing shared, one byte
        &[4, 4, 4, 4, 4],     // one body of one operator: Magnitude, of one input: argument 0
        &[4, 0],              // one operator is handed on: 0
        &[8, 0, 4, 0, 16, 0], // two segments: body 0 of input 0, body 0 of tensor 0 of segment 0
        &[4, 48, 0],          // one result: tensor 0 of segment 1
    ]
    .concat();
    assert_eq!(program.to_bytes(), documented);
    assert_eq!(Program::from_bytes(&documented), Ok(program));
}

#[test]
fn operators_should_have_the_bytes_that_are_documented() {
    let dim = Dim::constant(3);
    let coordinates = vec![Coordinate {
        offset: dim,
        terms: vec![Term {
            dimension: 1,
            factor: -2,
        }],
        divisor: 5,
    }];
    let shape = vec![Dim::TOTAL, dim];
    let side = |class, scaled| Side { class, scaled };
    let select = Node::Select(Comparison::Equal, [0, 1, 2, 3]);
    let nodes = vec![
        Node::Input(1),
        Node::Constant(0x0403_0201),
        Node::Coordinate(2),
        Node::Unary(Unary::Power, 2),
        Node::Binary(Binary::Min, 0, 3),
        select,
    ];
    let map = [0, 24, 0, 1, 1, 1, 2, 3, 4, 2, 2, 3, 17, 2, 4, 5, 0, 3, 5, 1, 0, 1, 2, 3];
    let product = Operator::Product {
        a: side(Class::Int24, true),
        b: side(Class::Int8, false),
    };
    let rotate = Operator::Rotate { axis: 2, inverse: true };
    let documented: [(Operator, &[u8]); 25] = [
        (Operator::Map(Expression(nodes)), &map),
        (
            Operator::View {
                shape: shape.clone(),
                coordinates,
            },
            &[1, 8, 12, 8, 8, 96, 4, 96, 4, 1, 0xfe, 0xff, 0xff, 0xff, 5, 0, 0, 0],
        ),
        (Operator::Reshape(shape), &[2, 8, 12, 8, 8, 96]),
        (Operator::Concat(2), &[3, 2]),
        (Operator::Magnitude, &[4]),
        (Operator::Maximum(Visible::Causal), &[5, 1]),
        (Operator::ArgMax, &[6]),
        (Operator::Sum, &[7]),
        (Operator::Weights(Visible::All), &[8, 0]),
        (Operator::WeightSum(30), &[9, 30]),
        (Operator::Quantise(Class::Int16), &[10, 1]),
        (product, &[11, 2, 1, 0, 0]),
        (Operator::Lookup, &[12]),
        (Operator::Pick, &[13]),
        (Operator::Scatter { rows: dim }, &[14, 96]),
        (rotate, &[15, 2, 1]),
        (Operator::Chance, &[16]),
        (Operator::Rank, &[17]),
        (Operator::Mass, &[18]),
        (Operator::KeepRanks, &[19]),
        (Operator::KeepMass, &[20]),
        (Operator::Total, &[21]),
        (Operator::Draw, &[22]),
        (Operator::Random(7), &[23, 7, 0, 0, 0]),
        (Operator::Count { rows: dim }, &[24, 96]),
    ];
    for (operator, bytes) in documented {
        assert_eq!(operator.encode(), bytes, "{operator:?}");
    }
}

#[test]
fn encoding_should_say_where_and_what_was_expected() {
    let bytes = attention().to_bytes();
    let error = |at, expected| Err(ProgramError::Encoding { at, expected });
    assert_eq!(Program::from_bytes(&bytes[..1]), error(0, "a version"));
    assert_eq!(
        Program::from_bytes(&[&bytes[..], &[0]].concat()),
        error(bytes.len(), "the end")
    );
    assert_eq!(
        Program::from_bytes(&bytes[..bytes.len() - 1]),
        error(bytes.len() - 1, "a tensor that is handed on")
    );
    let most = vec![0; MAX_ENCODED + 1];
    assert_eq!(Program::from_bytes(&most), Err(ProgramError::TooLong(MAX_ENCODED + 1)));
    let mut later = bytes;
    later[0] = 9;
    assert_eq!(Program::from_bytes(&later), Err(ProgramError::Version(9)));
}

#[test]
fn encoding_should_be_refused_when_it_is_not_the_only_one() {
    // As documented above, but the body is written twice
    let twice = [
        &[1, 0, 4, 0, 4, 4, 8, 0, 4, 0, 0, 0, 4, b'x'][..],
        &[8, 4, 4, 4, 4, 4, 0, 4, 4, 4, 4, 4, 0],
        &[8, 0, 4, 4, 16, 0],
        &[0],
    ]
    .concat();
    assert_eq!(Program::from_bytes(&twice), Err(ProgramError::NotCanonical { at: 14 }));
    // A name that shares a byte with the one before, without saying so
    let mut program = of_segments(vec![magnitude(Value::Input(0))]);
    program.inputs.push(declare("xy", DType::F32, &[Dim::LENGTH]));
    let bytes = program.to_bytes();
    assert_eq!(bytes[14..18], [0, 4, 4, b'y']);
    let apart = [&bytes[..15], &[0, 8, b'x', b'y'], &bytes[18..]].concat();
    assert_eq!(Program::from_bytes(&apart), Err(ProgramError::NotCanonical { at: 15 }));
}

#[test]
fn encoding_should_write_layers_that_are_alike_once() {
    let layers = |count: u16| {
        let mut program = attention();
        for layer in 0..count {
            let mut segment = program.segments[1].clone();
            segment.instructions[0].inputs = vec![Value::Handed(layer + 1, 0)];
            segment.instructions[1].inputs[0] = Value::Handed(layer + 1, 0);
            program.segments.push(segment);
        }
        program.check().unwrap();
        program.to_bytes().len()
    };
    // The body, and three arguments of at most three bytes
    assert!(layers(30) - layers(0) <= 30 * (1 + 3 * 3), "{}", layers(30) - layers(0));
    // More than half of a program with one layer is what is written once
    assert!(layers(30) - layers(1) < 2 * layers(0));
}

#[test]
fn encoding_should_be_refused_when_it_stands_for_too_many_operators() {
    let segment = Segment {
        instructions: vec![instruction(Operator::Magnitude, &[Value::Input(0)]); MAX_OPERATORS],
        hands_on: vec![],
    };
    let most = MAX_INSTRUCTIONS / MAX_OPERATORS;
    let program = of_segments(vec![segment.clone(); most]);
    assert_eq!(Program::from_bytes(&program.to_bytes()), Ok(program));
    let program = of_segments(vec![segment; most + 1]);
    assert_refused(
        &program,
        too_many("operators", MAX_INSTRUCTIONS, MAX_INSTRUCTIONS + MAX_OPERATORS),
    );
}

#[test]
fn encoding_should_be_refused_when_it_stands_for_too_many_segments() {
    let program = of_segments(vec![magnitude(Value::Input(0)); MAX_SEGMENTS + 1]);
    assert_refused(&program, too_many("segments", MAX_SEGMENTS, MAX_SEGMENTS + 1));
}

#[test]
fn encoding_should_be_refused_when_large_operators_repeat() {
    let long = Operator::Map(Expression(vec![Node::Input(0); 20_000]));
    let segment = Segment {
        instructions: vec![instruction(long, &[Value::Input(0)])],
        hands_on: vec![],
    };
    let length = of_segments(vec![segment.clone()]).to_bytes().len();
    let program = of_segments(vec![segment; 2 * MAX_EXPANDED / length]);
    let ProgramError::TooMany { what, most, got } = program.check().unwrap_err() else {
        panic!("expected that it is refused");
    };
    assert_eq!((what, most), ("bytes of written-out segments", MAX_EXPANDED));
    assert!(got > MAX_EXPANDED);
    // Decoding stops at the first segment that is one too many
    let ProgramError::TooMany { got, .. } = Program::from_bytes(&program.to_bytes()).unwrap_err() else {
        panic!("expected that it is refused");
    };
    assert!((MAX_EXPANDED + 1..=MAX_EXPANDED + length).contains(&got), "{got}");
}

#[test]
fn encoding_should_be_refused_when_names_are_long_or_tensors_many() {
    let named = |name: &str| {
        let mut program = of_segments(vec![magnitude(Value::Input(0))]);
        program.inputs[0].name = name.to_owned();
        program
    };
    let longest = named(&"n".repeat(MAX_NAME));
    assert_eq!(Program::from_bytes(&longest.to_bytes()), Ok(longest));
    let long = named(&"n".repeat(MAX_NAME + 1));
    assert_refused(&long, too_many("bytes of a name", MAX_NAME, MAX_NAME + 1));
    let mut many = named("x");
    many.weights = vec![declare("", DType::I8, &[]); MAX_DECLARATIONS + 1];
    assert_refused(&many, too_many("weights", MAX_DECLARATIONS, MAX_DECLARATIONS + 1));
    let mut deep = named("x");
    deep.inputs[0].shape = vec![Dim::LENGTH; MAX_RANK + 1];
    let what = "dimensions of a declared tensor";
    assert_refused(&deep, too_many(what, MAX_RANK, MAX_RANK + 1));
}

#[test]
fn encoding_should_be_refused_when_a_name_is_no_text() {
    let mut bytes = of_segments(vec![magnitude(Value::Input(0))]).to_bytes();
    assert_eq!(bytes[13], b'x');
    bytes[13] = 0xff;
    let expected = "a name of UTF-8";
    assert_eq!(
        Program::from_bytes(&bytes),
        Err(ProgramError::Encoding { at: 11, expected })
    );
}

fn dims() -> impl Strategy<Value = Dim> {
    let part = || prop_oneof![Just(0), -3..4, any::<i32>()];
    (part(), part(), part()).prop_map(|(constant, length, position)| Dim {
        constant,
        length,
        position,
    })
}

fn operators() -> impl Strategy<Value = Operator> {
    let shape = || prop::collection::vec(dims(), 0..4);
    prop_oneof![
        Just(Operator::Magnitude),
        Just(binary(Binary::Add)),
        any::<u32>().prop_map(Operator::Random),
        shape().prop_map(Operator::Reshape),
        dims().prop_map(|rows| Operator::Count { rows }),
        (shape(), dims(), any::<u32>()).prop_map(|(shape, offset, divisor)| {
            let terms = along(1).terms;
            let coordinates = vec![Coordinate { offset, terms, divisor }];
            Operator::View { shape, coordinates }
        }),
    ]
}

fn declarations() -> impl Strategy<Value = Vec<Declaration>> {
    let dtypes = prop_oneof![Just(DType::F32), Just(DType::I8), Just(DType::U64)];
    let shape = prop::collection::vec(prop_oneof![Just(Dim::LENGTH), dims()], 0..=MAX_RANK);
    let declaration = ("(layer\\.)?[ab]?[éè]{0,2}", dtypes, shape);
    prop::collection::vec(declaration, 1..6).prop_map(|all| {
        let declared = all.into_iter();
        declared
            .map(|(name, dtype, shape)| Declaration { name, dtype, shape })
            .collect()
    })
}

/// A value that is there at the operator `operator` of the next segment.
fn resolve(program: &Program, operator: usize, choice: (u8, u16, u16)) -> Value {
    let (kind, index, tensor) = choice;
    let below = |count: usize| (usize::from(index) % count.max(1)) as u16;
    match kind % 5 {
        0 => Value::Weight(below(program.weights.len())),
        1 => Value::State(below(program.states.len())),
        2 if operator > 0 => Value::Operator(below(operator)),
        3 if !program.segments.is_empty() => {
            let segment = below(program.segments.len());
            let handed = program.segments[usize::from(segment)].hands_on.len();
            Value::Handed(segment, tensor % handed as u16)
        }
        _ => Value::Input(below(program.inputs.len())),
    }
}

/// Programs that pass a check. Their segments are made of few patterns, so that bodies are often, but not always,
/// the same.
fn programs() -> impl Strategy<Value = Program> {
    let choice = || (any::<u8>(), any::<u16>(), any::<u16>());
    let inputs = prop::collection::vec(choice(), 0..5);
    let pattern = prop::collection::vec((operators(), inputs), 1..5);
    let patterns = prop::collection::vec(pattern, 1..4);
    let segments = prop::collection::vec((any::<u8>(), any::<u16>()), 0..12);
    let declared = (declarations(), declarations(), declarations());
    let results = prop::collection::vec(choice(), 0..4);
    (patterns, segments, declared, results).prop_map(|(patterns, segments, (weights, inputs, states), results)| {
        let state = |declaration| State {
            declaration,
            next: Value::Input(0),
        };
        let mut program = of_segments(vec![]);
        (program.weights, program.inputs) = (weights, inputs);
        program.states = states.into_iter().map(state).collect();
        for (pattern, shift) in segments {
            let pattern = &patterns[usize::from(pattern) % patterns.len()];
            let mut segment = Segment::default();
            for (at, (operator, inputs)) in pattern.iter().enumerate() {
                let read = inputs.iter().map(|(kind, index, tensor)| {
                    let index = if kind % 5 == 2 {
                        *index
                    } else {
                        index.wrapping_add(shift)
                    };
                    resolve(&program, at, (*kind, index, *tensor))
                });
                segment.instructions.push(Instruction {
                    operator: operator.clone(),
                    inputs: read.collect(),
                });
            }
            segment.hands_on = (0..pattern.len() as u16).rev().collect();
            program.segments.push(segment);
        }
        program.results = results.into_iter().map(|choice| resolve(&program, 0, choice)).collect();
        program
    })
}

/// Checks that bytes are either refused or the encoding of what they give.
fn assert_only_encoding(bytes: &[u8]) {
    if let Ok(program) = Program::from_bytes(bytes) {
        assert_eq!(program.to_bytes(), bytes);
        let _ = Plan::new(&program, Bindings { length: 3, position: 2 });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn program_should_lead_back_from_its_encoding(program in programs()) {
        prop_assert_eq!(program.check(), Ok(()));
        prop_assert_eq!(Program::from_bytes(&program.to_bytes()), Ok(program));
    }

    #[test]
    fn bytes_should_be_refused_or_be_the_only_encoding(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let behind_version = [&VERSION.to_le_bytes()[..], &bytes].concat();
        assert_only_encoding(&behind_version);
    }

    #[test]
    fn encoding_should_be_refused_or_be_the_only_one_when_bytes_change(
        program in programs(), at: prop::sample::Index, bit in 0u8..8, small in 0u8..64,
    ) {
        let bytes = program.to_bytes();
        let at = at.index(bytes.len());
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        assert_only_encoding(&flipped);
        let mut replaced = bytes.clone();
        replaced[at] = small;
        assert_only_encoding(&replaced);
        let removed = [&bytes[..at], &bytes[at + 1..]].concat();
        assert_only_encoding(&removed);
    }
}

#[test]
fn errors_should_say_what_was_expected_and_what_there_is() {
    let shown: Vec<String> = [
        ProgramError::TooLong(70_000),
        ProgramError::Encoding {
            at: 7,
            expected: "a value",
        },
        too_many("segments", MAX_SEGMENTS, 5_000),
    ]
    .iter()
    .map(|error| format!("{error}"))
    .collect();
    assert_eq!(
        shown,
        [
            "an encoded program has at most 65536 bytes, this one has 70000",
            "expected a value at byte 7 of an encoded program",
            "a program has at most 4096 segments, this one has 5000",
        ]
    );
}
