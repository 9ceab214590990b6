//! Programs on the engine: what the reference gives, for every instruction set that the machine has, or the same fault.

#![no_main]

use assay_engine::{
    executor::{Failure, Given, LoadError, WeightSource},
    Buffer, Executor, Settings,
};
use assay_exact::{
    memory::Tensor,
    operator::{Bindings, TensorType},
    program::{run_step, Plan, Program, StepError},
};
use assay_fuzz::{hostile::Numbers, programs::program, step::effort_of};
use assay_kernels::Isa;
use libfuzzer_sys::{arbitrary::Unstructured, fuzz_target};
use std::convert::Infallible;

/// Most scalar operations of a step that is run.
const MOST: u64 = 1 << 18;

struct Memory(Vec<Tensor>);

impl WeightSource for Memory {
    type Error = Infallible;

    fn read(&self, weight: usize) -> Result<Vec<u8>, Infallible> {
        Ok(self.0[weight].bytes.clone())
    }
}

/// What a step gives, or where it fails.
type Outcome = Result<(Vec<Vec<u8>>, Vec<Vec<u8>>), (usize, usize, String)>;

/// Steps of a run, of these lengths: on the reference, and on the engine.
fn check(program: &Program, lengths: &[u32], seed: u64) {
    let step = |length, position| Plan::new(program, Bindings { length, position });
    let Ok(first) = step(1, 0) else { return };
    let mut numbers = Numbers::new(seed);
    let mut tensors =
        |kinds: &[TensorType]| -> Vec<Tensor> { kinds.iter().map(|kind| numbers.tensor(*kind)).collect() };
    if effort_of(program, &first) > MOST {
        return;
    }
    let weights = Memory(tensors(&first.weights));
    let zeros = |kind: &TensorType| Tensor {
        kind: *kind,
        bytes: vec![0; (kind.shape.len() * kind.dtype.size()) as usize],
    };
    let mut states: Vec<Tensor> = first.states.iter().map(zeros).collect();
    let mut position = 0;
    let mut steps: Vec<(u32, Vec<Tensor>, Outcome)> = Vec::new();
    let bytes = |tensors: &[Tensor]| tensors.iter().map(|tensor| tensor.bytes.clone()).collect();
    for length in lengths {
        let Ok(plan) = step(*length, position) else { break };
        if effort_of(program, &plan) > MOST {
            break;
        }
        let inputs = tensors(&plan.inputs);
        let bindings = Bindings {
            length: *length,
            position,
        };
        let outcome = match run_step(program, bindings, &weights.0, &inputs, &states) {
            Ok(step) => {
                states = step.states;
                Ok((bytes(&step.results), bytes(&states)))
            }
            Err(StepError::Failed { at, fault }) => Err((at.segment, at.operator, fault.to_string())),
            // What a state becomes may be of another type than its declaration has at the beginning
            Err(StepError::Given { .. }) => break,
            Err(error) => panic!("{error}"),
        };
        let failed = outcome.is_err();
        steps.push((*length, inputs, outcome));
        if failed {
            break;
        }
        position += length;
    }
    for isa in Isa::available() {
        run(program, &weights, &steps, isa);
    }
}

fn run(program: &Program, weights: &Memory, steps: &[(u32, Vec<Tensor>, Outcome)], isa: Isa) {
    let executor = match Executor::load(program.clone(), weights, Settings { isa, threads: 1 }) {
        Ok(executor) => executor,
        Err(LoadError::Weight { .. }) => {
            let fails = steps.iter().all(|(.., outcome)| outcome.is_err());
            assert!(fails, "{isa:?}: only the engine finds weights that fail");
            return;
        }
        Err(error) => panic!("{isa:?}: {error}"),
    };
    let mut session = executor.session();
    for (at, (length, inputs, expected)) in steps.iter().enumerate() {
        let inputs = inputs.iter();
        let given = Given {
            session: &mut session,
            length: *length,
            inputs: inputs
                .map(|input| Buffer::from_bytes(input.dtype(), &input.bytes))
                .collect(),
        };
        let got: Outcome = match executor.step(vec![given], None).remove(0) {
            Ok(output) => {
                let results = output.results.iter().map(|(_, buffer)| buffer.all().bytes().to_vec());
                let states = (0..program.states.len()).filter_map(|state| session.state(state));
                Ok((results.collect(), states.map(|state| state.bytes().to_vec()).collect()))
            }
            Err(Failure::Operator { at, fault, .. }) => Err((at.segment, at.operator, fault.to_string())),
            Err(error) => panic!("{isa:?}: {error}"),
        };
        assert_eq!(&got, expected, "{isa:?}, step {at}");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((seed, rest)) = data.split_first_chunk() else {
        return;
    };
    let seed = u64::from_le_bytes(*seed);
    let u = &mut Unstructured::new(rest);
    let length = u.int_in_range(0..=5).unwrap_or(1);
    let made = Bindings { length, position: 0 };
    let Ok(program) = program(u, made) else { return };
    if program.check().is_ok() {
        check(&program, &[length, 1, 3, 2], seed);
    }
});
