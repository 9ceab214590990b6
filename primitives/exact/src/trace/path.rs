//! From a trace to the digest of one tensor in it.

use super::{DigestList, Trace, TraceClaim, TraceError};
use crate::opening::{CutError, Digest, HashMode, Opening};
use codec::{Decode, DecodeWithMemTracking, Encode};

/// Which tensor of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct TensorPlace {
    /// The step, counted from 0.
    pub step: u32,
    /// The segment within the step.
    pub segment: u32,
    /// Its place among the tensors that the segment hands on.
    pub tensor: u32,
}

/// Shows the digest of one tensor that a segment has handed on, against the digest of the trace: how a challenger
/// opens `halt` and `result`, and inputs that come from earlier segments. Less than 4 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct TensorPath {
    /// The record, of header and records.
    pub record: Opening,
    /// The segment, of the record's list.
    pub segment: Opening,
    /// The tensor, of the segment's list.
    pub tensor: Opening,
}

impl TensorPath {
    /// Shows tensor `tensor` of the list `tensors` of segment `segment` (counted within the list `segments` of
    /// record `record`).
    ///
    /// # Errors
    ///
    /// `Range` if one of the lists is too short.
    pub fn create(
        trace: &Trace,
        (record, segments): (u64, &[Digest]),
        (segment, tensors): (u64, &[Digest]),
        tensor: u64,
        mode: &HashMode,
    ) -> Result<Self, CutError> {
        Ok(Self {
            record: trace.open(record, mode)?,
            segment: DigestList::Record.open(segments, segment, mode)?,
            tensor: DigestList::Segment.open(tensors, tensor, mode)?,
        })
    }

    /// The digest of the tensor at `place` of the claimed run, whose segment hands on `tensors` tensors.
    ///
    /// # Errors
    ///
    /// `Index` if the run has no such tensor, `Opening` or `Superfluous` for what does not show it, or more.
    pub fn verify(&self, claim: &TraceClaim, place: TensorPlace, tensors: u64) -> Result<Digest, TraceError> {
        let index = claim
            .span()
            .segment(place.step, place.segment)
            .ok_or(TraceError::Index {
                index: u64::from(place.segment),
                count: u64::from(claim.span().segments_per_step()),
            })?;
        let record = claim.record(claim.span().record_of(index), &self.record)?;
        let segment = claim.segment(index, &record, &self.segment)?;
        claim.tensor(u64::from(place.tensor), tensors, &segment, &self.tensor)
    }
}
