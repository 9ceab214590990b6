//! Programs: what a job runs, step by step.
//!
//! A program is a list of segments, usually one a layer, and each segment a list of operators. It runs once a
//! step: a sequence that is embedded, a token that is generated, a batch that is trained on. From one step to the next
//! it passes states: caches, parameters, moments. Where each operator's inputs come from is written in the program, so
//! that a dispute about one operator never has to look further than the digests that were committed.
//!
//! Its encoding is SCALE; the BLAKE3 hash of that identifies it.

mod cost;
mod plan;
mod reference;
#[cfg(test)]
mod tests;

pub use cost::{units, BYTES_FACTOR};
pub use plan::{Plan, PlanError};
pub use reference::{run_step, Step, StepError};

use crate::{
    operator::{Dim, Operator, TypeError},
    tensor::DType,
};
use alloc::{string::String, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::fmt;

/// Version of this format.
pub const VERSION: u16 = 1;

/// Most bytes of an encoded program.
pub const MAX_ENCODED: usize = 64 << 10;

/// Most operators of a segment.
pub const MAX_OPERATORS: usize = 1_024;

/// Most inputs of an operator.
pub const MAX_INPUTS: usize = 16;

/// A tensor that a program declares.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Declaration {
    /// What it is called; for people, and for engines that recognise it.
    pub name: String,
    /// Its elements.
    pub dtype: DType,
    /// Its dimensions, outermost first.
    pub shape: Vec<Dim>,
}

/// A tensor that outlives the step. Before the first it is zero (or empty).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct State {
    /// What it is at the beginning of a step.
    pub declaration: Declaration,
    /// What it becomes at the end: it has the declared type then, with the step's tokens counted in.
    pub next: Value,
}

/// Where an operator's input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, DecodeWithMemTracking)]
pub enum Value {
    /// A weight of the package.
    Weight(u16),
    /// An input of the step.
    Input(u16),
    /// A state as it was at the beginning of the step.
    State(u16),
    /// An earlier operator of the same segment.
    Operator(u16),
    /// A tensor that an earlier segment hands on: the segment, and which of its tensors.
    Handed(u16, u16),
}

/// An operator and where its inputs come from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Instruction {
    /// The operator.
    pub operator: Operator,
    /// Its inputs, in its order.
    pub inputs: Vec<Value>,
}

/// Operators that are disputed together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Segment {
    /// In the order in which they run.
    pub instructions: Vec<Instruction>,
    /// Those operators whose outputs others see: later segments, states, results. The segment's digest covers
    /// them.
    pub hands_on: Vec<u16>,
}

/// What a job runs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Program {
    /// [`VERSION`].
    pub version: u16,
    /// Tensors of the package.
    pub weights: Vec<Declaration>,
    /// What each step is given.
    pub inputs: Vec<Declaration>,
    /// What passes from step to step.
    pub states: Vec<State>,
    /// What runs, in order.
    pub segments: Vec<Segment>,
    /// What each step gives: tensors that segments hand on.
    pub results: Vec<Value>,
}

/// Where in a program something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The segment.
    pub segment: usize,
    /// The operator within it.
    pub operator: usize,
}

