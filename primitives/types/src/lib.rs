#![cfg_attr(not(feature = "std"), no_std)]
//! What the chain and its clients share: ids, blob references, artifacts, workers, jobs,
//! commitments, the traits by which pallets know each other, and the runtime APIs.
//!
//! Nothing here holds state or decides anything. Each type's SCALE encoding is what runtime APIs
//! return and what clients decode.

extern crate alloc;

pub mod api;
pub mod artifact;
pub mod blob;
pub mod commitment;
pub mod job;
pub mod tokens;
pub mod traits;
#[cfg(feature = "std")]
pub mod view;
pub mod worker;

pub use artifact::{ArtifactId, ArtifactInfo, ModelProfile, ModelTerms};
pub use blob::BlobRef;
pub use commitment::{commitment, Outcome, Status, TRACE_VERSION};
pub use job::{
    fee_for, units_for, Attempt, Estimate, EstimateError, Fault, Ineligible, IneligibleWorker, JobId, JobInfo,
    JobParameters, JobSpec, Payment, Phase, Submission, UnavailableBlob, WorkUnits,
};
pub use worker::{WorkerInfo, ASK_UNITS};
