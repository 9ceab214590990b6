//! `set_ask`.

use crate::{mock::*, Error, Event};
use frame_support::{assert_noop, assert_ok};

#[test]
fn set_ask_should_change_the_price_and_say_so() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::set_ask(RuntimeOrigin::signed(ALICE), 7));
        assert_eq!(record(ALICE).ask, 7);
        assert_eq!(events(), [Event::AskSet { worker: ALICE, ask: 7 }]);
    });
}

#[test]
fn set_ask_should_fail_when_the_ask_is_zero() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(
            Workers::set_ask(RuntimeOrigin::signed(ALICE), 0),
            Error::<Test>::ZeroAsk
        );
    });
}

#[test]
fn set_ask_should_fail_when_signed_by_another_than_the_cold_account() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(
            Workers::set_ask(RuntimeOrigin::signed(BOB), 7),
            Error::<Test>::NotRegistered
        );
        assert_noop!(
            Workers::set_ask(RuntimeOrigin::signed(hot(ALICE)), 7),
            Error::<Test>::NotRegistered
        );
    });
}
