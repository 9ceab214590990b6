//! Each invariant of `do_try_state` is really looked at: a state that violates it is refused.

use crate::{mock::*, HoldReason, HotKeys, Locks, Ready, WorkerOf};
use assay_types::traits::Workers as _;
use frame_support::{assert_ok, traits::fungible::hold::Mutate};

/// Two workers with a job each, then `damage`; returns what is found to be wrong.
fn damaged(damage: impl FnOnce()) -> String {
    ExtBuilder::default()
        .worker(ALICE)
        .worker(BOB)
        .build()
        .execute_with(|| {
            lock(ALICE, 1, 10);
            lock(BOB, 2, 10);
            assert_ok!(Workers::do_try_state());
            damage();
            match Workers::do_try_state() {
                Err(sp_runtime::DispatchError::Other(message)) => message.into(),
                other => panic!("expected a violated invariant, got {other:?}"),
            }
        })
}

fn change(worker: AccountId, change: impl FnOnce(&mut WorkerOf<Test>)) {
    crate::Workers::<Test>::mutate(worker, |record| change(record.as_mut().unwrap()));
}

#[test]
fn try_state_should_fail_when_the_hold_is_not_the_bond() {
    let hold = || {
        assert_ok!(Balances::hold(&HoldReason::Bond.into(), &ALICE, 1));
    };
    assert_eq!(damaged(hold), "what is on hold from a worker is not its bond");
}

#[test]
fn try_state_should_fail_when_a_bond_is_not_a_workers() {
    let stray = || {
        assert_ok!(Balances::hold(&HoldReason::Bond.into(), &CAROL, 1));
    };
    assert_eq!(damaged(stray), "a bond is on hold from somebody who is not a worker");
}

#[test]
fn try_state_should_fail_when_more_is_locked_than_there_is() {
    let lock_all = || Locks::<Test>::insert(ALICE, frame_support::BoundedVec::truncate_from(vec![(1, MIN_BOND + 1)]));
    assert_eq!(damaged(lock_all), "more is locked of a worker's bond than there is");
}

#[test]
fn try_state_should_fail_when_locks_are_not_a_workers() {
    let stray = || Locks::<Test>::insert(CAROL, Locks::<Test>::get(ALICE));
    assert_eq!(damaged(stray), "bond is locked of somebody who is not a worker");
}

#[test]
fn try_state_should_fail_when_a_list_of_locks_is_empty() {
    let empty = || Locks::<Test>::insert(ALICE, crate::LocksOf::<Test>::default());
    assert_eq!(damaged(empty), "an empty list of locks is stored");
}

#[test]
fn try_state_should_fail_when_a_job_has_two_locks() {
    let twice = || Locks::<Test>::insert(ALICE, frame_support::BoundedVec::truncate_from(vec![(1, 1), (1, 1)]));
    assert_eq!(damaged(twice), "bond is locked twice for one job");
}

#[test]
fn try_state_should_fail_when_hot_keys_are_not_the_inverse() {
    let elsewhere = || HotKeys::<Test>::insert(hot(ALICE), BOB);
    let stray = || HotKeys::<Test>::insert(hot(CAROL), ALICE);
    assert_eq!(damaged(elsewhere), "a worker's hot key does not lead to it");
    assert_eq!(damaged(stray), "a hot key leads to no worker");
}

#[test]
fn try_state_should_fail_when_a_hot_key_is_the_cold_account_of_another() {
    let swap = || {
        HotKeys::<Test>::remove(hot(ALICE));
        HotKeys::<Test>::insert(BOB, ALICE);
        change(ALICE, |record| record.hot_key = BOB);
    };
    assert_eq!(damaged(swap), "a hot key is the cold account of another worker");
}

#[test]
fn try_state_should_fail_when_the_index_is_not_the_inverse() {
    let missing = || {
        Ready::<Test>::mutate(MODEL, |index| index.retain(|worker| *worker != ALICE));
    };
    let undeclared = || change(ALICE, |record| record.ready = Default::default());
    let stray = || Ready::<Test>::insert(1, frame_support::BoundedVec::truncate_from(vec![CAROL]));
    assert_eq!(damaged(missing), "a worker is missing from the index of a ready model");
    assert_eq!(
        damaged(undeclared),
        "the index names a worker that has not the model ready"
    );
    assert_eq!(damaged(stray), "the index names somebody who is not a worker");
}

#[test]
fn try_state_should_fail_when_the_index_has_duplicates_or_empty_entries() {
    let twice = || assert_eq!(Ready::<Test>::try_append(MODEL, ALICE), Ok(()));
    let empty = || Ready::<Test>::insert(1, frame_support::BoundedVec::default());
    assert_eq!(damaged(twice), "a worker is twice in the index of a model");
    assert_eq!(damaged(empty), "an empty entry of the index is stored");
}

#[test]
fn try_state_should_fail_when_a_list_of_models_is_out_of_order() {
    let reverse = || {
        assert_ok!(declare(ALICE, &[0, 1]));
        change(ALICE, |record| record.ready = vec![1, 0].try_into().unwrap());
    };
    assert_eq!(damaged(reverse), "a worker's models are not in ascending order");
}

#[test]
fn try_state_should_fail_when_an_ask_is_zero() {
    assert_eq!(
        damaged(|| change(ALICE, |record| record.ask = 0)),
        "a worker's ask is 0"
    );
}

#[test]
fn try_state_should_fail_when_a_worker_should_be_chilled() {
    let slashed = || {
        assert_ok!(Workers::forfeit(&ALICE, 1, 1, &BOB, 0));
        change(ALICE, |record| record.chilled = false);
    };
    let missed = || change(ALICE, |record| record.missed_in_row = MAX_MISSED_IN_ROW);
    assert_eq!(damaged(slashed), "a worker with too low a bond is not chilled");
    assert_eq!(
        damaged(missed),
        "a worker that missed too many deadlines is not chilled"
    );
}

#[test]
fn try_state_should_fail_when_the_counter_is_wrong() {
    let uncounted = || {
        let key = crate::Workers::<Test>::counter_storage_final_key();
        frame_support::storage::unhashed::put(&key, &5u32);
    };
    assert_eq!(damaged(uncounted), "there are not as many workers as the counter says");
}
