//! Which segments a record stands for.

use super::{TraceError, MAX_RECORDS, MAX_SEGMENTS};
use core::ops::Range;

/// Which segments each record stands for: fixed by how long the run may become, before it begins, so that the
/// records of all who execute a job can be compared.
///
/// If every segment can have its own record, it has; else a record stands for whole steps, for as few as will do.
/// Segments are counted over all steps; record 0 stands for what the run begins with, and record i, from 1 on, for
/// the i-th span. A run that ends early has fewer records, the last of which may stand for less than the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSpan {
    max_steps: u32,
    segments_per_step: u32,
    segments_per_record: u32,
}

impl RecordSpan {
    /// For runs of at most `max_steps` steps of `segments_per_step` segments each.
    ///
    /// # Errors
    ///
    /// `Empty` if one of them is 0, `TooLong` if a record would stand for more than [`MAX_SEGMENTS`].
    pub fn new(max_steps: u32, segments_per_step: u32) -> Result<Self, TraceError> {
        // Record 0 is not to be forgotten
        let spans = MAX_RECORDS - 1;
        let segments = u64::from(max_steps) * u64::from(segments_per_step);
        if segments == 0 {
            return Err(TraceError::Empty);
        }
        let wanted = if segments <= spans {
            1
        } else {
            u64::from(max_steps).div_ceil(spans) * u64::from(segments_per_step)
        };
        let segments_per_record = u32::try_from(wanted)
            .ok()
            .filter(|segments| u64::from(*segments) <= MAX_SEGMENTS)
            .ok_or(TraceError::TooLong { segments: wanted })?;
        Ok(Self {
            max_steps,
            segments_per_step,
            segments_per_record,
        })
    }

    /// Most steps of the run.
    pub fn max_steps(&self) -> u32 {
        self.max_steps
    }

    /// Segments of every step.
    pub fn segments_per_step(&self) -> u32 {
        self.segments_per_step
    }

    /// Segments of every record but record 0 and the last one.
    pub fn segments_per_record(&self) -> u32 {
        self.segments_per_record
    }

    /// Records of a run in which `segments` segments were computed, with record 0.
    pub fn records(&self, segments: u64) -> u64 {
        1 + segments.div_ceil(u64::from(self.segments_per_record))
    }

    /// The record that stands for this segment, counted over all steps. If the segment was not computed because
    /// the run failed in it, this may be one more than there are.
    pub fn record_of(&self, segment: u64) -> u64 {
        1 + segment / u64::from(self.segments_per_record)
    }

    /// The segments, counted over all steps, that `record` stands for in a run in which `segments` were computed.
    /// None for record 0, and for one that there is not.
    pub fn segments_of(&self, record: u64, segments: u64) -> Range<u64> {
        let each = u64::from(self.segments_per_record);
        let at = |record: u64| record.saturating_mul(each).min(segments);
        match record.checked_sub(1) {
            Some(before) => at(before)..at(record),
            None => 0..0,
        }
    }

    /// A segment, counted over all steps, from its step and its place there. `None` if the plan has no such segment.
    pub fn segment(&self, step: u32, segment: u32) -> Option<u64> {
        (step < self.max_steps && segment < self.segments_per_step)
            .then(|| u64::from(step) * u64::from(self.segments_per_step) + u64::from(segment))
    }
}
