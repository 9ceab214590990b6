//! Whole programs by the kernels, on this machine, against the reference: several runs together, step by step.

#![allow(clippy::unwrap_used)]

mod cases;
mod host;

use assay_cuda::{device::Device, Executor, Failure, Given, Session};
use assay_exact::{
    memory::Tensor,
    opening::{Digest, HashMode},
    operator::{Bindings, Fault},
    product::Class,
    program::{run_step, Plan, Program, Step, StepError},
    tensor::{to_bytes, DType},
};
use assay_programs::{
    attention::Heads,
    family::{
        bert::{Encoder, Pooling},
        decoder::{Decoder, Purpose},
        mlp::Mlp,
        Precision,
    },
    layer::Activation,
    training::{initialise, Optimiser, Schedule, Settings, BINDINGS},
};
use cases::Numbers;
use host::Host;
use std::sync::Arc;

fn float(numbers: &mut Numbers) -> f32 {
    numbers.below(1 << 24) as f32 / (1 << 23) as f32 - 1.0
}

/// Weights that a model could have.
fn weights(program: &Program, seed: u64) -> Vec<Tensor> {
    let mut numbers = Numbers(seed);
    let plan = Plan::new(program, Bindings { length: 1, position: 0 }).unwrap();
    let names = program.weights.iter().map(|weight| &weight.name);
    plan.weights
        .iter()
        .zip(names)
        .map(|(kind, name)| {
            let len = kind.shape.len();
            let numbers = &mut numbers;
            let bytes = match kind.dtype {
                DType::F32 if name.ends_with(".magnitudes") => {
                    to_bytes(&(0..len).map(|_| 0.1 + float(numbers).abs() * 0.4).collect::<Vec<_>>())
                }
                DType::F32 => to_bytes(&(0..len).map(|_| float(numbers)).collect::<Vec<_>>()),
                DType::I8 => {
                    let q = (0..len).map(|_| (numbers.below(255) as i16 - 127) as i8);
                    to_bytes(&q.collect::<Vec<_>>())
                }
                DType::I16 => {
                    let q = (0..len).map(|_| (numbers.below(32_769) as i32 - 16_384) as i16);
                    to_bytes(&q.collect::<Vec<_>>())
                }
                DType::U32 => to_bytes(&vec![0u32; len as usize]),
                DType::U64 => to_bytes(&(0..len).map(|_| numbers.next() >> 8).collect::<Vec<_>>()),
            };
            Tensor { kind: *kind, bytes }
        })
        .collect()
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

/// A run by the reference.
struct Reference<'a> {
    program: &'a Program,
    weights: &'a [Tensor],
    states: Vec<Tensor>,
    position: u32,
}

impl<'a> Reference<'a> {
    fn new(program: &'a Program, weights: &'a [Tensor]) -> Self {
        let plan = Plan::new(program, Bindings { length: 1, position: 0 }).unwrap();
        let zeros = plan.states.iter().map(|kind| Tensor {
            kind: *kind,
            bytes: vec![0; (kind.shape.len() * kind.dtype.size()) as usize],
        });
        Self {
            program,
            weights,
            states: zeros.collect(),
            position: 0,
        }
    }

    fn step(&mut self, length: u32, inputs: &[Vec<u8>]) -> Result<Step, StepError> {
        let bindings = Bindings {
            length,
            position: self.position,
        };
        let plan = Plan::new(self.program, bindings).unwrap();
        let inputs = plan.inputs.iter().zip(inputs).map(|(kind, bytes)| Tensor {
            kind: *kind,
            bytes: bytes.clone(),
        });
        let step = run_step(
            self.program,
            bindings,
            self.weights,
            &inputs.collect::<Vec<_>>(),
            &self.states,
        )?;
        self.states = step.states.clone();
        self.position += length;
        Ok(step)
    }
}

fn load(program: &Program, weights: &[Tensor], device: Arc<dyn Device>) -> Executor {
    Executor::load(program.clone(), device, |weight| {
        Ok::<_, String>(weights[weight].bytes.clone())
    })
    .unwrap()
}

fn digests(step: &Step) -> Vec<Vec<Digest>> {
    let of = |tensor: &Tensor| HashMode::Plain.digest(&tensor.bytes);
    step.handed
        .iter()
        .map(|tensors| tensors.iter().map(of).collect())
        .collect()
}

