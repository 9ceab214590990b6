//! Traces: what a run has to say about everything it computed, in at most 128 KiB and one digest.
//!
//! A run is a list of steps (tokens, training steps), a step a list of segments (usually one a layer), a segment a
//! list of at most [`MAX_OPERATORS`](crate::program::MAX_OPERATORS) operators. Digests are made of digests:
//!
//! - a *tensor*'s is that of its bytes;
//! - a *segment*'s is that of the list of the tensors it hands on, appends or writes;
//! - a *record*'s is that of the list of the segments in its span; record 0 is that of the list of everything the
//!   run begins with, see [`Origin`];
//! - the *trace*'s is that of the [`Header`] and all records, one after the other.
//!
//! So all of them are BLAKE3 hashes of blobs, and any part of any list can be shown by an
//! [`Opening`](crate::opening::Opening): [`TensorPath`] goes from a trace down to the digest of one tensor in less
//! than 4 KiB.
//!
//! An engine drives a [`TraceBuilder`]; whoever doubts the outcome holds a [`TraceClaim`] against what is posted.
//! `docs/exact/traces.md` has the layouts, byte by byte.

mod builder;
mod claim;
mod error;
mod header;
mod list;
mod path;
mod span;

#[cfg(test)]
mod tests;

pub use builder::{Trace, TraceBuilder};
pub use claim::TraceClaim;
pub use error::TraceError;
pub use header::{Header, Status};
pub use list::{list_length, DigestList, Origin};
pub use path::{TensorPath, TensorPlace};
pub use span::RecordSpan;

/// Version of the header and of all lists.
pub const TRACE_VERSION: u16 = 2;

/// Most records of a trace, record 0 among them.
pub const MAX_RECORDS: u64 = 4_096;

/// Most segments in the span of a record, and so in a step: their digests are 128 KiB.
pub const MAX_SEGMENTS: u64 = 4_096;

/// Most bytes of header and records.
pub const MAX_TRACE_LEN: u64 = Header::LEN as u64 + MAX_RECORDS * crate::opening::Digest::LEN as u64;
