//! `submit`: what it holds and queues.

use crate::{mock::*, Call, Error, Event, JobsOf, WeightInfo};
use assay_types::{traits::Workers as _, Phase};
use frame_support::{assert_noop, assert_ok, dispatch::GetDispatchInfo};

#[test]
fn submit_should_hold_limit_and_deposit_and_open_the_job() {
    ExtBuilder::default().build_and_execute(|| {
        assert_ok!(Market::submit(RuntimeOrigin::signed(ALICE), spec(), MAX_FEE));

        assert_eq!((fee_on_hold(&ALICE), deposit_on_hold(&ALICE)), (MAX_FEE, deposit()));
        assert_eq!(free(&ALICE), FUNDS - MAX_FEE - deposit());
        let job = job(0);
        assert_eq!((job.held, job.deposit, job.tip), (MAX_FEE, deposit(), TIP));
        assert_eq!(
            job.phase,
            Phase::Open {
                until: 1 + default_parameters().assign_period
            }
        );
        assert_eq!(job.attempt(), 0);
        assert!(JobsOf::<Test>::contains_key(ALICE, 0));
        assert_eq!(
            last_event(),
            Event::Submitted {
                job: 0,
                submitter: ALICE,
                artifact: MODEL,
                held: MAX_FEE,
                deposit: deposit()
            }
        );
    });
}

#[test]
fn submit_should_weigh_the_workers_there_are() {
    ExtBuilder::default().build_and_execute(|| {
        let call = Call::<Test>::submit {
            spec: spec(),
            max_fee: MAX_FEE,
        };
        let paid_in_advance = call.get_dispatch_info().call_weight;
        assert_eq!(paid_in_advance, <() as WeightInfo>::submit(Workers::max_candidates()));

        let used = Market::submit(RuntimeOrigin::signed(ALICE), spec(), MAX_FEE).map(|done| done.actual_weight);
        let ready = Workers::ready_count(MODEL);
        assert_eq!(used, Ok(Some(<() as WeightInfo>::submit(ready))));
        assert!(ready < Workers::max_candidates());
    });
}

#[test]
fn submit_should_count_ids_up() {
    ExtBuilder::default().build_and_execute(|| {
        assert_eq!([submit(), submit_by(&BOB, MAX_FEE), submit()], [0, 1, 2]);
    });
}

#[test]
fn submit_should_take_just_enough_funds() {
    ExtBuilder::default().build_and_execute(|| {
        let all = FUNDS - ED - deposit();
        assert_noop!(
            Market::submit(RuntimeOrigin::signed(ALICE), spec(), all + 1),
            Error::<Test>::InsufficientFunds
        );
        submit_by(&ALICE, all);
    });
}

#[test]
fn submit_should_copy_parameters_and_terms() {
    ExtBuilder::default().build_and_execute(|| {
        let id = submit();
        set_parameters(|parameters| parameters.challenge_period = 1_000);
        assert_ok!(Artifacts::set_terms(RuntimeOrigin::signed(OWNER), MODEL, 5 * PRICE));
        assert_ok!(Artifacts::retire(RuntimeOrigin::signed(OWNER), MODEL));

        assert_eq!(job(id).parameters, default_parameters());
        assert_eq!(job(id).terms.price_per_use, PRICE);
        run(2);
        assert!(
            matches!(job(id).phase, Phase::Assigned { .. }),
            "retiring stops new jobs only"
        );
    });
}

#[test]
fn submit_should_fail_when_the_agenda_is_full() {
    ExtBuilder::default().asks(&[ASK; 4]).build_and_execute(|| {
        for _ in 0..MAX_DUE * crate::agenda::SEARCHED_BLOCKS {
            submit();
        }
        assert_noop!(
            Market::submit(RuntimeOrigin::signed(BOB), spec(), MAX_FEE),
            Error::<Test>::AgendaFull
        );
        run(2);
        submit_by(&BOB, MAX_FEE);
    });
}

#[test]
fn submit_should_refuse_parameters_out_of_bounds() {
    ExtBuilder::default().build_and_execute(|| {
        set_parameters(|parameters| parameters.burn_cut = sp_runtime::Permill::zero());
        assert_noop!(
            Market::submit(RuntimeOrigin::signed(ALICE), spec(), MAX_FEE),
            Error::<Test>::InvalidParameters
        );
    });
}
