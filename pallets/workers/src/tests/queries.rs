//! `info` and `infos`.

use crate::mock::*;
use assay_types::{traits::Workers as _, WorkerInfo};
use frame_support::assert_ok;

fn accounts(infos: Vec<WorkerInfo<AccountId, Balance>>) -> Vec<AccountId> {
    let mut accounts: Vec<_> = infos.into_iter().map(|info| info.account).collect();
    accounts.sort_unstable();
    accounts
}

#[test]
fn info_should_report_the_whole_record() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 1, 30);
        lock(ALICE, 2, 20);
        Workers::note_settled(&ALICE, 5);
        Workers::note_missed(&ALICE);
        assert_eq!(
            Workers::info(&ALICE),
            Some(WorkerInfo {
                account: ALICE,
                hot_key: hot(ALICE),
                endpoint: b"http://worker".to_vec(),
                bond: MIN_BOND,
                locked: 50,
                ask: ASK,
                chilled: false,
                ready: vec![MODEL],
                active_jobs: 2,
                settled: 1,
                delivered_units: 5,
                missed: 1,
            })
        );
    });
}

#[test]
fn info_should_find_a_worker_by_either_account() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_eq!(Workers::info(&hot(ALICE)), Workers::info(&ALICE));
        assert_eq!(Workers::info(&BOB), None);
    });
}

#[test]
fn by_hot_key_should_not_find_a_worker_by_its_cold_account() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_eq!(Workers::by_hot_key(&hot(ALICE)), Some(ALICE));
        assert_eq!(Workers::by_hot_key(&ALICE), None);
    });
}

#[test]
fn infos_should_list_all_or_those_with_a_model() {
    ExtBuilder::default().worker(ALICE).worker(BOB).build_and_execute(|| {
        assert_ok!(register(CAROL, MIN_BOND, ASK));
        assert_ok!(Workers::chill(RuntimeOrigin::signed(BOB)));
        assert_eq!(accounts(Workers::infos(None)), [ALICE, BOB, CAROL]);
        assert_eq!(accounts(Workers::infos(Some(MODEL))), [ALICE, BOB]);
        assert!(Workers::infos(Some(1)).is_empty());
    });
}

#[test]
fn infos_should_be_bounded() {
    ExtBuilder::default().worker(ALICE).build().execute_with(|| {
        let record = record(ALICE);
        (1_000..1_000 + u64::from(crate::MAX_RESULTS)).for_each(|other| {
            crate::Workers::<Test>::insert(other, record.clone());
        });
        assert_eq!(Workers::infos(None).len(), crate::MAX_RESULTS as usize);

        let (eligible, ineligible) = Workers::survey(&requirement());
        assert_eq!(
            eligible.len() + ineligible.len(),
            1,
            "the others claim to be ready but are not indexed"
        );
        crate::Workers::<Test>::translate_values(|mut record: crate::WorkerOf<Test>| {
            record.ready = Default::default();
            Some(record)
        });
        let (eligible, ineligible) = Workers::survey(&requirement());
        assert_eq!(eligible.len() + ineligible.len(), crate::MAX_RESULTS as usize);
    });
}
