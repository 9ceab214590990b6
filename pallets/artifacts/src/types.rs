//! What is stored of an artifact.

use crate::Config;
use assay_types::{ArtifactId, ArtifactInfo, BlobRef, ModelProfile, ModelTerms};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::traits::fungible::Inspect;
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;
use sp_core::H256;

/// Balance of the runtime's currency.
pub type BalanceOf<T> = <<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;

/// The record of an artifact in this runtime.
pub type ArtifactOf<T> = Artifact<<T as frame_system::Config>::AccountId, BalanceOf<T>, BlockNumberFor<T>>;

/// The record of a registered model.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Artifact<AccountId, Balance, BlockNumber> {
    /// Who registered it and is paid for its use.
    pub owner: AccountId,
    /// The package's manifest, which names every other blob of the model.
    pub package: BlobRef,
    /// BLAKE3 hash of the description, kept off chain.
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
    /// On hold from the owner. Kept here because the constant may change between registrations.
    pub deposit: Balance,
}

impl<AccountId, Balance, BlockNumber> Artifact<AccountId, Balance, BlockNumber> {
    /// As runtime APIs report it.
    pub fn into_info(self, id: ArtifactId) -> ArtifactInfo<AccountId, Balance, BlockNumber> {
        let Self {
            owner,
            package,
            metadata,
            profile,
            price_per_use,
            retired,
            registered_at,
            uses,
            earned,
            deposit: _,
        } = self;
        ArtifactInfo {
            id,
            owner,
            package,
            metadata,
            profile,
            price_per_use,
            retired,
            registered_at,
            uses,
            earned,
        }
    }

    /// As the market sees it.
    pub fn into_terms(self) -> ModelTerms<AccountId, Balance> {
        ModelTerms {
            owner: self.owner,
            price_per_use: self.price_per_use,
            profile: self.profile,
            retired: self.retired,
        }
    }
}
