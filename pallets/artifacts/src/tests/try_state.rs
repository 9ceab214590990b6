//! Each invariant of `do_try_state` is really looked at: a state that violates it is refused.

use crate::{mock::*, ByPackage, HoldReason, NextId};
use frame_support::{
    assert_ok,
    traits::{fungible::hold::Mutate, tokens::Precision},
};
use sp_core::H256;

/// Two artifacts, then `damage`; returns what is found to be wrong.
fn damaged(damage: impl FnOnce()) -> String {
    ExtBuilder.build().execute_with(|| {
        registered(1, ED);
        registered(2, ED);
        assert_ok!(Artifacts::do_try_state());
        damage();
        match Artifacts::do_try_state() {
            Err(sp_runtime::DispatchError::Other(message)) => message.into(),
            other => panic!("expected a violated invariant, got {other:?}"),
        }
    })
}

#[test]
fn try_state_should_fail_when_an_id_is_not_below_the_next() {
    assert_eq!(damaged(|| NextId::<Test>::put(1)), "artifact's id is not below NextId");
}

#[test]
fn try_state_should_fail_when_an_artifact_is_missing() {
    assert_eq!(
        damaged(|| NextId::<Test>::put(3)),
        "there are not as many artifacts as NextId says"
    );
}

#[test]
fn try_state_should_fail_when_a_package_leads_elsewhere() {
    let message = "artifact's package does not lead to it";
    assert_eq!(damaged(|| ByPackage::<Test>::insert(package(1).hash, 1)), message);
    assert_eq!(damaged(|| ByPackage::<Test>::remove(package(2).hash)), message);
}

#[test]
fn try_state_should_fail_when_a_package_has_no_artifact() {
    let stray = || ByPackage::<Test>::insert(H256::repeat_byte(9), 0);
    assert_eq!(damaged(stray), "a package leads to no artifact");
}

#[test]
fn try_state_should_fail_when_the_hold_is_not_the_sum_of_deposits() {
    let message = "what is on hold from an account is not the sum of its deposits";
    let reason: RuntimeHoldReason = HoldReason::Registration.into();
    let more = || {
        assert_ok!(Balances::hold(&reason, &ALICE, 1));
    };
    let without_artifacts = || {
        assert_ok!(Balances::hold(&reason, &BOB, 1));
    };
    let less = || {
        assert_ok!(Balances::release(&reason, &ALICE, 1, Precision::Exact));
    };
    assert_eq!(damaged(more), message);
    assert_eq!(damaged(without_artifacts), message);
    assert_eq!(damaged(less), message);
}

#[test]
fn try_state_should_fail_when_an_owner_has_no_account() {
    let message = "an owner with deposits has no account";
    let give_away = || {
        crate::Artifacts::<Test>::mutate(0, |artifact| artifact.as_mut().unwrap().owner = PAUPER);
        let reason = HoldReason::Registration.into();
        assert_ok!(Balances::release(&reason, &ALICE, DEPOSIT, Precision::Exact));
    };
    assert_eq!(damaged(give_away), message);
}
