//! Answers the `compute_*` methods.

use super::{submit, watch, ComputeApiServer, ComputeSubscriptionApiServer, Error};
use crate::blobs::{HeldBlob, InputBlobs};
use assay_runtime::{opaque::Block, AccountId, Balance, BlockNumber, Hash};
use assay_types::{
    api::ComputeApi,
    view::{Decimal, EstimateView, JobSpecView, JobView, WorkerView},
    ArtifactId, EstimateError, JobId, JobSpec,
};
use codec::Decode;
use futures::{FutureExt, StreamExt};
use jsonrpsee::{core::async_trait, types::ErrorObjectOwned, PendingSubscriptionSink};
use sc_client_api::BlockchainEvents;
use sc_rpc::{
    utils::{spawn_subscription_task, BoundedVecDeque, PendingSubscription},
    SubscriptionTaskExecutor,
};
use sc_rpc_api::author::error::Error as PoolError;
use sc_transaction_pool_api::{
    error::{Error as TransactionError, IntoPoolError},
    TransactionPool, TransactionSource,
};
use sp_api::ProvideRuntimeApi;
use sp_blockchain::HeaderBackend;
use sp_core::Bytes;
use std::sync::Arc;

/// Jobs that are listed unless the caller wants more or fewer.
const DEFAULT_JOBS: u32 = 100;

/// Notifications that a client may be behind before it is cut off.
const MAX_PENDING_NOTIFICATIONS: usize = 64;

/// Answers the methods out of the chain of `C` and submits to the pool `P`.
pub(crate) struct Compute<C, P> {
    client: Arc<C>,
    pool: Arc<P>,
    blobs: InputBlobs,
    executor: SubscriptionTaskExecutor,
}

impl<C, P> Clone for Compute<C, P> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            pool: self.pool.clone(),
            blobs: self.blobs.clone(),
            executor: self.executor.clone(),
        }
    }
}

impl<C, P> Compute<C, P> {
    /// Answers with these; `executor` runs the subscriptions.
    pub(crate) fn new(client: Arc<C>, pool: Arc<P>, blobs: InputBlobs, executor: SubscriptionTaskExecutor) -> Self {
        Self {
            client,
            pool,
            blobs,
            executor,
        }
    }
}

impl<C, P> Compute<C, P>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block>,
    C::Api: ComputeApi<Block, AccountId, Balance, BlockNumber>,
{
    /// What the extrinsic asks for, if `input` is what it names.
    fn check(&self, extrinsic: &Bytes, input: Option<&Bytes>) -> Result<(), Error> {
        let best = self.client.info().best_hash;
        let api = self.client.runtime_api();
        let submission = api.submission(best, extrinsic.to_vec())?.ok_or(Error::NotASubmission)?;
        let Some(input) = input else { return Ok(()) };
        let JobSpec { input: expected, .. } = submission.spec;
        submit::check_input(&expected, input)?;
        // Other reasons against the job may be gone when its turn comes; this one stays, and what
        // the chain refuses for its size should not be written to disk first.
        match api.estimate(best, submission.spec, None)? {
            Err(EstimateError::InputTooLarge) => Err(Error::InputTooLarge { size: expected.size }),
            _ => Ok(()),
        }
    }

    /// The job submitted by extrinsic `index` of `block`.
    fn submitted(&self, block: Hash, index: u32) -> Result<JobId, Error> {
        let api = self.client.runtime_api();
        match api.submitted_in(block, index)?.first() {
            Some(id) => Ok(*id),
            None => Err(match api.failure_of(block, index)? {
                Some(error) => Error::Failed { error, block },
                None => Error::NoJob { block },
            }),
        }
    }
}

