//! Steps of whole programs against the reference, bit for bit.

#![allow(clippy::unwrap_used)]

use super::*;
use assay_exact::{
    memory::Tensor,
    opening::HashMode,
    operator::{Bindings, Dim, Operator, TensorType},
    product::Class,
    program::{run_step, Plan, Program, StepError},
    tensor::DType,
};
use assay_kernels::Isa;
use assay_programs::{
    attention::Heads,
    builder::Builder,
    family::{
        bert::{Encoder, Pooling},
        decoder::{Decoder, Purpose},
        Precision,
    },
    layer::Activation,
};
use std::convert::Infallible;

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// From −1 to 1.
    fn float(&mut self) -> f32 {
        (self.below(1 << 24) as f32 / (1 << 23) as f32) - 1.0
    }
}

struct Memory(Vec<Tensor>);

impl WeightSource for Memory {
    type Error = Infallible;

    fn read(&self, weight: usize) -> Result<Vec<u8>, Infallible> {
        Ok(self.0[weight].bytes.clone())
    }
}

fn tensor(kind: TensorType, buffer: &Buffer) -> Tensor {
    Tensor {
        kind,
        bytes: buffer.all().bytes().to_vec(),
    }
}

/// Weights that a model could have.
fn weights(program: &Program, seed: u64) -> Memory {
    let mut numbers = Numbers(seed);
    let bindings = Bindings { length: 1, position: 0 };
    let plan = Plan::new(program, bindings).unwrap();
    let of = |(kind, name): (&TensorType, &String)| {
        let len = kind.shape.len() as usize;
        let is_magnitude = name.ends_with(".magnitudes");
        let buffer = match kind.dtype {
            DType::F32 if is_magnitude => Buffer::F32((0..len).map(|_| 0.1 + numbers.float().abs() * 0.4).collect()),
            DType::F32 => Buffer::F32((0..len).map(|_| numbers.float()).collect()),
            DType::I8 => Buffer::I8(
                (0..len)
                    .map(|_| numbers.below(255) as i16 as i8)
                    .map(|q| q.max(-127))
                    .collect(),
            ),
            DType::I16 => Buffer::I16(
                (0..len)
                    .map(|_| (numbers.below(32_769) as i32 - 16_384) as i16)
                    .collect(),
            ),
            DType::U32 => Buffer::U32(vec![0; len]),
            DType::U64 => Buffer::U64((0..len).map(|_| numbers.next() >> 8).collect()),
        };
        tensor(*kind, &buffer)
    };
    let names = program.weights.iter().map(|weight| &weight.name);
    Memory(plan.weights.iter().zip(names).map(of).collect())
}

fn encoder() -> Encoder {
    Encoder {
        vocabulary: 50,
        positions: 24,
        types: 2,
        width: 24,
        layers: 2,
        heads: 3,
        inner: 40,
        activation: Activation::Gelu,
        epsilon: 1e-12,
        pooling: Pooling::Mean,
    }
}

fn decoder(tied: bool) -> Decoder {
    Decoder {
        vocabulary: 61,
        width: 32,
        layers: 2,
        heads: Heads {
            queries: 4,
            keys: 2,
            dimension: 8,
        },
        inner: 48,
        epsilon: 1e-5,
        qkv_bias: !tied,
        tied,
    }
}

const PRECISIONS: [Precision; 4] = [
    Precision::W8A16,
    Precision::W8A8,
    Precision::W16A16,
    Precision {
        weights: Class::Int8,
        activations: Class::Int24,
    },
];

/// Everything that can be chosen without changing a bit.
fn settings() -> Vec<Settings> {
    Isa::available()
        .into_iter()
        .flat_map(|isa| [1, 2, 5].map(|threads| Settings { isa, threads }))
        .collect()
}

fn tokens(numbers: &mut Numbers, length: usize, vocabulary: u64) -> Vec<u32> {
    (0..length).map(|_| numbers.below(vocabulary) as u32).collect()
}

