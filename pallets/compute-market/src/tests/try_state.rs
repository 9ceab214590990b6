//! Each invariant of `do_try_state` is really looked at: a state that violates it is refused.

use crate::{mock::*, Agenda, Agreement, Cursor, HoldReason, Job, Jobs, JobsOf, NextJobId};
use assay_types::{traits::Workers as _, Attempt, Fault, JobId};
use frame_support::{
    assert_ok,
    traits::{fungible::MutateHold, tokens::Precision},
    BoundedVec,
};

/// A job that has been cancelled.
const ENDED: JobId = 0;
/// A job in progress.
const RUNNING: JobId = 1;

/// Two jobs of [`ALICE`], [`ENDED`] and [`RUNNING`], then `damage`; returns what is found to be wrong.
fn damaged(damage: impl FnOnce()) -> String {
    ExtBuilder::default().asks(&[ASK, ASK]).build().execute_with(|| {
        let (ended, _) = assigned();
        assert_ok!(cancel(&ALICE, ended));
        let (in_progress, _) = running();
        assert_eq!((ended, in_progress), (ENDED, RUNNING));
        assert_ok!(Market::do_try_state());
        damage();
        match Market::do_try_state() {
            Err(sp_runtime::DispatchError::Other(message)) => message.into(),
            other => panic!("expected a violated invariant, got {other:?}"),
        }
    })
}

fn change(id: JobId, change: impl FnOnce(&mut Job<Test>)) {
    Jobs::<Test>::mutate(id, |job| change(job.as_mut().unwrap()));
}

fn hold(reason: HoldReason, who: &AccountId) {
    assert_ok!(Balances::hold(&reason.into(), who, 1));
}

fn release(reason: HoldReason, who: &AccountId, amount: crate::Balance) {
    assert_ok!(Balances::release(&reason.into(), who, amount, Precision::Exact));
}

fn attempt(worker: AccountId) -> Attempt<AccountId, u32> {
    Attempt {
        worker,
        ended_at: 1,
        fault: Fault::Artifact,
    }
}

#[test]
fn try_state_should_fail_when_fees_on_hold_are_not_those_of_the_jobs() {
    let message = "fees on hold are not what the jobs in progress hold";
    assert_eq!(damaged(|| hold(HoldReason::Fee, &ALICE)), message);
    assert_eq!(damaged(|| release(HoldReason::Fee, &ALICE, 1)), message);
    // Has no jobs
    assert_eq!(damaged(|| hold(HoldReason::Fee, &CAROL)), message);
}

#[test]
fn try_state_should_fail_when_deposits_on_hold_are_not_those_of_the_jobs() {
    let message = "deposits on hold are not those of the jobs";
    assert_eq!(damaged(|| hold(HoldReason::Deposit, &ALICE)), message);
    assert_eq!(damaged(|| release(HoldReason::Deposit, &ALICE, 1)), message);
    // Has no jobs
    assert_eq!(damaged(|| hold(HoldReason::Deposit, &CAROL)), message);
}

#[test]
fn try_state_should_fail_when_the_submitter_has_no_account() {
    let give_away = || {
        let given = job(RUNNING);
        release(HoldReason::Fee, &ALICE, given.held);
        release(HoldReason::Deposit, &ALICE, given.deposit);
        JobsOf::<Test>::swap(ALICE, RUNNING, PAUPER, RUNNING);
        change(RUNNING, |job| job.submitter = PAUPER);
    };
    assert_eq!(
        damaged(give_away),
        "a job holds or locks something of somebody who has no account"
    );
}

#[test]
fn try_state_should_fail_when_an_amount_of_a_job_is_too_large() {
    let over_limit = || change(RUNNING, |job| job.max_fee = job.held - 1);
    assert_eq!(damaged(over_limit), "more is held than the submitter's limit");
    let tip = || change(RUNNING, |job| job.tip = job.deposit + 1);
    assert_eq!(damaged(tip), "the tip is not part of the deposit");
    let after_end = || change(ENDED, |job| job.held = 1);
    assert_eq!(damaged(after_end), "an ended job holds a fee");
}

