//! `expire`: what anyone can do when the hook has not; and what missed deadlines cost.

use crate::{mock::*, Error, Event, Jobs, TIP_GRACE};
use assay_types::{Fault, Phase, UnavailableBlob};
use frame_support::{assert_noop, assert_ok};

/// Begins the block after the job's deadline, without the hook.
fn run_over_deadline(id: u64) {
    stop_hook();
    run_to(job(id).until().unwrap() + 1);
}

#[test]
fn expire_should_fail_when_nothing_is_due() {
    ExtBuilder::default().build_and_execute(|| {
        let id = submit();
        assert_noop!(expire(&CAROL, id), Error::<Test>::NothingDue);
        run(2);
        for (step, deadline) in ["assigned", "running", "committed", "challengeable", "settled"]
            .iter()
            .zip(1..)
        {
            let worker = job(id).phase.worker().cloned().unwrap();
            let now = System::block_number();
            let until = job(id).until().unwrap();
            System::set_block_number(until);
            assert_eq!(job(id).phase.name(), *step);
            assert_noop!(expire(&CAROL, id), Error::<Test>::NothingDue);
            System::set_block_number(now);
            match deadline {
                1 => acknowledge(&worker, id).unwrap(),
                2 => commit(&worker, id, &outcome()).unwrap(),
                3 => {
                    run(default_parameters().reveal_delay);
                    assert_ok!(reveal(&CAROL, id, &outcome()));
                }
                _ => run(default_parameters().challenge_period + 2),
            }
        }
    });
}

#[test]
fn expire_should_never_draw() {
    ExtBuilder::default().build_and_execute(|| {
        stop_hook();
        let id = submit();
        run(5);
        assert_noop!(expire(&CAROL, id), Error::<Test>::NothingDue);
    });
}

#[test]
fn unacknowledged_job_should_be_drawn_again_and_cost_the_worker_nothing() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        run_over_deadline(id);
        assert_ok!(expire(&CAROL, id));

        assert!(matches!(job(id).phase, Phase::Open { .. }));
        assert_eq!(
            job(id).attempts.last().map(|attempt| attempt.fault),
            Some(Fault::Network)
        );
        let info = Workers::info(&worker).unwrap();
        assert_eq!((info.bond, info.locked, info.missed), (BOND, 0, 1));
        let missed = Event::DeadlineMissed {
            job: id,
            attempt: 0,
            worker,
            fault: Fault::Network,
            forfeited: 0,
        };
        assert!(events().contains(&missed));
    });
}

#[test]
fn uncommitted_job_should_forfeit_the_reference_price() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = running();
        let (issued, before) = (Balances::total_issuance(), free(&ALICE) + fee_on_hold(&ALICE));
        run_over_deadline(id);
        assert_ok!(expire(&CAROL, id));

        assert_eq!((bond(&worker), locked(&worker)), (BOND - FEE, 0));
        assert_eq!(
            free(&ALICE) + fee_on_hold(&ALICE),
            before + FEE / 2,
            "half of it to the submitter"
        );
        assert_eq!(Balances::total_issuance(), issued - FEE / 2, "the rest is burned");
        assert_eq!(Workers::info(&worker).unwrap().missed, 1);
        assert!(matches!(job(id).phase, Phase::Open { .. }));
        assert_eq!(
            job(id).attempts.last().map(|attempt| attempt.fault),
            Some(Fault::Worker)
        );
    });
}

#[test]
fn unrevealed_job_should_forfeit_the_whole_collateral() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = committed(&outcome());
        let (issued, before) = (Balances::total_issuance(), free(&ALICE) + fee_on_hold(&ALICE));
        run_over_deadline(id);
        assert_ok!(expire(&CAROL, id));

        assert_eq!((bond(&worker), locked(&worker)), (BOND - COLLATERAL, 0));
        assert_eq!(
            free(&ALICE) + fee_on_hold(&ALICE),
            before + COLLATERAL / 4,
            "a quarter to the submitter"
        );
        assert_eq!(
            Balances::total_issuance(),
            issued - COLLATERAL * 3 / 4,
            "the rest is burned"
        );
        let missed = Event::DeadlineMissed {
            job: id,
            attempt: 0,
            worker,
            fault: Fault::Worker,
            forfeited: COLLATERAL,
        };
        assert!(events().contains(&missed));
    });
}

#[test]
fn three_missed_attempts_should_fail_the_job_with_a_full_refund() {
    ExtBuilder::default().asks(&[ASK, ASK, ASK, ASK]).build_and_execute(|| {
        let id = submit();
        for _ in 0..3 {
            run(2);
            assert!(matches!(job(id).phase, Phase::Assigned { .. }));
            run_to(job(id).until().unwrap() + 2);
        }
        assert_eq!(
            job(id).phase,
            Phase::Failed {
                fault: Fault::Network,
                status: None
            }
        );
        assert_eq!((fee_on_hold(&ALICE), free(&ALICE)), (0, FUNDS - deposit()));
    });
}

