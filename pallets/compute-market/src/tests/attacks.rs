//! Attacks on the market, one by one, and what becomes of them.

use crate::{mock::*, Error, TIP_GRACE};
use assay_types::{commitment, Fault, JobSpec, Outcome, Phase, Status, UnavailableBlob};
use frame_support::{
    assert_noop, assert_ok,
    traits::{fungible::Inspect, LockableCurrency, WithdrawReasons},
};
use sp_core::H256;

/// What a worker and its submitter own together, holds included.
fn wealth(of: &[&AccountId]) -> u128 {
    of.iter()
        .map(|who| <Balances as Inspect<AccountId>>::total_balance(who))
        .sum()
}

#[test]
fn copied_commitment_should_not_be_revealable_by_the_copier() {
    ExtBuilder::default()
        .asks(&[ASK, ASK])
        .bond(FUNDS / 2)
        .build_and_execute(|| {
            // Two jobs of the same input, at two workers.
            let (mut one, mut two) = (0, 0);
            for seed in 0.. {
                Seed::set(Some(seed));
                (one, two) = (submit(), submit());
                run(2);
                if worker_of(one) != worker_of(two) {
                    break;
                }
                assert_ok!(cancel(&ALICE, one));
                assert_ok!(cancel(&ALICE, two));
            }
            let (honest, copier) = (worker_of(one), worker_of(two));
            assert_ok!(acknowledge(&honest, one));
            assert_ok!(acknowledge(&copier, two));
            assert_ok!(commit(&honest, one, &outcome()));
            let seen = commitment_of(&honest, one, &outcome());
            assert_ok!(Market::commit(RuntimeOrigin::signed(hot(&copier)), two, 0, seen));
            run(default_parameters().reveal_delay);
            assert_ok!(reveal(&hot(&honest), one, &outcome()));
            assert_noop!(
                reveal(&hot(&copier), two, &outcome()),
                Error::<Test>::CommitmentMismatch
            );
        });
}

#[test]
fn commitment_of_another_chain_or_attempt_should_not_be_replayable() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = running();
        let bytes = worker.clone().into();
        let elsewhere = commitment(&H256::repeat_byte(1), id, 0, &bytes, &outcome(), &SALT);
        let earlier = commitment(&Market::genesis(), id, 1, &bytes, &outcome(), &SALT);
        for replayed in [elsewhere, earlier] {
            frame_support::hypothetically!({
                assert_ok!(Market::commit(RuntimeOrigin::signed(hot(&worker)), id, 0, replayed));
                run(default_parameters().reveal_delay);
                assert_noop!(reveal(&hot(&worker), id, &outcome()), Error::<Test>::CommitmentMismatch);
            });
        }
    });
}

#[test]
fn worker_that_withholds_its_reveal_should_lose_more_than_the_job_pays() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = committed(&outcome());
        run_to(job(id).until().unwrap() + 2);
        assert_eq!(bond(&worker), BOND - COLLATERAL);
        assert_eq!(locked(&worker), 0);
    });
}

#[test]
fn worker_and_submitter_in_one_hand_should_lose_by_paying_themselves() {
    ExtBuilder::default().build_and_execute(|| {
        let worker = &WORKERS[0];
        let before = wealth(&[&ALICE, worker, &OWNER]);
        settled();
        assert!(
            wealth(&[&ALICE, worker, &OWNER]) < before,
            "even if they own the model too"
        );
    });
}

#[test]
fn worker_and_submitter_in_one_hand_should_lose_by_forfeiting() {
    for step in 0..2 {
        ExtBuilder::default().build_and_execute(|| {
            let worker = &WORKERS[0];
            let before = wealth(&[&ALICE, worker]);
            let (id, _) = if step == 0 { running() } else { committed(&outcome()) };
            run_to(job(id).until().unwrap() + 2);
            let lost = before - wealth(&[&ALICE, worker]);
            assert!(lost >= FEE / 2, "{lost} lost");
        });
    }
}