#[test]
fn try_state_should_fail_when_locks_are_not_those_of_the_jobs() {
    let message = "a worker's locked bond is not what its jobs in progress agreed";
    let more = || {
        assert_ok!(Workers::reserve(&worker_of(RUNNING), 9, 1));
    };
    let less = || Workers::release(&worker_of(RUNNING), RUNNING);
    let another = || {
        change(RUNNING, |job| {
            job.agreement = job.agreement.map(|agreed| Agreement {
                collateral: agreed.collateral + 1,
                ..agreed
            });
        });
    };
    let idle = || {
        let busy = worker_of(RUNNING);
        let idle = WORKERS[..2].iter().find(|worker| **worker != busy).unwrap();
        assert_ok!(Workers::reserve(idle, 9, 1));
    };
    assert_eq!(damaged(more), message);
    assert_eq!(damaged(less), message);
    assert_eq!(damaged(another), message);
    assert_eq!(damaged(idle), message);
}

#[test]
fn try_state_should_fail_when_the_phase_has_another_end() {
    let message = "the record's end does not fit the phase";
    assert_eq!(damaged(|| change(ENDED, |job| job.removed_after = None)), message);
    assert_eq!(damaged(|| change(RUNNING, |job| job.removed_after = Some(9))), message);
}

#[test]
fn try_state_should_fail_when_the_phase_has_another_agreement() {
    let message = "the agreement does not fit the phase";
    let agreed = || job(RUNNING).agreement;
    assert_eq!(damaged(|| change(RUNNING, |job| job.agreement = None)), message);
    assert_eq!(
        damaged(|| {
            let agreement = agreed();
            change(ENDED, |job| job.agreement = agreement);
        }),
        message
    );
}

#[test]
fn try_state_should_fail_when_less_is_held_than_agreed() {
    let dearer = || {
        change(RUNNING, |job| {
            job.agreement = job.agreement.map(|agreed| Agreement {
                fee: agreed.fee + 1,
                ..agreed
            });
        });
    };
    assert_eq!(damaged(dearer), "the fee agreed is not held");
}

#[test]
fn try_state_should_fail_when_attempts_are_repeated_or_too_many() {
    let attempts = |workers: Vec<AccountId>| {
        let attempts = workers.into_iter().map(attempt).collect();
        change(RUNNING, |job| job.attempts = BoundedVec::truncate_from(attempts));
    };
    let twice = || attempts(vec![CAROL, CAROL]);
    assert_eq!(damaged(twice), "a worker had two attempts");
    let again = || attempts(vec![worker_of(RUNNING)]);
    assert_eq!(damaged(again), "a worker has a second attempt");
    let all = || attempts(vec![ALICE, BOB, CAROL]);
    assert_eq!(damaged(all), "a job in progress has no attempt left");
}

#[test]
fn try_state_should_fail_when_a_job_that_is_due_cannot_be_found() {
    let due = || job(RUNNING).due.unwrap();
    assert_eq!(
        damaged(|| Agenda::<Test>::remove(due())),
        "a job is not listed under the block in which it is due"
    );
    assert_eq!(
        damaged(|| Cursor::<Test>::put(due() + 1)),
        "the cursor is past a job that is due"
    );
}

#[test]
fn try_state_should_fail_when_the_agenda_keeps_what_is_past() {
    let message = "the agenda lists nothing before the cursor and keeps no empty page";
    let past = || Agenda::<Test>::insert(Cursor::<Test>::get() - 1, BoundedVec::truncate_from(vec![ENDED]));
    let empty = || Agenda::<Test>::insert(1_000, BoundedVec::default());
    assert_eq!(damaged(past), message);
    assert_eq!(damaged(empty), message);
}

#[test]
fn try_state_should_fail_when_ids_do_not_lead_to_jobs() {
    assert_eq!(
        damaged(|| NextJobId::<Test>::put(RUNNING)),
        "the next id is not above all others"
    );
    assert_eq!(
        damaged(|| JobsOf::<Test>::remove(ALICE, RUNNING)),
        "a job does not stand under its submitter"
    );
    assert_eq!(
        damaged(|| JobsOf::<Test>::insert(CAROL, ENDED, ())),
        "an entry under a submitter has no job"
    );
}