#[test]
fn last_attempt_that_missed_its_commitment_should_fail_the_job_by_the_worker() {
    ExtBuilder::default().asks(&[ASK, ASK, ASK]).build_and_execute(|| {
        let id = submit();
        for _ in 0..3 {
            run(2);
            assert_ok!(acknowledge(&worker_of(id), id));
            run_to(job(id).until().unwrap() + 2);
        }
        assert_eq!(
            job(id).phase,
            Phase::Failed {
                fault: Fault::Worker,
                status: None
            }
        );
        assert_eq!(free(&ALICE), FUNDS - deposit() + 3 * FEE / 2);
    });
}

#[test]
fn job_that_finds_nobody_should_expire_with_a_full_refund() {
    ExtBuilder::default().build_and_execute(|| {
        let id = submit();
        assert_ok!(Workers::chill(RuntimeOrigin::signed(WORKERS[0].clone())));
        run_to(job(id).until().unwrap() + 2);

        assert_eq!(job(id).phase, Phase::Expired);
        assert_eq!((fee_on_hold(&ALICE), free(&ALICE)), (0, FUNDS - deposit()));
        assert_eq!(
            last_event(),
            Event::Expired {
                job: id,
                refunded: MAX_FEE
            }
        );
    });
}

#[test]
fn expire_should_do_everything_that_the_hook_would() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = revealed(&outcome());
        run_over_deadline(id);
        assert_ok!(expire(&CAROL, id));
        assert!(matches!(job(id).phase, Phase::Settled { .. }));
        run_over_deadline(id);
        assert_ok!(expire(&CAROL, id));
        assert_eq!(Jobs::<Test>::get(id), None);
    });
    ExtBuilder::default().build_and_execute(|| {
        let id = submit();
        run_over_deadline(id);
        assert_ok!(expire(&CAROL, id));
        assert_eq!(job(id).phase, Phase::Expired);
    });
}

#[test]
fn expire_should_earn_the_tip_once_and_only_when_the_hook_is_late() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = revealed(&outcome());
        stop_hook();
        run_to(job(id).until().unwrap() + TIP_GRACE);
        frame_support::hypothetically!({
            assert_ok!(expire(&CAROL, id));
            assert_eq!(free(&CAROL), FUNDS, "the hook may still come");
        });
        run(1);
        assert_ok!(expire(&CAROL, id));
        assert_eq!(free(&CAROL), FUNDS + TIP);
        assert_eq!(
            (job(id).tip, job(id).deposit, deposit_on_hold(&ALICE)),
            (0, deposit() - TIP, deposit() - TIP)
        );
        assert!(events().contains(&Event::Tipped {
            job: id,
            who: CAROL,
            amount: TIP
        }));

        run_past_grace(id);
        assert_ok!(expire(&CAROL, id));
        assert_eq!(free(&CAROL), FUNDS + TIP, "the record's removal earns no second one");
        assert_eq!(
            last_event(),
            Event::Removed {
                job: id,
                deposit: deposit() - TIP
            }
        );
    });
}

#[test]
fn expire_should_leave_the_tip_where_it_is_when_the_submitter_calls() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = revealed(&outcome());
        stop_hook();
        run_past_grace(id);
        assert_ok!(expire(&ALICE, id));
        assert_eq!(job(id).tip, TIP);
    });
}

#[test]
fn expire_should_list_a_job_for_which_the_agenda_had_no_room() {
    ExtBuilder::default().asks(&[ASK, ASK]).build_and_execute(|| {
        let (id, worker) = running();
        let next = System::block_number() + 1;
        for block in next..next + crate::agenda::SEARCHED_BLOCKS {
            let full = frame_support::BoundedVec::truncate_from(vec![u64::MAX; MAX_DUE as usize]);
            crate::Agenda::<Test>::insert(block, full);
        }
        assert_ok!(report(&worker, id, UnavailableBlob::Input));
        assert!(events().contains(&Event::NotListed { job: id }));
        assert_eq!(job(id).due, None);
        assert_noop!(expire(&CAROL, id), Error::<Test>::AgendaFull);

        run(2);
        assert_ok!(expire(&CAROL, id));
        run(2 + crate::agenda::SEARCHED_BLOCKS);
        assert!(matches!(job(id).phase, Phase::Assigned { .. }));
    });
}

#[test]
fn expire_should_weigh_what_it_did() {
    ExtBuilder::default().build_and_execute(|| {
        use crate::WeightInfo;
        let (id, _) = revealed(&outcome());
        run_over_deadline(id);
        let signed = RuntimeOrigin::signed(CAROL);
        let settled = Market::expire(signed.clone(), id).unwrap().actual_weight;
        assert_eq!(settled, Some(<() as WeightInfo>::expire_settle()));
        run_over_deadline(id);
        let removed = Market::expire(signed, id).unwrap().actual_weight;
        assert_eq!(removed, Some(<() as WeightInfo>::expire_remove()));
        assert!(settled.unwrap().all_lte(Market::weight_of_expire()));
    });
}
