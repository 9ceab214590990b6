//! What is stored of a worker.

use crate::Config;
use assay_types::{ArtifactId, JobId};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::Get, BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound};
use scale_info::TypeInfo;

/// Money in the smallest unit. Fees are computed in 128 bits (see [`assay_types::fee_for`]), so this pallet asks for
/// a currency with balances of that width.
pub type Balance = u128;

/// The record of a worker in this runtime.
pub type WorkerOf<T> =
    Worker<<T as frame_system::Config>::AccountId, <T as Config>::MaxEndpointLength, <T as Config>::MaxReadyPerWorker>;

/// Collateral locked for each job in progress of a worker.
pub type LocksOf<T> = BoundedVec<(JobId, Balance), <T as Config>::MaxJobsPerWorker>;

/// The models that a worker declares ready.
pub type ReadyOf<T> = BoundedVec<ArtifactId, <T as Config>::MaxReadyPerWorker>;

/// The record of a worker, stored under its cold account.
#[derive(
    CloneNoBound,
    DebugNoBound,
    PartialEqNoBound,
    EqNoBound,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[codec(mel_bound(AccountId: MaxEncodedLen))]
#[scale_info(skip_type_params(MaxEndpointLength, MaxReadyPerWorker))]
pub struct Worker<AccountId, MaxEndpointLength, MaxReadyPerWorker>
where
    AccountId: Clone + core::fmt::Debug + PartialEq + Eq,
    MaxEndpointLength: Get<u32>,
    MaxReadyPerWorker: Get<u32>,
{
    /// The key that signs for it.
    pub hot_key: AccountId,
    /// Base URL under which it serves output blobs; empty if it serves none itself.
    pub endpoint: BoundedVec<u8, MaxEndpointLength>,
    /// On hold from the cold account.
    pub bond: Balance,
    /// Price per [`assay_types::ASK_UNITS`] work units.
    pub ask: Balance,
    /// Takes no new jobs.
    pub chilled: bool,
    /// Models it has declared ready, in ascending order.
    pub ready: BoundedVec<ArtifactId, MaxReadyPerWorker>,
    /// Jobs settled.
    pub settled: u64,
    /// Work units delivered by settled jobs.
    pub delivered_units: u128,
    /// Deadlines missed.
    pub missed: u64,
    /// Deadlines missed since a job last settled or the worker last resumed.
    pub missed_in_row: u32,
}

/// Why a worker takes no new jobs any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum ChillReason {
    /// It asked for it.
    Requested,
    /// It missed too many deadlines in a row.
    DeadlinesMissed,
    /// A forfeit left its bond below the least.
    BondTooLow,
}
