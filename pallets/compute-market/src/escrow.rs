//! What is on hold for jobs, and every way out of it.
//!
//! `Job::held` and `Job::deposit` are changed here and nowhere else, together with the holds they
//! account for.

use crate::{
    settlement::{call_out, divide},
    submission::tokens_in,
    Balance, Config, Error, Event, HoldReason, Job, Pallet, PaymentOf,
};
use assay_types::JobId;
use codec::MaxEncodedLen;
use frame_support::{
    ensure,
    pallet_prelude::{DispatchError, DispatchResult},
    traits::{
        fungible::{Inspect, MutateHold},
        tokens::{Fortitude, Precision, Preservation, Restriction},
        Get,
    },
};
use sp_runtime::{helpers_128bit::multiply_by_rational_with_rounding, Rounding};

impl<T: Config> Pallet<T> {
    /// Deposit for one job's record, without the tip: the job and its entry under the submitter.
    pub fn record_deposit() -> Balance {
        let bytes = Job::<T>::max_encoded_len() + T::AccountId::max_encoded_len() + 2 * JobId::max_encoded_len();
        T::DepositBase::get().saturating_add(T::DepositPerByte::get().saturating_mul(bytes as Balance))
    }

    /// Puts a new job's fee and deposit on hold. They must be neither frozen nor what keeps the
    /// account alive.
    pub(crate) fn hold_for_job(submitter: &T::AccountId, fee: Balance, deposit: Balance) -> DispatchResult {
        let needed = fee.checked_add(deposit).ok_or(Error::<T>::InsufficientFunds)?;
        ensure!(Self::spare(submitter) >= needed, Error::<T>::InsufficientFunds);
        T::Currency::hold(&HoldReason::Fee.into(), submitter, fee)?;
        T::Currency::hold(&HoldReason::Deposit.into(), submitter, deposit)
    }

    /// What `who` could have put on hold.
    fn spare(who: &T::AccountId) -> Balance {
        T::Currency::reducible_balance(who, Preservation::Preserve, Fortitude::Polite)
    }

    /// Releases what is held over `keep`. Where the account cannot take it back it stays on hold and
    /// goes back with the rest.
    pub(crate) fn release_excess(job: &mut Job<T>, keep: Balance) {
        let excess = job.held.saturating_sub(keep);
        if Self::release(HoldReason::Fee, &job.submitter, excess) {
            job.held -= excess;
        }
    }

    /// Brings the fee's hold up to the submitter's limit again, so that dearer workers than the
    /// last one can be drawn. If the submitter has not enough left, the hold stays what it is, and is
    /// the limit.
    pub(crate) fn top_up(job: &mut Job<T>) {
        let missing = job.max_fee.saturating_sub(job.held);
        if Self::spare(&job.submitter) >= missing
            && T::Currency::hold(&HoldReason::Fee.into(), &job.submitter, missing).is_ok()
        {
            job.held = job.held.saturating_add(missing);
        }
    }

    /// Divides what is held as `payment` says and returns what became of it: what a recipient cannot
    /// receive goes to the treasury, and is burned if that cannot receive it either.
    pub(crate) fn pay_out(
        job: &mut Job<T>,
        worker: &T::AccountId,
        payment: PaymentOf,
    ) -> Result<PaymentOf, DispatchError> {
        let mut paid = payment;
        if !Self::pay(HoldReason::Fee, &job.submitter, worker, paid.worker) {
            paid.treasury += core::mem::take(&mut paid.worker);
        }
        if !Self::pay(HoldReason::Fee, &job.submitter, &job.terms.owner, paid.artifact) {
            paid.treasury += core::mem::take(&mut paid.artifact);
        }
        if !Self::release(HoldReason::Fee, &job.submitter, paid.refunded) {
            paid.treasury += core::mem::take(&mut paid.refunded);
        }
        if !Self::pay(HoldReason::Fee, &job.submitter, &T::Treasury::get(), paid.treasury) {
            paid.burned += core::mem::take(&mut paid.treasury);
        }
        Self::burn(HoldReason::Fee, &job.submitter, paid.burned)?;
        job.held = 0;
        Ok(paid)
    }

