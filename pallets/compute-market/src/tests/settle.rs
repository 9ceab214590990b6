//! Settlement, in the hook: who is paid how much.

use crate::{mock::*, Event, PaymentOf};
use assay_types::{Fault, Phase, Status};
use frame_support::assert_ok;
use sp_runtime::Permill;

/// The worker's fee for [`TOKENS`], before cuts.
const EARNED: u128 = ASK * TOKENS as u128;

#[test]
fn settle_should_pay_for_what_was_done_and_refund_the_rest() {
    ExtBuilder::default().build_and_execute(|| {
        let issued = Balances::total_issuance();
        let owner = free(&OWNER);
        let (id, worker) = settled();

        // A tenth to the treasury, a fifth burned.
        let payment = PaymentOf {
            worker: EARNED * 7 / 10,
            artifact: PRICE,
            treasury: EARNED / 10,
            burned: EARNED / 5,
            refunded: FEE - EARNED,
        };
        assert_eq!(
            job(id).phase,
            Phase::Settled {
                worker: worker.clone(),
                outcome: outcome(),
                payment
            }
        );
        assert_eq!(free(&worker), FUNDS - BOND + payment.worker);
        assert_eq!(free(&OWNER), owner + PRICE);
        assert_eq!(free(&TREASURY), FUNDS + payment.treasury);
        assert_eq!(Balances::total_issuance(), issued - payment.burned);
        assert_eq!(
            (fee_on_hold(&ALICE), free(&ALICE)),
            (0, FUNDS - EARNED - PRICE - deposit())
        );
        assert_eq!(
            last_event(),
            Event::Settled {
                job: id,
                worker,
                payment
            }
        );
    });
}

#[test]
fn settle_should_free_the_collateral_and_count_the_use() {
    ExtBuilder::default().build_and_execute(|| {
        let (_, worker) = settled();
        let info = Workers::info(&worker).unwrap();
        assert_eq!((info.locked, info.active_jobs, info.settled), (0, 0, 1));
        assert_eq!(
            info.delivered_units,
            u128::from(TOKENS) * u128::from(assay_types::ASK_UNITS)
        );
        let model = Artifacts::info(MODEL).unwrap();
        assert_eq!((model.uses, model.earned), (1, PRICE));
    });
}

#[test]
fn settle_should_wait_for_the_end_of_the_challenge_window() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = revealed(&outcome());
        let until = job(id).until().unwrap();
        run_to(until + 1);
        assert!(matches!(job(id).phase, Phase::Challengeable { .. }));
        run(1);
        assert!(matches!(job(id).phase, Phase::Settled { .. }));
    });
}

#[test]
fn settle_should_use_the_cuts_of_the_submission() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = revealed(&outcome());
        set_parameters(|parameters| parameters.treasury_cut = Permill::from_percent(80));
        run(default_parameters().challenge_period + 2);
        let Phase::Settled { payment, .. } = job(id).phase else {
            panic!("settled")
        };
        assert_eq!(payment.treasury, EARNED / 10);
    });
}

#[test]
fn settle_should_give_the_treasury_what_a_recipient_cannot_receive() {
    // At an ask of 1 the worker earns 8, of which 5 are left for it: less than the existential deposit.
    ExtBuilder::default().asks(&[1]).build_and_execute(|| {
        let id = submit();
        run(2);
        let worker = worker_of(id);
        System::inc_providers(&worker);
        assert_ok!(Balances::transfer_all(
            RuntimeOrigin::signed(worker.clone()),
            BOB,
            false
        ));
        assert_eq!(free(&worker), 0);
        assert_ok!(acknowledge(&worker, id));
        assert_ok!(commit(&worker, id, &outcome()));
        run(default_parameters().reveal_delay);
        assert_ok!(reveal(&CAROL, id, &outcome()));
        run(default_parameters().challenge_period + 2);

        let Phase::Settled { payment, .. } = job(id).phase else {
            panic!("settled")
        };
        let expected = PaymentOf {
            worker: 0,
            artifact: PRICE,
            treasury: 6,
            burned: 2,
            refunded: 2,
        };
        assert_eq!(payment, expected);
        assert_eq!(free(&TREASURY), FUNDS + 6);
    });
}

#[test]
fn settle_should_burn_what_the_treasury_cannot_receive() {
    ExtBuilder::default().asks(&[1]).build_and_execute(|| {
        assert_ok!(Balances::transfer_all(RuntimeOrigin::signed(TREASURY), BOB, false));
        set_parameters(|parameters| parameters.treasury_cut = Permill::from_percent(50));
        let issued = Balances::total_issuance();
        let (id, _) = settled();

        let Phase::Settled { payment, .. } = job(id).phase else {
            panic!("settled")
        };
        let expected = PaymentOf {
            worker: 2,
            artifact: PRICE,
            treasury: 0,
            burned: 2 + 4,
            refunded: 2,
        };
        assert_eq!(payment, expected);
        assert_eq!(Balances::total_issuance(), issued - 6);
    });
}

#[test]
fn malformed_input_should_cost_the_submitter_a_call_out() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = revealed(&failure(Status::MalformedInput));
        run(default_parameters().challenge_period + 2);

        let status = Some(Status::MalformedInput);
        assert_eq!(
            job(id).phase,
            Phase::Failed {
                fault: Fault::Submitter,
                status
            }
        );
        assert_eq!((locked(&worker), free(&worker)), (0, FUNDS - BOND + CALL_OUT));
        assert_eq!(free(&ALICE), FUNDS - deposit() - CALL_OUT);
        assert_eq!(Artifacts::info(MODEL).unwrap().uses, 0);
        let expected = [
            Event::CalledOut {
                job: id,
                worker,
                amount: CALL_OUT,
            },
            Event::Failed {
                job: id,
                fault: Fault::Submitter,
                status,
                refunded: FEE + PRICE - CALL_OUT,
            },
        ];
        assert_eq!(events()[events().len() - 2..], expected);
    });
}

#[test]
fn malformed_model_should_cost_the_submitter_nothing() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, worker) = revealed(&failure(Status::MalformedModel));
        run(default_parameters().challenge_period + 2);

        let status = Some(Status::MalformedModel);
        assert_eq!(
            job(id).phase,
            Phase::Failed {
                fault: Fault::Artifact,
                status
            }
        );
        assert_eq!((locked(&worker), free(&worker)), (0, FUNDS - BOND));
        assert_eq!(free(&ALICE), FUNDS - deposit());
    });
}

#[test]
fn record_should_be_removed_and_the_deposit_released_after_the_retention_period() {
    ExtBuilder::default().build_and_execute(|| {
        let (id, _) = settled();
        let kept_until = job(id).removed_after.unwrap();
        run_to(kept_until + 1);
        assert_eq!(deposit_on_hold(&ALICE), deposit());
        run(1);

        assert_eq!(crate::Jobs::<Test>::get(id), None);
        assert_eq!(crate::JobsOf::<Test>::iter().count(), 0);
        assert_eq!((deposit_on_hold(&ALICE), free(&ALICE)), (0, FUNDS - EARNED - PRICE));
        assert_eq!(
            last_event(),
            Event::Removed {
                job: id,
                deposit: deposit()
            }
        );
    });
}
