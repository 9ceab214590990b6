//! Jobs: what was asked, how far it is, what was paid.

use super::Decimal;
use crate::{
    artifact::ArtifactId,
    blob::BlobRef,
    commitment::{Outcome, Status},
    job::{Attempt, Fault, JobId, JobInfo, JobParameters, JobSpec, Payment, Phase},
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use sp_core::H256;
use sp_runtime::AccountId32;

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// Who pays.
    pub submitter: AccountId32,
    /// What is asked.
    pub spec: JobSpecView,
    /// The submitter's price limit.
    pub max_fee: Decimal,
    /// What is on hold for it now, without the deposit.
    pub held: Decimal,
    /// On hold for the storage it takes.
    pub deposit: Decimal,
    /// Counts assignments from 0.
    pub attempt: u32,
    /// Earlier attempts.
    pub attempts: Vec<AttemptView>,
    /// Block of submission.
    pub submitted_at: u32,
    /// How far it is.
    pub phase: PhaseView,
    /// What the worker that has it asked and locked; null while it has none.
    pub agreed: Option<AgreedView>,
    /// Block after which this record is removed; null until the job ends.
    pub removed_after: Option<u32>,
    /// The parameters it runs under.
    pub parameters: ParametersView,
}

impl JobView {
    /// The job as it is at block `now`, which tells a committed job from one being revealed.
    pub fn at(info: JobInfo<AccountId32, u128, u32>, now: u32) -> Self {
        Self {
            id: info.id,
            submitter: info.submitter,
            spec: info.spec.into(),
            max_fee: info.max_fee.into(),
            held: info.held.into(),
            deposit: info.deposit.into(),
            attempt: info.attempt,
            attempts: info.attempts.into_iter().map(Into::into).collect(),
            submitted_at: info.submitted_at,
            phase: PhaseView::at(info.phase, now),
            agreed: info.agreed.map(|(ask, collateral)| AgreedView {
                ask: ask.into(),
                collateral: collateral.into(),
            }),
            removed_after: info.removed_after,
            parameters: info.parameters.into(),
        }
    }
}

/// A notification of `compute_subscribeJob`: the job after the block named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobUpdate {
    /// Whether the block is final. If not, what is said here may be undone.
    pub finalized: bool,
    /// The block at whose state the job was read.
    pub block_hash: H256,
    /// Its number.
    pub block_number: u32,
    /// The job; null where the chain has no record of it, before submission or after removal.
    pub job: Option<JobView>,
}

/// What a job asks for; also taken as input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobSpecView {
    /// The model.
    pub artifact: ArtifactId,
    /// Token ids, encoded as [`crate::tokens`] describes.
    pub input: BlobRef,
    /// Sequences in the input.
    pub sequences: u32,
    /// The most tokens the input may have over all sequences.
    pub max_tokens: u32,
}

impl From<JobSpec> for JobSpecView {
    fn from(spec: JobSpec) -> Self {
        let JobSpec {
            artifact,
            input,
            sequences,
            max_tokens,
        } = spec;
        Self {
            artifact,
            input,
            sequences,
            max_tokens,
        }
    }
}

impl From<JobSpecView> for JobSpec {
    fn from(view: JobSpecView) -> Self {
        let JobSpecView {
            artifact,
            input,
            sequences,
            max_tokens,
        } = view;
        Self {
            artifact,
            input,
            sequences,
            max_tokens,
        }
    }
}

