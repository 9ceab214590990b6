//! `note_settled` and `note_missed`.

use crate::{mock::*, ChillReason, Event};
use assay_types::traits::Workers as _;
use frame_support::assert_ok;

fn miss(worker: AccountId, times: u32) {
    (0..times).for_each(|_| Workers::note_missed(&worker));
}

#[test]
fn note_settled_should_count_jobs_and_units() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        Workers::note_settled(&ALICE, 100);
        Workers::note_settled(&ALICE, u64::MAX);
        assert_eq!(
            (record(ALICE).settled, record(ALICE).delivered_units),
            (2, u128::from(u64::MAX) + 100)
        );
        assert_eq!(
            events().last(),
            Some(&Event::JobSettled {
                worker: ALICE,
                units: u64::MAX
            })
        );
    });
}

#[test]
fn note_settled_should_end_a_row_of_missed_deadlines() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        miss(ALICE, MAX_MISSED_IN_ROW - 1);
        Workers::note_settled(&ALICE, 1);
        miss(ALICE, MAX_MISSED_IN_ROW - 1);
        assert!(!record(ALICE).chilled);
        assert_eq!(record(ALICE).missed, 2 * u64::from(MAX_MISSED_IN_ROW - 1));
    });
}

#[test]
fn note_settled_should_not_wake_a_chilled_worker() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        miss(ALICE, MAX_MISSED_IN_ROW);
        Workers::note_settled(&ALICE, 1);
        assert!(record(ALICE).chilled);
    });
}

#[test]
fn note_missed_should_count_and_say_so() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        miss(ALICE, 2);
        assert_eq!((record(ALICE).missed, record(ALICE).missed_in_row), (2, 2));
        assert_eq!(
            events().last(),
            Some(&Event::DeadlineMissed {
                worker: ALICE,
                in_row: 2
            })
        );
    });
}

#[test]
fn note_missed_should_chill_once_too_many_are_missed_in_a_row() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        miss(ALICE, MAX_MISSED_IN_ROW);
        assert!(record(ALICE).chilled);
        let chilled = Event::Chilled {
            worker: ALICE,
            reason: ChillReason::DeadlinesMissed,
        };
        assert_eq!(events().last(), Some(&chilled));
        miss(ALICE, 1);
        assert_eq!(events().into_iter().filter(|event| *event == chilled).count(), 1);
    });
}

#[test]
fn note_missed_should_count_while_chilled() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::chill(RuntimeOrigin::signed(ALICE)));
        miss(ALICE, 1);
        assert_eq!(record(ALICE).missed, 1);
    });
}

#[test]
fn notes_should_do_nothing_when_the_worker_is_gone() {
    ExtBuilder::default().build_and_execute(|| {
        Workers::note_settled(&ALICE, 1);
        Workers::note_missed(&ALICE);
        assert_eq!(events(), []);
    });
}
