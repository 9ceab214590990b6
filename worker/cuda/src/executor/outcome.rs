//! What a step is given, and what comes of it.

use super::Session;
use crate::device::DeviceError;
use assay_exact::{
    opening::Digest,
    operator::{Fault, TensorType},
    program::{Place, PlanError},
};

/// What a step of a run is given.
#[derive(Debug)]
pub struct Given<'a> {
    /// The run.
    pub session: &'a mut Session,
    /// Tokens of the step.
    pub length: u32,
    /// The program's inputs, in its order, each row-major and little-endian.
    pub inputs: Vec<Vec<u8>>,
}

/// What a step gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The program's results, in its order, with their types; row-major and little-endian.
    pub results: Vec<(TensorType, Vec<u8>)>,
    /// For each segment the digests of the tensors that it hands on, in its order, if they are recorded.
    pub recorded: Vec<Vec<Digest>>,
}

/// Why a step gives nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// An operator failed. This is a result: every honest run has it.
    #[error("{at} failed: {fault}")]
    Operator {
        /// The first that failed.
        at: Place,
        /// What is wrong with the first of its elements that is.
        fault: Fault,
        /// What the segments before it handed on, if it is recorded.
        recorded: Vec<Vec<Digest>>,
    },
    /// The step is none that the program can take.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The device failed. This is no result.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// Why a step is none that a program can take.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InputError {
    /// No step of this length can be at this position.
    #[error("a step of {length} tokens behind {position}: {error}")]
    Plan {
        /// Tokens of the step.
        length: u32,
        /// Tokens before.
        position: u32,
        /// What is wrong.
        error: PlanError,
    },
    /// Not as many inputs as the program has.
    #[error("expected {expected} inputs, got {got}")]
    Count {
        /// As many as the program has.
        expected: usize,
        /// As many as were given.
        got: usize,
    },
    /// An input of another size.
    #[error("input {name}: expected {expected} bytes, got {got}")]
    Size {
        /// Its name.
        name: String,
        /// Bytes that the program wants.
        expected: usize,
        /// Bytes that were given.
        got: usize,
    },
}