#[test]
fn false_claim_of_a_malformed_input_should_pay_less_than_running_it() {
    // What a worker earns for `outcome` of a job with 8 tokens, at `ask` for each.
    let earned = |outcome: &Outcome, ask: u128, max_tokens: u32| {
        let mut earned = 0;
        ExtBuilder::default().asks(&[ask]).build_and_execute(|| {
            let spec = JobSpec { max_tokens, ..spec() };
            assert_ok!(Market::submit(RuntimeOrigin::signed(ALICE), spec, 10 * MAX_FEE));
            run(2);
            let worker = worker_of(0);
            assert_ok!(acknowledge(&worker, 0));
            assert_ok!(commit(&worker, 0, outcome));
            run(default_parameters().reveal_delay);
            assert_ok!(reveal(&CAROL, 0, outcome));
            let before = free(&worker);
            run(default_parameters().challenge_period + 2);
            earned = free(&worker) - before;
        });
        earned
    };
    for ask in [2, 10, ASK, 4 * ASK] {
        for max_tokens in [TOKENS, 4 * TOKENS] {
            let claimed = earned(&failure(Status::MalformedInput), ask, max_tokens);
            let run = earned(&outcome(), ask, max_tokens);
            assert!(
                2 * claimed <= run,
                "at {ask} for each of {max_tokens}: {claimed} for the claim, {run} for the run"
            );
        }
    }
}

#[test]
fn lone_false_report_should_neither_earn_nor_end_the_job() {
    ExtBuilder::default().asks(&[ASK, ASK]).build_and_execute(|| {
        let (id, liar) = assigned();
        assert_ok!(report(&liar, id, UnavailableBlob::Input));
        run(2);
        let honest = worker_of(id);
        assert_ok!(acknowledge(&honest, id));
        assert_ok!(commit(&honest, id, &outcome()));
        run(default_parameters().reveal_delay);
        assert_ok!(reveal(&CAROL, id, &outcome()));
        run(default_parameters().challenge_period + 2);
        assert!(matches!(job(id).phase, Phase::Settled { .. }));
        assert_eq!(free(&liar), FUNDS - BOND);
    });
}

#[test]
fn submitter_that_withholds_its_input_should_pay_even_if_it_cancels() {
    ExtBuilder::default().asks(&[ASK, ASK]).build_and_execute(|| {
        let (id, worker) = assigned();
        assert_ok!(report(&worker, id, UnavailableBlob::Input));
        assert_ok!(cancel(&ALICE, id));
        assert_eq!(free(&worker), FUNDS - BOND + CALL_OUT);
    });
}

#[test]
fn unpayable_overstatement_of_tokens_should_not_be_revealable() {
    // Tokens are paid for, and only the worker counts them: but the input's size gives them away.
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = committed(&traced(Outcome {
            tokens: MAX_TOKENS,
            ..outcome()
        }));
        run(default_parameters().reveal_delay);
        let overstated = traced(Outcome {
            tokens: MAX_TOKENS,
            ..outcome()
        });
        assert_noop!(reveal(&hot(&worker), id, &overstated), Error::<Test>::TokensMismatch);
    });
}

#[test]
fn cheapest_worker_that_never_answers_should_not_starve_a_job() {
    ExtBuilder::default()
        .asks(&[ASK, ASK + 10, ASK + 20])
        .build_and_execute(|| {
            let id = submit();
            let silent = WORKERS[0].clone();
            while job(id).phase.worker().is_none_or(|worker| *worker == silent) {
                run(1);
                assert!(!job(id).phase.is_ended());
            }
            assert_ok!(acknowledge(&worker_of(id), id));
        });
}

#[test]
fn worker_that_never_answers_should_be_chilled() {
    ExtBuilder::default().build_and_execute(|| {
        for _ in 0..3 {
            let (id, _) = assigned();
            run_to(job(id).until().unwrap() + 2);
            assert_ok!(cancel(&ALICE, id));
        }
        assert!(Workers::info(&WORKERS[0]).unwrap().chilled);
        assert_noop!(
            Market::submit(RuntimeOrigin::signed(ALICE), spec(), MAX_FEE),
            Error::<Test>::NoEligibleWorker
        );
    });
}

#[test]
fn tip_should_not_be_farmed_while_the_hook_keeps_up() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = assigned();
        // The worker misses its deadline on purpose and is first to say so.
        stop_hook();
        run_to(job(id).until().unwrap() + 1);
        let before = free(&worker);
        assert_ok!(expire(&worker, id));
        assert_eq!((free(&worker), job(id).tip), (before, TIP));
    });
}

