//! `cancel`.

use crate::{mock::*, Error, Event};
use assay_types::{Phase, UnavailableBlob};
use frame_support::{assert_noop, assert_ok};

#[test]
fn cancel_should_refund_everything_when_open() {
    ExtBuilder::default().build_and_execute(|| {
        let id = submit();
        assert_ok!(cancel(&ALICE, id));

        assert_eq!(job(id).phase, Phase::Cancelled);
        assert_eq!((fee_on_hold(&ALICE), free(&ALICE)), (0, FUNDS - deposit()));
        assert_eq!(
            last_event(),
            Event::Cancelled {
                job: id,
                refunded: MAX_FEE
            }
        );
        run(5);
        assert_eq!(job(id).phase, Phase::Cancelled, "it is not drawn any more");
    });
}

#[test]
fn cancel_should_free_the_worker_when_assigned() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        assert_ok!(cancel(&ALICE, id));

        assert_eq!((locked(&worker), free(&ALICE)), (0, FUNDS - deposit()));
        assert_noop!(acknowledge(&worker, id), Error::<Test>::NotAssigned);
    });
}

#[test]
fn cancel_should_fail_when_acknowledged_or_ended() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = running();
        assert_noop!(cancel(&ALICE, id), Error::<Test>::WrongPhase);
        assert_ok!(commit(&worker, id, &outcome()));
        assert_noop!(cancel(&ALICE, id), Error::<Test>::WrongPhase);
        run(default_parameters().reveal_delay);
        assert_ok!(reveal(&CAROL, id, &outcome()));
        assert_noop!(cancel(&ALICE, id), Error::<Test>::WrongPhase);
        run(default_parameters().challenge_period + 2);
        assert_noop!(cancel(&ALICE, id), Error::<Test>::WrongPhase);
    });
}

#[test]
fn cancel_should_fail_when_not_the_submitter() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        for stranger in [BOB, hot(&worker), worker] {
            assert_noop!(cancel(&stranger, id), Error::<Test>::NotSubmitter);
        }
    });
}

#[test]
fn cancel_should_pay_the_call_out_when_the_input_was_reported() {
    ExtBuilder::default().asks(&[ASK, ASK]).build_and_execute(|| {
        let (id, worker) = assigned();
        assert_ok!(report(&worker, id, UnavailableBlob::Input));
        assert_ok!(cancel(&ALICE, id));

        assert_eq!(free(&worker), FUNDS - BOND + CALL_OUT);
        assert_eq!(free(&ALICE), FUNDS - deposit() - CALL_OUT);
    });
}

#[test]
fn cancel_should_refund_everything_when_the_package_was_reported() {
    ExtBuilder::default().asks(&[ASK, ASK]).build_and_execute(|| {
        let (id, worker) = assigned();
        assert_ok!(report(&worker, id, UnavailableBlob::Package));
        assert_ok!(cancel(&ALICE, id));
        assert_eq!(free(&ALICE), FUNDS - deposit());
    });
}
