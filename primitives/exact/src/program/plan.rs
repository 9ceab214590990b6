//! A program in a step: what every tensor is once lengths are known.

use super::{Declaration, Mismatch, Place, Program, Value};
use crate::{
    operator::{Bindings, Call, Dim, TensorType},
    tensor::{Shape, ShapeError},
};
use alloc::vec::Vec;
use core::fmt;

/// Why a program cannot run in a step of this length at this position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// A tensor that the program declares has no such size.
    Declared {
        /// Which: a weight, an input or a state.
        value: Value,
        /// Why not; `None` if a dimension is negative or too large by itself.
        error: Option<ShapeError>,
    },
    /// An operator cannot have its inputs.
    Operator(Mismatch),
    /// What a state becomes is not what the next step begins with.
    Next {
        /// Which state.
        state: usize,
        /// What the next step begins with.
        expected: TensorType,
        /// What it would become.
        got: TensorType,
    },
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared { value, error: None } => {
                write!(f, "{value:?} would have a negative or too large dimension")
            }
            Self::Declared {
                value,
                error: Some(error),
            } => write!(f, "{value:?}: {error}"),
            Self::Operator(mismatch) => write!(f, "{}: {}", mismatch.at, mismatch.error),
            Self::Next { state, expected, got } => {
                write!(
                    f,
                    "state {state} must become {expected:?} by the end of the step, it becomes {got:?}"
                )
            }
        }
    }
}

/// The types of all of a program's tensors in a step. The program must have been checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of the package's weights.
    pub weights: Vec<TensorType>,
    /// Of the step's inputs.
    pub inputs: Vec<TensorType>,
    /// Of the states at the step's beginning.
    pub states: Vec<TensorType>,
    /// Of the operators' outputs, by segment.
    pub operators: Vec<Vec<TensorType>>,
    /// For what step.
    pub bindings: Bindings,
}

fn declared(declaration: &Declaration, value: Value, bindings: Bindings) -> Result<TensorType, PlanError> {
    let sizes = declaration.shape.iter().map(|dim: &Dim| dim.size(bindings));
    let dims: Vec<_> = sizes
        .collect::<Option<_>>()
        .ok_or(PlanError::Declared { value, error: None })?;
    let shape = Shape::new(&dims, declaration.dtype).map_err(|error| PlanError::Declared {
        value,
        error: Some(error),
    })?;
    Ok(TensorType {
        dtype: declaration.dtype,
        shape,
    })
}

/// The types of declared tensors of one kind, which are numbered by `value`.
fn all_declared<'d>(
    declarations: impl Iterator<Item = &'d Declaration>,
    value: impl Fn(u16) -> Value,
    bindings: Bindings,
) -> Result<Vec<TensorType>, PlanError> {
    declarations
        .zip(0..)
        .map(|(declaration, at)| declared(declaration, value(at), bindings))
        .collect()
}

impl Plan {
    /// The types in a step.
    pub fn new(program: &Program, bindings: Bindings) -> Result<Self, PlanError> {
        let states = || program.states.iter().map(|state| &state.declaration);
        let mut plan = Self {
            weights: all_declared(program.weights.iter(), Value::Weight, bindings)?,
            inputs: all_declared(program.inputs.iter(), Value::Input, bindings)?,
            states: all_declared(states(), Value::State, bindings)?,
            operators: Vec::with_capacity(program.segments.len()),
            bindings,
        };
        for (segment, parts) in program.segments.iter().enumerate() {
            plan.operators.push(Vec::with_capacity(parts.instructions.len()));
            for (operator, instruction) in parts.instructions.iter().enumerate() {
                let at = Place { segment, operator };
                let inputs = plan.types_of(program, &instruction.inputs, segment);
                let call = Call::new(&instruction.operator, &inputs, bindings)
                    .map_err(|error| PlanError::Operator(Mismatch { at, error }))?;
                plan.operators[segment].push(call.output());
            }
        }
        plan.check_next(program)?;
        Ok(plan)
    }

    /// The types of these values, as an operator of segment `segment` sees them.
    pub fn types_of(&self, program: &Program, values: &[Value], segment: usize) -> Vec<TensorType> {
        values
            .iter()
            .map(|value| self.type_of(program, *value, segment))
            .collect()
    }

    fn type_of(&self, program: &Program, value: Value, segment: usize) -> TensorType {
        match value {
            Value::Weight(weight) => self.weights[usize::from(weight)],
            Value::Input(input) => self.inputs[usize::from(input)],
            Value::State(state) => self.states[usize::from(state)],
            Value::Operator(operator) => self.operators[segment][usize::from(operator)],
            Value::Handed(from, tensor) => {
                let from = usize::from(from);
                let operator = program.segments[from].hands_on[usize::from(tensor)];
                self.operators[from][usize::from(operator)]
            }
        }
    }

    fn check_next(&self, program: &Program) -> Result<(), PlanError> {
        let next = Bindings {
            length: 0,
            position: self.bindings.position.saturating_add(self.bindings.length),
        };
        for (state, parts) in program.states.iter().enumerate() {
            let expected = declared(&parts.declaration, Value::State(state as u16), next)?;
            let got = self.type_of(program, parts.next, program.segments.len());
            if got != expected {
                return Err(PlanError::Next { state, expected, got });
            }
        }
        Ok(())
    }
}
