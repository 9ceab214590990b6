//! JSON-RPC of the market: the `compute_*` methods.
//!
//! Everything but `compute_submitJob` is a question to the runtime at the best block, so what is
//! not final yet may still change. JSON is laid out as [`assay_types::view`] says. What does not
//! exist is `null` or an empty list, never an error. The error codes are those of [`Error`].

mod error;
mod server;
mod submit;
mod watch;

pub(crate) use error::Error;
pub(crate) use server::Compute;

use assay_runtime::AccountId;
use assay_types::{
    view::{Decimal, EstimateView, JobSpecView, JobView, WorkerView},
    ArtifactId, JobId,
};
use jsonrpsee::proc_macros::rpc;
use sp_core::Bytes;

/// Questions and submissions.
#[rpc(server, namespace = "compute")]
pub(crate) trait ComputeApi {
    /// Stores the job's `input`, submits the signed `extrinsic` and waits until it is in the best
    /// chain, but no longer than 45 seconds. Returns the job's id in that chain; should the chain
    /// be given up for another one before it is final, the job can get another id.
    ///
    /// `extrinsic` must be a signed `computeMarket.submit` call. `input` must be the blob that the
    /// call names; the node checks its hash and length and keeps it for workers to fetch, unless
    /// the job is refused. Without `input`, the blob must be served by someone whom workers ask.
    #[method(name = "submitJob")]
    async fn submit_job(&self, extrinsic: Bytes, input: Option<Bytes>) -> Result<JobId, Error>;

    /// The job; null where the chain has no record of it, or no longer.
    #[method(name = "job", blocking)]
    fn job(&self, id: JobId) -> Result<Option<JobView>, Error>;

    /// Jobs that `account` submitted, newest first: at most `limit`, which is 100 if not given and
    /// at most 1,000. Jobs are listed while the chain has a record of them.
    #[method(name = "jobs", blocking)]
    fn jobs(&self, account: AccountId, limit: Option<u32>) -> Result<Vec<JobView>, Error>;

    /// What the job would cost now, who could take it, and why others could not. `max_fee` limits
    /// the total.
    #[method(name = "estimate", blocking)]
    fn estimate(&self, spec: JobSpecView, max_fee: Option<Decimal>) -> Result<EstimateView, Error>;

    /// All workers, or those that have `artifact` ready; at most 1,000.
    #[method(name = "workers", blocking)]
    fn workers(&self, artifact: Option<ArtifactId>) -> Result<Vec<WorkerView>, Error>;
}

/// What happens to jobs. A trait of its own, as within one trait notifications may not be named as
/// a method is.
#[rpc(server, namespace = "compute")]
pub(crate) trait ComputeSubscriptionApi {
    /// Notifies of the job as it is now, and of every change to it: once when it is in the best
    /// chain (`finalized` is false; it can be undone), and once when it is final. On the way to
    /// finality no change is left out.
    ///
    /// Ends when the job's record is gone from the finalized chain. Refused where neither the best
    /// nor the finalized chain has a record of the job. A client that does not keep up is cut off.
    #[subscription(name = "subscribeJob" => "job", unsubscribe = "unsubscribeJob", item = assay_types::view::JobUpdate)]
    fn subscribe_job(&self, id: JobId);
}
