//! Finding a worker for a job, and finding another one.

use crate::{
    draw::{draw, Entry},
    Agreement, AttemptOf, Config, Event, Job, Pallet,
};
use assay_types::{
    traits::{DrawRandomness, Workers},
    Fault, JobId, Phase,
};
use codec::Encode;
use frame_support::{defensive, pallet_prelude::DispatchResult};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{traits::One, Saturating};

/// Least number of blocks between two draws for a job for which nobody was free. The longer the
/// job has waited, the longer the next pause: half of that time. (Why: else a few hundred jobs that
/// only a worker of their submitter could take, and does not, would use up the hook's weight.)
pub(crate) const REDRAW_INTERVAL: u32 = 3;

impl<T: Config> Pallet<T> {
    /// Draws a worker and assigns the job to it. If nobody can take it now, or there is no
    /// randomness, the job is listed again for some blocks later.
    pub(crate) fn draw_worker(id: JobId, job: &mut Job<T>, now: BlockNumberFor<T>) -> DispatchResult {
        let randomness = T::Randomness::draw(&(id, job.attempt()).encode());
        Self::draw_worker_by(randomness, id, job, now)
    }

    /// [`Self::draw_worker`] with this randomness.
    pub(crate) fn draw_worker_by(
        randomness: Option<[u8; 32]>,
        id: JobId,
        job: &mut Job<T>,
        now: BlockNumberFor<T>,
    ) -> DispatchResult {
        let Phase::Open { until } = job.phase else {
            defensive!("only open jobs are drawn");
            return Ok(());
        };
        let limit = job.held.saturating_sub(job.terms.price_per_use);
        let requirement = Self::requirement(&job.spec, job.max_units(), limit, job.parameters.collateral_multiple);
        let mut candidates = T::Workers::candidates(&requirement);
        candidates.retain(|candidate| !job.has_tried(&candidate.account));
        let entries: alloc::vec::Vec<_> = candidates
            .iter()
            .map(|candidate| Entry {
                free_bond: candidate.free_bond,
                ask: candidate.ask,
            })
            .collect();
        let drawn = randomness
            .and_then(|randomness| draw(&entries, randomness))
            .map(|index| candidates.swap_remove(index));
        let Some(worker) = drawn else {
            let waited = now.saturating_add(job.parameters.assign_period).saturating_sub(until);
            let pause = (waited / 2u32.into()).max(REDRAW_INTERVAL.into());
            let last = until.saturating_add(One::one());
            Self::list_or_report(id, job, now.saturating_add(pause).min(last));
            return Ok(());
        };

        T::Workers::reserve(&worker.account, id, worker.collateral)?;
        Self::release_excess(job, worker.fee.saturating_add(job.terms.price_per_use));
        let until = now.saturating_add(job.parameters.acknowledge_period);
        job.agreement = Some(Agreement {
            ask: worker.ask,
            fee: worker.fee,
            collateral: worker.collateral,
        });
        job.phase = Phase::Assigned {
            worker: worker.account.clone(),
            until,
        };
        Self::list_or_report(id, job, until.saturating_add(One::one()));
        Self::deposit_event(Event::Assigned {
            job: id,
            attempt: job.attempt(),
            worker: worker.account,
            ask: worker.ask,
            fee: worker.fee,
            collateral: worker.collateral,
            until,
        });
        Ok(())
    }

    /// Records that `worker`'s attempt came to nothing. What it had locked is already free.
    pub(crate) fn end_attempt(job: &mut Job<T>, worker: T::AccountId, fault: Fault, now: BlockNumberFor<T>) {
        job.agreement = None;
        if job
            .attempts
            .try_push(AttemptOf::<T> {
                worker,
                ended_at: now,
                fault,
            })
            .is_err()
        {
            defensive!("a job without attempts left has ended, and is not assigned again");
        }
    }

    /// After an attempt that came to nothing: waits for another worker, or fails by `fault` if no
    /// attempt is left.
    pub(crate) fn try_again(id: JobId, job: &mut Job<T>, fault: Fault, now: BlockNumberFor<T>) -> DispatchResult {
        if job.attempts.is_full() {
            return Self::fail(id, job, fault, None, now);
        }
        Self::top_up(job);
        let until = now.saturating_add(job.parameters.assign_period);
        job.phase = Phase::Open { until };
        // Not in this block: its randomness may be known to who ended the attempt.
        Self::list_or_report(id, job, now.saturating_add(One::one()));
        Self::deposit_event(Event::Reopened {
            job: id,
            attempt: job.attempt(),
            held: job.held,
            until,
        });
        Ok(())
    }
}
