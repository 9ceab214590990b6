//! `commit`.

use crate::{mock::*, Error, Event};
use assay_types::Phase;
use frame_support::{assert_noop, assert_ok};
use sp_core::H256;

#[test]
fn commit_should_store_the_commitment_and_open_reveals_later() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = running();
        let now = System::block_number();
        assert_ok!(commit(&worker, id, &outcome()));

        let commitment = commitment_of(&worker, id, &outcome());
        let from = now + default_parameters().reveal_delay;
        let until = from + default_parameters().reveal_period;
        assert_eq!(
            job(id).phase,
            Phase::Committed {
                worker: worker.clone(),
                commitment,
                from,
                until
            }
        );
        assert_eq!(
            last_event(),
            Event::Committed {
                job: id,
                attempt: 0,
                worker,
                commitment,
                from,
                until
            }
        );
    });
}

#[test]
fn commit_should_be_taken_until_the_deadline_and_not_after() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = running();
        stop_hook();
        run_to(job(id).until().unwrap() + 1);
        assert_noop!(commit(&worker, id, &outcome()), Error::<Test>::DeadlinePassed);
        System::set_block_number(job(id).until().unwrap());
        assert_ok!(commit(&worker, id, &outcome()));
    });
}

#[test]
fn commit_should_fail_when_not_acknowledged_or_done_already() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        assert_noop!(commit(&worker, id, &outcome()), Error::<Test>::WrongPhase);
        assert_ok!(acknowledge(&worker, id));
        assert_ok!(commit(&worker, id, &outcome()));
        assert_noop!(commit(&worker, id, &outcome()), Error::<Test>::WrongPhase);
    });
}

#[test]
fn commit_should_fail_when_the_attempt_is_another() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = running();
        let call = |attempt| Market::commit(RuntimeOrigin::signed(hot(&worker)), id, attempt, H256::zero());
        assert_noop!(call(1), Error::<Test>::WrongAttempt);
        assert_ok!(call(0));
    });
}