/// How far a job is; `name` says which. Block numbers named `until` are the last in which the step
/// may be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "camelCase")]
pub enum PhaseView {
    /// Waits for a worker.
    Open {
        /// Last block in which it may be assigned.
        until: u32,
    },
    /// Drawn; the worker has not answered yet.
    Assigned {
        /// Cold account of the worker.
        worker: AccountId32,
        /// Last block for the acknowledgement.
        until: u32,
    },
    /// Acknowledged; being computed.
    Running {
        /// Cold account of the worker.
        worker: AccountId32,
        /// Last block for the commitment.
        until: u32,
    },
    /// Committed; reveals are not open yet.
    Committed {
        /// Cold account of the worker.
        worker: AccountId32,
        /// See [`crate::commitment()`].
        commitment: H256,
        /// First block in which it may be revealed.
        from: u32,
        /// Last block for the reveal.
        until: u32,
    },
    /// Committed; reveals are open.
    Revealing {
        /// Cold account of the worker.
        worker: AccountId32,
        /// See [`crate::commitment()`].
        commitment: H256,
        /// First block in which it may be revealed.
        from: u32,
        /// Last block for the reveal.
        until: u32,
    },
    /// Revealed; settles after `until`.
    Challengeable {
        /// Cold account of the worker.
        worker: AccountId32,
        /// What was revealed.
        outcome: OutcomeView,
        /// Last block of the challenge window.
        until: u32,
    },
    /// Ended: paid.
    Settled {
        /// Cold account of the worker.
        worker: AccountId32,
        /// What was revealed.
        outcome: OutcomeView,
        /// Who was paid how much.
        payment: PaymentView,
    },
    /// Ended without a result.
    Failed {
        /// Whose fault it was.
        fault: FaultView,
        /// The revealed failure, if that is how it ended.
        status: Option<StatusView>,
    },
    /// Ended by its submitter before a worker acknowledged it.
    Cancelled,
    /// Ended because no worker was free in time.
    Expired,
}

impl PhaseView {
    /// The phase as it is at block `now`.
    pub fn at(phase: Phase<AccountId32, u128, u32>, now: u32) -> Self {
        match phase {
            Phase::Open { until } => Self::Open { until },
            Phase::Assigned { worker, until } => Self::Assigned { worker, until },
            Phase::Running { worker, until } => Self::Running { worker, until },
            Phase::Committed {
                worker,
                commitment,
                from,
                until,
            } if now < from => Self::Committed {
                worker,
                commitment,
                from,
                until,
            },
            Phase::Committed {
                worker,
                commitment,
                from,
                until,
            } => Self::Revealing {
                worker,
                commitment,
                from,
                until,
            },
            Phase::Challengeable { worker, outcome, until } => Self::Challengeable {
                worker,
                outcome: outcome.into(),
                until,
            },
            Phase::Settled {
                worker,
                outcome,
                payment,
            } => Self::Settled {
                worker,
                outcome: outcome.into(),
                payment: payment.into(),
            },
            Phase::Failed { fault, status } => Self::Failed {
                fault: fault.into(),
                status: status.map(Into::into),
            },
            Phase::Cancelled => Self::Cancelled,
            Phase::Expired => Self::Expired,
        }
    }

    /// The phase's name, as in JSON. That of [`Phase::name`], but for `revealing`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Assigned { .. } => "assigned",
            Self::Running { .. } => "running",
            Self::Committed { .. } => "committed",
            Self::Revealing { .. } => "revealing",
            Self::Challengeable { .. } => "challengeable",
            Self::Settled { .. } => "settled",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Whether the job is over and only its record remains.
    pub fn is_ended(&self) -> bool {
        matches!(
            self,
            Self::Settled { .. } | Self::Failed { .. } | Self::Cancelled | Self::Expired
        )
    }
}

/// What a worker revealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeView {
    /// How the run ended.
    pub status: StatusView,
    /// Tokens processed.
    pub tokens: u32,
    /// BLAKE3 hash of the output tensor.
    pub result: H256,
    /// Digest of the run's trace.
    pub trace: H256,
    /// BLAKE3 hash of the output blob as handed over.
    pub delivered: H256,
    /// Its length in bytes.
    pub delivered_size: u64,
}

impl From<Outcome> for OutcomeView {
    fn from(outcome: Outcome) -> Self {
        let Outcome {
            status,
            tokens,
            result,
            trace,
            delivered,
            delivered_size,
        } = outcome;
        Self {
            status: status.into(),
            tokens,
            result,
            trace,
            delivered,
            delivered_size,
        }
    }
}

/// How a run ended. See [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatusView {
    /// There is an output.
    Completed,
    /// The input blob is not what the job describes.
    MalformedInput,
    /// The model cannot be run as its package describes it.
    MalformedModel,
}

