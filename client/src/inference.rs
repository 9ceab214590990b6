//! Runs a model through the chain: text to token ids here, token ids to vectors by a worker, every
//! byte on the way checked against what the chain says.
//!
//! ```text
//! Model::load ─ Model::request ─ Chain::submit_job ─ follow ─ fetch_output ─ Embeddings::decode
//! ```

mod embeddings;

pub use embeddings::{Embeddings, OutputError};

use crate::{
    blob_id,
    chain::{BlockAt, Chain, ChainError},
    Artifact, Hash, Job,
};
use assay_blobs::{source, BlobId, BlobSource, FetchError, Resolver};
use assay_models::{package, Manifest, ManifestError, Tokenizer, TokenizerError};
use assay_types::{tokens, ArtifactId, BlobRef, JobId, JobSpec, Outcome, Phase};
use futures::StreamExt;
use std::{sync::Arc, time::Duration};
use tokio::time;

/// Largest tokenizer file that is fetched, in bytes. Those in use have 1 to 35 MB.
const MAX_TOKENIZER: u64 = 128 * 1024 * 1024;

/// Blocks for which a job may be missing from the best chain, as after a change of forks.
const MAX_ABSENCE: u32 = 20;

/// How often a worker that cannot be reached is asked for its output.
const OUTPUT_ATTEMPTS: u32 = 5;

/// Pause between those.
const OUTPUT_PAUSE: Duration = Duration::from_secs(3);

/// Why a model cannot be run, or its output not be had.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The chain or its node.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The chain has no such artifact.
    #[error("no artifact has the id {0}")]
    UnknownArtifact(ArtifactId),
    /// A blob cannot be had.
    #[error("{what}: {error}")]
    Blob {
        /// What it is.
        what: &'static str,
        /// Why not.
        error: FetchError,
    },
    /// A blob is larger than anything of its kind, so it is not fetched.
    #[error("{what}: expected at most {expected} bytes, got {got}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// The limit.
        expected: u64,
        /// Its size.
        got: u64,
    },
    /// The artifact's package cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Text cannot be turned into token ids.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// More tokens than the chain counts.
    #[error("expected fewer than 2^32 tokens in a job, got {0}; split the texts over several jobs")]
    TooManyTokens(usize),
    /// The job's record is gone, or its submission undone.
    #[error("the chain has no record of job {0}: it never had this id, or the record's time is over")]
    UnknownJob(JobId),
    /// What the worker delivered is not what the job asked for.
    #[error("the output of job {job} is not usable: {error}")]
    Output {
        /// The job.
        job: JobId,
        /// What is wrong.
        error: OutputError,
    },
}

/// A registered model, ready to make requests of.
pub struct Model {
    artifact: Artifact,
    manifest: Manifest,
    tokenizer: Tokenizer,
}

/// A job for a model, not yet submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What the chain is told.
    pub spec: JobSpec,
    /// The input blob that `spec` names.
    pub input: Vec<u8>,
}

impl Model {
    /// Model `id` as of `block`. What a client needs of its package is looked for with `resolver`,
    /// then asked of the workers that have the model ready.
    pub async fn load(block: &BlockAt, resolver: &Resolver, id: ArtifactId) -> Result<Self, InferenceError> {
        let artifact = block.artifact(id).await?.ok_or(InferenceError::UnknownArtifact(id))?;
        let resolver = with_workers(block, resolver, id).await?;
        let manifest = fetch(
            &resolver,
            "the model's manifest",
            &artifact.package,
            package::MAX_MANIFEST as u64,
        )
        .await?;
        let manifest = Manifest::from_bytes(&manifest)?;
        let file = crate::content_ref(&manifest.tokenizer().content());
        let file = fetch(&resolver, "the model's tokenizer", &file, MAX_TOKENIZER).await?;
        let max_tokens = artifact.profile.max_sequence as usize;
        // What the ids stand for, the worker's program knows: it refuses what is beyond its table
        let tokenizer = Tokenizer::from_json(&file, u32::MAX, max_tokens)?;
        Ok(Self {
            artifact,
            manifest,
            tokenizer,
        })
    }

    /// The artifact that it is.
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// What its publisher calls it.
    pub fn name(&self) -> &str {
        self.manifest.name()
    }

