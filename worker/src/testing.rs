//! Jobs for tests.

#![allow(clippy::unwrap_used)]

use assay_client::{AccountId, Job, Worker};
use assay_types::{ArtifactId, BlobRef, JobSpec, Outcome, Phase, Status};
use codec::Decode;
use sp_core::H256;

/// Cold account of the worker under test.
pub(crate) const ME: AccountId = AccountId::new([1; 32]);

/// Another worker's.
pub(crate) const OTHER: AccountId = AccountId::new([2; 32]);

/// The result of every test job.
pub(crate) fn outcome() -> Outcome {
    outcome_with(3)
}

/// An outcome that differs by `tokens`.
pub(crate) fn outcome_with(tokens: u32) -> Outcome {
    Outcome {
        status: Status::Completed,
        tokens,
        result: H256::repeat_byte(5),
        trace: H256::repeat_byte(6),
        delivered: H256::repeat_byte(5),
        delivered_size: 32,
    }
}

/// A job in its first attempt.
pub(crate) fn job(id: u64, phase: Phase<AccountId, u128, u32>) -> Job {
    Job {
        id,
        submitter: AccountId::new([9; 32]),
        spec: JobSpec { artifact: 0, input: BlobRef { hash: H256::zero(), size: 24 }, sequences: 1, max_tokens: 4 },
        max_fee: 10,
        held: 10,
        deposit: 1,
        attempt: 0,
        attempts: Vec::new(),
        submitted_at: 1,
        phase,
        agreed: None,
        removed_after: None,
        // Numbers of 48 bytes together, all zero: nothing here looks at them.
        parameters: Decode::decode(&mut &[0; 48][..]).unwrap(),
    }
}

/// The record of the worker under test, whose hot key is [`OTHER`].
pub(crate) fn worker(chilled: bool, ready: &[ArtifactId]) -> Worker {
    Worker {
        account: ME,
        hot_key: OTHER,
        endpoint: b"http://here".to_vec(),
        bond: 1,
        locked: 0,
        ask: 1,
        chilled,
        ready: ready.to_vec(),
        active_jobs: 0,
        settled: 0,
        delivered_units: 0,
        missed: 0,
    }
}
