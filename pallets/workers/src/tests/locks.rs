//! `reserve`, `release` and `forfeit`: what the market does to a bond.

use crate::{mock::*, ChillReason, Error, Event};
use assay_types::traits::Workers as _;
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};

#[test]
fn reserve_should_lock_without_touching_the_hold() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_ok!(Workers::reserve(&ALICE, 7, 60));
        assert_ok!(Workers::reserve(&ALICE, 8, 40));
        assert_eq!(Workers::locked_jobs(&ALICE), [(7, 60), (8, 40)]);
        assert_eq!(held(ALICE), MIN_BOND);
        assert_eq!(
            events(),
            [
                Event::CollateralLocked {
                    worker: ALICE,
                    job: 7,
                    collateral: 60
                },
                Event::CollateralLocked {
                    worker: ALICE,
                    job: 8,
                    collateral: 40
                },
            ]
        );
    });
}

#[test]
fn reserve_should_fail_when_the_free_bond_does_not_cover_it() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 7, 60);
        assert_noop!(Workers::reserve(&ALICE, 8, 41), Error::<Test>::CollateralTooHigh);
        assert_noop!(
            Workers::reserve(&ALICE, 8, Balance::MAX),
            Error::<Test>::CollateralTooHigh
        );
    });
}

#[test]
fn reserve_should_fail_when_there_is_a_lock_for_the_job() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 7, 10);
        assert_noop!(Workers::reserve(&ALICE, 7, 10), Error::<Test>::AlreadyLocked);
    });
}

#[test]
fn reserve_should_fail_when_the_worker_has_all_the_jobs_it_may_have() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        (0..u64::from(MAX_JOBS)).for_each(|job| lock(ALICE, job, 1));
        assert_noop!(Workers::reserve(&ALICE, 99, 1), Error::<Test>::TooManyJobs);
    });
}

#[test]
fn reserve_should_fail_when_there_is_no_such_worker() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        assert_noop!(Workers::reserve(&BOB, 7, 1), Error::<Test>::NotRegistered);
        assert_noop!(Workers::reserve(&hot(ALICE), 7, 1), Error::<Test>::NotRegistered);
    });
}

#[test]
fn release_should_free_what_the_job_locked() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 7, 60);
        lock(ALICE, 8, 40);
        Workers::release(&ALICE, 7);
        assert_eq!(Workers::locked_jobs(&ALICE), [(8, 40)]);
        assert_eq!(
            events().last(),
            Some(&Event::CollateralReleased {
                worker: ALICE,
                job: 7,
                collateral: 60
            })
        );
    });
}

#[test]
fn release_should_do_nothing_when_nothing_is_locked() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 7, 60);
        let before = events();
        Workers::release(&ALICE, 8);
        Workers::release(&BOB, 7);
        assert_eq!(Workers::locked_jobs(&ALICE), [(7, 60)]);
        assert_eq!(events(), before);
    });
}

#[test]
fn forfeit_should_pay_the_beneficiary_and_burn_the_rest() {
    ExtBuilder::default()
        .worker_with(ALICE, 500, ASK)
        .build_and_execute(|| {
            lock(ALICE, 7, 80);
            let issuance = Balances::total_issuance();
            assert_eq!(Workers::forfeit(&ALICE, 7, 60, &BOB, 25), Ok(60));
            assert_eq!(record(ALICE).bond, 440);
            assert_eq!(held(ALICE), 440);
            assert_eq!(Balances::balance(&BOB), FUNDS + 25);
            assert_eq!(Balances::total_issuance(), issuance - 35);
            let forfeited = Event::Forfeited {
                worker: ALICE,
                job: 7,
                beneficiary: BOB,
                paid: 25,
                burned: 35,
            };
            assert_eq!(events().last(), Some(&forfeited));
        });
}

#[test]
fn forfeit_should_unlock_what_is_not_taken() {
    ExtBuilder::default()
        .worker_with(ALICE, 500, ASK)
        .build_and_execute(|| {
            lock(ALICE, 7, 80);
            lock(ALICE, 8, 20);
            assert_ok!(Workers::forfeit(&ALICE, 7, 60, &BOB, 25));
            assert_eq!(Workers::locked_jobs(&ALICE), [(8, 20)]);
        });
}

#[test]
fn forfeit_should_take_no_more_than_was_locked() {
    ExtBuilder::default()
        .worker_with(ALICE, 500, ASK)
        .build_and_execute(|| {
            lock(ALICE, 7, 80);
            assert_eq!(Workers::forfeit(&ALICE, 7, 1_000, &BOB, 1_000), Ok(80));
            assert_eq!(record(ALICE).bond, 420);
            assert_eq!(Balances::balance(&BOB), FUNDS + 80);
        });
}

