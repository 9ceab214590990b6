//! `set_hot_key`.

use crate::{mock::*, Error, Event};
use assay_types::traits::Workers as _;
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchResult;

const NEW: AccountId = 77;

fn set_hot_key(worker: AccountId, hot_key: AccountId) -> DispatchResult {
    Workers::set_hot_key(RuntimeOrigin::signed(worker), hot_key)
}

#[test]
fn set_hot_key_should_replace_the_key_and_say_so() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(set_hot_key(ALICE, NEW));
        assert_eq!(record(ALICE).hot_key, NEW);
        assert_eq!(Workers::by_hot_key(&NEW), Some(ALICE));
        assert_eq!(
            events(),
            [Event::HotKeySet {
                worker: ALICE,
                hot_key: NEW
            }]
        );
    });
}

#[test]
fn set_hot_key_should_take_all_power_from_the_old_key() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(set_hot_key(ALICE, NEW));
        assert_eq!(Workers::by_hot_key(&hot(ALICE)), None);
        assert_noop!(
            Workers::chill(RuntimeOrigin::signed(hot(ALICE))),
            Error::<Test>::NotWorker
        );
    });
}

#[test]
fn set_hot_key_should_free_the_old_key_for_others() {
    ExtBuilder::default().worker(ALICE).worker(BOB).build_and_execute(|| {
        assert_ok!(set_hot_key(ALICE, NEW));
        assert_ok!(set_hot_key(BOB, hot(ALICE)));
        assert_eq!(Workers::by_hot_key(&hot(ALICE)), Some(BOB));
    });
}

#[test]
fn set_hot_key_should_work_while_jobs_are_in_progress() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 1, 10);
        assert_ok!(set_hot_key(ALICE, NEW));
    });
}

#[test]
fn set_hot_key_should_accept_the_cold_account_and_the_present_key() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(set_hot_key(ALICE, hot(ALICE)));
        assert_ok!(set_hot_key(ALICE, ALICE));
        assert_ok!(set_hot_key(ALICE, ALICE));
        assert_eq!(Workers::by_hot_key(&ALICE), Some(ALICE));
    });
}

#[test]
fn set_hot_key_should_fail_when_the_key_belongs_to_another() {
    ExtBuilder::default().worker(ALICE).worker(BOB).build_and_execute(|| {
        assert_noop!(set_hot_key(BOB, hot(ALICE)), Error::<Test>::HotKeyTaken);
        assert_noop!(set_hot_key(BOB, ALICE), Error::<Test>::HotKeyTaken);
    });
}

#[test]
fn set_hot_key_should_fail_when_signed_by_another_than_the_cold_account() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(set_hot_key(BOB, NEW), Error::<Test>::NotRegistered);
        assert_noop!(set_hot_key(hot(ALICE), NEW), Error::<Test>::NotRegistered);
    });
}
