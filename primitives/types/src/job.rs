//! Jobs: what is asked, how far it is, what it cost.

use crate::{
    artifact::ArtifactId,
    blob::BlobRef,
    commitment::{Outcome, Status},
    worker::ASK_UNITS,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::H256;
use sp_runtime::Permill;

/// Identifies a job; counted up from 0 in order of submission.
pub type JobId = u64;

/// Multiply-adds, the unit of computing work.
pub type WorkUnits = u64;

/// What a job asks for.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Serialize, Deserialize,
)]
pub struct JobSpec {
    /// The model.
    pub artifact: ArtifactId,
    /// Token ids, encoded as [`crate::tokens`] describes.
    pub input: BlobRef,
    /// Sequences in the input.
    pub sequences: u32,
    /// The most tokens the input may have over all sequences. Held for and paid by.
    pub max_tokens: u32,
}

/// Parameters of the market that a vote can change. A job keeps those in force when it was
/// submitted. Durations are in blocks.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
pub struct JobParameters<BlockNumber> {
    /// How long a job may wait for a worker.
    pub assign_period: BlockNumber,
    /// From assignment to acknowledgement.
    pub acknowledge_period: BlockNumber,
    /// From acknowledgement to commitment, beside what the work itself takes.
    pub compute_period: BlockNumber,
    /// Work units that a worker must do in a block, at the least.
    pub units_per_block: WorkUnits,
    /// From commitment to the opening of reveals.
    pub reveal_delay: BlockNumber,
    /// How long reveals stay open.
    pub reveal_period: BlockNumber,
    /// From reveal to settlement.
    pub challenge_period: BlockNumber,
    /// How long the record of an ended job is kept.
    pub retention_period: BlockNumber,
    /// Bond locked for a job, as a multiple of the worker's fee.
    pub collateral_multiple: u32,
    /// Part of the worker's fee that goes to the treasury.
    pub treasury_cut: Permill,
    /// Part of the worker's fee that is burned.
    pub burn_cut: Permill,
}

/// Who is at fault that a job ended, or an attempt was given up, without a result.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
pub enum Fault {
    /// Silent after acknowledging, or committed and did not reveal.
    Worker,
    /// The input cannot be had, or is not what the job says.
    Submitter,
    /// The model's package cannot be had.
    Artifact,
    /// Nobody eligible, or nobody who acknowledged.
    Network,
}

/// Which blob of a job cannot be had.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
pub enum UnavailableBlob {
    /// The job's input.
    Input,
    /// A blob of the model's package.
    Package,
}

/// How a job's fee was divided. The parts and what went back to the submitter add up to what was
/// on hold.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
pub struct Payment<Balance> {
    /// To the worker.
    pub worker: Balance,
    /// To the model's owner.
    pub artifact: Balance,
    /// To the treasury.
    pub treasury: Balance,
    /// Burned.
    pub burned: Balance,
    /// Back to the submitter, when the job settled.
    pub refunded: Balance,
}

/// How far a job is. Block numbers named `until` are the last in which the step may be taken.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
pub enum Phase<AccountId, Balance, BlockNumber> {
    /// Waits for a worker.
    Open {
        /// Last block in which it may be assigned.
        until: BlockNumber,
    },
    /// Drawn; the worker has not answered yet.
    Assigned {
        /// Cold account of the worker.
        worker: AccountId,
        /// Last block for the acknowledgement.
        until: BlockNumber,
    },
    /// Acknowledged; being computed.
    Running {
        /// Cold account of the worker.
        worker: AccountId,
        /// Last block for the commitment.
        until: BlockNumber,
    },
    /// Committed; the result is still secret.
    Committed {
        /// Cold account of the worker.
        worker: AccountId,
        /// See [`crate::commitment()`].
        commitment: H256,
        /// First block in which it may be revealed.
        from: BlockNumber,
        /// Last block for the reveal.
        until: BlockNumber,
    },
    /// Revealed; settles after `until`.
    Challengeable {
        /// Cold account of the worker.
        worker: AccountId,
        /// What was revealed.
        outcome: Outcome,
        /// Last block of the challenge window.
        until: BlockNumber,
    },
    /// Ended: paid.
    Settled {
        /// Cold account of the worker.
        worker: AccountId,
        /// What was revealed.
        outcome: Outcome,
        /// Who was paid how much.
        payment: Payment<Balance>,
    },
    /// Ended without a result.
    Failed {
        /// Whose fault it was.
        fault: Fault,
        /// The revealed failure, if that is how it ended.
        status: Option<Status>,
    },
    /// Ended by its submitter before a worker acknowledged it.
    Cancelled,
    /// Ended because no worker was free in time.
    Expired,
}

impl<AccountId, Balance, BlockNumber> Phase<AccountId, Balance, BlockNumber> {
    /// Whether the job is over and only its record remains.
    pub fn is_ended(&self) -> bool {
        matches!(
            self,
            Self::Settled { .. } | Self::Failed { .. } | Self::Cancelled | Self::Expired
        )
    }

