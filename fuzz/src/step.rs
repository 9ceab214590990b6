//! Steps of programs on the reference.

use crate::{calls::effort, hostile::Numbers};
use assay_exact::{
    memory::Tensor,
    operator::{Bindings, Fault, TensorType},
    program::{run_step, units, Plan, Program, StepError},
};

/// Most scalar operations of a step that is run.
const MOST: u64 = 1 << 20;

/// Plans a step, and runs it if it is short: with numbers that follow from `seed`.
pub fn try_step(program: &Program, bindings: Bindings, seed: u64) {
    let plan = match Plan::new(program, bindings) {
        Ok(plan) => plan,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    let _ = units(program, &plan);
    if effort_of(program, &plan) > MOST {
        return;
    }
    let mut numbers = Numbers::new(seed);
    let mut tensors =
        |kinds: &[TensorType]| -> Vec<Tensor> { kinds.iter().map(|kind| numbers.tensor(*kind)).collect() };
    let (weights, inputs, states) = (tensors(&plan.weights), tensors(&plan.inputs), tensors(&plan.states));
    match run_step(program, bindings, &weights, &inputs, &states) {
        Ok(step) => {
            let handed = step.handed.iter().flatten().chain(&step.states).chain(&step.results);
            for Tensor { kind, bytes } in handed {
                assert_eq!(kind.shape.len() * kind.dtype.size(), bytes.len() as u64);
            }
        }
        Err(StepError::Failed { at, fault }) => {
            assert!(
                !matches!(fault, Fault::Missing(_)),
                "{at}: {fault}, but everything is there"
            );
            let _ = (at.to_string(), fault.to_string());
        }
        Err(error) => panic!("planned, and what was planned is given, but {error}"),
    }
    // Without one of them it must be said which
    if let Some((_, fewer)) = weights.split_last() {
        let error = run_step(program, bindings, fewer, &inputs, &states);
        assert!(matches!(error, Err(StepError::Given { got: None, .. })), "{error:?}");
    }
}

/// About how many scalar operations a step takes, and how many bytes it is given.
pub fn effort_of(program: &Program, plan: &Plan) -> u64 {
    let bytes = |kind: &TensorType| kind.shape.len() * kind.dtype.size();
    let given = plan.weights.iter().chain(&plan.inputs).chain(&plan.states);
    let mut sum: u64 = given.map(bytes).fold(0, u64::saturating_add);
    for (segment, (parts, outputs)) in program.segments.iter().zip(&plan.operators).enumerate() {
        for (instruction, output) in parts.instructions.iter().zip(outputs) {
            let inputs = plan.types_of(program, &instruction.inputs, segment);
            sum = sum.saturating_add(effort(&instruction.operator, &inputs, *output));
        }
    }
    sum
}
