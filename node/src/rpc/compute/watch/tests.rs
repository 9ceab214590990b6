//! What a subscriber is told, on a chain that is only a list of jobs.

#![allow(clippy::unwrap_used)]

use super::*;
use assay_types::{BlobRef, JobInfo, JobParameters, JobSpec, Phase};
use sp_api::{ApiError, ApiRef};
use sp_blockchain::{BlockStatus, Info};

type Job = JobInfo<AccountId, Balance, BlockNumber>;

const ID: JobId = 7;

/// Block `n` is the one whose hash is `n`, and has the job in the phase at that index.
#[derive(Clone, Default)]
struct Chain {
    phases: Vec<Option<Phase<AccountId, Balance, BlockNumber>>>,
    best: u64,
    finalized: u64,
}

fn hash(number: u64) -> Hash {
    Hash::from_low_u64_be(number)
}

fn job(phase: Phase<AccountId, Balance, BlockNumber>) -> Job {
    JobInfo {
        id: ID,
        submitter: AccountId::new([1; 32]),
        spec: JobSpec {
            artifact: 0,
            input: BlobRef {
                hash: Hash::zero(),
                size: 8,
            },
            sequences: 1,
            max_tokens: 1,
        },
        max_fee: 1,
        held: 1,
        deposit: 1,
        attempt: 0,
        attempts: Vec::new(),
        submitted_at: 1,
        phase,
        agreed: None,
        removed_after: None,
        parameters: JobParameters {
            assign_period: 1,
            acknowledge_period: 1,
            compute_period: 1,
            units_per_block: 1,
            reveal_delay: 1,
            reveal_period: 1,
            challenge_period: 1,
            retention_period: 1,
            collateral_multiple: 1,
            treasury_cut: Default::default(),
            burn_cut: Default::default(),
        },
    }
}

sp_api::mock_impl_runtime_apis! {
    impl ComputeApi<Block, AccountId, Balance, BlockNumber> for Chain {
        #[advanced]
        fn job(&self, at: Hash, id: JobId) -> Result<Option<Job>, ApiError> {
            assert_eq!(id, ID);
            let phase = self.phases.get(at.to_low_u64_be() as usize).ok_or(ApiError::UsingSameInstanceForDifferentBlocks)?;
            Ok(phase.clone().map(job))
        }
    }
}

impl ProvideRuntimeApi<Block> for Chain {
    type Api = Self;

    fn runtime_api(&self) -> ApiRef<'_, Self> {
        self.clone().into()
    }
}

impl HeaderBackend<Block> for Chain {
    fn header(&self, _: Hash) -> sp_blockchain::Result<Option<assay_runtime::Header>> {
        Ok(None)
    }

    fn info(&self) -> Info<Block> {
        Info {
            best_hash: hash(self.best),
            best_number: self.best as BlockNumber,
            genesis_hash: hash(0),
            finalized_hash: hash(self.finalized),
            finalized_number: self.finalized as BlockNumber,
            finalized_state: None,
            number_leaves: 1,
            block_gap: None,
        }
    }

    fn status(&self, _: Hash) -> sp_blockchain::Result<BlockStatus> {
        Ok(BlockStatus::InChain)
    }

    fn number(&self, block: Hash) -> sp_blockchain::Result<Option<BlockNumber>> {
        Ok(Some(block.to_low_u64_be() as BlockNumber))
    }

    fn hash(&self, number: BlockNumber) -> sp_blockchain::Result<Option<Hash>> {
        Ok(Some(hash(number.into())))
    }
}

fn open() -> Option<Phase<AccountId, Balance, BlockNumber>> {
    Some(Phase::Open { until: 100 })
}

fn assigned() -> Option<Phase<AccountId, Balance, BlockNumber>> {
    Some(Phase::Assigned {
        worker: AccountId::new([2; 32]),
        until: 100,
    })
}

fn committed(from: BlockNumber) -> Option<Phase<AccountId, Balance, BlockNumber>> {
    Some(Phase::Committed {
        worker: AccountId::new([2; 32]),
        commitment: Hash::zero(),
        from,
        until: 100,
    })
}

/// What is queued: finality, block and phase of each update.
fn told(watch: &mut Watch<Chain>) -> Vec<(bool, BlockNumber, Option<&'static str>)> {
    watch
        .queue
        .drain(..)
        .map(|update| {
            assert_eq!(update.block_hash, hash(update.block_number.into()));
            (
                update.finalized,
                update.block_number,
                update.job.map(|job| job.phase.name()),
            )
        })
        .collect()
}

fn watch(phases: &[Option<Phase<AccountId, Balance, BlockNumber>>], finalized: u64, best: u64) -> Watch<Chain> {
    let chain = Chain {
        phases: phases.to_vec(),
        best,
        finalized,
    };
    Watch::start(Arc::new(chain), ID).unwrap()
}

fn see(watch: &mut Watch<Chain>, finalized: bool, blocks: &[u64]) {
    watch.observe(Seen {
        finalized,
        blocks: blocks.iter().copied().map(hash).collect(),
    });
}

#[test]
fn start_should_tell_the_job_as_it_is_in_both_chains() {
    let mut both = watch(&[None, open(), assigned()], 1, 2);
    assert_eq!(told(&mut both), [(true, 1, Some("open")), (false, 2, Some("assigned"))]);
    let mut best_only = watch(&[None, open()], 0, 1);
    assert_eq!(told(&mut best_only), [(false, 1, Some("open"))]);
}

#[test]
fn start_should_be_refused_when_no_chain_has_the_job() {
    let chain = Chain {
        phases: vec![None, None],
        best: 1,
        finalized: 0,
    };
    assert!(matches!(Watch::start(Arc::new(chain), ID), Err(Error::UnknownJob(ID))));
}

#[test]
fn change_should_be_told_once_for_the_best_and_once_for_the_finalized_chain() {
    let mut watch = watch(&[None, open(), open(), assigned()], 0, 1);
    told(&mut watch);
    see(&mut watch, false, &[2]);
    assert_eq!(told(&mut watch), []);
    see(&mut watch, false, &[3]);
    assert_eq!(told(&mut watch), [(false, 3, Some("assigned"))]);
    // Several blocks become final at once: what happened in each of them is told.
    see(&mut watch, true, &[1, 2, 3]);
    assert_eq!(told(&mut watch), [(true, 1, Some("open")), (true, 3, Some("assigned"))]);
}

#[test]
fn opening_of_reveals_should_be_told_when_its_block_comes() {
    let mut watch = watch(&[None, committed(3), committed(3), committed(3)], 0, 1);
    assert_eq!(told(&mut watch), [(false, 1, Some("committed"))]);
    see(&mut watch, false, &[2]);
    see(&mut watch, false, &[3]);
    assert_eq!(told(&mut watch), [(false, 3, Some("revealing"))]);
}

#[test]
fn watch_should_end_when_the_record_is_gone_from_the_finalized_chain_only() {
    let mut watch = watch(&[None, Some(Phase::Cancelled), None], 1, 1);
    told(&mut watch);
    see(&mut watch, false, &[2]);
    assert_eq!(told(&mut watch), [(false, 2, None)]);
    assert!(!watch.ended);
    see(&mut watch, true, &[2]);
    assert_eq!(told(&mut watch), [(true, 2, None)]);
    assert!(watch.ended);
}

#[test]
fn block_should_be_passed_over_when_its_state_cannot_be_read() {
    let mut watch = watch(&[None, open()], 0, 1);
    told(&mut watch);
    see(&mut watch, true, &[9, 1]);
    assert_eq!(told(&mut watch), [(true, 1, Some("open"))]);
}
