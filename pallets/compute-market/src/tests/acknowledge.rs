//! `acknowledge`.

use crate::{mock::*, Error, Event};
use assay_types::Phase;
use frame_support::{assert_noop, assert_ok};

#[test]
fn acknowledge_should_start_the_clock_of_the_work() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        let now = System::block_number();
        assert_ok!(acknowledge(&worker, id));

        // Ten tokens at four a block, rounded up.
        let until = now + default_parameters().compute_period + 3;
        assert_eq!(
            job(id).phase,
            Phase::Running {
                worker: worker.clone(),
                until
            }
        );
        assert_eq!(
            last_event(),
            Event::Acknowledged {
                job: id,
                attempt: 0,
                worker,
                until
            }
        );
    });
}

#[test]
fn acknowledge_should_be_taken_until_the_deadline_and_not_after() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        stop_hook();
        run_to(job(id).until().unwrap() + 1);
        assert_noop!(acknowledge(&worker, id), Error::<Test>::DeadlinePassed);
        System::set_block_number(job(id).until().unwrap());
        assert_ok!(acknowledge(&worker, id));
    });
}

#[test]
fn acknowledge_should_fail_when_not_assigned() {
    ExtBuilder::default().asks(&[ASK, ASK]).build_and_execute(|| {
        let open = submit();
        assert_noop!(acknowledge(&WORKERS[0], open), Error::<Test>::NotAssigned);
        run(2);
        let worker = worker_of(open);
        let other = WORKERS.iter().find(|other| **other != worker).unwrap();
        assert_noop!(acknowledge(other, open), Error::<Test>::NotAssigned);
        assert_noop!(
            Market::acknowledge(RuntimeOrigin::signed(ALICE), open),
            Error::<Test>::NotAssigned
        );
        assert_noop!(
            Market::acknowledge(RuntimeOrigin::signed(worker), open),
            Error::<Test>::NotAssigned
        );
    });
}

#[test]
fn acknowledge_should_fail_when_done_already() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = running();
        assert_noop!(acknowledge(&worker, id), Error::<Test>::WrongPhase);
    });
}

#[test]
fn acknowledge_should_be_signed_by_the_new_hot_key_after_a_change() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        assert_ok!(Workers::set_hot_key(RuntimeOrigin::signed(worker.clone()), CAROL));
        assert_noop!(acknowledge(&worker, id), Error::<Test>::NotAssigned);
        assert_ok!(Market::acknowledge(RuntimeOrigin::signed(CAROL), id));
    });
}

#[test]
fn acknowledge_should_give_a_huge_job_the_longest_deadline_there_is() {
    ExtBuilder::default().build_and_execute(|| {
        set_parameters(|parameters| parameters.units_per_block = 1);
        let (id, worker) = assigned();
        assert_ok!(acknowledge(&worker, id));
        assert_eq!(job(id).until(), Some(u32::MAX));
    });
}