    /// The worker that holds or held the job in this phase.
    pub fn worker(&self) -> Option<&AccountId> {
        match self {
            Self::Assigned { worker, .. }
            | Self::Running { worker, .. }
            | Self::Committed { worker, .. }
            | Self::Challengeable { worker, .. }
            | Self::Settled { worker, .. } => Some(worker),
            Self::Open { .. } | Self::Failed { .. } | Self::Cancelled | Self::Expired => None,
        }
    }

    /// The phase's name in CLI, RPC and documents.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Assigned { .. } => "assigned",
            Self::Running { .. } => "running",
            Self::Committed { .. } => "committed",
            Self::Challengeable { .. } => "challengeable",
            Self::Settled { .. } => "settled",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// One worker's try at a job that came to nothing.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
pub struct Attempt<AccountId, BlockNumber> {
    /// Cold account of the worker.
    pub worker: AccountId,
    /// Block in which the attempt was given up.
    pub ended_at: BlockNumber,
    /// Whose fault it was.
    pub fault: Fault,
}

/// A job as runtime APIs report it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
pub struct JobInfo<AccountId, Balance, BlockNumber> {
    /// Its id.
    pub id: JobId,
    /// Who pays.
    pub submitter: AccountId,
    /// What is asked.
    pub spec: JobSpec,
    /// The submitter's price limit.
    pub max_fee: Balance,
    /// What is on hold for it now, without the deposit.
    pub held: Balance,
    /// On hold for the storage it takes; goes back when that is freed.
    pub deposit: Balance,
    /// Counts assignments from 0; part of the commitment.
    pub attempt: u32,
    /// Earlier attempts.
    pub attempts: Vec<Attempt<AccountId, BlockNumber>>,
    /// Block of submission.
    pub submitted_at: BlockNumber,
    /// How far it is.
    pub phase: Phase<AccountId, Balance, BlockNumber>,
    /// Worker's ask and bond locked, while assigned.
    pub agreed: Option<(Balance, Balance)>,
    /// Block after which this record is removed, once ended.
    pub removed_after: Option<BlockNumber>,
    /// The parameters it runs under.
    pub parameters: JobParameters<BlockNumber>,
}

/// What a job would cost now and who could take it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
pub struct Estimate<AccountId, Balance> {
    /// Work units at `max_tokens`.
    pub units: WorkUnits,
    /// Lowest total fee (worker and model) over all eligible workers, if there is one.
    pub lowest_fee: Option<Balance>,
    /// The fee limit under which every eligible worker could be drawn.
    pub highest_fee: Option<Balance>,
    /// Held beside the fee until the job's record is removed.
    pub deposit: Balance,
    /// Who could be drawn.
    pub eligible: Vec<AccountId>,
    /// Who could not, and why.
    pub ineligible: Vec<IneligibleWorker<AccountId>>,
}

/// A worker that cannot take a job.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
pub struct IneligibleWorker<AccountId> {
    /// Its cold account.
    pub account: AccountId,
    /// Why not.
    pub reason: Ineligible,
}

/// Why a worker cannot be drawn for a job.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
pub enum Ineligible {
    /// It does not take new jobs.
    Chilled,
    /// It has not declared the model ready.
    NotReady,
    /// Its ask is above the submitter's limit.
    AskAboveLimit,
    /// Its free bond does not cover the collateral.
    BondTooLow,
    /// It has as many jobs as it may have.
    Busy,
    /// Its ask is under a quarter of the median.
    AskUnderFloor,
}

/// Why no estimate can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
pub enum EstimateError {
    /// No such artifact.
    UnknownArtifact,
    /// The artifact takes no new jobs.
    ArtifactRetired,
    /// The input is larger than the chain allows.
    InputTooLarge,
    /// No sequence, no token, more sequences than tokens, or more tokens than the model takes.
    InvalidTokens,
    /// The tokens asked for, times the model's work units per token, are more than can be counted.
    TooMuchWork,
}

/// The job that a signed extrinsic would submit.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct Submission {
    /// What it asks.
    pub spec: JobSpec,
}

/// Work units of `tokens` tokens; `None` if it does not fit.
pub fn units_for(tokens: u32, units_per_token: WorkUnits) -> Option<WorkUnits> {
    units_per_token.checked_mul(WorkUnits::from(tokens))
}

/// A worker's fee for `units` at `ask` per [`ASK_UNITS`], rounded up; `None` if it does not fit.
pub fn fee_for(units: WorkUnits, ask: u128) -> Option<u128> {
    let scale = u128::from(ASK_UNITS);
    ask.checked_mul(u128::from(units))?
        .checked_add(scale - 1)
        .map(|scaled| scaled / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fee_should_round_up() {
        assert_eq!(fee_for(1, 1), Some(1));
        assert_eq!(fee_for(ASK_UNITS, 7), Some(7));
        assert_eq!(fee_for(ASK_UNITS + 1, 7), Some(8));
        assert_eq!(fee_for(0, 7), Some(0));
    }

    #[test]
    fn fee_should_be_none_when_it_overflows() {
        assert_eq!(fee_for(u64::MAX, u128::MAX), None);
        assert_eq!(units_for(2, u64::MAX), None);
    }
}
