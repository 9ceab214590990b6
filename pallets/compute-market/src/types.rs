//! What the chain keeps of a job, and what can be due for it.

use crate::Config;
use assay_types::{
    units_for, Attempt, Fault, JobParameters, JobSpec, ModelProfile, ModelTerms, Payment, Phase, WorkUnits,
};
use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{pallet_prelude::*, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound};
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;

/// The token's smallest unit. Prices are computed in u128 everywhere (see
/// [`assay_types::fee_for`]), so the market is not generic over it.
pub type Balance = u128;

/// How far a job is, in this runtime's types.
pub type PhaseOf<T> = Phase<<T as frame_system::Config>::AccountId, Balance, BlockNumberFor<T>>;
/// An attempt that came to nothing, in this runtime's types.
pub type AttemptOf<T> = Attempt<<T as frame_system::Config>::AccountId, BlockNumberFor<T>>;
/// The parameters that a job copies when it is submitted, in this runtime's types.
pub type ParametersOf<T> = JobParameters<BlockNumberFor<T>>;
/// How a fee was divided, in this runtime's types.
pub type PaymentOf = Payment<Balance>;

/// A job as it is stored.
#[derive(CloneNoBound, DebugNoBound, PartialEqNoBound, EqNoBound, Encode, Decode, MaxEncodedLen, TypeInfo)]
#[scale_info(skip_type_params(T))]
#[codec(mel_bound(T: Config))]
pub struct Job<T: Config> {
    /// Who pays.
    pub submitter: T::AccountId,
    /// What is asked.
    pub spec: JobSpec,
    /// The model's terms when the job was submitted.
    pub terms: Terms<T::AccountId>,
    /// The market's parameters when the job was submitted.
    pub parameters: ParametersOf<T>,
    /// The most the submitter pays for worker and model.
    pub max_fee: Balance,
    /// On hold for worker and model now; zero once the job has ended.
    pub held: Balance,
    /// On hold for the record, with what is left of the tip.
    pub deposit: Balance,
    /// The part of `deposit` set aside for whoever tidies up when the hooks have fallen behind.
    pub tip: Balance,
    /// Block of submission.
    pub submitted_at: BlockNumberFor<T>,
    /// How far it is.
    pub phase: PhaseOf<T>,
    /// What was agreed with the worker; `Some` exactly while one is assigned.
    pub agreement: Option<Agreement>,
    /// Attempts that came to nothing, oldest first.
    pub attempts: BoundedVec<AttemptOf<T>, T::MaxAttempts>,
    /// Block under which the agenda lists it; `None` if no list had room.
    pub due: Option<BlockNumberFor<T>>,
    /// Last block in which the record is kept; `Some` exactly once the job has ended.
    pub removed_after: Option<BlockNumberFor<T>>,
}

/// What the job has to know of its model, copied so that no later change touches it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Terms<AccountId> {
    /// Who is paid for the use.
    pub owner: AccountId,
    /// Paid to `owner` when the job settles.
    pub price_per_use: Balance,
    /// Cost and limits.
    pub profile: ModelProfile,
}

impl<AccountId> From<ModelTerms<AccountId, Balance>> for Terms<AccountId> {
    fn from(terms: ModelTerms<AccountId, Balance>) -> Self {
        Self {
            owner: terms.owner,
            price_per_use: terms.price_per_use,
            profile: terms.profile,
        }
    }
}

/// What is fixed between submitter and worker when the worker is assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Agreement {
    /// The worker's ask.
    pub ask: Balance,
    /// Its fee if the job uses all of `max_tokens`: the job's reference price.
    pub fee: Balance,
    /// Bond locked for the job.
    pub collateral: Balance,
}

/// What is to be done for a job at a given block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Draw a worker. Only the hook does this.
    Draw,
    /// No worker was found in time: give up.
    GiveUp,
    /// The worker missed its deadline.
    Missed,
    /// The challenge window has closed: pay.
    Settle,
    /// The record has been kept long enough.
    Remove,
}

impl<T: Config> Job<T> {
    /// Number of the current or next assignment, from 0: every attempt that ended is recorded.
    pub fn attempt(&self) -> u32 {
        self.attempts.len() as u32
    }

    /// Work units if the job uses all of `max_tokens`.
    pub fn max_units(&self) -> WorkUnits {
        self.units(self.spec.max_tokens)
    }

    /// Work units of `tokens` tokens. Saturation is out of reach: `submit` refuses a job whose
    /// `max_tokens` overflow, and no outcome has more tokens than that.
    pub fn units(&self, tokens: u32) -> WorkUnits {
        units_for(tokens, self.terms.profile.units_per_token).unwrap_or(WorkUnits::MAX)
    }

    /// Whether `worker` has had an attempt at this job.
    pub fn has_tried(&self, worker: &T::AccountId) -> bool {
        self.attempts.iter().any(|attempt| attempt.worker == *worker)
    }

    /// Workers that reported `fault`, oldest first.
    pub fn reporters(&self, fault: Fault) -> impl Iterator<Item = &T::AccountId> {
        self.attempts
            .iter()
            .filter(move |attempt| attempt.fault == fault)
            .map(|attempt| &attempt.worker)
    }

    /// Last block in which nothing has to be done for this job by itself.
    pub fn until(&self) -> Option<BlockNumberFor<T>> {
        match &self.phase {
            Phase::Open { until }
            | Phase::Assigned { until, .. }
            | Phase::Running { until, .. }
            | Phase::Committed { until, .. }
            | Phase::Challengeable { until, .. } => Some(*until),
            Phase::Settled { .. } | Phase::Failed { .. } | Phase::Cancelled | Phase::Expired => self.removed_after,
        }
    }

    /// What is to be done for this job at block `now`.
    pub fn action(&self, now: BlockNumberFor<T>) -> Option<Action> {
        let overdue = self.until().is_some_and(|until| now > until);
        match &self.phase {
            Phase::Open { .. } if overdue => Some(Action::GiveUp),
            Phase::Open { .. } => Some(Action::Draw),
            _ if !overdue => None,
            Phase::Assigned { .. } | Phase::Running { .. } | Phase::Committed { .. } => Some(Action::Missed),
            Phase::Challengeable { .. } => Some(Action::Settle),
            Phase::Settled { .. } | Phase::Failed { .. } | Phase::Cancelled | Phase::Expired => Some(Action::Remove),
        }
    }
}