/// A run by the reference.
struct Reference<'a> {
    program: &'a Program,
    weights: &'a Memory,
    states: Vec<Tensor>,
    position: u32,
}

impl<'a> Reference<'a> {
    fn new(program: &'a Program, weights: &'a Memory) -> Self {
        let bindings = Bindings { length: 1, position: 0 };
        let plan = Plan::new(program, bindings).unwrap();
        let states = plan
            .states
            .iter()
            .map(|kind| tensor(*kind, &Buffer::zeros(kind.dtype, kind.shape.len() as usize)));
        Self {
            program,
            weights,
            states: states.collect(),
            position: 0,
        }
    }

    fn step(&mut self, length: u32, inputs: &[Buffer]) -> Result<(Vec<Vec<u8>>, Recorded), StepError> {
        let bindings = Bindings {
            length,
            position: self.position,
        };
        let plan = Plan::new(self.program, bindings).unwrap();
        let inputs: Vec<_> = plan
            .inputs
            .iter()
            .zip(inputs)
            .map(|(kind, buffer)| tensor(*kind, buffer))
            .collect();
        let step = run_step(self.program, bindings, &self.weights.0, &inputs, &self.states)?;
        self.states = step.states;
        self.position += length;
        let digests = step.handed.iter().map(|tensors| {
            tensors
                .iter()
                .map(|tensor| HashMode::Plain.digest(&tensor.bytes))
                .collect()
        });
        Ok((
            step.results.into_iter().map(|result| result.bytes).collect(),
            digests.collect(),
        ))
    }
}

fn bytes(output: &Output) -> Vec<Vec<u8>> {
    output
        .results
        .iter()
        .map(|(_, buffer)| buffer.all().bytes().to_vec())
        .collect()
}

#[test]
fn encoder_should_give_the_reference_s_bits_for_sequences_of_any_lengths_together() {
    for (seed, precision) in PRECISIONS.into_iter().enumerate() {
        let program = encoder().program(precision).unwrap();
        let weights = weights(&program, seed as u64);
        let mut numbers = Numbers(99);
        let sequences: Vec<_> = [1, 5, 17, 24, 2]
            .map(|length| tokens(&mut numbers, length, 50))
            .to_vec();
        let expected: Vec<_> = sequences
            .iter()
            .map(|sequence| {
                let mut reference = Reference::new(&program, &weights);
                reference
                    .step(sequence.len() as u32, &[Buffer::U32(sequence.clone())])
                    .unwrap()
            })
            .collect();
        for settings in settings() {
            let executor = Executor::load(program.clone(), &weights, settings).unwrap();
            let mut sessions: Vec<_> = sequences.iter().map(|_| executor.session()).collect();
            let given = sessions.iter_mut().zip(&sequences).map(|(session, sequence)| Given {
                session,
                length: sequence.len() as u32,
                inputs: vec![Buffer::U32(sequence.clone())],
            });
            let outputs = executor.step(given.collect(), Some(&HashMode::Plain));
            for (output, (results, digests)) in outputs.into_iter().zip(&expected) {
                let output = output.unwrap();
                assert_eq!(bytes(&output), *results, "{precision:?} {settings:?}");
                assert_eq!(output.recorded, *digests, "{precision:?} {settings:?}");
            }
        }
    }
}

/// Inputs of a step that generates.
fn generating(tokens: &[u32], greedy: bool) -> Vec<Buffer> {
    vec![
        Buffer::U32(tokens.to_vec()),
        Buffer::U64(vec![7]),
        Buffer::U32(vec![3]),
        Buffer::F32(vec![if greedy { 1.0 } else { 0.8 }]),
        Buffer::U32(vec![if greedy { 1 } else { 20 }]),
        Buffer::U32(vec![if greedy { 65_536 } else { 58_000 }]),
        Buffer::F32(vec![if greedy { 1.0 } else { 1.2 }]),
    ]
}

