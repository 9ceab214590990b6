//! What bad input gets: an error of its own, and nothing else. (`assert_noop!` compares the root of
//! the whole storage, holds included.)

use crate::{mock::*, Error};
use assay_types::{BlobRef, JobSpec, Outcome};
use frame_support::{assert_noop, assert_ok};
use sp_core::H256;

/// Submits `spec` and expects it to be refused by `error`.
fn refused(spec: JobSpec, max_fee: u128, error: Error<Test>) {
    assert_noop!(Market::submit(RuntimeOrigin::signed(ALICE), spec, max_fee), error);
}

fn sized(size: u64) -> BlobRef {
    BlobRef { size, ..spec().input }
}

#[test]
fn submit_should_fail_when_the_artifact_is_unknown() {
    ExtBuilder::default().build_and_execute(|| {
        refused(JobSpec { artifact: 99, ..spec() }, MAX_FEE, Error::UnknownArtifact);
    });
}

#[test]
fn submit_should_fail_when_the_artifact_is_retired() {
    ExtBuilder::default().build_and_execute(|| {
        assert_ok!(Artifacts::retire(RuntimeOrigin::signed(OWNER), MODEL));
        refused(spec(), MAX_FEE, Error::ArtifactRetired);
    });
}

#[test]
fn submit_should_fail_when_the_input_is_too_large() {
    ExtBuilder::default().build_and_execute(|| {
        refused(
            JobSpec {
                input: sized(4_097),
                ..spec()
            },
            MAX_FEE,
            Error::InputTooLarge,
        );
        refused(
            JobSpec {
                input: sized(u64::MAX),
                ..spec()
            },
            MAX_FEE,
            Error::InputTooLarge,
        );
    });
}

#[test]
fn submit_should_fail_when_the_limit_is_under_every_ask() {
    ExtBuilder::default().asks(&[ASK, 2 * ASK]).build_and_execute(|| {
        refused(spec(), 0, Error::PriceLimitTooLow);
        refused(spec(), PRICE - 1, Error::PriceLimitTooLow);
        refused(spec(), FEE + PRICE - 1, Error::PriceLimitTooLow);
        submit_by(&ALICE, FEE + PRICE);
    });
}

#[test]
fn submit_should_fail_when_nobody_is_ready() {
    ExtBuilder::default().build_and_execute(|| {
        assert_ok!(Workers::chill(RuntimeOrigin::signed(WORKERS[0].clone())));
        refused(spec(), MAX_FEE, Error::NoEligibleWorker);
        refused(spec(), 0, Error::NoEligibleWorker);
    });
}

#[test]
fn submit_should_fail_when_no_bond_covers_the_collateral() {
    ExtBuilder::default().bond(COLLATERAL - 1).build_and_execute(|| {
        refused(spec(), MAX_FEE, Error::NoEligibleWorker);
    });
}

#[test]
fn submit_should_fail_when_funds_do_not_suffice() {
    ExtBuilder::default().build_and_execute(|| {
        refused(spec(), FUNDS, Error::InsufficientFunds);
        refused(spec(), u128::MAX, Error::InsufficientFunds);
        assert_noop!(
            Market::submit(RuntimeOrigin::signed(PAUPER), spec(), MAX_FEE),
            Error::<Test>::InsufficientFunds
        );
    });
}

#[test]
fn submit_should_fail_when_tokens_do_not_fit() {
    ExtBuilder::default().build_and_execute(|| {
        let bad = [
            // No sequence, or more than allowed.
            JobSpec { sequences: 0, ..spec() },
            JobSpec {
                sequences: 33,
                max_tokens: 40,
                input: sized(4 * (1 + 33 + 40)),
                ..spec()
            },
            // Fewer tokens than sequences, more than the model takes.
            JobSpec {
                max_tokens: 1,
                ..spec()
            },
            JobSpec {
                max_tokens: 33,
                ..spec()
            },
            JobSpec {
                max_tokens: u32::MAX,
                ..spec()
            },
            // An input that is no token blob, has a sequence without tokens, or more than `max_tokens`.
            JobSpec {
                input: sized(0),
                ..spec()
            },
            JobSpec {
                input: sized(spec().input.size + 1),
                ..spec()
            },
            JobSpec {
                input: sized(4 * (1 + 2 + 1)),
                ..spec()
            },
            JobSpec {
                input: sized(4 * (1 + 2 + 11)),
                ..spec()
            },
        ];
        for spec in bad {
            refused(spec, MAX_FEE, Error::InvalidTokens);
        }
        for tokens in [2, 10] {
            let spec = JobSpec {
                input: sized(4 * (1 + 2 + tokens)),
                ..spec()
            };
            assert_ok!(Market::submit(RuntimeOrigin::signed(ALICE), spec, MAX_FEE));
        }
    });
}

