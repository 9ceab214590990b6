//! The hook: it does what is due, and never more than it may.

use crate::{mock::*, Action, Agenda, Cursor, Event, WeightInfo};
use assay_types::{traits::Workers as _, Phase};
use frame_support::{
    assert_ok,
    traits::{Get, Hooks},
    weights::Weight,
};
use frame_system::limits::BlockWeights;

/// Weight of the hook for `pages` pages with `entries` entries, on which it spends `actions`.
fn weight(pages: u64, entries: u64, actions: &[Action]) -> Weight {
    type W = ();
    let actions = actions
        .iter()
        .map(|action| match action {
            Action::Draw => <W as WeightInfo>::draw(Workers::ready_count(MODEL)),
            other => Market::weight_of(*other),
        })
        .fold(Weight::zero(), |sum, weight| sum + weight);
    <W as WeightInfo>::on_idle_base()
        + <W as WeightInfo>::agenda_page() * pages
        + <W as WeightInfo>::agenda_entry() * entries
        + actions
}

/// How many of the jobs from 0 have been drawn.
fn drawn(jobs: u64) -> usize {
    (0..jobs)
        .filter(|id| matches!(job(*id).phase, Phase::Assigned { .. }))
        .count()
}

#[test]
fn hook_should_do_nothing_when_its_weight_does_not_cover_the_base() {
    ExtBuilder::default().build_and_execute(|| {
        submit();
        run_to(2);
        let before = Cursor::<Test>::get();
        assert_eq!(
            Market::on_idle(2, weight(0, 0, &[]) - Weight::from_parts(1, 0)),
            Weight::zero()
        );
        assert_eq!(Cursor::<Test>::get(), before);
    });
}

#[test]
fn hook_should_report_what_it_used() {
    ExtBuilder::default().build_and_execute(|| {
        submit();
        run_to(2);
        assert_eq!(Market::on_idle(2, Weight::MAX), weight(1, 1, &[Action::Draw]));
        assert_eq!(
            Market::on_idle(2, Weight::MAX),
            weight(0, 0, &[]),
            "nothing is left to do in this block"
        );
    });
}

#[test]
fn hook_should_stop_before_its_weight_runs_out_and_go_on_there() {
    ExtBuilder::default().bond(FUNDS / 2).build_and_execute(|| {
        for _ in 0..3 {
            submit();
        }
        run_to(2);
        let two = weight(1, 3, &[Action::Draw; 2]);
        assert_eq!(Market::on_idle(2, two), two);
        assert_eq!(drawn(3), 2);
        assert_eq!(Agenda::<Test>::get(2).to_vec(), [2], "what was done is off the list");
        check_invariants();

        let less = weight(1, 1, &[Action::Draw]) - Weight::from_parts(1, 0);
        Market::on_idle(2, less);
        assert_eq!(drawn(3), 2);
        Market::on_idle(2, weight(1, 1, &[Action::Draw]));
        assert_eq!(drawn(3), 3);
        assert!(!Agenda::<Test>::contains_key(2));
    });
}

#[test]
fn hook_should_catch_up_after_blocks_without_weight() {
    ExtBuilder::default().build_and_execute(|| {
        stop_hook();
        let id = submit();
        run(5);
        assert!(matches!(job(id).phase, Phase::Open { .. }));
        IdleWeight::set(Weight::MAX);
        run(1);
        assert!(matches!(job(id).phase, Phase::Assigned { .. }));
        assert_eq!(Cursor::<Test>::get(), System::block_number());
    });
}

#[test]
fn hook_should_skip_jobs_that_have_moved_on() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        let deadline = job(id).until().unwrap();
        assert_ok!(acknowledge(&worker, id));
        run_to(deadline + 1);
        assert!(
            Agenda::<Test>::get(deadline + 1).contains(&id),
            "the old entry is still there"
        );
        let used = Market::on_idle(deadline + 1, Weight::MAX);
        assert_eq!(used, weight(1, 1, &[]));
        assert!(matches!(job(id).phase, Phase::Running { .. }));
    });
}

#[test]
fn full_page_should_move_jobs_to_the_next_with_room() {
    ExtBuilder::default().bond(FUNDS / 2).build_and_execute(|| {
        for _ in 0..=MAX_DUE {
            submit();
        }
        assert_eq!(Agenda::<Test>::get(2).len(), MAX_DUE as usize);
        assert_eq!(Agenda::<Test>::get(3).to_vec(), [u64::from(MAX_DUE)]);
    });
}

#[test]
fn whole_life_should_pass_without_any_call_to_tidy() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = settled();
        run(default_parameters().retention_period + 2);
        assert_eq!(crate::Jobs::<Test>::get(id), None);
        assert_eq!(Agenda::<Test>::iter().count(), 0, "nothing is left behind");
    });
}

#[test]
fn failed_action_should_change_nothing_and_be_left_to_expire() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = revealed(&outcome());
        // A hold that is gone cannot be, but must not stop the chain.
        let mut broken = job(id);
        broken.held += FUNDS;
        crate::Jobs::<Test>::insert(id, broken);
        run(default_parameters().challenge_period + 2);

        assert!(matches!(last_event(), Event::ActionFailed { job, .. } if job == id));
        assert!(matches!(job(id).phase, Phase::Challengeable { .. }));
        assert_eq!(locked(&WORKERS[0]), COLLATERAL);
        let mut mended = job(id);
        mended.held -= FUNDS;
        crate::Jobs::<Test>::insert(id, mended);
        assert_ok!(expire(&CAROL, id));
        assert!(matches!(job(id).phase, Phase::Settled { .. }));
    });
}

#[test]
fn constants_should_pass_the_integrity_test() {
    ExtBuilder::default().build_and_execute(Market::integrity_test);
}

#[test]
fn hook_should_fit_a_block() {
    ExtBuilder::default().build_and_execute(|| {
        for action in [
            Action::Draw,
            Action::GiveUp,
            Action::Missed,
            Action::Settle,
            Action::Remove,
        ] {
            let block = <<Test as frame_system::Config>::BlockWeights as Get<BlockWeights>>::get().max_block;
            assert!(weight(1, 1, &[action]).all_lte(block));
        }
    });
}