    /// Pays each of `workers` the call-out fee and reports it. One that cannot receive it goes
    /// without.
    pub(crate) fn pay_call_outs(id: JobId, job: &mut Job<T>, workers: &[T::AccountId]) {
        let amount = call_out(T::CallOutFee::get(), Self::pay_for_run(job), workers.len() as u32);
        for worker in workers.iter().filter(|_| amount > 0) {
            if Self::pay(HoldReason::Fee, &job.submitter, worker, amount) {
                job.held -= amount;
                Self::deposit_event(Event::CalledOut {
                    job: id,
                    worker: worker.clone(),
                    amount,
                });
            }
        }
    }

    /// What a worker would be paid for running the job, going by what is held and by the tokens that
    /// its input should have.
    fn pay_for_run(job: &Job<T>) -> Balance {
        let most = job.held.saturating_sub(job.terms.price_per_use);
        let (tokens, max_tokens) = (tokens_in(&job.spec).unwrap_or_default(), job.spec.max_tokens);
        let fee = multiply_by_rational_with_rounding(most, tokens.into(), max_tokens.into(), Rounding::Down);
        let parameters = &job.parameters;
        divide(
            most,
            fee.unwrap_or_default(),
            0,
            parameters.treasury_cut,
            parameters.burn_cut,
        )
        .worker
    }

    /// Gives all that is held back and returns how much the submitter got.
    pub(crate) fn refund(job: &mut Job<T>) -> Result<Balance, DispatchError> {
        let amount = core::mem::take(&mut job.held);
        Self::give_back(HoldReason::Fee, &job.submitter, amount)
    }

    /// Gives the deposit back, with the tip if it was not earned, and returns how much the submitter got.
    pub(crate) fn return_deposit(job: &mut Job<T>) -> Result<Balance, DispatchError> {
        job.tip = 0;
        let amount = core::mem::take(&mut job.deposit);
        Self::give_back(HoldReason::Deposit, &job.submitter, amount)
    }

    /// Pays the tip to `who`, if it is still there and they can receive it. The submitter's own tip
    /// stays where it is.
    pub(crate) fn pay_tip(id: JobId, job: &mut Job<T>, who: &T::AccountId) {
        let amount = job.tip;
        if amount > 0 && *who != job.submitter && Self::pay(HoldReason::Deposit, &job.submitter, who, amount) {
            job.tip = 0;
            job.deposit -= amount;
            Self::deposit_event(Event::Tipped {
                job: id,
                who: who.clone(),
                amount,
            });
        }
    }

    /// Releases `amount`, or hands it to the treasury, or burns it, in this order of what is
    /// possible; returns what was released. (An account whose free balance is used up cannot take
    /// back less than the existential deposit.)
    fn give_back(reason: HoldReason, submitter: &T::AccountId, amount: Balance) -> Result<Balance, DispatchError> {
        if Self::release(reason, submitter, amount) {
            return Ok(amount);
        }
        if !Self::pay(reason, submitter, &T::Treasury::get(), amount) {
            Self::burn(reason, submitter, amount)?;
        }
        Ok(0)
    }

    /// Whether `amount` went from the hold to `to`.
    fn pay(reason: HoldReason, from: &T::AccountId, to: &T::AccountId, amount: Balance) -> bool {
        amount == 0
            || T::Currency::transfer_on_hold(
                &reason.into(),
                from,
                to,
                amount,
                Precision::Exact,
                Restriction::Free,
                Fortitude::Force,
            )
            .is_ok()
    }

    /// Whether `amount` went from the hold to the account's free balance.
    fn release(reason: HoldReason, who: &T::AccountId, amount: Balance) -> bool {
        amount == 0 || T::Currency::release(&reason.into(), who, amount, Precision::Exact).is_ok()
    }

    /// Burns `amount` of the hold.
    fn burn(reason: HoldReason, who: &T::AccountId, amount: Balance) -> DispatchResult {
        if amount > 0 {
            T::Currency::burn_held(&reason.into(), who, amount, Precision::Exact, Fortitude::Force)?;
        }
        Ok(())
    }
}
