//! What can be wrong with a trace and with what is posted about it.

use super::{MAX_SEGMENTS, TRACE_VERSION};
use crate::{
    opening::{Digest, OpeningError},
    program::MAX_OPERATORS,
};
use core::fmt;

/// Why a trace cannot be made, or something posted about it is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceError {
    /// A plan without steps or without segments.
    Empty,
    /// A record would stand for too many segments.
    TooLong {
        /// So many.
        segments: u64,
    },
    /// A segment hands on too many tensors, or has too many operators.
    TooMany {
        /// So many.
        tensors: u64,
    },
    /// More segments than the plan has.
    Beyond {
        /// Segments of the plan.
        planned: u64,
    },
    /// The run is said to be complete within a step, or before the first.
    Incomplete {
        /// Segments that were computed.
        segments: u64,
        /// Segments of each step.
        per_step: u32,
    },
    /// A header of another version.
    Version {
        /// Its version.
        got: u16,
    },
    /// Bytes that are no header.
    Header,
    /// A header that cannot be that of any run of this plan.
    Outcome,
    /// A header that is not the one revealed.
    Revealed,
    /// A list of another length.
    Length {
        /// Bytes or digests that it should have.
        expected: u64,
        /// What it has.
        got: u64,
    },
    /// A list, or a record, of another digest.
    Digest {
        /// The digest it should have.
        expected: Digest,
        /// What it has.
        got: Digest,
    },
    /// There is no such record, segment, operator or tensor.
    Index {
        /// The one wanted, counted from 0.
        index: u64,
        /// How many there are.
        count: u64,
    },
    /// Something is opened that was not asked for.
    Superfluous,
    /// An opening that proves nothing.
    Opening(OpeningError),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a run needs at least one step with at least one segment"),
            Self::TooLong { segments } => write!(
                f,
                "a record stands for at most {MAX_SEGMENTS} segments, here it would be {segments}: ask for fewer steps, \
                 or divide a step into fewer segments"
            ),
            Self::TooMany { tensors } => {
                write!(f, "a segment has at most {MAX_OPERATORS} operators and tensors, this one has {tensors}")
            }
            Self::Beyond { planned } => write!(f, "the run has no more than {planned} segments"),
            Self::Incomplete { segments, per_step } => write!(
                f,
                "a run ends with a step: expected a multiple of {per_step} segments above 0, got {segments}"
            ),
            Self::Version { got } => write!(f, "expected a trace of version {TRACE_VERSION}, got {got}"),
            Self::Header => f.write_str("these bytes are no header of a trace"),
            Self::Outcome => f.write_str("no run of this job can end as the header says"),
            Self::Revealed => f.write_str("the header is not that of the outcome revealed"),
            Self::Length { expected, got } => write!(f, "expected a length of {expected}, got {got}"),
            Self::Digest { expected, got } => write!(f, "expected digest {expected}, got {got}"),
            Self::Index { index, count } => write!(f, "there is no number {index} of {count}, counted from 0"),
            Self::Superfluous => f.write_str("more is opened than was asked for"),
            Self::Opening(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TraceError {}

impl From<OpeningError> for TraceError {
    fn from(error: OpeningError) -> Self {
        Self::Opening(error)
    }
}
