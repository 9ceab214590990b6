//! `deregister`.

use crate::{mock::*, weights::WeightInfo, Error, Event, HotKeys, Ready};
use assay_types::traits::Workers as _;
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};

#[test]
fn deregister_should_release_the_bond_and_say_so() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::deregister(RuntimeOrigin::signed(ALICE)));
        assert_eq!(held(ALICE), 0);
        assert_eq!(Balances::balance(&ALICE), FUNDS);
        assert_eq!(
            events(),
            [Event::Deregistered {
                worker: ALICE,
                bond: MIN_BOND
            }]
        );
    });
}

#[test]
fn deregister_should_remove_everything_stored() {
    ExtBuilder::default().worker(ALICE).worker(BOB).build_and_execute(|| {
        assert_ok!(declare(ALICE, &[MODEL, 1]));
        assert_ok!(Workers::deregister(RuntimeOrigin::signed(ALICE)));
        assert_eq!(Workers::info(&ALICE), None);
        assert!(!HotKeys::<Test>::contains_key(hot(ALICE)));
        assert_eq!(Ready::<Test>::get(MODEL), vec![BOB]);
        assert!(!Ready::<Test>::contains_key(1));
        assert_eq!(crate::Workers::<Test>::count(), 1);
    });
}

#[test]
fn deregister_should_let_account_and_key_be_used_again() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::deregister(RuntimeOrigin::signed(ALICE)));
        assert_ok!(register(ALICE, MIN_BOND, ASK));
    });
}

#[test]
fn deregister_should_release_what_a_forfeit_left() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 1, MIN_BOND);
        assert_ok!(Workers::forfeit(&ALICE, 1, MIN_BOND - 1, &BOB, 0));
        assert_ok!(Workers::deregister(RuntimeOrigin::signed(ALICE)));
        assert_eq!(Balances::balance(&ALICE), FUNDS - MIN_BOND + 1);
    });
}

#[test]
fn deregister_should_weigh_what_was_ready() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        let post = Workers::deregister(RuntimeOrigin::signed(ALICE)).unwrap();
        assert_eq!(post.actual_weight, Some(<() as WeightInfo>::deregister(1)));
    });
}

#[test]
fn deregister_should_fail_until_the_last_job_has_ended() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 1, 10);
        lock(ALICE, 2, 10);
        Workers::release(&ALICE, 1);
        assert_noop!(
            Workers::deregister(RuntimeOrigin::signed(ALICE)),
            Error::<Test>::JobsInProgress
        );
        Workers::release(&ALICE, 2);
        assert_ok!(Workers::deregister(RuntimeOrigin::signed(ALICE)));
    });
}

#[test]
fn deregister_should_fail_when_a_job_has_locked_nothing() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 1, 0);
        assert_noop!(
            Workers::deregister(RuntimeOrigin::signed(ALICE)),
            Error::<Test>::JobsInProgress
        );
    });
}

#[test]
fn deregister_should_fail_when_signed_by_another_than_the_cold_account() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(
            Workers::deregister(RuntimeOrigin::signed(BOB)),
            Error::<Test>::NotRegistered
        );
        assert_noop!(
            Workers::deregister(RuntimeOrigin::signed(hot(ALICE))),
            Error::<Test>::NotRegistered
        );
    });
}
