//! Runtime APIs: every question a client or the node's RPC asks of the market.

use crate::{
    artifact::{ArtifactId, ArtifactInfo},
    job::{Estimate, EstimateError, JobId, JobInfo, JobSpec, Submission},
    worker::WorkerInfo,
};
use alloc::{string::String, vec::Vec};
use codec::Codec;

sp_api::decl_runtime_apis! {
    /// Questions about artifacts, workers and jobs.
    pub trait ComputeApi<AccountId, Balance, BlockNumber>
    where
        AccountId: Codec,
        Balance: Codec,
        BlockNumber: Codec,
    {
        /// The job, while its record is kept.
        fn job(id: JobId) -> Option<JobInfo<AccountId, Balance, BlockNumber>>;

        /// Jobs submitted by `account` whose record is kept, newest first, at most `limit` (and
        /// never more than 1,000).
        fn jobs(account: AccountId, limit: u32) -> Vec<JobInfo<AccountId, Balance, BlockNumber>>;

        /// Jobs in progress of the worker for which `hot_key` signs.
        fn assignments(hot_key: AccountId) -> Vec<JobInfo<AccountId, Balance, BlockNumber>>;

        /// The worker with this cold account or hot key.
        fn worker(account: AccountId) -> Option<WorkerInfo<AccountId, Balance>>;

        /// All workers, or those that have `artifact` ready; at most 1,000.
        fn workers(artifact: Option<ArtifactId>) -> Vec<WorkerInfo<AccountId, Balance>>;

        /// The artifact.
        fn artifact(id: ArtifactId) -> Option<ArtifactInfo<AccountId, Balance, BlockNumber>>;

        /// The artifact with this package.
        fn artifact_by_package(hash: sp_core::H256) -> Option<ArtifactId>;

        /// What a job would cost now, who could take it and why others could not. `max_fee`
        /// limits the total, if given.
        fn estimate(spec: JobSpec, max_fee: Option<Balance>) -> Result<Estimate<AccountId, Balance>, EstimateError>;

        /// The job that an encoded signed extrinsic submits, if that is all it does.
        fn submission(extrinsic: Vec<u8>) -> Option<Submission>;

        /// Jobs submitted by extrinsic `index` of the block at whose state this is called.
        fn submitted_in(index: u32) -> Vec<JobId>;

        /// Why extrinsic `index` of the block at whose state this is called failed: `Pallet.Error`
        /// for an error of a pallet, else the dispatch error's own name. `None` if it succeeded or
        /// there is no such extrinsic. The names are in the runtime, not in the node, so that they
        /// are right after every upgrade.
        fn failure_of(index: u32) -> Option<String>;
    }
}
