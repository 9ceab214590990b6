//! Questions that runtime APIs ask of the market.

use crate::{Balance, Config, Error, Job, Jobs, JobsOf, Pallet};
use alloc::vec::Vec;
use assay_types::{
    traits::{Candidate, Workers},
    Estimate, EstimateError, IneligibleWorker, JobId, JobInfo, JobSpec,
};
use frame_support::traits::Get;
use frame_system::pallet_prelude::BlockNumberFor;

/// A job as runtime APIs report it, in this runtime's types.
pub type JobInfoOf<T> = JobInfo<<T as frame_system::Config>::AccountId, Balance, BlockNumberFor<T>>;

/// Most jobs that one query returns.
pub const MAX_INFOS: u32 = 1_000;

impl<T: Config> Pallet<T> {
    /// The job, while its record is kept.
    pub fn info(id: JobId) -> Option<JobInfoOf<T>> {
        Jobs::<T>::get(id).map(|job| Self::describe(id, job))
    }

    /// Jobs submitted by `account` whose record is kept, newest first, at most `limit` and never
    /// more than [`MAX_INFOS`].
    pub fn infos_of(account: &T::AccountId, limit: u32) -> Vec<JobInfoOf<T>> {
        let mut ids: Vec<JobId> = JobsOf::<T>::iter_key_prefix(account).collect();
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids.into_iter()
            .take(limit.min(MAX_INFOS) as usize)
            .filter_map(Self::info)
            .collect()
    }

    /// Jobs in progress of the worker for which `hot_key` signs.
    pub fn assignments_of(hot_key: &T::AccountId) -> Vec<JobInfoOf<T>> {
        let Some(worker) = T::Workers::by_hot_key(hot_key) else {
            return Vec::new();
        };
        T::Workers::locked_jobs(&worker)
            .into_iter()
            .filter_map(|(id, _)| Self::info(id))
            .collect()
    }

    /// What a job would cost now, who could take it and why others could not. `max_fee` limits the
    /// total, if given.
    pub fn estimate(
        spec: &JobSpec,
        max_fee: Option<Balance>,
    ) -> Result<Estimate<T::AccountId, Balance>, EstimateError> {
        let (units, terms) = Self::check_spec(spec).map_err(|error| match error {
            Error::<T>::UnknownArtifact => EstimateError::UnknownArtifact,
            Error::<T>::ArtifactRetired => EstimateError::ArtifactRetired,
            Error::<T>::InputTooLarge => EstimateError::InputTooLarge,
            Error::<T>::TooMuchWork => EstimateError::TooMuchWork,
            _ => EstimateError::InvalidTokens,
        })?;
        let limit = max_fee.map_or(Balance::MAX, |max_fee| max_fee.saturating_sub(terms.price_per_use));
        let collateral_multiple = T::Parameters::get().collateral_multiple;
        let (eligible, ineligible) = T::Workers::survey(&Self::requirement(spec, units, limit, collateral_multiple));
        let total = |candidate: &Candidate<T::AccountId, Balance>| candidate.fee.saturating_add(terms.price_per_use);
        Ok(Estimate {
            units,
            lowest_fee: eligible.iter().map(total).min(),
            highest_fee: eligible.iter().map(total).max(),
            deposit: Self::record_deposit().saturating_add(T::ExpireTip::get()),
            eligible: eligible.into_iter().map(|candidate| candidate.account).collect(),
            ineligible: ineligible
                .into_iter()
                .map(|(account, reason)| IneligibleWorker { account, reason })
                .collect(),
        })
    }

    /// The job as runtime APIs report it.
    fn describe(id: JobId, job: Job<T>) -> JobInfoOf<T> {
        JobInfo {
            id,
            attempt: job.attempt(),
            submitter: job.submitter,
            spec: job.spec,
            max_fee: job.max_fee,
            held: job.held,
            deposit: job.deposit,
            attempts: job.attempts.into_inner(),
            submitted_at: job.submitted_at,
            phase: job.phase,
            agreed: job.agreement.map(|agreement| (agreement.ask, agreement.collateral)),
            removed_after: job.removed_after,
            parameters: job.parameters,
        }
    }
}