#[test]
fn tip_should_be_paid_from_the_submitters_deposit_and_from_nothing_else() {
    ExtBuilder::default().build_and_execute(|| {
        let issued = Balances::total_issuance();
        let id = submit();
        stop_hook();
        run_to(job(id).until().unwrap() + TIP_GRACE + 1);
        assert_ok!(expire(&CAROL, id));
        assert_eq!(wealth(&[&ALICE, &CAROL]), 2 * FUNDS);
        assert_eq!(Balances::total_issuance(), issued);
    });
}

#[test]
fn bond_should_not_back_more_jobs_than_it_covers() {
    ExtBuilder::default().bond(2 * COLLATERAL).build_and_execute(|| {
        let ids = [submit(), submit(), submit()];
        run(2);
        let assigned = ids
            .iter()
            .filter(|id| matches!(job(**id).phase, Phase::Assigned { .. }))
            .count();
        assert_eq!((assigned, locked(&WORKERS[0])), (2, 2 * COLLATERAL));
        assert_noop!(
            Market::submit(RuntimeOrigin::signed(ALICE), spec(), MAX_FEE),
            Error::<Test>::NoEligibleWorker
        );
    });
}

#[test]
fn worker_should_not_leave_with_a_job_in_progress() {
    ExtBuilder::default().build_and_execute(|| {
        let (_, worker) = running();
        assert!(Workers::deregister(RuntimeOrigin::signed(worker.clone())).is_err());
        assert_eq!(locked(&worker), COLLATERAL);
    });
}

#[test]
fn frozen_funds_should_neither_be_held_nor_keep_a_worker_from_its_pay() {
    ExtBuilder::default().build_and_execute(|| {
        Balances::set_lock(*b"votelock", &BOB, FUNDS, WithdrawReasons::all());
        assert_noop!(
            Market::submit(RuntimeOrigin::signed(BOB), spec(), MAX_FEE),
            Error::<Test>::InsufficientFunds
        );

        let (id, worker) = revealed(&outcome());
        Balances::set_lock(*b"votelock", &ALICE, FUNDS, WithdrawReasons::all());
        let before = free(&worker);
        run(default_parameters().challenge_period + 2);
        assert!(matches!(job(id).phase, Phase::Settled { .. }));
        assert!(free(&worker) > before);
    });
}

#[test]
fn spam_should_cost_a_deposit_for_as_long_as_it_takes_space() {
    ExtBuilder::default().build_and_execute(|| {
        let ids = [submit(), submit(), submit()];
        for id in ids {
            assert_ok!(cancel(&ALICE, id));
        }
        assert_eq!(deposit_on_hold(&ALICE), 3 * deposit());
        run(default_parameters().retention_period + 2);
        assert_eq!(deposit_on_hold(&ALICE), 0);
        assert_eq!(
            crate::Jobs::<Test>::iter().count() + crate::Agenda::<Test>::iter().count(),
            0
        );
    });
}

#[test]
fn jobs_that_nobody_can_take_should_be_drawn_for_a_few_times_only() {
    ExtBuilder::default().build_and_execute(|| {
        set_parameters(|parameters| parameters.assign_period = 1_000);
        let id = submit();
        assert_ok!(Workers::chill(RuntimeOrigin::signed(WORKERS[0].clone())));
        let mut draws = std::collections::BTreeSet::new();
        while !job(id).phase.is_ended() {
            draws.insert(job(id).due);
            run(1);
        }
        assert_eq!(job(id).phase, Phase::Expired);
        assert!(draws.len() <= 20, "{} draws in 1000 blocks", draws.len());
    });
}

#[test]
fn withheld_package_should_be_nobodys_cost_but_its_owners() {
    ExtBuilder::default().asks(&[ASK, ASK]).build_and_execute(|| {
        let before = wealth(&[&ALICE, &WORKERS[0], &WORKERS[1]]);
        let id = submit();
        for _ in 0..2 {
            run(2);
            assert_ok!(report(&worker_of(id), id, UnavailableBlob::Package));
        }
        assert_eq!(
            job(id).phase,
            Phase::Failed {
                fault: Fault::Artifact,
                status: None
            }
        );
        assert_eq!(wealth(&[&ALICE, &WORKERS[0], &WORKERS[1]]), before);
    });
}
