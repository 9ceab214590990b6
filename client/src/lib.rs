//! Talks to an Assay chain: what the `assay` command and the worker are built on.
//!
//! - [`chain`]: a connection to a node that outlives the node's restarts; typed calls, runtime
//!   APIs at any block, streams of blocks, transactions that are followed until they are in a block.
//! - [`inference`]: texts through a model, by way of the chain.
//! - [`keys`]: signing keys from files and development URIs.
//! - [`amount`]: amounts of ASY as people write them.

pub mod amount;
pub mod chain;
pub mod inference;
pub mod keys;

use assay_blobs::BlobId;
use assay_types::{ArtifactInfo, BlobRef, Estimate, JobInfo, WorkerInfo};

/// Identifies an account.
pub type AccountId = sp_core::crypto::AccountId32;
/// An amount in the smallest unit, 10⁻¹² ASY.
pub type Balance = u128;
/// Number of a block.
pub type BlockNumber = u32;
/// A hash, as the chain uses it.
pub type Hash = sp_core::H256;
/// A job as the chain reports it.
pub type Job = JobInfo<AccountId, Balance, BlockNumber>;
/// An artifact as the chain reports it.
pub type Artifact = ArtifactInfo<AccountId, Balance, BlockNumber>;
/// A worker as the chain reports it.
pub type Worker = WorkerInfo<AccountId, Balance>;
/// What a job would cost and who could take it.
pub type CostEstimate = Estimate<AccountId, Balance>;

/// The chain's reference as the id under which a blob is stored and fetched.
pub fn blob_id(blob: &BlobRef) -> BlobId {
    BlobId::new(blob.hash.0, blob.size)
}

/// A file of a package, or its manifest, as the chain refers to it.
pub fn content_ref(content: &assay_models::package::Content) -> BlobRef {
    BlobRef {
        hash: Hash::from(content.hash.0),
        size: content.size,
    }
}

/// Cost and limits of a package as a model is registered with them.
pub fn model_profile(profile: &assay_models::Profile) -> assay_types::ModelProfile {
    assay_types::ModelProfile {
        units_per_token: profile.units_per_token,
        max_sequence: profile.max_sequence,
        dimensions: profile.dimensions,
    }
}

/// A stored blob's id as the chain refers to it.
pub fn blob_ref(id: &BlobId) -> BlobRef {
    BlobRef {
        hash: Hash::from(id.hash.0),
        size: id.size,
    }
}