#[test]
fn decoder_should_give_the_reference_s_bits_step_by_step_beside_others() {
    for (tied, greedy, precision) in [
        (true, true, Precision::W8A16),
        (false, false, Precision::W8A16),
        (false, false, Precision::W16A16),
    ] {
        let program = decoder(tied).program(precision, Purpose::Generate).unwrap();
        let weights = weights(&program, 5);
        let mut numbers = Numbers(12);
        let prompts: Vec<_> = [7, 1, 11].map(|length| tokens(&mut numbers, length, 61)).to_vec();
        let mut expected = Vec::new();
        for prompt in &prompts {
            let mut reference = Reference::new(&program, &weights);
            let mut step = prompt.clone();
            let mut steps = Vec::new();
            for _ in 0..4 {
                let (results, digests) = reference.step(step.len() as u32, &generating(&step, greedy)).unwrap();
                step = assay_exact::tensor::from_bytes(&results[0]);
                steps.push((results, digests));
            }
            expected.push(steps);
        }
        for settings in settings() {
            let executor = Executor::load(program.clone(), &weights, settings).unwrap();
            let mut sessions: Vec<_> = prompts.iter().map(|_| executor.session()).collect();
            let mut steps = prompts.clone();
            // The second begins one step later than the others
            for at in 0..5usize {
                let takes_part = |run: usize| if run == 1 { (1..5).contains(&at) } else { at < 4 };
                let given: Vec<_> = sessions
                    .iter_mut()
                    .zip(&steps)
                    .enumerate()
                    .filter(|(run, _)| takes_part(*run))
                    .map(|(_, (session, tokens))| Given {
                        session,
                        length: tokens.len() as u32,
                        inputs: generating(tokens, greedy),
                    })
                    .collect();
                let outputs = executor.step(given, Some(&HashMode::Plain));
                let runs: Vec<_> = (0..3).filter(|run| takes_part(*run)).collect();
                assert_eq!(outputs.len(), runs.len());
                for (run, output) in runs.into_iter().zip(outputs) {
                    let output = output.unwrap();
                    let (results, digests) = &expected[run][if run == 1 { at - 1 } else { at }];
                    assert_eq!(bytes(&output), *results, "{settings:?} run {run} step {at}");
                    assert_eq!(output.recorded, *digests, "{settings:?} run {run} step {at}");
                    steps[run] = assay_exact::tensor::from_bytes(&results[0]);
                }
            }
        }
    }
}

#[test]
fn ranks_and_masses_should_not_be_computed_when_chances_are_only_kept_by_them() {
    let program = decoder(true).program(Precision::W8A16, Purpose::Generate).unwrap();
    let lowered = lower::Lowered::new(&program);
    let stages = || lowered.parts.iter().flat_map(|part| &part.stages);
    let kept = stages().filter(|stage| matches!(stage, lower::Stage::Keep { .. }));
    assert_eq!(kept.count(), 2);
    let is_sorted = |stage: &lower::Stage| match stage {
        lower::Stage::Whole { call } => matches!(lowered.calls[*call].operator, Operator::Rank | Operator::Mass),
        _ => false,
    };
    assert!(!stages().any(is_sorted));
}

#[test]
fn prefill_should_give_the_bits_of_decoding() {
    let program = decoder(true).program(Precision::W8A16, Purpose::Score).unwrap();
    let weights = weights(&program, 8);
    let tokens = tokens(&mut Numbers(4), 13, 61);
    let executor = Executor::load(program, &weights, Settings::default()).unwrap();
    let run = |lengths: &[usize]| {
        let mut session = executor.session();
        let mut scores = Vec::new();
        let mut at = 0;
        for length in lengths {
            let part = tokens[at..at + length].to_vec();
            at += length;
            let given = Given {
                session: &mut session,
                length: part.len() as u32,
                inputs: vec![Buffer::U32(part)],
            };
            let output = executor.step(vec![given], None).remove(0).unwrap();
            scores.extend(bytes(&output).remove(0));
        }
        scores
    };
    let whole = run(&[13]);
    assert_eq!(whole.len(), 13 * 61 * 4);
    assert_eq!(run(&[1; 13]), whole);
    assert_eq!(run(&[4, 1, 8]), whole);
}