    /// The job that runs the model on `texts`, one sequence each.
    pub fn request<T: AsRef<str>>(&self, texts: &[T]) -> Result<Request, InferenceError> {
        let encode = |text: &T| self.tokenizer.encode(text.as_ref(), true);
        let sequences = texts.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        let count = sequences.iter().map(Vec::len).sum::<usize>();
        let too_many = |_| InferenceError::TooManyTokens(count);
        let input = tokens::encode(&sequences);
        let spec = JobSpec {
            artifact: self.artifact.id,
            input: BlobRef {
                hash: Hash::from(BlobId::of(&input).hash.0),
                size: input.len() as u64,
            },
            sequences: u32::try_from(sequences.len()).map_err(too_many)?,
            max_tokens: u32::try_from(count).map_err(too_many)?,
        };
        Ok(Request { spec, input })
    }
}

/// Follows job `id` through the best chain until `done` says so of a change, and at the latest to
/// its end. `done` is told of the job as it is now and of every change.
pub async fn follow(
    chain: &Chain,
    id: JobId,
    mut done: impl FnMut(&Job, &BlockAt) -> bool,
) -> Result<Job, InferenceError> {
    let mut heads = chain.best_blocks();
    let mut last: Option<Job> = None;
    let mut absent = 0;
    while let Some(head) = heads.next().await {
        let head = head?;
        let job = match head.job(id).await {
            Ok(Some(job)) => job,
            // The connection comes back, and so may the job after a change of forks.
            Ok(None) if absent < MAX_ABSENCE && last.is_some() => {
                absent += 1;
                continue;
            }
            Ok(None) => return Err(InferenceError::UnknownJob(id)),
            Err(error) if error.is_connection() => continue,
            Err(error) => return Err(error.into()),
        };
        absent = 0;
        if last.as_ref() == Some(&job) {
            continue;
        }
        if done(&job, &head) || job.phase.is_ended() {
            return Ok(job);
        }
        last = Some(job);
    }
    Err(InferenceError::UnknownJob(id))
}

/// What the job's worker revealed, if it did.
pub fn outcome(job: &Job) -> Option<&Outcome> {
    match &job.phase {
        Phase::Challengeable { outcome, .. } | Phase::Settled { outcome, .. } => Some(outcome),
        _ => None,
    }
}

/// Gets the output of a job whose outcome is `outcome`, from the folder or the worker that made it.
pub async fn fetch_output(
    block: &BlockAt,
    resolver: &Resolver,
    job: &Job,
    outcome: &Outcome,
) -> Result<Vec<u8>, InferenceError> {
    let mut resolver = resolver.clone();
    if let Some(worker) = job.phase.worker() {
        if let Some(worker) = block.worker(worker).await? {
            resolver = endpoint(&worker.endpoint)
                .into_iter()
                .fold(resolver, |all, one| all.with_source(one));
        }
    }
    let blob = BlobId::new(outcome.delivered.0, outcome.delivered_size);
    let mut attempt = 1;
    loop {
        match resolver.fetch_bytes(&blob).await {
            Err(error) if attempt < OUTPUT_ATTEMPTS && !error.is_definite() => {
                tracing::debug!(target: "inference", job = job.id, %error, "output not there yet");
                attempt += 1;
                time::sleep(OUTPUT_PAUSE).await;
            }
            result => {
                return result.map_err(|error| InferenceError::Blob {
                    what: "the job's output",
                    error,
                })
            }
        }
    }
}

/// `resolver`, with the workers that have the model ready asked last.
async fn with_workers(block: &BlockAt, resolver: &Resolver, id: ArtifactId) -> Result<Resolver, InferenceError> {
    let workers = block.workers(Some(id)).await?;
    let endpoints = workers.iter().filter_map(|worker| endpoint(&worker.endpoint));
    Ok(endpoints.fold(resolver.clone(), |all, one| all.with_source(one)))
}

/// A worker's blob server. Only HTTP: what strangers write on the chain must not name local files.
fn endpoint(endpoint: &[u8]) -> Option<Arc<dyn BlobSource>> {
    let address = std::str::from_utf8(endpoint).ok()?;
    let is_http = address.starts_with("http://") || address.starts_with("https://");
    is_http.then(|| source(address).ok()).flatten()
}

async fn fetch(resolver: &Resolver, what: &'static str, blob: &BlobRef, limit: u64) -> Result<Vec<u8>, InferenceError> {
    if blob.size > limit {
        return Err(InferenceError::TooLarge {
            what,
            expected: limit,
            got: blob.size,
        });
    }
    resolver
        .fetch_bytes(&blob_id(blob))
        .await
        .map_err(|error| InferenceError::Blob { what, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_should_be_http_only() {
        assert!(endpoint(b"http://127.0.0.1:9000").is_some());
        assert!(endpoint(b"https://worker.example/blobs").is_some());
        for address in [&b"/etc"[..], b"file:///etc", b"", b"\xff\xfe", b"http://"] {
            assert!(endpoint(address).is_none());
        }
    }
}