/// Why something is no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramError {
    /// Of another version.
    Version(u16),
    /// Its encoding would be larger than [`MAX_ENCODED`], or it was, or it cannot be decoded.
    Encoding,
    /// A segment has no operators, or more than [`MAX_OPERATORS`].
    Operators {
        /// The segment.
        segment: usize,
        /// Its operators.
        got: usize,
    },
    /// An operator has more than [`MAX_INPUTS`] inputs.
    Inputs(Place),
    /// An operator's input is something that there is not, or not yet.
    Unknown {
        /// The operator.
        at: Place,
        /// Its input.
        value: Value,
    },
    /// A segment hands on an operator that it has not, or hands the same on twice.
    HandsOn {
        /// The segment.
        segment: usize,
        /// The operator.
        operator: u16,
    },
    /// A result or what a state becomes is neither handed on by a segment nor given to the step.
    NotHandedOn(Value),
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(got) => write!(f, "expected a program of version {VERSION}, got {got}"),
            Self::Encoding => write!(f, "this is no encoded program of at most {MAX_ENCODED} bytes"),
            Self::Operators { segment, got } => {
                write!(
                    f,
                    "a segment has 1 to {MAX_OPERATORS} operators, segment {segment} has {got}"
                )
            }
            Self::Inputs(at) => write!(f, "{at} has more than {MAX_INPUTS} inputs"),
            Self::Unknown { at, value } => write!(f, "{at} reads {value:?}, which is not there at that point"),
            Self::HandsOn { segment, operator } => {
                write!(
                    f,
                    "segment {segment} hands on operator {operator}, which it has not, or hands on twice"
                )
            }
            Self::NotHandedOn(value) => {
                write!(
                    f,
                    "{value:?} is a result or a state's next value, but no segment hands it on"
                )
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operator {} of segment {}", self.operator, self.segment)
    }
}

/// An operator that cannot have its inputs in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The operator.
    pub at: Place,
    /// Why not.
    pub error: TypeError,
}

impl Program {
    /// Decodes and checks a program.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProgramError> {
        if bytes.len() > MAX_ENCODED {
            return Err(ProgramError::Encoding);
        }
        let mut rest = bytes;
        let program = Self::decode(&mut rest).map_err(|_| ProgramError::Encoding)?;
        if !rest.is_empty() {
            return Err(ProgramError::Encoding);
        }
        program.check()?;
        Ok(program)
    }

    /// Its encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode()
    }

    /// What identifies it.
    pub fn id(&self) -> [u8; 32] {
        *blake3::hash(&self.to_bytes()).as_bytes()
    }

    /// Checks that everything that is named is there when it is needed. Shapes are checked for each step: see [`Plan`].
    pub fn check(&self) -> Result<(), ProgramError> {
        if self.version != VERSION {
            return Err(ProgramError::Version(self.version));
        }
        if self.encoded_size() > MAX_ENCODED {
            return Err(ProgramError::Encoding);
        }
        for (segment, parts) in self.segments.iter().enumerate() {
            self.check_segment(segment, parts)?;
        }
        let next = self.states.iter().map(|state| &state.next);
        for value in self.results.iter().chain(next) {
            let whole = Place {
                segment: self.segments.len(),
                operator: 0,
            };
            if !self.is_known(*value, whole) {
                return Err(ProgramError::NotHandedOn(*value));
            }
        }
        Ok(())
    }

    fn check_segment(&self, segment: usize, parts: &Segment) -> Result<(), ProgramError> {
        let got = parts.instructions.len();
        if got == 0 || got > MAX_OPERATORS {
            return Err(ProgramError::Operators { segment, got });
        }
        for (operator, instruction) in parts.instructions.iter().enumerate() {
            let at = Place { segment, operator };
            if instruction.inputs.len() > MAX_INPUTS {
                return Err(ProgramError::Inputs(at));
            }
            if let Some(value) = instruction.inputs.iter().find(|value| !self.is_known(**value, at)) {
                return Err(ProgramError::Unknown { at, value: *value });
            }
        }
        for (at, operator) in parts.hands_on.iter().enumerate() {
            if usize::from(*operator) >= got || parts.hands_on[..at].contains(operator) {
                return Err(ProgramError::HandsOn {
                    segment,
                    operator: *operator,
                });
            }
        }
        Ok(())
    }

    /// Whether `value` is there when the operator at `at` runs.
    fn is_known(&self, value: Value, at: Place) -> bool {
        match value {
            Value::Weight(weight) => usize::from(weight) < self.weights.len(),
            Value::Input(input) => usize::from(input) < self.inputs.len(),
            Value::State(state) => usize::from(state) < self.states.len(),
            Value::Operator(operator) => usize::from(operator) < at.operator,
            Value::Handed(segment, tensor) => {
                usize::from(segment) < at.segment
                    && self
                        .segments
                        .get(usize::from(segment))
                        .is_some_and(|segment| usize::from(tensor) < segment.hands_on.len())
            }
        }
    }
}
