//! The draw of a worker, in the hook.

use crate::{mock::*, Agreement, Event};
use assay_types::{Fault, Phase};
use frame_support::assert_ok;

#[test]
fn draw_should_assign_the_worker_and_fix_what_was_agreed() {
    ExtBuilder::default().build_and_execute(|| {
        let id = submit();
        run(2);

        let until = 2 + default_parameters().acknowledge_period;
        assert_eq!(
            job(id).phase,
            Phase::Assigned {
                worker: WORKERS[0].clone(),
                until
            }
        );
        assert_eq!(
            job(id).agreement,
            Some(Agreement {
                ask: ASK,
                fee: FEE,
                collateral: COLLATERAL
            })
        );
        assert_eq!(locked(&WORKERS[0]), COLLATERAL);
        let expected = Event::Assigned {
            job: id,
            attempt: 0,
            worker: WORKERS[0].clone(),
            ask: ASK,
            fee: FEE,
            collateral: COLLATERAL,
            until,
        };
        assert_eq!(last_event(), expected);
    });
}

#[test]
fn draw_should_release_what_the_fee_leaves_of_the_limit() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = assigned();
        assert_eq!(job(id).held, FEE + PRICE);
        assert_eq!(fee_on_hold(&ALICE), FEE + PRICE);
    });
}

#[test]
fn draw_should_wait_for_a_later_block_than_the_submission() {
    ExtBuilder::default().build_and_execute(|| {
        let id = submit();
        run(1);
        assert!(
            matches!(job(id).phase, Phase::Open { .. }),
            "its own block's randomness is known to who submits"
        );
        run(1);
        assert!(matches!(job(id).phase, Phase::Assigned { .. }));
    });
}

#[test]
fn draw_should_keep_the_ask_it_was_made_at() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        assert_ok!(Workers::set_ask(RuntimeOrigin::signed(worker), 10 * ASK));
        assert_eq!(job(id).agreement.unwrap().ask, ASK);
    });
}

#[test]
fn draw_should_leave_out_workers_above_the_limit() {
    ExtBuilder::default()
        .asks(&[ASK, 2 * ASK, 3 * ASK])
        .build_and_execute(|| {
            for seed in 0..20 {
                Seed::set(Some(seed));
                let id = submit_by(&ALICE, 2 * FEE + PRICE);
                run(2);
                assert_ne!(worker_of(id), WORKERS[2]);
                assert_ok!(cancel(&ALICE, id));
            }
        });
}

#[test]
fn draw_should_favour_the_cheap_but_not_exclude_the_dear() {
    ExtBuilder::default().asks(&[ASK, 2 * ASK]).build_and_execute(|| {
        let mut cheap = 0;
        for seed in 0..200 {
            Seed::set(Some(seed));
            let (id, worker) = assigned();
            cheap += u32::from(worker == WORKERS[0]);
            assert_ok!(cancel(&ALICE, id));
        }
        assert!(
            (140..180).contains(&cheap),
            "expected about four in five of 200, got {cheap}"
        );
    });
}

#[test]
fn draw_should_be_tried_again_when_nobody_is_free() {
    ExtBuilder::default().build_and_execute(|| {
        let id = submit();
        assert_ok!(Workers::chill(RuntimeOrigin::signed(WORKERS[0].clone())));
        run(4);
        assert!(matches!(job(id).phase, Phase::Open { .. }));
        assert_ok!(Workers::resume(RuntimeOrigin::signed(WORKERS[0].clone())));
        run(crate::assignment::REDRAW_INTERVAL);
        assert!(matches!(job(id).phase, Phase::Assigned { .. }));
    });
}

#[test]
fn draw_should_be_tried_again_when_there_is_no_randomness() {
    ExtBuilder::default().build_and_execute(|| {
        Seed::set(None);
        let id = submit();
        run(4);
        assert!(matches!(job(id).phase, Phase::Open { .. }));
        Seed::set(Some(1));
        run(crate::assignment::REDRAW_INTERVAL);
        assert!(matches!(job(id).phase, Phase::Assigned { .. }));
    });
}

#[test]
fn draw_should_give_no_worker_a_second_attempt() {
    ExtBuilder::default().asks(&[ASK, ASK]).build_and_execute(|| {
        let (id, first) = assigned();
        run_to(job(id).until().unwrap() + 3);
        let second = worker_of(id);
        assert_ne!(first, second);
        run_to(job(id).until().unwrap() + 3);
        assert!(matches!(job(id).phase, Phase::Open { .. }), "both have tried");
        assert_eq!(job(id).reporters(Fault::Network).collect::<Vec<_>>(), [&first, &second]);
    });
}

#[test]
fn redraw_should_reach_dearer_workers_again() {
    ExtBuilder::default().asks(&[ASK, 3 * ASK]).build_and_execute(|| {
        // A seed by which the cheap one comes first.
        let (id, first) = assigned();
        assert_eq!(first, WORKERS[0]);
        assert_eq!(fee_on_hold(&ALICE), FEE + PRICE);
        run_to(job(id).until().unwrap() + 2);
        assert_eq!(fee_on_hold(&ALICE), MAX_FEE, "the whole limit is on hold again");
        run(1);
        assert_eq!(worker_of(id), WORKERS[1]);
        assert_eq!(fee_on_hold(&ALICE), 3 * FEE + PRICE);
    });
}

#[test]
fn redraw_should_stay_within_what_is_held_when_the_submitter_has_spent_the_rest() {
    ExtBuilder::default().asks(&[ASK, 3 * ASK]).build_and_execute(|| {
        let (id, _) = assigned();
        let spend = free(&ALICE) - ED;
        assert_ok!(Balances::transfer_keep_alive(RuntimeOrigin::signed(ALICE), BOB, spend));
        run_to(job(id).until().unwrap() + 3);
        assert!(matches!(job(id).phase, Phase::Open { .. }));
        assert_eq!(job(id).held, FEE + PRICE);
    });
}
