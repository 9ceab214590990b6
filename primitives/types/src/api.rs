//! Runtime APIs: every question a client or the node's RPC asks of the market.

use crate::{
    artifact::{ArtifactId, ArtifactInfo},
    job::{Estimate, EstimateError, JobId, JobInfo, JobSpec, Submission},
    worker::WorkerInfo,
};
use alloc::{string::String, vec::Vec};
use assay_exact::referee::Answer;
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

    /// The referee of disputes. Whoever is party to one can try here what a move gives before sending it.
    pub trait RefereeApi {
        /// Recomputes an element of an operator's output, or a group's part of it, from openings of the operator's
        /// inputs. `request` is an encoded `assay_exact::referee::Request` of at most 128 KiB. Nothing of the
        /// chain's state is read.
        ///
        /// An answer is the element's bits, the partial, or why the operator fails. What is refused, and bytes that
        /// are no request, give the reason as text.
        fn recompute(request: Vec<u8>) -> Result<Answer, String>;
    }
}
