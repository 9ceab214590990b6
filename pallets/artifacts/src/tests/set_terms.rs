//! `set_terms`.

use crate::{mock::*, Error, Event};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, DispatchResult};

fn set_terms(who: AccountId, id: u32, price: Balance) -> DispatchResult {
    Artifacts::set_terms(RuntimeOrigin::signed(who), id, price)
}

#[test]
fn set_terms_should_change_the_price_and_say_so() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, 0);
        assert_ok!(set_terms(ALICE, id, 3 * ED));
        assert_eq!(Artifacts::info(id).unwrap().price_per_use, 3 * ED);
        assert_eq!(
            events().last(),
            Some(&Event::TermsSet {
                id,
                price_per_use: 3 * ED
            })
        );
    });
}

#[test]
fn set_terms_should_allow_free_use() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        assert_ok!(set_terms(ALICE, id, 0));
        assert_eq!(Artifacts::info(id).unwrap().price_per_use, 0);
    });
}

#[test]
fn set_terms_should_fail_when_the_price_could_not_be_paid() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        assert_noop!(set_terms(ALICE, id, ED - 1), Error::<Test>::PriceTooLow);
    });
}

#[test]
fn set_terms_should_fail_when_signed_by_another() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        assert_noop!(set_terms(BOB, id, 2 * ED), Error::<Test>::NotOwner);
        assert_noop!(
            Artifacts::set_terms(RuntimeOrigin::root(), id, 2 * ED),
            DispatchError::BadOrigin
        );
    });
}

#[test]
fn set_terms_should_fail_when_there_is_no_such_artifact() {
    ExtBuilder.build_and_execute(|| {
        assert_noop!(set_terms(ALICE, 0, ED), Error::<Test>::UnknownArtifact);
    });
}

#[test]
fn set_terms_should_fail_when_retired() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        assert_ok!(Artifacts::retire(RuntimeOrigin::signed(ALICE), id));
        assert_noop!(set_terms(ALICE, id, 2 * ED), Error::<Test>::AlreadyRetired);
    });
}
