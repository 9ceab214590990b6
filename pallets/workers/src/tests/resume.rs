//! `resume`.

use crate::{mock::*, Error, Event};
use assay_types::traits::Workers as _;
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchResult;

fn resume(signer: AccountId) -> DispatchResult {
    Workers::resume(RuntimeOrigin::signed(signer))
}

#[test]
fn resume_should_take_jobs_again_and_say_so() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::chill(RuntimeOrigin::signed(ALICE)));
        assert_ok!(resume(hot(ALICE)));
        assert!(!record(ALICE).chilled);
        assert_eq!(events().last(), Some(&Event::Resumed { worker: ALICE }));
    });
}

#[test]
fn resume_should_forget_the_row_of_missed_deadlines_but_not_their_count() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        (0..MAX_MISSED_IN_ROW).for_each(|_| Workers::note_missed(&ALICE));
        assert_ok!(resume(ALICE));
        assert_eq!(
            (record(ALICE).missed_in_row, record(ALICE).missed),
            (0, MAX_MISSED_IN_ROW.into())
        );
    });
}

#[test]
fn resume_should_fail_when_not_chilled() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(resume(ALICE), Error::<Test>::NotChilled);
    });
}

#[test]
fn resume_should_fail_until_the_bond_is_made_up() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 1, 30);
        assert_ok!(Workers::forfeit(&ALICE, 1, 30, &BOB, 0));
        assert_noop!(resume(ALICE), Error::<Test>::BondTooLow);
        assert_ok!(Workers::bond_extra(RuntimeOrigin::signed(ALICE), 29));
        assert_noop!(resume(ALICE), Error::<Test>::BondTooLow);
        assert_ok!(Workers::bond_extra(RuntimeOrigin::signed(ALICE), 1));
        assert_ok!(resume(ALICE));
    });
}

#[test]
fn resume_should_fail_when_signed_by_nobody_known() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(resume(BOB), Error::<Test>::NotWorker);
    });
}