#[test]
fn submit_should_fail_when_the_work_overflows() {
    ExtBuilder::default().build_and_execute(|| {
        let artifact = endless_model();
        refused(JobSpec { artifact, ..spec() }, MAX_FEE, Error::TooMuchWork);
    });
}

#[test]
fn commit_should_fail_when_the_signer_is_not_assigned() {
    ExtBuilder::default().asks(&[ASK, ASK]).build_and_execute(|| {
        let (id, worker) = running();
        let other = WORKERS.iter().find(|other| **other != worker).unwrap();
        assert_noop!(commit(other, id, &outcome()), Error::<Test>::NotAssigned);
        for stranger in [ALICE, CAROL, worker] {
            // The cold account does not sign for its work.
            assert_noop!(
                Market::commit(RuntimeOrigin::signed(stranger), id, 0, H256::zero()),
                Error::<Test>::NotAssigned
            );
        }
    });
}

#[test]
fn reveal_should_fail_when_it_does_not_match_the_commitment() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = committed(&outcome());
        run(default_parameters().reveal_delay);
        let others = [
            traced(Outcome { tokens: 2, ..outcome() }),
            traced(Outcome {
                result: H256::zero(),
                delivered: H256::zero(),
                ..outcome()
            }),
            Outcome {
                delivered: H256::zero(),
                ..outcome()
            },
            Outcome {
                trace: H256::zero(),
                ..outcome()
            },
        ];
        for other in others {
            assert_noop!(reveal(&hot(&worker), id, &other), Error::<Test>::CommitmentMismatch);
        }
        assert_noop!(
            Market::reveal(RuntimeOrigin::signed(hot(&worker)), id, 0, outcome(), [0; 32]),
            Error::<Test>::CommitmentMismatch
        );
        // What the commitment binds through the trace alone.
        let size = Outcome {
            delivered_size: 4,
            ..outcome()
        };
        assert_noop!(reveal(&hot(&worker), id, &size), Error::<Test>::TraceMismatch);
        assert_ok!(reveal(&hot(&worker), id, &outcome()));
    });
}

#[test]
fn every_call_should_fail_when_the_job_is_unknown() {
    ExtBuilder::default().build_and_execute(|| {
        let (worker, unknown) = (&WORKERS[0], 7);
        assert_noop!(cancel(&ALICE, unknown), Error::<Test>::UnknownJob);
        assert_noop!(acknowledge(worker, unknown), Error::<Test>::UnknownJob);
        assert_noop!(commit(worker, unknown, &outcome()), Error::<Test>::UnknownJob);
        assert_noop!(reveal(worker, unknown, &outcome()), Error::<Test>::UnknownJob);
        let blob = assay_types::UnavailableBlob::Input;
        assert_noop!(report(worker, unknown, blob), Error::<Test>::UnknownJob);
        assert_noop!(expire(&CAROL, unknown), Error::<Test>::UnknownJob);
    });
}

#[test]
fn every_call_should_fail_when_unsigned() {
    ExtBuilder::default().build_and_execute(|| {
        use sp_runtime::DispatchError::BadOrigin;
        let none = RuntimeOrigin::none();
        assert_noop!(Market::submit(none.clone(), spec(), MAX_FEE), BadOrigin);
        assert_noop!(Market::cancel(none.clone(), 0), BadOrigin);
        assert_noop!(Market::acknowledge(none.clone(), 0), BadOrigin);
        assert_noop!(Market::commit(none.clone(), 0, 0, H256::zero()), BadOrigin);
        assert_noop!(Market::reveal(none.clone(), 0, 0, outcome(), SALT), BadOrigin);
        let blob = assay_types::UnavailableBlob::Input;
        assert_noop!(Market::report_unavailable(none.clone(), 0, 0, blob), BadOrigin);
        assert_noop!(Market::expire(none, 0), BadOrigin);
    });
}
