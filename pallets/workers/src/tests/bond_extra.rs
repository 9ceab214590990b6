//! `bond_extra`.

use crate::{mock::*, Error, Event};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::TokenError;

#[test]
fn bond_extra_should_hold_more_and_say_so() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::bond_extra(RuntimeOrigin::signed(ALICE), 50));
        assert_eq!(record(ALICE).bond, MIN_BOND + 50);
        assert_eq!(held(ALICE), MIN_BOND + 50);
        assert_eq!(
            events(),
            [Event::BondIncreased {
                worker: ALICE,
                amount: 50,
                bond: MIN_BOND + 50
            }]
        );
    });
}

#[test]
fn bond_extra_should_leave_a_chilled_worker_chilled() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::chill(RuntimeOrigin::signed(ALICE)));
        assert_ok!(Workers::bond_extra(RuntimeOrigin::signed(ALICE), 50));
        assert!(record(ALICE).chilled);
    });
}

#[test]
fn bond_extra_should_fail_when_the_amount_is_zero() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(
            Workers::bond_extra(RuntimeOrigin::signed(ALICE), 0),
            Error::<Test>::ZeroAmount
        );
    });
}

#[test]
fn bond_extra_should_fail_when_signed_by_another_than_the_cold_account() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(
            Workers::bond_extra(RuntimeOrigin::signed(BOB), 1),
            Error::<Test>::NotRegistered
        );
        assert_noop!(
            Workers::bond_extra(RuntimeOrigin::signed(hot(ALICE)), 1),
            Error::<Test>::NotRegistered
        );
    });
}

#[test]
fn bond_extra_should_fail_when_the_amount_cannot_be_held() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        let rest = FUNDS - MIN_BOND - ED;
        assert_noop!(
            Workers::bond_extra(RuntimeOrigin::signed(ALICE), rest + 1),
            TokenError::FundsUnavailable
        );
        assert_ok!(Workers::bond_extra(RuntimeOrigin::signed(ALICE), rest));
    });
}
