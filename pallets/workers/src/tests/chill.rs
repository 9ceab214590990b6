//! `chill`.

use crate::{mock::*, ChillReason, Error, Event};
use frame_support::{assert_noop, assert_ok};

#[test]
fn chill_should_stop_new_jobs_and_say_so() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::chill(RuntimeOrigin::signed(ALICE)));
        assert!(record(ALICE).chilled);
        assert_eq!(
            events(),
            [Event::Chilled {
                worker: ALICE,
                reason: ChillReason::Requested
            }]
        );
    });
}

#[test]
fn chill_should_accept_the_hot_key() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::chill(RuntimeOrigin::signed(hot(ALICE))));
        assert!(record(ALICE).chilled);
    });
}

#[test]
fn chill_should_leave_locks_and_readiness_as_they_are() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 1, 30);
        let before = Workers::info(&ALICE).unwrap();
        assert_ok!(Workers::chill(RuntimeOrigin::signed(ALICE)));
        assert_eq!(
            Workers::info(&ALICE),
            Some(assay_types::WorkerInfo {
                chilled: true,
                ..before
            })
        );
    });
}

#[test]
fn chill_should_fail_when_chilled() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::chill(RuntimeOrigin::signed(ALICE)));
        assert_noop!(
            Workers::chill(RuntimeOrigin::signed(ALICE)),
            Error::<Test>::AlreadyChilled
        );
    });
}

#[test]
fn chill_should_fail_when_signed_by_nobody_known() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(Workers::chill(RuntimeOrigin::signed(BOB)), Error::<Test>::NotWorker);
    });
}
