//! Programs: what a job runs, step by step.
//!
//! A program is a list of segments, usually one a layer, and each segment a list of operators. It runs once a
//! step: a sequence that is embedded, a token that is generated, a batch that is trained on. From one step to the next
//! it passes states: caches, parameters, moments. Where each operator's inputs come from is written in the program, so
//! that a dispute about one operator never has to look further than the digests that were committed.
//!
//! It is encoded such that layers that are alike cost little; the BLAKE3 hash of that identifies it.

mod cost;
mod encoding;
mod error;
mod plan;
mod reference;
#[cfg(test)]
mod tests;

pub use cost::{units, BYTES_FACTOR};
pub use error::ProgramError;
pub use plan::{Plan, PlanError};
pub use reference::{run_step, Step, StepError};

use crate::{
    operator::{Dim, Operator, TypeError},
    tensor::{DType, MAX_RANK},
    trace,
};
use alloc::{string::String, vec, vec::Vec};
use core::fmt;
use encoding::at_most;

/// Version of this format.
pub const VERSION: u16 = 1;

/// Most bytes of an encoded program.
pub const MAX_ENCODED: usize = 64 << 10;

/// Most segments: a record of a trace may stand for a whole step.
pub const MAX_SEGMENTS: usize = trace::MAX_SEGMENTS as usize;

/// Most operators of all segments together.
pub const MAX_INSTRUCTIONS: usize = 1 << 15;

/// Most bytes that all segments together would take if none shared its operators with another. With
/// [`MAX_INSTRUCTIONS`] it bounds the memory that a program takes.
pub const MAX_EXPANDED: usize = 1 << 20;

/// Most weights, most inputs, and most states.
pub const MAX_DECLARATIONS: usize = 1 << 13;

/// Most bytes of a declared tensor's name.
pub const MAX_NAME: usize = 255;

/// Most operators of a segment.
pub const MAX_OPERATORS: usize = 1_024;

/// Most inputs of an operator.
pub const MAX_INPUTS: usize = 16;

/// A tensor that a program declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// What it is called; for people, and for engines that recognise it.
    pub name: String,
    /// Its elements.
    pub dtype: DType,
    /// Its dimensions, outermost first.
    pub shape: Vec<Dim>,
}

/// A tensor that outlives the step. Before the first it is zero (or empty).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What it is at the beginning of a step.
    pub declaration: Declaration,
    /// What it becomes at the end: it has the declared type then, with the step's tokens counted in.
    pub next: Value,
}

/// Where an operator's input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The operator.
    pub operator: Operator,
    /// Its inputs, in its order.
    pub inputs: Vec<Value>,
}

/// Operators that are disputed together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// In the order in which they run.
    pub instructions: Vec<Instruction>,
    /// Those operators whose outputs others see: later segments, states, results. The segment's digest covers
    /// them.
    pub hands_on: Vec<u16>,
}

/// What a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Decodes and checks a program. Only the bytes that [`Program::to_bytes`] gives are accepted.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProgramError> {
        if bytes.len() > MAX_ENCODED {
            return Err(ProgramError::TooLong(bytes.len()));
        }
        let program = encoding::decode(bytes)?;
        let again = program.checked()?;
        if again != bytes {
            let same = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            return Err(ProgramError::NotCanonical { at: same });
        }
        Ok(program)
    }

    /// Its encoding: `docs/exact/programs.md` has the layout.
    pub fn to_bytes(&self) -> Vec<u8> {
        encoding::encode(self).bytes
    }

    /// What identifies it.
    pub fn id(&self) -> [u8; 32] {
        *blake3::hash(&self.to_bytes()).as_bytes()
    }

    /// Checks that everything that is named is there when it is needed, and that nothing is larger than it may be. Takes
    /// time in proportion to the program. Shapes are checked for each step: see [`Plan`].
    pub fn check(&self) -> Result<(), ProgramError> {
        self.checked().map(|_| ())
    }

    /// The encoding of a program that has been checked.
    fn checked(&self) -> Result<Vec<u8>, ProgramError> {
        if self.version != VERSION {
            return Err(ProgramError::Version(self.version));
        }
        self.check_declarations()?;
        self.check_segments()?;
        let encoding::Encoded { bytes, expanded } = encoding::encode(self);
        at_most("bytes of written-out segments", MAX_EXPANDED, expanded)?;
        if bytes.len() > MAX_ENCODED {
            return Err(ProgramError::TooLong(bytes.len()));
        }
        Ok(bytes)
    }

    fn check_declarations(&self) -> Result<(), ProgramError> {
        at_most("weights", MAX_DECLARATIONS, self.weights.len())?;
        at_most("inputs", MAX_DECLARATIONS, self.inputs.len())?;
        at_most("states", MAX_DECLARATIONS, self.states.len())?;
        let states = self.states.iter().map(|state| &state.declaration);
        for declaration in self.weights.iter().chain(&self.inputs).chain(states) {
            at_most("bytes of a name", MAX_NAME, declaration.name.len())?;
            at_most("dimensions of a declared tensor", MAX_RANK, declaration.shape.len())?;
        }
        Ok(())
    }

    fn check_segments(&self) -> Result<(), ProgramError> {
        at_most("segments", MAX_SEGMENTS, self.segments.len())?;
        let instructions = self.segments.iter().map(|segment| segment.instructions.len()).sum();
        at_most("operators", MAX_INSTRUCTIONS, instructions)?;
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
        let mut is_handed_on = vec![false; got];
        for operator in parts.hands_on.iter().copied() {
            match is_handed_on.get_mut(usize::from(operator)) {
                Some(handed @ false) => *handed = true,
                _ => return Err(ProgramError::HandsOn { segment, operator }),
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
