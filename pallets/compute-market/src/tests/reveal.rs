//! `reveal`. What does not match the commitment is in `bad_input.rs`.

use crate::{mock::*, Error, Event};
use assay_types::{Outcome, Phase, Status};
use frame_support::{assert_noop, assert_ok};
use sp_core::H256;

/// Commits to `outcome`, which no reveal can make good, and expects `error`.
fn unrevealable(outcome: Outcome, error: Error<Test>) {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = committed(&outcome);
        run(default_parameters().reveal_delay);
        assert_noop!(reveal(&CAROL, id, &outcome), error);
    });
}

#[test]
fn reveal_should_open_the_challenge_window() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = committed(&outcome());
        run(default_parameters().reveal_delay);
        let until = System::block_number() + default_parameters().challenge_period;
        assert_ok!(reveal(&hot(&worker), id, &outcome()));

        assert_eq!(
            job(id).phase,
            Phase::Challengeable {
                worker: worker.clone(),
                outcome: outcome(),
                until
            }
        );
        assert_eq!(
            locked(&worker),
            COLLATERAL,
            "the collateral stays locked until it settles"
        );
        assert_eq!(
            last_event(),
            Event::Revealed {
                job: id,
                attempt: 0,
                worker,
                outcome: outcome(),
                until
            }
        );
    });
}

#[test]
fn reveal_should_be_taken_from_anyone() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = committed(&outcome());
        run(default_parameters().reveal_delay);
        assert_ok!(reveal(&CAROL, id, &outcome()));
        assert_eq!(worker_of(id), worker);
    });
}

#[test]
fn reveal_should_be_taken_while_open_alone() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = committed(&outcome());
        stop_hook();
        let Phase::Committed { from, until, .. } = job(id).phase else {
            panic!("committed")
        };
        run_to(from - 1);
        assert_noop!(reveal(&CAROL, id, &outcome()), Error::<Test>::TooEarly);
        run_to(until + 1);
        assert_noop!(reveal(&CAROL, id, &outcome()), Error::<Test>::DeadlinePassed);
        System::set_block_number(until);
        frame_support::hypothetically!(reveal(&CAROL, id, &outcome()).unwrap());
        System::set_block_number(from);
        assert_ok!(reveal(&CAROL, id, &outcome()));
    });
}

#[test]
fn reveal_should_fail_when_not_committed_or_done_already() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = running();
        assert_noop!(reveal(&CAROL, id, &outcome()), Error::<Test>::WrongPhase);
        assert_ok!(commit(&worker, id, &outcome()));
        run(default_parameters().reveal_delay);
        assert_ok!(reveal(&CAROL, id, &outcome()));
        assert_noop!(reveal(&CAROL, id, &outcome()), Error::<Test>::WrongPhase);
    });
}

#[test]
fn reveal_should_fail_when_the_attempt_is_another() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = committed(&outcome());
        run(default_parameters().reveal_delay);
        assert_noop!(
            Market::reveal(RuntimeOrigin::signed(CAROL), id, 1, outcome(), SALT),
            Error::<Test>::WrongAttempt
        );
    });
}

#[test]
fn reveal_should_fail_when_the_trace_is_not_that_of_the_outcome() {
    unrevealable(
        Outcome {
            trace: H256::zero(),
            ..outcome()
        },
        Error::TraceMismatch,
    );
    unrevealable(
        Outcome {
            tokens: TOKENS - 1,
            ..outcome()
        },
        Error::TraceMismatch,
    );
}

#[test]
fn reveal_should_fail_when_there_are_too_many_tokens() {
    unrevealable(
        traced(Outcome {
            tokens: MAX_TOKENS + 1,
            ..outcome()
        }),
        Error::TooManyTokens,
    );
    let failure = failure(Status::MalformedInput);
    unrevealable(
        traced(Outcome {
            tokens: MAX_TOKENS + 1,
            ..failure
        }),
        Error::TooManyTokens,
    );
}

#[test]
fn reveal_should_fail_when_tokens_are_not_those_of_the_input() {
    unrevealable(
        traced(Outcome {
            tokens: MAX_TOKENS,
            ..outcome()
        }),
        Error::TokensMismatch,
    );
    unrevealable(traced(Outcome { tokens: 0, ..outcome() }), Error::TokensMismatch);
}

#[test]
fn reveal_should_fail_when_the_output_has_the_wrong_size() {
    unrevealable(
        traced(Outcome {
            delivered_size: 47,
            ..outcome()
        }),
        Error::OutputSizeMismatch,
    );
    unrevealable(
        traced(Outcome {
            delivered_size: 0,
            ..outcome()
        }),
        Error::OutputSizeMismatch,
    );
    let failure = failure(Status::MalformedInput);
    unrevealable(
        traced(Outcome {
            delivered_size: 48,
            ..failure
        }),
        Error::OutputSizeMismatch,
    );
}

#[test]
fn reveal_should_fail_when_something_else_than_the_result_is_delivered() {
    unrevealable(
        Outcome {
            delivered: H256::repeat_byte(5),
            ..outcome()
        },
        Error::OutputMismatch,
    );
}
