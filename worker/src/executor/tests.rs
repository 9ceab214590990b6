//! Work on jobs with a model of a few weights, from blobs in a folder.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    journal::digest,
    testing::{job, publish_tiny_model, DIMENSIONS, ME},
};
use assay_blobs::Folder;
use assay_types::{tokens, BlobRef, Phase};
use sp_core::H256;
use std::{path::Path, sync::Mutex};

/// A worker and a folder from which it fetches.
struct Setup {
    dir: tempfile::TempDir,
    source: FolderStore,
    artifact: Artifact,
    executor: Executor,
}

fn executor(dir: &Path) -> Executor {
    let store = FolderStore::open(dir.join("blobs")).unwrap();
    let resolver = Resolver::new(store, vec![Arc::new(Folder::new(dir.join("source")))]);
    let journal = Journal::open(&dir.join("state"), H256::zero(), ME).unwrap();
    Executor::new(resolver, Arc::new(journal), Arc::new(Metrics::new().unwrap()), 1)
}

fn setup() -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let source = FolderStore::open(dir.path().join("source")).unwrap();
    let artifact = publish_tiny_model(&source);
    let executor = executor(dir.path());
    Setup {
        dir,
        source,
        artifact,
        executor,
    }
}

impl Setup {
    /// A job over `input`, which says that it has these sequences and at most these tokens.
    fn job(&self, input: &[u8], sequences: u32, max_tokens: u32) -> Job {
        let id = self.source.put(input).unwrap().id;
        let mut job = job(7, Phase::Running { worker: ME, until: 99 });
        job.spec.input = BlobRef {
            hash: H256(id.hash.into()),
            size: id.size,
        };
        job.spec.sequences = sequences;
        job.spec.max_tokens = max_tokens;
        job
    }

    /// What is said about the work, without the expected time, which is as it happens.
    async fn run(&self, job: &Job) -> Vec<Work> {
        let said = Mutex::new(Vec::new());
        let give_up = Instant::now() + Duration::from_millis(300);
        self.executor
            .run(job, &self.artifact, give_up, |work| said.lock().unwrap().push(work))
            .await;
        let mut said = said.into_inner().unwrap();
        said.retain(|work| !matches!(work, Work::Computing { .. }));
        said
    }

    async fn entry(&self, job: &Job) -> Entry {
        match self.run(job).await.as_slice() {
            [Work::Ready(entry)] => (**entry).clone(),
            other => panic!("expected a result, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn job_should_have_its_result_in_store_and_journal() {
    let setup = setup();
    let job = setup.job(&tokens::encode(&[vec![1, 2, 3], vec![4]]), 2, 9);
    let entry = setup.entry(&job).await;
    let Outcome {
        status,
        tokens,
        result,
        delivered,
        delivered_size,
        trace,
    } = entry.outcome;
    assert_eq!((status, tokens, delivered), (Status::Completed, 4, result));
    assert_eq!(trace, H256(blake3::hash(&entry.outcome.trace_header()).into()));
    assert_eq!(
        entry.key,
        Key {
            job: 7,
            attempt: 0,
            spec: digest(&job.spec)
        }
    );

    let output = setup
        .executor
        .resolver
        .store()
        .read(&BlobId::new(result.0, delivered_size))
        .unwrap()
        .unwrap();
    let rows = assay_engine::embed::from_bytes(&output, 2, DIMENSIONS).unwrap();
    // All weights are one, so all elements of a vector of length one are equal.
    let expected = 1.0 / (DIMENSIONS as f32).sqrt();
    assert!(rows
        .into_iter()
        .flatten()
        .all(|element| (element - expected).abs() < 1e-6));
}

#[tokio::test]
async fn job_should_have_the_same_entry_when_done_again() {
    let setup = setup();
    let job = setup.job(&tokens::encode(&[vec![1]]), 1, 1);
    let entry = setup.entry(&job).await;
    assert_eq!(setup.entry(&job).await, entry);

    let Setup {
        dir,
        source,
        artifact,
        executor: old,
    } = setup;
    drop(old);
    let executor = executor(dir.path());
    assert_eq!(
        Setup {
            dir,
            source,
            artifact,
            executor
        }
        .entry(&job)
        .await,
        entry
    );
}

#[tokio::test]
async fn input_that_is_not_what_the_job_says_should_be_malformed() {
    let setup = setup();
    let sound = tokens::encode(&[vec![1, 2], vec![3]]);
    let jobs = [
        setup.job(b"no tokens", 1, 9),
        setup.job(&sound, 1, 9),
        setup.job(&sound, 3, 9),
        setup.job(&sound, 2, 2),
        // An id beyond the vocabulary, and a sequence beyond the longest.
        setup.job(&tokens::encode(&[vec![u32::MAX]]), 1, 9),
        setup.job(&tokens::encode(&[vec![1; 1000]]), 1, 1000),
    ];
    for job in jobs {
        let outcome = setup.entry(&job).await.outcome;
        assert_eq!(outcome, compute::failure(Status::MalformedInput), "{job:?}");
        assert_eq!((outcome.tokens, outcome.delivered_size), (0, 0));
    }
}

#[tokio::test]
async fn blobs_that_cannot_be_had_should_be_named() {
    let setup = setup();
    let job = setup.job(&tokens::encode(&[vec![1]]), 1, 1);
    let Job { spec, .. } = &job;
    setup.source.remove(&spec.input.hash.0.into()).unwrap();
    assert_eq!(setup.run(&job).await, [Work::Unavailable(UnavailableBlob::Input)]);

    let job = setup.job(&tokens::encode(&[vec![1]]), 1, 1);
    setup.source.remove(&setup.artifact.package.hash.0.into()).unwrap();
    assert_eq!(setup.run(&job).await, [Work::Unavailable(UnavailableBlob::Package)]);
}

#[tokio::test]
async fn input_with_other_content_should_be_unavailable() {
    let setup = setup();
    let job = setup.job(&tokens::encode(&[vec![1]]), 1, 1);
    let path = setup.source.dir().join(hex::encode(job.spec.input.hash));
    std::fs::write(path, tokens::encode(&[vec![2]])).unwrap();
    assert_eq!(setup.run(&job).await, [Work::Unavailable(UnavailableBlob::Input)]);
}

#[tokio::test]
async fn model_that_is_not_what_the_chain_says_should_be_malformed() {
    let mut setup = setup();
    setup.artifact.profile.units_per_token += 1;
    let job = setup.job(&tokens::encode(&[vec![1]]), 1, 1);
    assert_eq!(
        setup.entry(&job).await.outcome,
        compute::failure(Status::MalformedModel)
    );
}

#[test]
fn expected_blocks_should_be_rounded_up_with_a_margin() {
    assert_eq!(needed_blocks(0), BLOCKS_TO_SEND);
    // One and a half slots, times the safety factor.
    assert_eq!(needed_blocks(4500), 3 + BLOCKS_TO_SEND);
    assert_eq!(needed_blocks(u64::MAX), u32::MAX);
}

#[test]
fn allowed_blocks_should_be_those_of_the_market() {
    let mut job = job(7, Phase::Open { until: 1 });
    job.parameters.compute_period = 10;
    job.parameters.units_per_block = 100;
    assert_eq!(allowed_blocks(&job, 0), 10);
    assert_eq!(allowed_blocks(&job, 101), 12);
    assert_eq!(allowed_blocks(&job, u64::MAX), u32::MAX);
}
