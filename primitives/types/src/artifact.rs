//! Artifacts: what people contribute and jobs use. Models for now.

use crate::{blob::BlobRef, job::WorkUnits};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::H256;

/// Identifies an artifact; counted up from 0 in order of registration.
pub type ArtifactId = u32;

/// What a model computes and what it costs, as declared by its publisher from the model's
/// architecture.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
pub struct ModelProfile {
    /// Work units (multiply-adds) to run the model over one input token.
    pub units_per_token: WorkUnits,
    /// The most tokens one sequence may have.
    pub max_sequence: u32,
    /// Length of an output vector, in f32 elements.
    pub dimensions: u32,
}

/// What the market has to know of a model to sell a use of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTerms<AccountId, Balance> {
    /// Who is paid for a use.
    pub owner: AccountId,
    /// Paid to `owner` for each settled job.
    pub price_per_use: Balance,
    /// Cost and limits.
    pub profile: ModelProfile,
    /// Retired models take no new jobs.
    pub retired: bool,
}

/// An artifact as runtime APIs report it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
pub struct ArtifactInfo<AccountId, Balance, BlockNumber> {
    /// Its id.
    pub id: ArtifactId,
    /// Who registered it and is paid for its use.
    pub owner: AccountId,
    /// The package's manifest, which names every other blob of the model.
    pub package: BlobRef,
    /// BLAKE3 hash of the description (JSON: name, licence, …), kept off chain.
    pub metadata: H256,
    /// Cost and limits.
    pub profile: ModelProfile,
    /// Paid to the owner for each settled job.
    pub price_per_use: Balance,
    /// Whether it takes no new jobs.
    pub retired: bool,
    /// Block of registration.
    pub registered_at: BlockNumber,
    /// Settled jobs that used it.
    pub uses: u64,
    /// What those jobs paid to the owner in sum.
    pub earned: Balance,
}