impl<C, P> Compute<C, P>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + BlockchainEvents<Block>,
    C::Api: ComputeApi<Block, AccountId, Balance, BlockNumber>,
    P: TransactionPool<Block = Block, Hash = Hash> + 'static,
{
    async fn submit(&self, extrinsic: Bytes, input: Option<Bytes>) -> Result<JobId, Error> {
        self.check(&extrinsic, input.as_ref())?;
        let transaction = Decode::decode(&mut &extrinsic[..]).map_err(|_| Error::NotASubmission)?;
        let hash = self.pool.hash_of(&transaction);

        // The blob must be here before the job is known to anyone: its worker may ask for it at once.
        let mut held = match input {
            Some(input) => Some(self.store(input).await?),
            None => None,
        };
        let mut set_wanted = |wanted| held.iter_mut().for_each(|blob| blob.set_wanted(wanted));

        // Listened to from before the submission, so that no block in between is missed.
        let new_best = self
            .client
            .import_notification_stream()
            .filter_map(|block| async move { block.is_new_best.then_some(()) });
        let best = self.client.info().best_hash;
        let submitted = self
            .pool
            .submit_and_watch(best, TransactionSource::External, transaction)
            .await;
        let statuses = submitted.map_err(|error| {
            let error = pool_error(error);
            // Someone handed it in without the input.
            set_wanted(matches!(error, PoolError::Pool(TransactionError::AlreadyImported(_))));
            error
        })?;
        set_wanted(true);

        let is_canonical = |block: Hash| -> Result<bool, Error> {
            let Some(number) = self.client.number(block)? else {
                return Ok(false);
            };
            Ok(self.client.hash(number)? == Some(block))
        };
        let outcome = submit::inclusion(hash, statuses, new_best, is_canonical, submit::INCLUSION_LIMIT)
            .await
            .and_then(|(block, index)| self.submitted(block, index));
        if outcome.as_ref().is_err_and(submit::frees_input) {
            set_wanted(false);
        }
        outcome
    }

    async fn store(&self, input: Bytes) -> Result<HeldBlob, Error> {
        let blobs = self.blobs.clone();
        Ok(tokio::task::spawn_blocking(move || blobs.hold(&input)).await??)
    }
}

/// The error with which the `author_*` methods would answer.
fn pool_error(error: impl IntoPoolError + 'static) -> PoolError {
    match error.into_pool_error() {
        Ok(error) => PoolError::Pool(error),
        Err(error) => PoolError::Verification(Box::new(error)),
    }
}

#[async_trait]
impl<C, P> ComputeApiServer for Compute<C, P>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + BlockchainEvents<Block> + Send + Sync + 'static,
    C::Api: ComputeApi<Block, AccountId, Balance, BlockNumber>,
    P: TransactionPool<Block = Block, Hash = Hash> + 'static,
{
    async fn submit_job(&self, extrinsic: Bytes, input: Option<Bytes>) -> Result<JobId, Error> {
        let compute = self.clone();
        // A task of its own goes on when the caller leaves, and keeps or deletes the input as it
        // turns out.
        tokio::spawn(async move { compute.submit(extrinsic, input).await }).await?
    }

    fn job(&self, id: JobId) -> Result<Option<JobView>, Error> {
        let info = self.client.info();
        let job = self.client.runtime_api().job(info.best_hash, id)?;
        Ok(job.map(|job| JobView::at(job, info.best_number)))
    }

    fn jobs(&self, account: AccountId, limit: Option<u32>) -> Result<Vec<JobView>, Error> {
        let info = self.client.info();
        let jobs = self
            .client
            .runtime_api()
            .jobs(info.best_hash, account, limit.unwrap_or(DEFAULT_JOBS))?;
        Ok(jobs.into_iter().map(|job| JobView::at(job, info.best_number)).collect())
    }

    fn estimate(&self, spec: JobSpecView, max_fee: Option<Decimal>) -> Result<EstimateView, Error> {
        let best = self.client.info().best_hash;
        let estimate = self
            .client
            .runtime_api()
            .estimate(best, spec.into(), max_fee.map(Into::into))?;
        estimate.map(Into::into).map_err(Error::NoEstimate)
    }

    fn workers(&self, artifact: Option<ArtifactId>) -> Result<Vec<WorkerView>, Error> {
        let best = self.client.info().best_hash;
        let workers = self.client.runtime_api().workers(best, artifact)?;
        Ok(workers.into_iter().map(Into::into).collect())
    }
}

impl<C, P> ComputeSubscriptionApiServer for Compute<C, P>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + BlockchainEvents<Block> + Send + Sync + 'static,
    C::Api: ComputeApi<Block, AccountId, Balance, BlockNumber>,
    P: Send + Sync + 'static,
{
    fn subscribe_job(&self, pending: PendingSubscriptionSink, id: JobId) {
        let client = self.client.clone();
        let subscription = async move {
            match watch::updates(client, id) {
                Ok(updates) => {
                    let buffer = BoundedVecDeque::new(MAX_PENDING_NOTIFICATIONS);
                    PendingSubscription::from(pending)
                        .pipe_from_stream(updates, buffer)
                        .await;
                }
                Err(error) => pending.reject(ErrorObjectOwned::from(error)).await,
            }
        };
        spawn_subscription_task(&self.executor, subscription.boxed());
    }
}
