//! How pallets know each other: never by storage, only by these traits.

use crate::{
    artifact::{ArtifactId, ModelTerms},
    job::{Ineligible, JobId, WorkUnits},
};
use alloc::vec::Vec;
use sp_runtime::{DispatchError, DispatchResult};

/// What the market asks of the registry of artifacts.
pub trait Models<AccountId, Balance> {
    /// What a use of model `id` costs; `None` if there is no such model.
    fn terms(id: ArtifactId) -> Option<ModelTerms<AccountId, Balance>>;

    /// Counts a settled job that paid `earned` to the model's owner.
    fn note_use(id: ArtifactId, earned: Balance);

    /// Makes a registered model, for benchmarks of other pallets.
    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(owner: &AccountId) -> ArtifactId;
}

/// What a job needs of a worker.
#[derive(Clone, Copy, Debug)]
pub struct Requirement<Balance> {
    /// The model it must have ready.
    pub artifact: ArtifactId,
    /// Most work units of the job.
    pub units: WorkUnits,
    /// The most the worker may be paid.
    pub max_fee: Balance,
    /// Bond to be locked, as a multiple of the worker's fee.
    pub collateral_multiple: u32,
}

/// A worker that can take a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<AccountId, Balance> {
    /// Its cold account.
    pub account: AccountId,
    /// Its ask.
    pub ask: Balance,
    /// Its fee for the job at most.
    pub fee: Balance,
    /// The bond the job would lock.
    pub collateral: Balance,
    /// The part of its bond that no job has locked.
    pub free_bond: Balance,
}

/// Answer of [`Workers::survey`]: who can take a job, and who cannot, with the reason.
pub type Survey<AccountId, Balance> = (Vec<Candidate<AccountId, Balance>>, Vec<(AccountId, Ineligible)>);

/// What the market asks of the registry of workers. Workers are named by their cold account.
pub trait Workers<AccountId, Balance> {
    /// The worker for which `hot_key` signs.
    fn by_hot_key(hot_key: &AccountId) -> Option<AccountId>;

    /// Everyone who can take the job, at most [`Self::max_candidates`].
    fn candidates(requirement: &Requirement<Balance>) -> Vec<Candidate<AccountId, Balance>>;

    /// Everyone who has the model ready or could, with the reason why not. For queries only.
    fn survey(requirement: &Requirement<Balance>) -> Survey<AccountId, Balance>;

    /// How many workers `candidates` looks at for this model, whether they can take the job or not.
    fn ready_count(artifact: ArtifactId) -> u32;

    /// Upper bound of `ready_count`.
    fn max_candidates() -> u32;

    /// Locks `collateral` of the bond for `job`.
    fn reserve(worker: &AccountId, job: JobId, collateral: Balance) -> DispatchResult;

    /// Unlocks what `reserve` locked for `job`. Does nothing if it is not locked.
    fn release(worker: &AccountId, job: JobId);

    /// Unlocks what `reserve` locked for `job`, and takes `amount` (at most what was locked) off
    /// the bond: `to_beneficiary` of that goes to `beneficiary`, the rest is burned. Returns what
    /// was taken.
    fn forfeit(
        worker: &AccountId,
        job: JobId,
        amount: Balance,
        beneficiary: &AccountId,
        to_beneficiary: Balance,
    ) -> Result<Balance, DispatchError>;

    /// Counts a settled job.
    fn note_settled(worker: &AccountId, units: WorkUnits);

    /// Counts a missed deadline; too many in a row chill the worker.
    fn note_missed(worker: &AccountId);

    /// Collateral locked for each job in progress of `worker`.
    fn locked_jobs(worker: &AccountId) -> Vec<(JobId, Balance)>;

    /// Makes worker number `index` that has `artifact` ready; returns cold account and hot key.
    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(index: u32, artifact: ArtifactId) -> (AccountId, AccountId);
}

/// Unpredictable bytes for a draw, known only once the block's author has sealed its slot.
pub trait DrawRandomness {
    /// Randomness of the current block for `subject`; `None` while the chain has none.
    fn draw(subject: &[u8]) -> Option<[u8; 32]>;
}
