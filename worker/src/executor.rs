//! Does the work of one attempt: fetches the blobs, runs the model, stores the output, and writes
//! the result into the journal.

use crate::{
    compute,
    journal::{Entry, Journal, JournalError, Key},
    machine::Work,
    metrics::Metrics,
    models::{Loaded, ModelError, Models},
};
use assay_blobs::{BlobId, FetchError, FolderStore, Resolver, StoreError};
use assay_client::{blob_id, Artifact, Job};
use assay_engine::EmbedError;
use assay_types::{Outcome, Status, UnavailableBlob};
use std::{
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        Arc,
    },
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout_at, Instant},
};

/// Length of a slot, and so about the time of a block.
pub(crate) const SLOT: Duration = Duration::from_secs(3);

/// Pause before a blob that could not be had is asked for again.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// How often every source may answer that it does not have a blob until that is believed: the
/// submitter may still be about to store it.
const DEFINITE_TRIES: u32 = 3;

/// Expected times are multiplied by this, since a machine is not always as fast as it was.
const SAFETY: u64 = 2;

/// Blocks until a transaction is in a block, which come on top of the time to compute.
const BLOCKS_TO_SEND: u32 = 2;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error("the {blob:?} blob cannot be had: {error}")]
    Unavailable { blob: UnavailableBlob, error: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Model(ModelError),
    #[error(transparent)]
    Run(#[from] EmbedError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the run was cut short: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Why a fetch came to nothing.
enum Missed {
    /// No source has it, or not in time.
    Unavailable(String),
    /// This machine is to blame.
    Store(StoreError),
}

/// Does the work, on a bounded number of threads.
pub(crate) struct Executor {
    resolver: Resolver,
    models: Models,
    journal: Arc<Journal>,
    metrics: Arc<Metrics>,
    /// One permit a job being computed.
    turns: Semaphore,
    /// Expected time of the jobs that wait for their turn or run, in milliseconds.
    backlog: AtomicU64,
}

impl Executor {
    /// An executor that computes `max_jobs` jobs at the same time.
    pub(crate) fn new(resolver: Resolver, journal: Arc<Journal>, metrics: Arc<Metrics>, max_jobs: usize) -> Self {
        Self {
            models: Models::new(resolver.clone(), metrics.clone()),
            resolver,
            journal,
            metrics,
            turns: Semaphore::new(max_jobs),
            backlog: AtomicU64::new(0),
        }
    }

    /// The same with models on a GPU, if one is named.
    pub(crate) fn on_gpu(mut self, gpu: Option<usize>) -> Self {
        self.models = self.models.on_gpu(gpu);
        self
    }

    /// The models in memory.
    pub(crate) fn models(&self) -> &Models {
        &self.models
    }

    /// Works on the attempt that `job` is in, and says how it goes by `progress`; the last thing it
    /// says is the end. Blobs that cannot be had by `give_up` are unavailable.
    pub(crate) async fn run(&self, job: &Job, artifact: &Artifact, give_up: Instant, progress: impl Fn(Work)) {
        let Key { job: id, attempt, .. } = Key::of(job);
        let end = match self.work(job, artifact, give_up, &progress).await {
            Ok(entry) => {
                let Outcome {
                    status, tokens, result, ..
                } = entry.outcome;
                tracing::info!(target: "worker::jobs", job = id, attempt, ?status, tokens, ?result, "result in the journal");
                Work::Ready(Box::new(entry))
            }
            Err(WorkError::Unavailable { blob, error }) => {
                tracing::warn!(target: "worker::jobs", job = id, attempt, ?blob, %error, "blob unavailable");
                Work::Unavailable(blob)
            }
            Err(error) => {
                tracing::error!(target: "worker::jobs", job = id, attempt, %error, "the work failed on this machine");
                Work::Failed
            }
        };
        progress(end);
    }

    async fn work(
        &self,
        job: &Job,
        artifact: &Artifact,
        give_up: Instant,
        progress: &impl Fn(Work),
    ) -> Result<Entry, WorkError> {
        let input = self
            .fetch(&blob_id(&job.spec.input), give_up)
            .await
            .map_err(|missed| match missed {
                Missed::Unavailable(error) => WorkError::Unavailable {
                    blob: UnavailableBlob::Input,
                    error,
                },
                Missed::Store(error) => error.into(),
            })?;
        self.metrics.input_bytes(input.len() as u64);
        let loaded = match self.model(artifact, give_up).await {
            Ok(loaded) => loaded,
            Err(WorkError::Model(error)) if error.is_models_fault() => {
                tracing::warn!(target: "worker::jobs", job = job.id, artifact = artifact.id, %error, "malformed model");
                return self
                    .record(Key::of(job), compute::failure(Status::MalformedModel), Vec::new())
                    .await;
            }
            Err(error) => return Err(error),
        };

        let units = loaded.units(job.spec.max_tokens);
        let waiting = Waiting::new(&self.backlog, units.saturating_mul(1000) / loaded.speed());
        progress(Work::Computing {
            needed: needed_blocks(self.backlog.load(Relaxed)),
            allowed: allowed_blocks(job, units),
        });
        let (outcome, output) = self.compute(job, loaded, input).await?;
        drop(waiting);
        self.record(Key::of(job), outcome, output).await
    }

    /// The blob's content; tried again until it is certain that it cannot be had.
    async fn fetch(&self, id: &BlobId, give_up: Instant) -> Result<Vec<u8>, Missed> {
        let mut definite = 0;
        loop {
            let error = match timeout_at(give_up, self.resolver.fetch_bytes(id)).await {
                Ok(Ok(content)) => return Ok(content),
                Ok(Err(FetchError::Store(error))) => return Err(Missed::Store(error)),
                Ok(Err(error)) => error,
                Err(_) => return Err(Missed::Unavailable(format!("{id} did not come in time"))),
            };
            definite += u32::from(error.is_definite());
            if definite >= DEFINITE_TRIES || Instant::now() + RETRY_PAUSE >= give_up {
                return Err(Missed::Unavailable(error.to_string()));
            }
            tracing::debug!(target: "worker::jobs", blob = %id, %error, "trying again");
            sleep(RETRY_PAUSE).await;
        }
    }

    /// The model; as a rule it has been in memory since the start.
    async fn model(&self, artifact: &Artifact, give_up: Instant) -> Result<Arc<Loaded>, WorkError> {
        let unavailable = |error: String| WorkError::Unavailable {
            blob: UnavailableBlob::Package,
            error,
        };
        match timeout_at(give_up, self.models.get(artifact)).await {
            Ok(Ok(loaded)) => Ok(loaded),
            Ok(Err(ModelError::Fetch(FetchError::Store(error)))) => Err(error.into()),
            Ok(Err(ModelError::Fetch(error))) => Err(unavailable(error.to_string())),
            Ok(Err(error)) => Err(WorkError::Model(error)),
            Err(_) => Err(unavailable("it did not come in time".into())),
        }
    }

    /// Outcome and output, computed away from the threads that talk to node and clients.
    async fn compute(&self, job: &Job, loaded: Arc<Loaded>, input: Vec<u8>) -> Result<(Outcome, Vec<u8>), WorkError> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed; qed");
        let spec = job.spec.clone();
        let start = Instant::now();
        let (result, loaded) =
            tokio::task::spawn_blocking(move || (compute::compute(&loaded.model, &spec, &input), loaded)).await?;
        let (outcome, output) = result?;
        let (took, units) = (start.elapsed(), loaded.units(outcome.tokens));
        if outcome.status == Status::Completed {
            loaded.note_run(units, took);
        }
        self.metrics.computed(units, took);
        Ok((outcome, output))
    }

    /// Stores the output, then the result: whoever sees a commitment can be given what it is about.
    async fn record(&self, key: Key, outcome: Outcome, output: Vec<u8>) -> Result<Entry, WorkError> {
        let (store, journal) = (self.resolver.store().clone(), self.journal.clone());
        self.metrics.output_bytes(output.len() as u64);
        tokio::task::spawn_blocking(move || record(&store, &journal, key, outcome, &output)).await?
    }
}

fn record(
    store: &FolderStore,
    journal: &Journal,
    key: Key,
    outcome: Outcome,
    output: &[u8],
) -> Result<Entry, WorkError> {
    store.put(output)?;
    let entry = journal.record(key, outcome)?;
    if entry.outcome != outcome {
        tracing::warn!(
            target: "worker::jobs", job = key.job, attempt = key.attempt,
            "computed again with another result than before; the first one, in the journal, holds"
        );
    }
    Ok(entry)
}

/// Blocks in which a backlog of so many milliseconds is worked off and the result sent.
fn needed_blocks(backlog: u64) -> u32 {
    let blocks = backlog.saturating_mul(SAFETY).div_ceil(SLOT.as_millis() as u64);
    u32::try_from(blocks).unwrap_or(u32::MAX).saturating_add(BLOCKS_TO_SEND)
}

/// Blocks from acknowledgement to the last one for the commitment, as the market reckons them.
fn allowed_blocks(job: &Job, units: u64) -> u32 {
    let parameters = &job.parameters;
    let work = units.div_ceil(parameters.units_per_block.max(1));
    parameters
        .compute_period
        .saturating_add(u32::try_from(work).unwrap_or(u32::MAX))
}

/// Counts a job's expected time in the backlog while it lives.
struct Waiting<'a> {
    backlog: &'a AtomicU64,
    milliseconds: u64,
}

impl<'a> Waiting<'a> {
    fn new(backlog: &'a AtomicU64, milliseconds: u64) -> Self {
        // Bounded, so that a sum of backlogs cannot overflow.
        let milliseconds = milliseconds.min(u64::from(u32::MAX));
        backlog.fetch_add(milliseconds, Relaxed);
        Self { backlog, milliseconds }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.backlog.fetch_sub(self.milliseconds, Relaxed);
    }
}

#[cfg(test)]
mod tests;
