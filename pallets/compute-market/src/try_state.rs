//! What must hold in every state of the market.

use crate::{Agenda, Balance, Config, Cursor, HoldReason, Job, Jobs, JobsOf, NextJobId, Pallet};
use alloc::collections::{BTreeMap, BTreeSet};
use assay_types::{traits::Workers, JobId};
use frame_support::{
    ensure,
    traits::{fungible::InspectHold, Get},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks the market's invariants:
    ///
    /// 1. *Escrow.* Of every account, what is on hold as [`HoldReason::Fee`] is the sum of what its
    ///    jobs say is held, and likewise for deposits: nothing, if it has no jobs. An ended job holds
    ///    no fee; the tip is part of the deposit; nothing is held over the submitter's limit.
    /// 2. *Collateral.* Every worker has locked, for each of its jobs in progress, what was agreed, and
    ///    nothing for any other job.
    /// 3. *Phases.* A job has an agreement exactly while a worker is assigned, and a date of removal
    ///    exactly once it has ended. No worker tries twice; a job in progress has an attempt left.
    /// 4. *Agenda.* A job that is due in some block is listed under it, and the cursor is not past
    ///    it. (One that is due in none is reached by `expire`.) No list before the cursor has entries.
    /// 5. *Ids.* Every id is below the next one, and stands under its submitter; nothing else does.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut fees = BTreeMap::<T::AccountId, Balance>::new();
        let mut deposits = BTreeMap::<T::AccountId, Balance>::new();
        let mut locked = BTreeMap::<T::AccountId, BTreeSet<(JobId, Balance)>>::new();
        let mut jobs = 0;
        for (id, job) in Jobs::<T>::iter() {
            Self::try_state_of(id, &job)?;
            jobs += 1;
            *fees.entry(job.submitter.clone()).or_default() += job.held;
            *deposits.entry(job.submitter.clone()).or_default() += job.deposit;
            if let (Some(worker), Some(agreement)) = (job.phase.worker(), job.agreement) {
                locked
                    .entry(worker.clone())
                    .or_default()
                    .insert((id, agreement.collateral));
            }
        }
        // Who has anything on hold has an account, workers with their bond among them.
        for account in frame_system::Account::<T>::iter_keys() {
            ensure!(
                T::Currency::balance_on_hold(&HoldReason::Fee.into(), &account)
                    == fees.remove(&account).unwrap_or_default(),
                "fees on hold are not what the jobs in progress hold"
            );
            ensure!(
                T::Currency::balance_on_hold(&HoldReason::Deposit.into(), &account)
                    == deposits.remove(&account).unwrap_or_default(),
                "deposits on hold are not those of the jobs"
            );
            let reserved: BTreeSet<_> = T::Workers::locked_jobs(&account).into_iter().collect();
            ensure!(
                reserved == locked.remove(&account).unwrap_or_default(),
                "a worker's locked bond is not what its jobs in progress agreed"
            );
        }
        ensure!(
            locked.is_empty() && fees.into_values().chain(deposits.into_values()).all(|sum| sum == 0),
            "a job holds or locks something of somebody who has no account"
        );
        ensure!(
            JobsOf::<T>::iter_keys().count() == jobs,
            "an entry under a submitter has no job"
        );
        ensure!(
            Agenda::<T>::iter().all(|(block, page)| block >= Cursor::<T>::get() && !page.is_empty()),
            "the agenda lists nothing before the cursor and keeps no empty page"
        );
        Ok(())
    }

    /// The invariants of one job.
    fn try_state_of(id: JobId, job: &Job<T>) -> Result<(), TryRuntimeError> {
        let ended = job.phase.is_ended();
        ensure!(id < NextJobId::<T>::get(), "the next id is not above all others");
        ensure!(
            JobsOf::<T>::contains_key(&job.submitter, id),
            "a job does not stand under its submitter"
        );
        ensure!(job.held <= job.max_fee, "more is held than the submitter's limit");
        ensure!(job.tip <= job.deposit, "the tip is not part of the deposit");
        ensure!(!ended || job.held == 0, "an ended job holds a fee");
        ensure!(
            ended == job.removed_after.is_some(),
            "the record's end does not fit the phase"
        );
        let assigned = !ended && job.phase.worker().is_some();
        ensure!(
            assigned == job.agreement.is_some(),
            "the agreement does not fit the phase"
        );
        if let Some(agreement) = job.agreement {
            let needed = agreement.fee.saturating_add(job.terms.price_per_use);
            ensure!(job.held >= needed, "the fee agreed is not held");
        }
        let mut tried: BTreeSet<_> = job.attempts.iter().map(|attempt| &attempt.worker).collect();
        ensure!(tried.len() == job.attempts.len(), "a worker had two attempts");
        if let Some(worker) = job.phase.worker() {
            ensure!(tried.insert(worker), "a worker has a second attempt");
        }
        ensure!(
            ended || job.attempt() < T::MaxAttempts::get(),
            "a job in progress has no attempt left"
        );
        if let Some(due) = job.due {
            ensure!(
                Agenda::<T>::get(due).contains(&id),
                "a job is not listed under the block in which it is due"
            );
            ensure!(due >= Cursor::<T>::get(), "the cursor is past a job that is due");
        }
        Ok(())
    }
}
