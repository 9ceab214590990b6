//! What an assigned worker does: acknowledge, commit, reveal, or report why it cannot.

use crate::{submission::tokens_in, Config, Error, Event, Job, Jobs, Pallet, PhaseOf};
use assay_types::{traits::Workers, Fault, JobId, Outcome, Phase, Status, UnavailableBlob};
use frame_support::{ensure, pallet_prelude::DispatchResult};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::H256;
use sp_runtime::{
    traits::{One, SaturatedConversion, Zero},
    Saturating,
};

/// Bytes of one element of an output tensor: f32.
const ELEMENT_SIZE: u64 = 4;

impl<T: Config> Pallet<T> {
    /// The job, and the cold account of the worker that holds it and for which `hot_key` signs.
    fn assigned_to(hot_key: &T::AccountId, id: JobId) -> Result<(Job<T>, T::AccountId), Error<T>> {
        let job = Jobs::<T>::get(id).ok_or(Error::<T>::UnknownJob)?;
        let worker = T::Workers::by_hot_key(hot_key).ok_or(Error::<T>::NotAssigned)?;
        ensure!(job.phase.worker() == Some(&worker), Error::<T>::NotAssigned);
        Ok((job, worker))
    }

    /// Moves the job to `phase`, whose deadline is `until`, and stores it.
    fn advance(id: JobId, mut job: Job<T>, phase: PhaseOf<T>, until: BlockNumberFor<T>) {
        job.phase = phase;
        Self::list_or_report(id, &mut job, until.saturating_add(One::one()));
        Jobs::<T>::insert(id, job);
    }

    /// See [`Pallet::acknowledge`].
    pub(crate) fn do_acknowledge(who: T::AccountId, id: JobId) -> DispatchResult {
        let (job, worker) = Self::assigned_to(&who, id)?;
        let Phase::Assigned { until, .. } = job.phase else {
            return Err(Error::<T>::WrongPhase.into());
        };
        let now = frame_system::Pallet::<T>::block_number();
        ensure!(now <= until, Error::<T>::DeadlinePassed);

        let attempt = job.attempt();
        let work = job.max_units().div_ceil(job.parameters.units_per_block);
        let until = now
            .saturating_add(job.parameters.compute_period)
            .saturating_add(work.saturated_into());
        Self::advance(
            id,
            job,
            Phase::Running {
                worker: worker.clone(),
                until,
            },
            until,
        );
        Self::deposit_event(Event::Acknowledged {
            job: id,
            attempt,
            worker,
            until,
        });
        Ok(())
    }

    /// See [`Pallet::commit`].
    pub(crate) fn do_commit(who: T::AccountId, id: JobId, attempt: u32, commitment: H256) -> DispatchResult {
        let (job, worker) = Self::assigned_to(&who, id)?;
        let Phase::Running { until, .. } = job.phase else {
            return Err(Error::<T>::WrongPhase.into());
        };
        ensure!(attempt == job.attempt(), Error::<T>::WrongAttempt);
        let now = frame_system::Pallet::<T>::block_number();
        ensure!(now <= until, Error::<T>::DeadlinePassed);

        let from = now.saturating_add(job.parameters.reveal_delay);
        let until = from.saturating_add(job.parameters.reveal_period);
        Self::advance(
            id,
            job,
            Phase::Committed {
                worker: worker.clone(),
                commitment,
                from,
                until,
            },
            until,
        );
        Self::deposit_event(Event::Committed {
            job: id,
            attempt,
            worker,
            commitment,
            from,
            until,
        });
        Ok(())
    }

    /// See [`Pallet::reveal`].
    pub(crate) fn do_reveal(id: JobId, attempt: u32, outcome: Outcome, salt: [u8; 32]) -> DispatchResult {
        let job = Jobs::<T>::get(id).ok_or(Error::<T>::UnknownJob)?;
        let Phase::Committed {
            worker,
            commitment,
            from,
            until,
        } = job.phase.clone()
        else {
            return Err(Error::<T>::WrongPhase.into());
        };
        ensure!(attempt == job.attempt(), Error::<T>::WrongAttempt);
        let now = frame_system::Pallet::<T>::block_number();
        ensure!(now >= from, Error::<T>::TooEarly);
        ensure!(now <= until, Error::<T>::DeadlinePassed);
        let expected = assay_types::commitment(&Self::genesis(), id, attempt, &worker.clone().into(), &outcome, &salt);
        ensure!(expected == commitment, Error::<T>::CommitmentMismatch);
        Self::check_outcome(&job, &outcome)?;

        let until = now.saturating_add(job.parameters.challenge_period);
        Self::advance(
            id,
            job,
            Phase::Challengeable {
                worker: worker.clone(),
                outcome,
                until,
            },
            until,
        );
        Self::deposit_event(Event::Revealed {
            job: id,
            attempt,
            worker,
            outcome,
            until,
        });
        Ok(())
    }

    /// Hash of the genesis block, which commitments are bound to.
    pub fn genesis() -> H256 {
        frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero())
    }

    /// Whether `outcome` is one that the job can have. What it says cannot be checked here, but what
    /// follows from the job itself can.
    fn check_outcome(job: &Job<T>, outcome: &Outcome) -> Result<(), Error<T>> {
        let trace = blake3::hash(&outcome.trace_header());
        ensure!(outcome.trace == H256(*trace.as_bytes()), Error::<T>::TraceMismatch);
        ensure!(outcome.tokens <= job.spec.max_tokens, Error::<T>::TooManyTokens);
        let size = match outcome.status {
            Status::Completed => {
                // A well-formed input's size gives its tokens away, so they need not be believed.
                ensure!(tokens_in(&job.spec) == Some(outcome.tokens), Error::<T>::TokensMismatch);
                ensure!(outcome.delivered == outcome.result, Error::<T>::OutputMismatch);
                let elements = u64::from(job.spec.sequences).saturating_mul(job.terms.profile.dimensions.into());
                elements.saturating_mul(ELEMENT_SIZE)
            }
            Status::MalformedInput | Status::MalformedModel => 0,
        };
        ensure!(outcome.delivered_size == size, Error::<T>::OutputSizeMismatch);
        Ok(())
    }

    /// See [`Pallet::report_unavailable`].
    pub(crate) fn do_report_unavailable(
        who: T::AccountId,
        id: JobId,
        attempt: u32,
        blob: UnavailableBlob,
    ) -> DispatchResult {
        let (mut job, worker) = Self::assigned_to(&who, id)?;
        let (Phase::Assigned { until, .. } | Phase::Running { until, .. }) = job.phase else {
            return Err(Error::<T>::WrongPhase.into());
        };
        ensure!(attempt == job.attempt(), Error::<T>::WrongAttempt);
        let now = frame_system::Pallet::<T>::block_number();
        ensure!(now <= until, Error::<T>::DeadlinePassed);

        let fault = match blob {
            UnavailableBlob::Input => Fault::Submitter,
            UnavailableBlob::Package => Fault::Artifact,
        };
        let confirmed = job.attempts.last().is_some_and(|attempt| attempt.fault == fault);
        T::Workers::release(&worker, id);
        Self::end_attempt(&mut job, worker.clone(), fault, now);
        Self::deposit_event(Event::BlobUnavailable {
            job: id,
            attempt,
            worker,
            blob,
        });
        if confirmed {
            Self::fail(id, &mut job, fault, None, now)?;
        } else {
            Self::try_again(id, &mut job, fault, now)?;
        }
        Jobs::<T>::insert(id, job);
        Ok(())
    }
}
