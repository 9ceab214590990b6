//! What the market and runtime APIs ask.

use crate::{mock::*, Event};
use assay_types::{traits::Models, ArtifactInfo, ModelTerms};
use frame_support::{
    assert_ok,
    traits::{fungible::Mutate, tokens::Preservation},
};
use sp_core::H256;

#[test]
fn terms_should_be_those_of_the_record() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        let terms = ModelTerms {
            owner: ALICE,
            price_per_use: ED,
            profile: profile(),
            retired: false,
        };
        assert_eq!(Artifacts::terms(id), Some(terms.clone()));
        assert_ok!(Artifacts::retire(RuntimeOrigin::signed(ALICE), id));
        assert_eq!(Artifacts::terms(id), Some(ModelTerms { retired: true, ..terms }));
    });
}

#[test]
fn terms_should_be_none_when_there_is_no_such_artifact() {
    ExtBuilder.build_and_execute(|| assert_eq!(Artifacts::terms(0), None));
}

#[test]
fn note_use_should_count_uses_and_earnings() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        Artifacts::note_use(id, ED);
        Artifacts::note_use(id, 2 * ED);
        let info = Artifacts::info(id).unwrap();
        assert_eq!((info.uses, info.earned), (2, 3 * ED));
        assert_eq!(events().last(), Some(&Event::Used { id, earned: 2 * ED }));
    });
}

#[test]
fn note_use_should_count_a_retired_model_too() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        assert_ok!(Artifacts::retire(RuntimeOrigin::signed(ALICE), id));
        Artifacts::note_use(id, ED);
        assert_eq!(Artifacts::info(id).unwrap().uses, 1);
    });
}

// A defect of the market: stops a debug build, and does nothing in a release build.
#[test]
#[cfg_attr(
    debug_assertions,
    should_panic(expected = "a settled job used a model that is not registered")
)]
fn note_use_should_be_a_defect_when_there_is_no_such_artifact() {
    ExtBuilder.build_and_execute(|| Artifacts::note_use(0, ED));
}

#[test]
fn info_should_report_the_whole_record() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        assert_eq!(
            Artifacts::info(id),
            Some(ArtifactInfo {
                id,
                owner: ALICE,
                package: package(1),
                metadata: H256::zero(),
                profile: profile(),
                price_per_use: ED,
                retired: false,
                registered_at: 1,
                uses: 0,
                earned: 0,
            })
        );
        assert_eq!(Artifacts::info(id + 1), None);
    });
}

#[test]
fn by_package_should_be_none_when_the_package_is_not_registered() {
    ExtBuilder.build_and_execute(|| assert_eq!(Artifacts::by_package(package(1).hash), None));
}

#[test]
fn price_should_be_payable_when_the_owner_has_spent_all_it_can() {
    ExtBuilder.build_and_execute(|| {
        let id = registered(1, ED);
        // With a second provider the account may have no free balance at all beside the deposit.
        System::inc_providers(&ALICE);
        assert_ok!(Balances::transfer(
            &ALICE,
            &BOB,
            FUNDS - DEPOSIT,
            Preservation::Expendable
        ));
        assert_eq!(Balances::free_balance(ALICE), 0);

        let price = Artifacts::terms(id).unwrap().price_per_use;
        assert!(Balances::transfer(&BOB, &ALICE, price - 1, Preservation::Expendable).is_err());
        assert_ok!(Balances::transfer(&BOB, &ALICE, price, Preservation::Expendable));
    });
}