impl From<Status> for StatusView {
    fn from(status: Status) -> Self {
        match status {
            Status::Completed => Self::Completed,
            Status::MalformedInput => Self::MalformedInput,
            Status::MalformedModel => Self::MalformedModel,
        }
    }
}

/// How a job's fee was divided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentView {
    /// To the worker.
    pub worker: Decimal,
    /// To the model's owner.
    pub artifact: Decimal,
    /// To the treasury.
    pub treasury: Decimal,
    /// Burned.
    pub burned: Decimal,
    /// Back to the submitter.
    pub refunded: Decimal,
}

impl From<Payment<u128>> for PaymentView {
    fn from(payment: Payment<u128>) -> Self {
        Self {
            worker: payment.worker.into(),
            artifact: payment.artifact.into(),
            treasury: payment.treasury.into(),
            burned: payment.burned.into(),
            refunded: payment.refunded.into(),
        }
    }
}

/// One worker's try at a job that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptView {
    /// Cold account of the worker.
    pub worker: AccountId32,
    /// Block in which the attempt was given up.
    pub ended_at: u32,
    /// Whose fault it was.
    pub fault: FaultView,
}

impl From<Attempt<AccountId32, u32>> for AttemptView {
    fn from(attempt: Attempt<AccountId32, u32>) -> Self {
        Self {
            worker: attempt.worker,
            ended_at: attempt.ended_at,
            fault: attempt.fault.into(),
        }
    }
}

/// Whose fault it was. See [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultView {
    /// Silent after acknowledging, or committed and did not reveal.
    Worker,
    /// The input cannot be had, or is not what the job says.
    Submitter,
    /// The model's package cannot be had.
    Artifact,
    /// Nobody eligible, or nobody who acknowledged.
    Network,
}

impl From<Fault> for FaultView {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Worker => Self::Worker,
            Fault::Submitter => Self::Submitter,
            Fault::Artifact => Self::Artifact,
            Fault::Network => Self::Network,
        }
    }
}

/// What the worker that has a job asked and locked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgreedView {
    /// Its price per [`crate::ASK_UNITS`] work units.
    pub ask: Decimal,
    /// The part of its bond that is locked.
    pub collateral: Decimal,
}

/// Parameters of the market, as a job keeps them. See [`JobParameters`]; durations in blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParametersView {
    /// How long a job may wait for a worker.
    pub assign_period: u32,
    /// From assignment to acknowledgement.
    pub acknowledge_period: u32,
    /// From acknowledgement to commitment, beside what the work itself takes.
    pub compute_period: u32,
    /// Work units that a worker must do in a block, at the least.
    pub units_per_block: Decimal,
    /// From commitment to the opening of reveals.
    pub reveal_delay: u32,
    /// How long reveals stay open.
    pub reveal_period: u32,
    /// From reveal to settlement.
    pub challenge_period: u32,
    /// How long the record of an ended job is kept.
    pub retention_period: u32,
    /// Bond locked for a job, as a multiple of the worker's fee.
    pub collateral_multiple: u32,
    /// Part of the worker's fee that goes to the treasury, in millionths.
    pub treasury_cut: u32,
    /// Part of the worker's fee that is burned, in millionths.
    pub burn_cut: u32,
}

impl From<JobParameters<u32>> for ParametersView {
    fn from(parameters: JobParameters<u32>) -> Self {
        Self {
            assign_period: parameters.assign_period,
            acknowledge_period: parameters.acknowledge_period,
            compute_period: parameters.compute_period,
            units_per_block: parameters.units_per_block.into(),
            reveal_delay: parameters.reveal_delay,
            reveal_period: parameters.reveal_period,
            challenge_period: parameters.challenge_period,
            retention_period: parameters.retention_period,
            collateral_multiple: parameters.collateral_multiple,
            treasury_cut: parameters.treasury_cut.deconstruct(),
            burn_cut: parameters.burn_cut.deconstruct(),
        }
    }
}

#[cfg(test)]
mod tests;
