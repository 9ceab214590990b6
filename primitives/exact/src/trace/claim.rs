//! What a worker claims about its run, and whether what it posts agrees.

use super::{
    list::{entry, read_entry, read_list, DigestList},
    Header, RecordSpan, Status, TraceError,
};
use crate::{
    opening::{Digest, HashMode, Opening},
    program::MAX_OPERATORS,
};
use core::ops::Range;

/// What is known of a revealed run before anything is posted: its plan and origin from the job, the rest from the
/// reveal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceClaim {
    mode: HashMode,
    span: RecordSpan,
    origin: Digest,
    header: Header,
    trace: Digest,
}

impl TraceClaim {
    /// That a run of the plan `span`, beginning with what `origin` stands for, has ended as `header` says and has
    /// the digest `trace`.
    ///
    /// # Errors
    ///
    /// `Outcome` if no such run can end so.
    pub fn new(
        mode: HashMode,
        span: RecordSpan,
        origin: Digest,
        header: Header,
        trace: Digest,
    ) -> Result<Self, TraceError> {
        header.check(&span, &mode)?;
        Ok(Self {
            mode,
            span,
            origin,
            header,
            trace,
        })
    }

    /// How it is hashed.
    pub fn mode(&self) -> &HashMode {
        &self.mode
    }

    /// The plan.
    pub fn span(&self) -> &RecordSpan {
        &self.span
    }

    /// How the run ended.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Number of segments that were computed, over all steps.
    pub fn segments(&self) -> u64 {
        self.header.segments(&self.span)
    }

    /// Number of records, record 0 among them.
    pub fn records(&self) -> u64 {
        self.span.records(self.segments())
    }

    /// Bytes of header and records.
    pub fn length(&self) -> u64 {
        Header::LEN as u64 + self.records() * Digest::LEN as u64
    }

    /// The segments, counted over all steps, that record `index` stands for.
    pub fn segments_of(&self, index: u64) -> Range<u64> {
        self.span.segments_of(index, self.segments())
    }

    /// The segment, counted over all steps, in which the run is said to have failed. No record stands for it, so it
    /// is what a challenger points at who agrees with all records there are.
    pub fn failed(&self) -> Option<u64> {
        match self.header.status {
            Status::Completed => None,
            Status::Failed { .. } => Some(self.segments()),
        }
    }

    /// Move 1 of a dispute: whether `bytes` are the header and records of the claim.
    ///
    /// # Errors
    ///
    /// `Length`, `Revealed` for another header, `Digest` for another record 0 or another trace.
    pub fn check_records(&self, bytes: &[u8]) -> Result<(), TraceError> {
        let (expected, got) = (self.length(), bytes.len() as u64);
        if got != expected {
            return Err(TraceError::Length { expected, got });
        }
        let (header, records) = bytes.split_at(Header::LEN);
        if header != self.header.to_bytes() {
            return Err(TraceError::Revealed);
        }
        let mut origin = Digest::default();
        origin.0.copy_from_slice(&records[..Digest::LEN]);
        same(&self.origin, origin)?;
        same(&self.trace, self.mode.digest(bytes))
    }

    /// Record `index`, shown by an opening of header and records.
    ///
    /// # Errors
    ///
    /// `Index` if there is none, `Opening` or `Superfluous` for what does not show it, or more.
    pub fn record(&self, index: u64, opening: &Opening) -> Result<Digest, TraceError> {
        self.within(index, self.records())?;
        read_entry(
            opening,
            &self.trace,
            self.length(),
            entry(Header::LEN, index),
            &self.mode,
        )
    }

    /// Move 3: whether these are the digests of the segments in the span of record `index`, which is `record`.
    ///
    /// # Errors
    ///
    /// `Index` if there is no such record after record 0, `Length`, `Digest`.
    pub fn check_segments(&self, index: u64, record: &Digest, segments: &[Digest]) -> Result<(), TraceError> {
        let expected = self.segments_in(index)?;
        let got = segments.len() as u64;
        if got != expected {
            return Err(TraceError::Length { expected, got });
        }
        same(record, DigestList::Record.digest(segments, &self.mode))
    }

    /// Digest of segment `index`, counted over all steps, shown by an opening of the list of its record, which is
    /// `record`.
    ///
    /// # Errors
    ///
    /// `Index` if there is none, `Opening` or `Superfluous` for what does not show it, or more.
    pub fn segment(&self, index: u64, record: &Digest, opening: &Opening) -> Result<Digest, TraceError> {
        self.within(index, self.segments())?;
        let span = self.segments_of(self.span.record_of(index));
        read_list(opening, record, span.end - span.start, index - span.start, &self.mode)
    }

    /// Move 5: whether `outputs` are the digests of the outputs of a segment's operators, where it has `operators`
    /// of them, hands on the outputs of those in `hands_on`, in this order, and has the digest `segment`. Those that
    /// are not handed on can be anything: they are bound by being posted.
    ///
    /// # Errors
    ///
    /// `TooMany`, `Length`, `Index` for a `hands_on` that is no operator, `Digest`.
    pub fn check_outputs(
        &self,
        segment: &Digest,
        operators: u64,
        hands_on: &[u16],
        outputs: &[Digest],
    ) -> Result<(), TraceError> {
        let got = outputs.len() as u64;
        if outputs.len() > MAX_OPERATORS {
            return Err(TraceError::TooMany { tensors: got });
        }
        if got != operators {
            return Err(TraceError::Length {
                expected: operators,
                got,
            });
        }
        let tensors = hands_on
            .iter()
            .map(|operator| {
                let index = u64::from(*operator);
                outputs
                    .get(usize::from(*operator))
                    .copied()
                    .ok_or(TraceError::Index { index, count: got })
            })
            .collect::<Result<alloc::vec::Vec<_>, _>>()?;
        same(segment, DigestList::Segment.digest(&tensors, &self.mode))
    }

    /// Digest of tensor `index` of the `count` that a segment hands on, shown by an opening of its list; the segment's
    /// digest is `segment`.
    ///
    /// # Errors
    ///
    /// `Index` if there is none, `Opening` or `Superfluous` for what does not show it, or more.
    pub fn tensor(&self, index: u64, count: u64, segment: &Digest, opening: &Opening) -> Result<Digest, TraceError> {
        self.within(index, count)?;
        read_list(opening, segment, count, index, &self.mode)
    }

    /// Digest of the output of operator `index` of `count`, shown by an opening of the list posted as move 5, of which
    /// [`DigestList::Outputs`] gave the digest `outputs`.
    ///
    /// # Errors
    ///
    /// As [`tensor`](Self::tensor).
    pub fn output(&self, index: u64, count: u64, outputs: &Digest, opening: &Opening) -> Result<Digest, TraceError> {
        self.within(index, count)?;
        read_list(opening, outputs, count, index, &self.mode)
    }

    fn segments_in(&self, record: u64) -> Result<u64, TraceError> {
        self.within(record, self.records())?;
        let span = self.segments_of(record);
        // Record 0 stands for no segment
        if span.is_empty() {
            let count = self.records();
            return Err(TraceError::Index { index: record, count });
        }
        Ok(span.end - span.start)
    }

    fn within(&self, index: u64, count: u64) -> Result<(), TraceError> {
        if index < count {
            Ok(())
        } else {
            Err(TraceError::Index { index, count })
        }
    }
}

fn same(expected: &Digest, got: Digest) -> Result<(), TraceError> {
    if got == *expected {
        Ok(())
    } else {
        Err(TraceError::Digest {
            expected: *expected,
            got,
        })
    }
}
