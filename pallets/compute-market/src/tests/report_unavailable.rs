//! `report_unavailable`.

use crate::{mock::*, Error, Event};
use assay_types::{Fault, Phase, UnavailableBlob};
use frame_support::{assert_noop, assert_ok};

/// Three workers at the same price.
fn three() -> ExtBuilder {
    ExtBuilder::default().asks(&[ASK, ASK, ASK])
}

/// Reports `blob` by the worker drawn for the job, and has it drawn again.
fn report_and_redraw(id: u64, blob: UnavailableBlob) -> AccountId {
    let worker = worker_of(id);
    assert_ok!(report(&worker, id, blob));
    run(2);
    worker
}

#[test]
fn report_should_free_the_worker_and_open_the_job_again() {
    three().build_and_execute(|| {
        let (id, worker) = running();
        let now = System::block_number();
        assert_ok!(report(&worker, id, UnavailableBlob::Input));

        assert_eq!((locked(&worker), bond(&worker)), (0, BOND));
        let until = now + default_parameters().assign_period;
        assert_eq!(job(id).phase, Phase::Open { until });
        assert_eq!(job(id).reporters(Fault::Submitter).collect::<Vec<_>>(), [&worker]);
        let expected = [
            Event::BlobUnavailable {
                job: id,
                attempt: 0,
                worker: worker.clone(),
                blob: UnavailableBlob::Input,
            },
            Event::Reopened {
                job: id,
                attempt: 1,
                held: MAX_FEE,
                until,
            },
        ];
        assert_eq!(events()[events().len() - 2..], expected);
        run(2);
        assert_ne!(worker_of(id), worker);
    });
}

#[test]
fn two_reports_in_succession_should_fail_the_job_and_pay_both_for_the_call() {
    three().build_and_execute(|| {
        let (id, _) = assigned();
        let first = report_and_redraw(id, UnavailableBlob::Input);
        let second = worker_of(id);
        assert_ok!(acknowledge(&second, id));
        let before = free(&ALICE) + fee_on_hold(&ALICE);
        assert_ok!(report(&second, id, UnavailableBlob::Input));

        assert_eq!(
            job(id).phase,
            Phase::Failed {
                fault: Fault::Submitter,
                status: None
            }
        );
        assert_eq!([free(&first), free(&second)], [FUNDS - BOND + CALL_OUT; 2]);
        assert_eq!(fee_on_hold(&ALICE), 0);
        assert_eq!(free(&ALICE), before - 2 * CALL_OUT);
        assert_eq!(
            last_event(),
            Event::Failed {
                job: id,
                fault: Fault::Submitter,
                status: None,
                refunded: FEE + PRICE - 2 * CALL_OUT
            }
        );
    });
}

#[test]
fn two_reports_of_the_package_should_cost_the_submitter_nothing() {
    three().build_and_execute(|| {
        let (id, _) = assigned();
        let first = report_and_redraw(id, UnavailableBlob::Package);
        let second = report_and_redraw(id, UnavailableBlob::Package);

        assert_eq!(
            job(id).phase,
            Phase::Failed {
                fault: Fault::Artifact,
                status: None
            }
        );
        assert_eq!(free(&ALICE), FUNDS - deposit());
        assert_eq!([free(&first), free(&second)], [FUNDS - BOND; 2]);
    });
}

#[test]
fn different_reports_should_not_confirm_each_other() {
    three().build_and_execute(|| {
        let (id, _) = assigned();
        report_and_redraw(id, UnavailableBlob::Package);
        report_and_redraw(id, UnavailableBlob::Input);
        assert!(matches!(job(id).phase, Phase::Assigned { .. }));
        // No attempt is left: the job fails by what the last one failed by.
        report_and_redraw(id, UnavailableBlob::Package);
        assert_eq!(
            job(id).phase,
            Phase::Failed {
                fault: Fault::Artifact,
                status: None
            }
        );
        assert_eq!(free(&ALICE), FUNDS - deposit());
    });
}

#[test]
fn reports_should_not_confirm_each_other_over_a_missed_deadline() {
    three().build_and_execute(|| {
        let (id, _) = assigned();
        let first = report_and_redraw(id, UnavailableBlob::Input);
        run_to(job(id).until().unwrap() + 3);
        let third = report_and_redraw(id, UnavailableBlob::Input);

        assert_eq!(
            job(id).phase,
            Phase::Failed {
                fault: Fault::Submitter,
                status: None
            },
            "no attempt is left"
        );
        assert_eq!([free(&first), free(&third)], [FUNDS - BOND + CALL_OUT; 2]);
    });
}

#[test]
fn one_report_should_fail_the_job_without_call_out_when_nobody_else_comes() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        assert_ok!(report(&worker, id, UnavailableBlob::Input));
        run_to(job(id).until().unwrap() + 2);

        assert_eq!(
            job(id).phase,
            Phase::Failed {
                fault: Fault::Submitter,
                status: None
            }
        );
        assert_eq!(free(&ALICE), FUNDS - deposit());
        assert_eq!(free(&worker), FUNDS - BOND);
    });
}

#[test]
fn report_should_fail_when_late_or_not_assigned_or_of_another_phase_or_attempt() {
    three().build_and_execute(|| {
        let blob = UnavailableBlob::Input;
        let (id, worker) = running();
        let other = WORKERS.iter().find(|other| **other != worker).unwrap();
        assert_noop!(report(other, id, blob), Error::<Test>::NotAssigned);
        assert_noop!(
            Market::report_unavailable(RuntimeOrigin::signed(hot(&worker)), id, 1, blob),
            Error::<Test>::WrongAttempt
        );
        stop_hook();
        let until = job(id).until().unwrap();
        run_to(until + 1);
        assert_noop!(report(&worker, id, blob), Error::<Test>::DeadlinePassed);
        System::set_block_number(until);
        assert_ok!(commit(&worker, id, &outcome()));
        assert_noop!(report(&worker, id, blob), Error::<Test>::WrongPhase);
    });
}