#[test]
fn forfeit_should_only_unlock_when_nothing_is_to_be_taken() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 7, 80);
        assert_eq!(Workers::forfeit(&ALICE, 7, 0, &BOB, 10), Ok(0));
        assert_eq!(record(ALICE).bond, MIN_BOND);
        assert!(Workers::locked_jobs(&ALICE).is_empty());
        assert_eq!(
            events().last(),
            Some(&Event::CollateralReleased {
                worker: ALICE,
                job: 7,
                collateral: 80
            })
        );
    });
}

#[test]
fn forfeit_should_burn_everything_when_the_beneficiary_cannot_be_paid() {
    ExtBuilder::default()
        .worker_with(ALICE, 500, ASK)
        .build_and_execute(|| {
            lock(ALICE, 7, 80);
            let issuance = Balances::total_issuance();
            assert_eq!(Workers::forfeit(&ALICE, 7, 60, &PAUPER, ED - 1), Ok(60));
            assert_eq!(Balances::total_balance(&PAUPER), 0);
            assert_eq!(Balances::total_issuance(), issuance - 60);
            let forfeited = Event::Forfeited {
                worker: ALICE,
                job: 7,
                beneficiary: PAUPER,
                paid: 0,
                burned: 60,
            };
            assert_eq!(events().last(), Some(&forfeited));
        });
}

#[test]
fn forfeit_should_create_the_beneficiary_when_the_payment_suffices() {
    ExtBuilder::default()
        .worker_with(ALICE, 500, ASK)
        .build_and_execute(|| {
            lock(ALICE, 7, 80);
            assert_ok!(Workers::forfeit(&ALICE, 7, 60, &PAUPER, ED));
            assert_eq!(Balances::balance(&PAUPER), ED);
        });
}

#[test]
fn forfeit_should_pay_a_worker_that_is_its_own_beneficiary() {
    ExtBuilder::default()
        .worker_with(ALICE, 500, ASK)
        .build_and_execute(|| {
            lock(ALICE, 7, 80);
            assert_ok!(Workers::forfeit(&ALICE, 7, 60, &ALICE, 30));
            assert_eq!(Balances::balance(&ALICE), FUNDS - 500 + 30);
            assert_eq!(held(ALICE), 440);
        });
}

#[test]
fn forfeit_should_chill_when_the_bond_falls_below_the_least() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 7, 10);
        assert_ok!(Workers::forfeit(&ALICE, 7, 1, &BOB, 1));
        assert!(record(ALICE).chilled);
        assert_eq!(
            events().last(),
            Some(&Event::Chilled {
                worker: ALICE,
                reason: ChillReason::BondTooLow
            })
        );
    });
}

#[test]
fn forfeit_should_not_chill_when_the_bond_still_suffices() {
    ExtBuilder::default()
        .worker_with(ALICE, MIN_BOND + 1, ASK)
        .build_and_execute(|| {
            lock(ALICE, 7, 10);
            assert_ok!(Workers::forfeit(&ALICE, 7, 1, &BOB, 1));
            assert!(!record(ALICE).chilled);
        });
}

#[test]
fn forfeit_should_take_the_whole_bond_when_all_of_it_was_locked() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 7, MIN_BOND);
        assert_eq!(Workers::forfeit(&ALICE, 7, MIN_BOND, &BOB, MIN_BOND), Ok(MIN_BOND));
        assert_eq!(held(ALICE), 0);
        assert_ok!(Workers::deregister(RuntimeOrigin::signed(ALICE)));
    });
}

#[test]
fn forfeit_should_fail_when_nothing_is_locked_for_the_job() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        lock(ALICE, 7, 10);
        assert_noop!(Workers::forfeit(&ALICE, 8, 10, &BOB, 5), Error::<Test>::NotLocked);
        assert_noop!(Workers::forfeit(&BOB, 7, 10, &ALICE, 5), Error::<Test>::NotLocked);
    });
}

#[test]
fn forfeit_should_move_no_money_of_which_there_is_none() {
    ExtBuilder::default()
        .worker_with(ALICE, 500, ASK)
        .build_and_execute(|| {
            lock(ALICE, 7, 80);
            lock(ALICE, 8, 80);
            assert_ok!(Workers::forfeit(&ALICE, 7, 60, &BOB, 0));
            assert_ok!(Workers::forfeit(&ALICE, 8, 60, &BOB, 60));
            let moves = System::events().into_iter().filter_map(|record| match record.event {
                RuntimeEvent::Balances(pallet_balances::Event::TransferOnHold { amount, .. }) => Some(("paid", amount)),
                RuntimeEvent::Balances(pallet_balances::Event::BurnedHeld { amount, .. }) => Some(("burned", amount)),
                _ => None,
            });
            assert_eq!(moves.collect::<Vec<_>>(), [("burned", 60), ("paid", 60)]);
        });
}