#[test]
fn failure_should_be_the_reference_s_and_leave_other_runs_alone() {
    let program = decoder(false).program(Precision::W8A16, Purpose::Generate).unwrap();
    let mut weights = weights(&program, 3);
    // The embedding of token 9 overflows once it is squared: the row's magnitude is the largest that there is
    let table = program
        .weights
        .iter()
        .position(|weight| weight.name == "model.embed_tokens.weight.magnitudes")
        .unwrap();
    weights.0[table].bytes[9 * 4..10 * 4].copy_from_slice(&1e30f32.to_le_bytes());
    let mut reference = Reference::new(&program, &weights);
    reference.step(2, &generating(&[1, 2], true)).unwrap();
    let Err(StepError::Failed { at, .. }) = reference.step(1, &generating(&[9], true)) else {
        panic!("expected a fault");
    };
    let (expected, _) = Reference::new(&program, &weights)
        .step(2, &generating(&[3, 4], true))
        .unwrap();
    for settings in settings() {
        let executor = Executor::load(program.clone(), &weights, settings).unwrap();
        let (mut failing, mut other) = (executor.session(), executor.session());
        fn step<'a>(session: &'a mut Session, tokens: &[u32]) -> Given<'a> {
            Given {
                session,
                length: tokens.len() as u32,
                inputs: generating(tokens, true),
            }
        }
        executor
            .step(vec![step(&mut failing, &[1, 2])], None)
            .remove(0)
            .unwrap();
        let given = vec![step(&mut failing, &[9]), step(&mut other, &[3, 4])];
        let mut outputs = executor.step(given, Some(&HashMode::Plain));
        assert_eq!(bytes(&outputs.remove(1).unwrap()), expected);
        match outputs.remove(0) {
            Err(Failure::Operator {
                at: place, recorded, ..
            }) => assert_eq!((place, recorded.len()), (at, at.segment)),
            other => panic!("expected a fault, got {other:?}"),
        }
        assert_eq!((failing.position(), other.position()), (2, 2));
        // It goes on as if nothing had been
        let again = executor.step(vec![step(&mut failing, &[5])], None).remove(0).unwrap();
        let mut reference = Reference::new(&program, &weights);
        reference.step(2, &generating(&[1, 2], true)).unwrap();
        assert_eq!(bytes(&again), reference.step(1, &generating(&[5], true)).unwrap().0);
    }
}

#[test]
fn token_out_of_vocabulary_should_fail_in_the_table() {
    let fails = |program: Program, inputs: Vec<Buffer>, below: u32| {
        let executor = Executor::load(program.clone(), &weights(&program, 1), Settings::default()).unwrap();
        let mut session = executor.session();
        let given = Given {
            session: &mut session,
            length: 2,
            inputs,
        };
        let failure = executor.step(vec![given], None).remove(0);
        let fault = assay_exact::operator::Fault::Index { got: below, below };
        assert!(
            matches!(failure, Err(Failure::Operator { fault: got, .. }) if got == fault),
            "{failure:?}"
        );
    };
    fails(
        encoder().program(Precision::W8A16).unwrap(),
        vec![Buffer::U32(vec![3, 50])],
        50,
    );
    // A table that is kept as the last product has it
    for tied in [true, false] {
        let decoder = decoder(tied).program(Precision::W8A16, Purpose::Generate).unwrap();
        fails(decoder, generating(&[3, 61], true), 61);
    }
}

