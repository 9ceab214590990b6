//! The header of a trace: how the run ended.

use super::{RecordSpan, TraceError, TRACE_VERSION};
use crate::{
    opening::{Digest, HashMode},
    program::MAX_OPERATORS,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};

/// The header's first bytes.
const NAME: [u8; 12] = *b"assay/trace\0";

/// Where the result's digest begins.
const RESULT: usize = Header::LEN - Digest::LEN;

/// How a run ended. A failure is a result too: it is committed and disputed like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
pub enum Status {
    /// There is a result.
    Completed,
    /// An operator's output would not be finite, or a value that it depends on is out of range.
    Failed {
        /// The step, counted from 0.
        step: u32,
        /// The segment within the step.
        segment: u32,
        /// The operator within the segment: the lowest that fails.
        operator: u32,
    },
}

/// How a run ended and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
pub struct Header {
    /// How it ended.
    pub status: Status,
    /// Steps of which every segment was computed.
    pub steps: u32,
    /// Digest of the result tensor; that of no bytes if the run failed.
    pub result: Digest,
}

impl Header {
    /// Bytes of a header: two digests, so that no record lies across the border of two chunks.
    pub const LEN: usize = 64;

    /// Its bytes: name (12), version (u16), status (u8: 0 or 1), a zero; steps, failed step, failed segment, failed
    /// operator (u32 each, zeros if completed); result (32). Little-endian.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let (tag, place) = match self.status {
            Status::Completed => (0, [0; 3]),
            Status::Failed {
                step,
                segment,
                operator,
            } => (1, [step, segment, operator]),
        };
        let mut bytes = [0; Self::LEN];
        bytes[..12].copy_from_slice(&NAME);
        bytes[12..14].copy_from_slice(&TRACE_VERSION.to_le_bytes());
        bytes[14] = tag;
        bytes[16..20].copy_from_slice(&self.steps.to_le_bytes());
        for (field, value) in bytes[20..RESULT].chunks_exact_mut(4).zip(place) {
            field.copy_from_slice(&value.to_le_bytes());
        }
        bytes[RESULT..].copy_from_slice(self.result.as_bytes());
        bytes
    }

    /// The header with these bytes.
    ///
    /// # Errors
    ///
    /// `Version` for one of another version, `Header` for anything that is none.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self, TraceError> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let version = u16::from_le_bytes([bytes[12], bytes[13]]);
        if bytes[..12] == NAME && version != TRACE_VERSION {
            return Err(TraceError::Version { got: version });
        }
        let status = match bytes[14] {
            0 => Status::Completed,
            _ => Status::Failed {
                step: word(20),
                segment: word(24),
                operator: word(28),
            },
        };
        let mut result = Digest::default();
        result.0.copy_from_slice(&bytes[RESULT..]);
        let header = Self {
            status,
            steps: word(16),
            result,
        };
        // Whatever is left over or unknown does not come back
        if header.to_bytes() == *bytes {
            Ok(header)
        } else {
            Err(TraceError::Header)
        }
    }

    /// Number of segments that were computed, over all steps.
    pub fn segments(&self, span: &RecordSpan) -> u64 {
        let begun = match self.status {
            Status::Completed => 0,
            Status::Failed { segment, .. } => u64::from(segment),
        };
        u64::from(self.steps) * u64::from(span.segments_per_step()) + begun
    }

    /// Whether a run of this plan can end so.
    ///
    /// # Errors
    ///
    /// `Outcome` if not: no step or more than planned, a place that there is not, a failure with a result.
    pub fn check(&self, span: &RecordSpan, mode: &HashMode) -> Result<(), TraceError> {
        let possible = match self.status {
            Status::Completed => (1..=span.max_steps()).contains(&self.steps),
            Status::Failed {
                step,
                segment,
                operator,
            } => {
                step == self.steps
                    && step < span.max_steps()
                    && segment < span.segments_per_step()
                    && operator < MAX_OPERATORS as u32
                    && self.result == mode.digest(&[])
            }
        };
        if possible {
            Ok(())
        } else {
            Err(TraceError::Outcome)
        }
    }
}
