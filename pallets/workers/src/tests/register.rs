//! `register`.

use crate::{mock::*, Error, Event, HotKeys, Worker};
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};
use sp_runtime::{DispatchError, DispatchResult, TokenError};

fn register_with(worker: AccountId, hot_key: AccountId) -> DispatchResult {
    Workers::register(RuntimeOrigin::signed(worker), hot_key, endpoint(""), MIN_BOND, ASK)
}

#[test]
fn register_should_store_an_unproven_worker() {
    ExtBuilder::default().build_and_execute(|| {
        assert_ok!(register(ALICE, MIN_BOND, ASK));
        assert_eq!(
            record(ALICE),
            Worker {
                hot_key: hot(ALICE),
                endpoint: endpoint("http://worker"),
                bond: MIN_BOND,
                ask: ASK,
                chilled: false,
                ready: Default::default(),
                settled: 0,
                delivered_units: 0,
                missed: 0,
                missed_in_row: 0,
            }
        );
        assert_eq!(HotKeys::<Test>::get(hot(ALICE)), Some(ALICE));
    });
}

#[test]
fn register_should_hold_the_bond() {
    ExtBuilder::default().build_and_execute(|| {
        assert_ok!(register(ALICE, 3 * MIN_BOND, ASK));
        assert_eq!(held(ALICE), 3 * MIN_BOND);
        assert_eq!(Balances::balance(&ALICE), FUNDS - 3 * MIN_BOND);
    });
}

#[test]
fn register_should_deposit_an_event() {
    ExtBuilder::default().build_and_execute(|| {
        assert_ok!(register(ALICE, MIN_BOND, ASK));
        assert_eq!(
            events(),
            [Event::Registered {
                worker: ALICE,
                hot_key: hot(ALICE),
                bond: MIN_BOND,
                ask: ASK
            }]
        );
    });
}

#[test]
fn register_should_accept_the_cold_account_as_hot_key() {
    ExtBuilder::default().build_and_execute(|| {
        assert_ok!(register_with(ALICE, ALICE));
        assert_eq!(HotKeys::<Test>::get(ALICE), Some(ALICE));
    });
}

#[test]
fn register_should_accept_an_empty_endpoint() {
    ExtBuilder::default().build_and_execute(|| {
        assert_ok!(register_with(ALICE, hot(ALICE)));
        assert!(record(ALICE).endpoint.is_empty());
    });
}

#[test]
fn register_should_fail_when_registered_before() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(register_with(ALICE, hot(BOB)), Error::<Test>::AlreadyRegistered);
    });
}

#[test]
fn register_should_fail_when_the_account_is_a_hot_key() {
    ExtBuilder::default().build_and_execute(|| {
        assert_ok!(register_with(ALICE, BOB));
        assert_noop!(register_with(BOB, hot(BOB)), Error::<Test>::AccountIsHotKey);
        assert_noop!(register_with(BOB, BOB), Error::<Test>::AccountIsHotKey);
    });
}

#[test]
fn register_should_fail_when_the_hot_key_belongs_to_another() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(register_with(BOB, hot(ALICE)), Error::<Test>::HotKeyTaken);
        assert_noop!(register_with(BOB, ALICE), Error::<Test>::HotKeyTaken);
    });
}

#[test]
fn register_should_fail_when_the_bond_is_below_the_least() {
    ExtBuilder::default().build_and_execute(|| {
        assert_noop!(register(ALICE, MIN_BOND - 1, ASK), Error::<Test>::BondTooLow);
    });
}

#[test]
fn register_should_fail_when_the_ask_is_zero() {
    ExtBuilder::default().build_and_execute(|| {
        assert_noop!(register(ALICE, MIN_BOND, 0), Error::<Test>::ZeroAsk);
        assert_ok!(register(ALICE, MIN_BOND, 1));
    });
}

#[test]
fn register_should_fail_when_the_endpoint_is_no_url() {
    ExtBuilder::default().build_and_execute(|| {
        for bad in ["http://a b", "http://a\n", "\u{1b}[31m", "http://ä", "\0"] {
            assert_noop!(
                Workers::register(RuntimeOrigin::signed(ALICE), hot(ALICE), endpoint(bad), MIN_BOND, ASK),
                Error::<Test>::InvalidEndpoint
            );
        }
    });
}

#[test]
fn register_should_fail_when_the_bond_cannot_be_held() {
    ExtBuilder::default().build_and_execute(|| {
        assert_noop!(register(PAUPER, MIN_BOND, ASK), TokenError::FundsUnavailable);
        assert_noop!(register(ALICE, FUNDS, ASK), TokenError::FundsUnavailable);
        assert_ok!(register(ALICE, FUNDS - ED, ASK));
    });
}

#[test]
fn register_should_fail_when_not_signed() {
    ExtBuilder::default().build_and_execute(|| {
        assert_noop!(
            Workers::register(RuntimeOrigin::root(), hot(ALICE), endpoint(""), MIN_BOND, ASK),
            DispatchError::BadOrigin
        );
    });
}