#[test]
fn table_should_be_kept_once_when_it_is_a_product_s_factor_too() {
    let kept = |tied, precision| {
        let program = decoder(tied).program(precision, Purpose::Generate).unwrap();
        let bytes = |name: &str| {
            let table = program.weights.iter().position(|weight| weight.name == name).unwrap();
            let executor = Executor::load(program.clone(), &weights(&program, 1), Settings::default()).unwrap();
            (executor.weights.is_kept(table), executor.weights.table(table).is_some())
        };
        bytes("model.embed_tokens.weight")
    };
    assert_eq!(kept(true, Precision::W8A16), (false, true));
    assert_eq!(kept(false, Precision::W8A16), (true, false));
    assert_eq!(kept(true, Precision::W16A16), (true, false));
}

#[test]
fn input_should_be_refused_when_it_is_not_what_the_program_declares() {
    let program = encoder().program(Precision::W8A16).unwrap();
    let executor = Executor::load(program.clone(), &weights(&program, 1), Settings::default()).unwrap();
    let step = |length, inputs| {
        let mut session = executor.session();
        let given = Given {
            session: &mut session,
            length,
            inputs,
        };
        match executor.step(vec![given], None).remove(0) {
            Err(Failure::Input(error)) => error,
            other => panic!("expected a refusal, got {other:?}"),
        }
    };
    assert_eq!(step(2, vec![]), InputError::Count { expected: 1, got: 0 });
    assert!(matches!(
        step(2, vec![Buffer::U32(vec![1])]),
        InputError::Type {
            expected: 2,
            got: 1,
            ..
        }
    ));
    assert!(matches!(
        step(1, vec![Buffer::F32(vec![1.0])]),
        InputError::Type { of: DType::F32, .. }
    ));
    assert!(matches!(
        step(u32::MAX, vec![Buffer::U32(vec![1])]),
        InputError::Plan { .. }
    ));
}

#[test]
fn weights_should_be_refused_when_they_are_not_what_the_program_declares() {
    let program = encoder().program(Precision::W8A16).unwrap();
    let mut short = weights(&program, 1);
    short.0[0].bytes.pop();
    let error = Executor::load(program.clone(), &short, Settings::default()).unwrap_err();
    assert!(
        matches!(
            error,
            LoadError::Size {
                expected: 2_400,
                got: 2_399,
                ..
            }
        ),
        "{error}"
    );
    let mut outside = weights(&program, 1);
    let query = program
        .weights
        .iter()
        .position(|weight| weight.name.ends_with("query.weight"))
        .unwrap();
    outside.0[query].bytes[5] = 0x80;
    let error = Executor::load(program, &outside, Settings::default()).unwrap_err();
    assert!(matches!(error, LoadError::Weight { .. }), "{error}");
}

#[test]
fn dimension_should_be_known_to_depend_on_the_step_when_it_is_the_same_in_some() {
    // Six columns at the first token, two in the steps of 3 tokens behind 5 and of 7 behind 11, fifteen in this one
    let columns = Dim {
        constant: 3,
        length: 3,
        position: -2,
    };
    let mut builder = Builder::new();
    let x = builder.input("x", DType::F32, &[Dim::LENGTH, columns]);
    let doubled = builder.add(x, x);
    let sums = builder.sum(doubled);
    builder.result(doubled);
    builder.result(sums);
    let program = builder.finish().unwrap();
    let weights = Memory(Vec::new());
    let inputs = vec![Buffer::F32((0..60).map(|at| at as f32).collect())];
    let (expected, _) = Reference::new(&program, &weights).step(4, &inputs).unwrap();
    for settings in settings() {
        let executor = Executor::load(program.clone(), &weights, settings).unwrap();
        let given = Given {
            session: &mut executor.session(),
            length: 4,
            inputs: inputs.clone(),
        };
        let output = executor.step(vec![given], None).remove(0).unwrap();
        assert_eq!(bytes(&output), expected, "{settings:?}");
    }
}