/// Takes a step of several runs, both ways, and compares everything.
fn step(
    executor: &Executor,
    sessions: &mut [Session],
    references: &mut [Reference<'_>],
    inputs: &[(u32, Vec<Vec<u8>>)],
) {
    let given = sessions
        .iter_mut()
        .zip(inputs)
        .map(|(session, (length, inputs))| Given {
            session,
            length: *length,
            inputs: inputs.clone(),
        });
    let outcomes = executor.step(given.collect(), Some(&HashMode::Plain));
    for ((outcome, reference), (length, inputs)) in outcomes.into_iter().zip(references).zip(inputs) {
        match (reference.step(*length, inputs), outcome) {
            (Ok(expected), Ok(got)) => {
                let results: Vec<_> = expected
                    .results
                    .iter()
                    .map(|tensor| (tensor.kind, tensor.bytes.clone()))
                    .collect();
                assert_eq!(got.results, results);
                assert_eq!(got.recorded, digests(&expected));
            }
            (
                Err(StepError::Failed { at, fault }),
                Err(Failure::Operator {
                    at: got_at,
                    fault: got,
                    recorded,
                }),
            ) => {
                assert_eq!((got_at, got), (at, fault));
                assert_eq!(recorded.len(), at.segment);
            }
            (expected, got) => panic!("expected {expected:?}, got {got:?}"),
        }
    }
}

fn tokens(numbers: &mut Numbers, length: u32, vocabulary: u64) -> Vec<u8> {
    to_bytes(
        &(0..length)
            .map(|_| numbers.below(vocabulary) as u32)
            .collect::<Vec<_>>(),
    )
}

#[test]
fn embeddings_should_have_the_reference_s_bits() {
    for precision in PRECISIONS {
        let program = encoder().program(precision).unwrap();
        let weights = weights(&program, 1);
        for device in Host::all() {
            let executor = load(&program, &weights, device);
            let mut numbers = Numbers(2);
            let lengths = [5, 1, 7];
            let inputs: Vec<_> = lengths
                .map(|length| (length, vec![tokens(&mut numbers, length, 50)]))
                .into();
            let mut sessions: Vec<_> = lengths.iter().map(|_| executor.session().unwrap()).collect();
            let mut references: Vec<_> = lengths.iter().map(|_| Reference::new(&program, &weights)).collect();
            step(&executor, &mut sessions, &mut references, &inputs);
        }
    }
}

fn sampling(numbers: &mut Numbers, temperature: f32, top_k: u32, top_p: u32) -> Vec<Vec<u8>> {
    vec![
        to_bytes(&[numbers.next()]),
        to_bytes(&[numbers.next() as u32]),
        to_bytes(&[temperature]),
        to_bytes(&[top_k]),
        to_bytes(&[top_p]),
        to_bytes(&[1.25f32]),
    ]
}

#[test]
fn generations_should_have_the_reference_s_bits() {
    for (precision, tied) in PRECISIONS.into_iter().zip([true, false, true, false]) {
        let program = decoder(tied).program(precision, Purpose::Generate).unwrap();
        let weights = weights(&program, 3);
        for device in Host::all() {
            let executor = load(&program, &weights, device);
            let mut numbers = Numbers(4);
            let mut sessions: Vec<_> = (0..3).map(|_| executor.session().unwrap()).collect();
            let mut references: Vec<_> = (0..3).map(|_| Reference::new(&program, &weights)).collect();
            for lengths in [[4, 1, 6], [1, 3, 1], [1, 1, 1]] {
                let choices = [(1.0, 1, 1 << 16), (0.8, 5, 60_000), (1.5, 0, 30_000)];
                let inputs: Vec<_> = lengths
                    .into_iter()
                    .zip(choices)
                    .map(|(length, (temperature, k, p))| {
                        let mut inputs = vec![tokens(&mut numbers, length, 61)];
                        inputs.extend(sampling(&mut numbers, temperature, k, p));
                        (length, inputs)
                    })
                    .collect();
                step(&executor, &mut sessions, &mut references, &inputs);
            }
        }
    }
}

#[test]
fn run_that_fails_should_fail_as_the_reference_does_and_leave_others_alone() {
    let program = decoder(true).program(Precision::W8A16, Purpose::Generate).unwrap();
    let weights = weights(&program, 5);
    for device in Host::all() {
        let executor = load(&program, &weights, device);
        let mut numbers = Numbers(6);
        let mut sessions: Vec<_> = (0..3).map(|_| executor.session().unwrap()).collect();
        let mut references: Vec<_> = (0..3).map(|_| Reference::new(&program, &weights)).collect();
        // The second run's second token is none of the vocabulary; then its top_p leaves nothing; then it goes on
        for (vocabulary, top_p) in [(1 << 20, 1 << 16), (61, 0), (61, 1 << 16)] {
            let inputs: Vec<_> = [61, vocabulary, 61]
                .into_iter()
                .enumerate()
                .map(|(run, vocabulary)| {
                    let mut inputs = vec![tokens(&mut numbers, 2, vocabulary)];
                    let top_p = if run == 1 { top_p } else { 1 << 16 };
                    inputs.extend(sampling(&mut numbers, 0.9, 0, top_p));
                    (2, inputs)
                })
                .collect();
            step(&executor, &mut sessions, &mut references, &inputs);
        }
        assert_eq!([0, 1, 2].map(|run| sessions[run].position()), [6, 2, 6]);
    }
}

#[test]
fn copy_of_a_run_should_go_on_by_itself() {
    let Some(device) = Host::open(false) else { return };
    let program = decoder(false).program(Precision::W8A16, Purpose::Score).unwrap();
    let weights = weights(&program, 7);
    let executor = load(&program, &weights, device);
    let mut session = executor.session().unwrap();
    let run = |session: &mut Session, tokens: &[u32]| {
        let given = Given {
            session,
            length: tokens.len() as u32,
            inputs: vec![to_bytes(tokens)],
        };
        executor.step(vec![given], None).remove(0).unwrap().results
    };
    run(&mut session, &[1, 2, 3]);
    let mut copy = session.clone();
    let expected = run(&mut session, &[4, 5]);
    run(&mut copy, &[9]);
    let mut again = executor.session().unwrap();
    run(&mut again, &[1, 2, 3]);
    assert_eq!(run(&mut again, &[4, 5]), expected);
    assert_eq!(run(&mut session, &[6]), run(&mut again, &[6]));
}

#[test]
fn weights_that_no_run_can_succeed_with_should_fail_in_the_step_as_the_reference_does() {
    let Some(device) = Host::open(false) else { return };
    let program = encoder().program(Precision::W8A16).unwrap();
    let mut weights = weights(&program, 8);
    let matrix = weights
        .iter_mut()
        .filter(|weight| weight.dtype() == DType::I8 && weight.kind.shape.rank() == 2)
        .nth(2)
        .unwrap();
    // −128 is no integer of the class
    matrix.bytes[30] = 0x80;
    let executor = load(&program, &weights, device);
    let mut references = [Reference::new(&program, &weights)];
    let mut sessions = [executor.session().unwrap()];
    let inputs = [(3, vec![to_bytes(&[1u32, 2, 3])])];
    step(&executor, &mut sessions, &mut references, &inputs);
    let given = Given {
        session: &mut sessions[0],
        length: 3,
        inputs: inputs[0].1.clone(),
    };
    let failure = executor.step(vec![given], None).remove(0);
    assert!(
        matches!(
            failure,
            Err(Failure::Operator {
                fault: Fault::Class,
                ..
            })
        ),
        "{failure:?}"
    );
}

#[test]
fn training_should_have_the_reference_s_bits() {
    let network = Mlp {
        widths: vec![6, 16, 3],
        activation: Activation::Gelu,
        norm: None,
    };
    let recipe = Settings {
        optimiser: Optimiser::ADAM_W,
        schedule: Schedule::Constant,
        clip: true,
    };
    let training = network.training(4, &recipe).unwrap();
    let program = &training.program;
    let plan = Plan::new(program, BINDINGS).unwrap();
    let tensors = initialise(&training.parameters, 5).unwrap();
    let bytes = |name: &String| {
        let at = training.parameters.iter().position(|spec| spec.name == *name).unwrap();
        tensors[at].bytes.clone()
    };
    let kinds = plan.weights.iter().zip(&program.weights);
    let weights: Vec<_> = kinds
        .map(|(kind, declaration)| Tensor {
            kind: *kind,
            bytes: bytes(&declaration.name),
        })
        .collect();
    for device in Host::all() {
        let executor = load(program, &weights, device);
        let mut sessions = [executor.session().unwrap()];
        let mut references = [Reference::new(program, &weights)];
        let mut numbers = Numbers(10);
        for _ in 0..4 {
            let features: Vec<f32> = (0..24).map(|_| float(&mut numbers)).collect();
            let labels: Vec<_> = (0..4).map(|_| numbers.below(3) as u32).collect();
            let mut inputs = vec![to_bytes(&features), to_bytes(&labels), to_bytes(&[1.0f32; 4])];
            // Learning rate, weight decay, warm-up, largest norm
            inputs.extend([0.03f32, 0.01, 0.0, 0.5].map(|x| to_bytes(&[x])));
            step(&executor, &mut sessions, &mut references, &[(BINDINGS.length, inputs)]);
        }
        for (state, expected) in references[0].states.iter().enumerate() {
            let got = sessions[0].state(executor.device(), state).unwrap();
            assert_eq!(got, expected.bytes, "state {state}");
        }
    }
}
