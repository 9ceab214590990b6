//! `retire`.

use crate::{mock::*, Error, Event};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, DispatchResult};

fn retire(who: AccountId, id: u32) -> DispatchResult {
    Artifacts::retire(RuntimeOrigin::signed(who), id)
}

#[test]
fn retire_should_mark_the_artifact_and_say_so() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        assert_ok!(retire(ALICE, id));
        assert!(Artifacts::info(id).unwrap().retired);
        assert_eq!(events().last(), Some(&Event::Retired { id }));
    });
}

#[test]
fn retire_should_leave_record_and_deposit_in_place() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        let before = Artifacts::info(id).unwrap();
        assert_ok!(retire(ALICE, id));
        assert_eq!(
            Artifacts::info(id).map(|after| assay_types::ArtifactInfo {
                retired: false,
                ..after
            }),
            Some(before)
        );
        assert_eq!(held(ALICE), DEPOSIT);
    });
}

#[test]
fn retire_should_fail_when_done_before() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        assert_ok!(retire(ALICE, id));
        assert_noop!(retire(ALICE, id), Error::<Test>::AlreadyRetired);
    });
}

#[test]
fn retire_should_fail_when_signed_by_another() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        assert_noop!(retire(BOB, id), Error::<Test>::NotOwner);
        assert_noop!(Artifacts::retire(RuntimeOrigin::root(), id), DispatchError::BadOrigin);
    });
}

#[test]
fn retire_should_fail_when_there_is_no_such_artifact() {
    ExtBuilder.build_and_execute(|| {
        assert_noop!(retire(ALICE, 5), Error::<Test>::UnknownArtifact);
    });
}
