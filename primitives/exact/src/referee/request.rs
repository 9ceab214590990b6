//! Requests: everything that a recomputation depends on, in one encoding.
//!
//! They come from anybody. However they are made, they give an answer or an error, in time and memory that
//! [`MAX_REQUEST`] bounds.

use super::{recompute, Answer, Committed, Question, RefereeError};
use crate::{
    opening::Opening,
    operator::{Bindings, Call, Operator, TensorType, TypeError},
    program::MAX_INPUTS,
    tensor::{DType, Shape, ShapeError},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemLimit, DecodeWithMemTracking, Encode};
use core::fmt;

/// Most bytes of an encoded request: openings of [`MAX_OPENED`](super::MAX_OPENED), the partials of 4,096 groups, and
/// more than enough for the rest.
pub const MAX_REQUEST: usize = 128 << 10;

/// Most bytes that a request takes in memory while it is decoded.
const MAX_DECODED: usize = 4 * MAX_REQUEST;

/// An input of the operator, as far as it is known without its elements.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Input {
    /// Its elements.
    pub dtype: DType,
    /// Its dimensions, outermost first.
    pub dims: Vec<u32>,
    /// Its digest.
    pub committed: Committed,
}

/// A question about an operator, with all that it takes to answer it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Request {
    /// The operator.
    pub operator: Operator,
    /// The step in which it runs.
    pub bindings: Bindings,
    /// Its inputs, in its order.
    pub inputs: Vec<Input>,
    /// What is asked.
    pub question: Question,
    /// For each input what is read of it, or nothing.
    pub openings: Vec<Option<Opening>>,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// It has more than [`MAX_REQUEST`] bytes: so many.
    TooLong(usize),
    /// Its bytes are the encoding of no request.
    Encoding,
    /// The operator has more than [`MAX_INPUTS`] inputs: so many.
    Inputs(usize),
    /// There is no tensor of an input's dimensions.
    Shape {
        /// Which input.
        input: usize,
        /// Why not.
        error: ShapeError,
    },
    /// The operator cannot have these inputs.
    Type(TypeError),
    /// The question has no answer, or the openings do not give it.
    Referee(RefereeError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(got) => write!(f, "a request has at most {MAX_REQUEST} bytes, this one has {got}"),
            Self::Encoding => f.write_str("expected the encoding of a request and nothing behind it"),
            Self::Inputs(got) => write!(f, "an operator has at most {MAX_INPUTS} inputs, got {got}"),
            Self::Shape { input, error } => write!(f, "input {input}: {error}"),
            Self::Type(error) => error.fmt(f),
            Self::Referee(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RequestError {}

impl Request {
    /// Decodes a request.
    ///
    /// # Errors
    ///
    /// `TooLong` and `Encoding`.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > MAX_REQUEST {
            return Err(RequestError::TooLong(bytes.len()));
        }
        match Self::decode_with_mem_limit(&mut bytes, MAX_DECODED) {
            Ok(request) if bytes.is_empty() => Ok(request),
            _ => Err(RequestError::Encoding),
        }
    }

    /// Answers it: see [`recompute`].
    ///
    /// # Errors
    ///
    /// All but `TooLong` and `Encoding`.
    pub fn answer(&self) -> Result<Answer, RequestError> {
        if self.inputs.len() > MAX_INPUTS {
            return Err(RequestError::Inputs(self.inputs.len()));
        }
        let kinds = self.kinds()?;
        let call = Call::new(&self.operator, &kinds, self.bindings).map_err(RequestError::Type)?;
        let committed: Vec<_> = self.inputs.iter().map(|input| input.committed).collect();
        recompute(&call, &self.question, &committed, &self.openings).map_err(RequestError::Referee)
    }

    /// What the inputs are.
    pub(super) fn kinds(&self) -> Result<Vec<TensorType>, RequestError> {
        let kind = |(at, input): (usize, &Input)| {
            let shape = Shape::new(&input.dims, input.dtype);
            shape
                .map(|shape| TensorType {
                    dtype: input.dtype,
                    shape,
                })
                .map_err(|error| RequestError::Shape { input: at, error })
        };
        self.inputs.iter().enumerate().map(kind).collect()
    }
}
