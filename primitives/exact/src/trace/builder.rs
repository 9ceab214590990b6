//! Making a trace while a run goes on.

use super::{
    list::{entry, DigestList},
    Header, RecordSpan, Status, TraceError,
};
use crate::{
    opening::{CutError, Digest, HashMode, Opening},
    program::MAX_OPERATORS,
};
use alloc::vec::Vec;

/// A trace: its digest is committed, the rest is kept for a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// How the run ended.
    pub header: Header,
    /// Record 0 and one for each span.
    pub records: Vec<Digest>,
}

impl Trace {
    /// The blob that is hashed: the header and the records, one after the other.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.to_bytes().to_vec();
        self.records
            .iter()
            .for_each(|record| bytes.extend_from_slice(record.as_bytes()));
        bytes
    }

    /// The trace with these bytes, whether or not a run can end so.
    ///
    /// # Errors
    ///
    /// `Version` or `Header` if it does not begin with a header, `Length` if whole records do not follow.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TraceError> {
        let (header, records) = bytes.split_first_chunk().ok_or(TraceError::Length {
            expected: Header::LEN as u64,
            got: bytes.len() as u64,
        })?;
        let header = Header::from_bytes(header)?;
        let (records, rest) = records.as_chunks();
        if !rest.is_empty() {
            let got = bytes.len() as u64;
            let expected = got - rest.len() as u64;
            return Err(TraceError::Length { expected, got });
        }
        let records = records.iter().copied().map(Digest).collect();
        Ok(Self { header, records })
    }

    /// The digest that is committed.
    pub fn digest(&self, mode: &HashMode) -> Digest {
        mode.digest(&self.to_bytes())
    }

    /// Shows record `index`.
    ///
    /// # Errors
    ///
    /// `Range` if there are fewer.
    pub fn open(&self, index: u64, mode: &HashMode) -> Result<Opening, CutError> {
        Opening::create(&self.to_bytes(), &[entry(Header::LEN, index)], mode)
    }
}

/// Makes the trace of a run as it goes on. Takes at most 256 KiB, however long the run is.
#[derive(Clone, Debug)]
pub struct TraceBuilder {
    mode: HashMode,
    span: RecordSpan,
    records: Vec<Digest>,
    /// Segments of the span that is not complete yet.
    pending: Vec<Digest>,
    segments: u64,
}

impl TraceBuilder {
    /// For a run of this plan that begins with what `origin`, its record 0, stands for.
    pub fn new(span: RecordSpan, origin: Digest, mode: HashMode) -> Self {
        Self {
            mode,
            span,
            records: alloc::vec![origin],
            pending: Vec::new(),
            segments: 0,
        }
    }

    /// Takes the digests of the tensors that the next segment has handed on, in the order of its `hands_on`, and
    /// returns the segment's digest. Whoever wants to answer a dispute without computing the span again keeps it.
    ///
    /// # Errors
    ///
    /// `TooMany` tensors, or a segment `Beyond` the plan.
    pub fn segment(&mut self, tensors: &[Digest]) -> Result<Digest, TraceError> {
        if tensors.len() > MAX_OPERATORS {
            let tensors = tensors.len() as u64;
            return Err(TraceError::TooMany { tensors });
        }
        let per_step = u64::from(self.span.segments_per_step());
        let planned = u64::from(self.span.max_steps()) * per_step;
        if self.segments == planned {
            return Err(TraceError::Beyond { planned });
        }
        let digest = DigestList::Segment.digest(tensors, &self.mode);
        self.pending.push(digest);
        self.segments += 1;
        if self.pending.len() as u64 == u64::from(self.span.segments_per_record()) {
            self.end_span();
        }
        Ok(digest)
    }

    /// Number of segments so far, over all steps.
    pub fn segments(&self) -> u64 {
        self.segments
    }

    /// Ends a run that has given the tensor with digest `result`.
    ///
    /// # Errors
    ///
    /// `Incomplete` if the last step lacks segments, or there is no step at all.
    pub fn complete(mut self, result: Digest) -> Result<Trace, TraceError> {
        let (steps, begun) = self.steps();
        if steps == 0 || begun != 0 {
            return Err(TraceError::Incomplete {
                segments: self.segments,
                per_step: self.span.segments_per_step(),
            });
        }
        self.end_span();
        let header = Header {
            status: Status::Completed,
            steps,
            result,
        };
        let records = self.records;
        Ok(Trace { header, records })
    }

    /// Ends a run in which `operator` of the segment that would be next has failed.
    ///
    /// # Errors
    ///
    /// A segment `Beyond` the plan, or an operator that there cannot be.
    pub fn fail(mut self, operator: u32) -> Result<Trace, TraceError> {
        let (step, segment) = self.steps();
        self.end_span();
        let header = Header {
            status: Status::Failed {
                step,
                segment,
                operator,
            },
            steps: step,
            result: self.mode.digest(&[]),
        };
        header.check(&self.span, &self.mode)?;
        let records = self.records;
        Ok(Trace { header, records })
    }

    /// Whole steps, and the segments of the one begun.
    fn steps(&self) -> (u32, u32) {
        let per_step = u64::from(self.span.segments_per_step());
        // Both are below numbers of 32 bits: `segment` takes no more than are planned
        ((self.segments / per_step) as u32, (self.segments % per_step) as u32)
    }

    fn end_span(&mut self) {
        if !self.pending.is_empty() {
            let record = DigestList::Record.digest(&self.pending, &self.mode);
            self.records.push(record);
            self.pending.clear();
        }
    }
}
