//! Running a program as it is defined: operator by operator, element by element. Slow; engines must give the same.

use super::{Place, Plan, PlanError, Program, Value};
use crate::{
    memory::Tensor,
    operator::{Bindings, Call, Fault, TensorType},
};
use alloc::vec::Vec;
use core::fmt;

/// What a step gives.
#[derive(Clone, Debug)]
pub struct Step {
    /// What each segment hands on.
    pub handed: Vec<Vec<Tensor>>,
    /// The states for the next step.
    pub states: Vec<Tensor>,
    /// The program's results.
    pub results: Vec<Tensor>,
}

/// Why a step gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepError {
    /// The program cannot run in a step like this.
    Plan(PlanError),
    /// A tensor that the step is given is not what the program declares.
    Given {
        /// Which.
        value: Value,
        /// What the program declares.
        expected: TensorType,
        /// What was given, if anything.
        got: Option<TensorType>,
    },
    /// An operator failed. This is a result: every honest run has it.
    Failed {
        /// The first that failed.
        at: Place,
        /// Why.
        fault: Fault,
    },
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(error) => error.fmt(f),
            Self::Given { value, expected, got } => write!(f, "{value:?} must be {expected:?}, got {got:?}"),
            Self::Failed { at, fault } => write!(f, "{at} failed: {fault}"),
        }
    }
}

/// Checks that what is given is what is declared.
fn check_given(expected: &[TensorType], given: &[Tensor], value: impl Fn(u16) -> Value) -> Result<(), StepError> {
    let longer = expected.len().max(given.len());
    for at in 0..longer {
        let got = given.get(at).map(|tensor| tensor.kind);
        let value = value(at as u16);
        match expected.get(at) {
            Some(expected) if got == Some(*expected) => {}
            Some(expected) => {
                return Err(StepError::Given {
                    value,
                    expected: *expected,
                    got,
                });
            }
            // More than is declared is never read
            None => {}
        }
    }
    Ok(())
}

/// Runs a step of a program that has been checked.
pub fn run_step(
    program: &Program,
    bindings: Bindings,
    weights: &[Tensor],
    inputs: &[Tensor],
    states: &[Tensor],
) -> Result<Step, StepError> {
    let plan = Plan::new(program, bindings).map_err(StepError::Plan)?;
    check_given(&plan.weights, weights, Value::Weight)?;
    check_given(&plan.inputs, inputs, Value::Input)?;
    check_given(&plan.states, states, Value::State)?;

    let mut handed: Vec<Vec<Tensor>> = Vec::new();
    for (at, segment) in program.segments.iter().enumerate() {
        let mut outputs: Vec<Tensor> = Vec::with_capacity(segment.instructions.len());
        for (operator, instruction) in segment.instructions.iter().enumerate() {
            let of = |value: &Value| match *value {
                Value::Weight(weight) => &weights[usize::from(weight)],
                Value::Input(input) => &inputs[usize::from(input)],
                Value::State(state) => &states[usize::from(state)],
                Value::Operator(operator) => &outputs[usize::from(operator)],
                Value::Handed(segment, tensor) => &handed[usize::from(segment)][usize::from(tensor)],
            };
            let read: Vec<_> = instruction.inputs.iter().map(of).collect();
            let kinds: Vec<_> = read.iter().map(|tensor| tensor.kind).collect();
            let place = Place { segment: at, operator };
            let call = Call::new(&instruction.operator, &kinds, bindings).map_err(|error| {
                let mismatch = super::Mismatch { at: place, error };
                StepError::Plan(PlanError::Operator(mismatch))
            })?;
            let bytes = call
                .evaluate(&read[..])
                .map_err(|fault| StepError::Failed { at: place, fault })?;
            outputs.push(Tensor {
                kind: call.output(),
                bytes,
            });
        }
        let hands_on = segment
            .hands_on
            .iter()
            .map(|operator| outputs[usize::from(*operator)].clone());
        handed.push(hands_on.collect());
    }

    let of = |value: &Value| match *value {
        Value::Weight(weight) => weights[usize::from(weight)].clone(),
        Value::Input(input) => inputs[usize::from(input)].clone(),
        Value::State(state) => states[usize::from(state)].clone(),
        Value::Handed(segment, tensor) => handed[usize::from(segment)][usize::from(tensor)].clone(),
        Value::Operator(_) => unreachable!("a checked program takes results and states from what segments hand on"),
    };
    Ok(Step {
        states: program.states.iter().map(|state| of(&state.next)).collect(),
        results: program.results.iter().map(of).collect(),
        handed,
    })
}
