//! `register_model`.

use crate::{mock::*, Artifact, Error, Event, NextId};
use assay_types::{ArtifactId, BlobRef, ModelProfile};
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};
use sp_core::H256;
use sp_runtime::{DispatchResult, TokenError};

fn register_as(package: BlobRef, profile: ModelProfile) -> DispatchResult {
    Artifacts::register_model(RuntimeOrigin::signed(ALICE), package, H256::zero(), profile, 0)
}

#[test]
fn register_model_should_store_what_was_declared() {
    ExtBuilder.build_and_execute(|| {
        System::set_block_number(7);
        let metadata = H256::repeat_byte(0xaa);
        assert_ok!(Artifacts::register_model(
            RuntimeOrigin::signed(ALICE),
            package(1),
            metadata,
            profile(),
            ED
        ));
        assert_eq!(
            crate::Artifacts::<Test>::get(0),
            Some(Artifact {
                owner: ALICE,
                package: package(1),
                metadata,
                profile: profile(),
                price_per_use: ED,
                retired: false,
                registered_at: 7,
                uses: 0,
                earned: 0,
                deposit: DEPOSIT,
            })
        );
    });
}

#[test]
fn register_model_should_count_ids_up_from_zero() {
    ExtBuilder.build_and_execute(|| {
        assert_eq!(registered(1, 0), 0);
        assert_eq!(registered(2, 0), 1);
        assert_ok!(register(BOB, 3, 0));
        assert_eq!(Artifacts::by_package(package(3).hash), Some(2));
    });
}

#[test]
fn register_model_should_hold_the_deposit_of_each() {
    ExtBuilder.build_and_execute(|| {
        assert_ok!(register(ALICE, 1, 0));
        assert_eq!(held(ALICE), DEPOSIT);
        RegistrationDeposit::set(2 * DEPOSIT);
        assert_ok!(register(ALICE, 2, 0));
        assert_eq!(held(ALICE), 3 * DEPOSIT);
        assert_eq!(Balances::balance(&ALICE), FUNDS - 3 * DEPOSIT);
    });
}

#[test]
fn register_model_should_deposit_an_event() {
    ExtBuilder.build_and_execute(|| {
        assert_ok!(register(ALICE, 1, ED));
        let (owner, package) = (ALICE, package(1));
        assert_eq!(
            events(),
            [Event::ModelRegistered {
                id: 0,
                owner,
                package,
                price_per_use: ED,
                deposit: DEPOSIT
            }]
        );
    });
}

#[test]
fn register_model_should_fail_when_the_package_is_registered() {
    ExtBuilder.build_and_execute(|| {
        assert_ok!(register(ALICE, 1, 0));
        assert_noop!(register(BOB, 1, 0), Error::<Test>::AlreadyRegistered);
        assert_noop!(register(ALICE, 1, 0), Error::<Test>::AlreadyRegistered);
    });
}

#[test]
fn register_model_should_fail_when_the_same_package_is_given_another_size() {
    ExtBuilder.build_and_execute(|| {
        assert_ok!(register(ALICE, 1, 0));
        let longer = BlobRef { size: 2, ..package(1) };
        assert_noop!(register_as(longer, profile()), Error::<Test>::AlreadyRegistered);
    });
}

#[test]
fn register_model_should_fail_when_the_package_is_registered_and_retired() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, 0);
        assert_ok!(Artifacts::retire(RuntimeOrigin::signed(ALICE), id));
        assert_noop!(register(BOB, 1, 0), Error::<Test>::AlreadyRegistered);
    });
}

#[test]
fn register_model_should_fail_when_the_size_is_out_of_range() {
    ExtBuilder.build_and_execute(|| {
        let sized = |size| register_as(BlobRef { size, ..package(1) }, profile());
        assert_noop!(sized(0), Error::<Test>::EmptyPackage);
        assert_noop!(sized(MAX_PACKAGE_SIZE + 1), Error::<Test>::PackageTooLarge);
        assert_ok!(sized(MAX_PACKAGE_SIZE));
    });
}

#[test]
fn register_model_should_fail_when_a_token_takes_no_work() {
    ExtBuilder.build_and_execute(|| {
        let idle = ModelProfile {
            units_per_token: 0,
            ..profile()
        };
        assert_noop!(register_as(package(1), idle), Error::<Test>::ZeroUnitsPerToken);
    });
}

#[test]
fn register_model_should_fail_when_the_longest_sequence_is_out_of_range() {
    ExtBuilder.build_and_execute(|| {
        let with = |max_sequence| {
            register_as(
                package(1),
                ModelProfile {
                    max_sequence,
                    ..profile()
                },
            )
        };
        assert_noop!(with(0), Error::<Test>::InvalidMaxSequence);
        assert_noop!(with(MAX_SEQUENCE + 1), Error::<Test>::InvalidMaxSequence);
        assert_ok!(with(MAX_SEQUENCE));
    });
}

#[test]
fn register_model_should_fail_when_dimensions_are_out_of_range() {
    ExtBuilder.build_and_execute(|| {
        let with = |dimensions| {
            register_as(
                package(1),
                ModelProfile {
                    dimensions,
                    ..profile()
                },
            )
        };
        assert_noop!(with(0), Error::<Test>::InvalidDimensions);
        assert_noop!(with(MAX_DIMENSIONS + 1), Error::<Test>::InvalidDimensions);
        assert_ok!(with(MAX_DIMENSIONS));
    });
}

#[test]
fn register_model_should_fail_when_the_price_could_not_be_paid() {
    ExtBuilder.build_and_execute(|| {
        assert_noop!(register(ALICE, 1, 1), Error::<Test>::PriceTooLow);
        assert_noop!(register(ALICE, 1, ED - 1), Error::<Test>::PriceTooLow);
        assert_ok!(register(ALICE, 1, ED));
        assert_ok!(register(ALICE, 2, 0));
    });
}

#[test]
fn register_model_should_fail_when_the_deposit_cannot_be_held() {
    ExtBuilder.build_and_execute(|| {
        assert_noop!(register(PAUPER, 1, 0), TokenError::FundsUnavailable);
        // The existential deposit is not available for a hold.
        RegistrationDeposit::set(FUNDS);
        assert_noop!(register(ALICE, 1, 0), TokenError::FundsUnavailable);
    });
}

#[test]
fn register_model_should_fail_when_ids_are_exhausted() {
    ExtBuilder.build().execute_with(|| {
        NextId::<Test>::put(ArtifactId::MAX);
        assert_noop!(register(ALICE, 1, 0), Error::<Test>::IdsExhausted);
    });
}

#[test]
fn register_model_should_fail_when_not_signed() {
    ExtBuilder.build_and_execute(|| {
        assert_noop!(
            Artifacts::register_model(RuntimeOrigin::root(), package(1), H256::zero(), profile(), 0),
            sp_runtime::DispatchError::BadOrigin
        );
    });
}
