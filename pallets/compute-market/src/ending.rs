//! How a job ends: settled, failed, expired, cancelled; and how its record goes.

use crate::{
    settlement::{divide, COLLATERAL_TO_SUBMITTER, REFERENCE_PRICE_TO_SUBMITTER},
    Config, Error, Event, Job, Jobs, JobsOf, Pallet, PhaseOf,
};
use assay_types::{
    fee_for,
    traits::{Models, Workers},
    Fault, JobId, Phase, Status,
};
use frame_support::{defensive, ensure, pallet_prelude::DispatchResult};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{traits::One, Saturating};

impl<T: Config> Pallet<T> {
    /// See [`Pallet::cancel`].
    pub(crate) fn do_cancel(who: T::AccountId, id: JobId) -> DispatchResult {
        let mut job = Jobs::<T>::get(id).ok_or(Error::<T>::UnknownJob)?;
        ensure!(job.submitter == who, Error::<T>::NotSubmitter);
        match &job.phase {
            Phase::Open { .. } => {}
            Phase::Assigned { worker, .. } => T::Workers::release(worker, id),
            _ => return Err(Error::<T>::WrongPhase.into()),
        }
        Self::pay_reporters(id, &mut job);
        let refunded = Self::refund(&mut job)?;
        Self::end(
            id,
            &mut job,
            Phase::Cancelled,
            frame_system::Pallet::<T>::block_number(),
        );
        Jobs::<T>::insert(id, job);
        Self::deposit_event(Event::Cancelled { job: id, refunded });
        Ok(())
    }

    /// No worker was found in time. The job fails by what its last attempt failed by, or expires if
    /// there was none.
    pub(crate) fn give_up(id: JobId, job: &mut Job<T>, now: BlockNumberFor<T>) -> DispatchResult {
        if let Some(last) = job.attempts.last() {
            let fault = last.fault;
            return Self::fail(id, job, fault, None, now);
        }
        let refunded = Self::refund(job)?;
        Self::end(id, job, Phase::Expired, now);
        Self::deposit_event(Event::Expired { job: id, refunded });
        Ok(())
    }

    /// The worker missed its deadline: it pays as the phase demands, and the job is drawn again.
    pub(crate) fn miss_deadline(id: JobId, job: &mut Job<T>, now: BlockNumberFor<T>) -> DispatchResult {
        let (Some(worker), Some(agreement)) = (job.phase.worker().cloned(), job.agreement) else {
            defensive!("who has a deadline is assigned");
            return Ok(());
        };
        let (fault, amount, to_submitter) = match job.phase {
            Phase::Running { .. } => (
                Fault::Worker,
                agreement.fee,
                REFERENCE_PRICE_TO_SUBMITTER.mul_floor(agreement.fee),
            ),
            Phase::Committed { .. } => {
                let collateral = agreement.collateral;
                (Fault::Worker, collateral, COLLATERAL_TO_SUBMITTER.mul_floor(collateral))
            }
            _ => (Fault::Network, 0, 0),
        };
        let mut forfeited = 0;
        if amount > 0 {
            // What goes wrong with the bond must not keep the submitter from its money.
            match T::Workers::forfeit(&worker, id, amount, &job.submitter, to_submitter) {
                Ok(taken) => forfeited = taken,
                Err(error) => {
                    log::error!(target: "runtime::compute-market", "forfeiting for job {id} failed: {error:?}");
                    T::Workers::release(&worker, id);
                }
            }
        } else {
            T::Workers::release(&worker, id);
        }
        T::Workers::note_missed(&worker);
        let attempt = job.attempt();
        Self::end_attempt(job, worker.clone(), fault, now);
        Self::deposit_event(Event::DeadlineMissed {
            job: id,
            attempt,
            worker,
            fault,
            forfeited,
        });
        Self::try_again(id, job, fault, now)
    }

    /// The challenge window has closed: pays for a completed run, or ends the job by the failure
    /// that was revealed.
    pub(crate) fn settle(id: JobId, job: &mut Job<T>, now: BlockNumberFor<T>) -> DispatchResult {
        let (Phase::Challengeable { worker, outcome, .. }, Some(agreement)) = (job.phase.clone(), job.agreement) else {
            defensive!("what settles has been revealed by its worker");
            return Ok(());
        };
        T::Workers::release(&worker, id);
        match outcome.status {
            Status::Completed => {}
            Status::MalformedInput => {
                Self::pay_call_outs(id, job, &[worker]);
                return Self::fail(id, job, Fault::Submitter, Some(outcome.status), now);
            }
            Status::MalformedModel => return Self::fail(id, job, Fault::Artifact, Some(outcome.status), now),
        }
        let units = job.units(outcome.tokens);
        // Not above the reference price: no outcome has more tokens than `max_tokens`.
        let fee = fee_for(units, agreement.ask).map_or(agreement.fee, |fee| fee.min(agreement.fee));
        let division = divide(
            job.held,
            fee,
            job.terms.price_per_use,
            job.parameters.treasury_cut,
            job.parameters.burn_cut,
        );
        let payment = Self::pay_out(job, &worker, division)?;
        T::Models::note_use(job.spec.artifact, payment.artifact);
        T::Workers::note_settled(&worker, units);
        Self::end(
            id,
            job,
            Phase::Settled {
                worker: worker.clone(),
                outcome,
                payment,
            },
            now,
        );
        Self::deposit_event(Event::Settled {
            job: id,
            worker,
            payment,
        });
        Ok(())
    }

    /// Ends the job without a result and gives back what is held. If two or more workers have
    /// reported its input, and that is what it fails by, they are paid for having been called out.
    pub(crate) fn fail(
        id: JobId,
        job: &mut Job<T>,
        fault: Fault,
        status: Option<Status>,
        now: BlockNumberFor<T>,
    ) -> DispatchResult {
        if fault == Fault::Submitter && job.reporters(fault).count() >= 2 {
            Self::pay_reporters(id, job);
        }
        let refunded = Self::refund(job)?;
        Self::end(id, job, Phase::Failed { fault, status }, now);
        Self::deposit_event(Event::Failed {
            job: id,
            fault,
            status,
            refunded,
        });
        Ok(())
    }

    /// Pays the call-out fee to every worker that has reported the input as unavailable.
    fn pay_reporters(id: JobId, job: &mut Job<T>) {
        let reporters: alloc::vec::Vec<_> = job.reporters(Fault::Submitter).cloned().collect();
        Self::pay_call_outs(id, job, &reporters);
    }

    /// Puts the job into its last phase and lists it for the removal of its record.
    fn end(id: JobId, job: &mut Job<T>, phase: PhaseOf<T>, now: BlockNumberFor<T>) {
        let removed_after = now.saturating_add(job.parameters.retention_period);
        job.phase = phase;
        job.agreement = None;
        job.removed_after = Some(removed_after);
        Self::list_or_report(id, job, removed_after.saturating_add(One::one()));
    }

    /// Removes the record of an ended job and gives its deposit back.
    pub(crate) fn remove(id: JobId, mut job: Job<T>) -> DispatchResult {
        let deposit = Self::return_deposit(&mut job)?;
        Jobs::<T>::remove(id);
        JobsOf::<T>::remove(&job.submitter, id);
        Self::deposit_event(Event::Removed { job: id, deposit });
        Ok(())
    }
}
