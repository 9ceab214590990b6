//! `validate_artifacts`.

use crate::{mock::*, weights::WeightInfo, Error, Event, Ready};
use frame_support::{assert_noop, assert_ok};

#[test]
fn validate_artifacts_should_store_index_and_say_what_is_ready() {
    ExtBuilder::default().build_and_execute(|| {
        assert_ok!(register(ALICE, MIN_BOND, ASK));
        assert_ok!(declare(ALICE, &[5, 2]));
        assert_eq!(record(ALICE).ready, vec![2, 5]);
        assert_eq!(Ready::<Test>::get(2), vec![ALICE]);
        assert_eq!(Ready::<Test>::get(5), vec![ALICE]);
        let ready = vec![2, 5].try_into().unwrap();
        assert_eq!(events().last(), Some(&Event::ReadySet { worker: ALICE, ready }));
    });
}

#[test]
fn validate_artifacts_should_replace_what_was_declared_before() {
    ExtBuilder::default().worker(ALICE).worker(BOB).build_and_execute(|| {
        assert_ok!(declare(ALICE, &[0, 1, 2]));
        assert_ok!(declare(ALICE, &[1, 3]));
        assert_eq!(record(ALICE).ready, vec![1, 3]);
        assert_eq!(Ready::<Test>::get(0), vec![BOB]);
        assert_eq!(Ready::<Test>::get(1), vec![ALICE]);
        assert!(!Ready::<Test>::contains_key(2));
        assert_eq!(Ready::<Test>::get(3), vec![ALICE]);
    });
}

#[test]
fn validate_artifacts_should_take_everything_back_when_the_list_is_empty() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(declare(ALICE, &[]));
        assert!(record(ALICE).ready.is_empty());
        assert!(!Ready::<Test>::contains_key(MODEL));
    });
}

#[test]
fn validate_artifacts_should_accept_the_hot_key() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(declare(hot(ALICE), &[3]));
        assert_eq!(record(ALICE).ready, vec![3]);
    });
}

#[test]
fn validate_artifacts_should_work_while_chilled() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::chill(RuntimeOrigin::signed(ALICE)));
        assert_ok!(declare(ALICE, &[3]));
        assert_eq!(Ready::<Test>::get(3), vec![ALICE]);
    });
}

#[test]
fn validate_artifacts_should_give_back_the_weight_of_a_list_it_did_not_replace() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        let ready = vec![1, 2].try_into().unwrap();
        let post = Workers::validate_artifacts(RuntimeOrigin::signed(ALICE), ready).unwrap();
        assert_eq!(post.actual_weight, Some(<() as WeightInfo>::validate_artifacts(2, 1)));
    });
}

#[test]
fn validate_artifacts_should_fail_when_a_model_is_listed_twice() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(declare(ALICE, &[3, 1, 3]), Error::<Test>::DuplicateArtifact);
    });
}

#[test]
fn validate_artifacts_should_change_nothing_when_a_model_is_unknown() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        // As dispatched: what the call did before it failed is rolled back.
        let attempt = || frame_support::storage::with_storage_layer(|| declare(ALICE, &[1, MODELS]));
        assert_noop!(attempt(), Error::<Test>::UnknownArtifact);
    });
}

#[test]
fn validate_artifacts_should_change_nothing_when_the_index_is_full() {
    let full = (1..=AccountId::from(MAX_READY_PER_ARTIFACT)).fold(ExtBuilder::default(), ExtBuilder::worker);
    full.build_and_execute(|| {
        assert_ok!(register(FUNDED, MIN_BOND, ASK));
        let attempt = || frame_support::storage::with_storage_layer(|| declare(FUNDED, &[MODEL, 1]));
        assert_noop!(attempt(), Error::<Test>::ReadyFull);
        assert_ok!(declare(FUNDED, &[1]));

        // A place is free again once somebody leaves it.
        assert_ok!(declare(ALICE, &[]));
        assert_ok!(declare(FUNDED, &[MODEL, 1]));
    });
}

#[test]
fn validate_artifacts_should_keep_a_place_in_a_full_index() {
    let full = (1..=AccountId::from(MAX_READY_PER_ARTIFACT)).fold(ExtBuilder::default(), ExtBuilder::worker);
    full.build_and_execute(|| {
        assert_ok!(declare(ALICE, &[1, MODEL]));
    });
}

#[test]
fn validate_artifacts_should_fail_when_signed_by_nobody_known() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(declare(BOB, &[1]), Error::<Test>::NotWorker);
    });
}
