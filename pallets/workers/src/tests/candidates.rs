//! `candidates` and `survey`: the rules of `eligibility` over what is stored.

use crate::mock::*;
use assay_types::{
    traits::{Candidate, Requirement, Workers as _},
    Ineligible, ASK_UNITS,
};
use frame_support::assert_ok;

fn drawn(requirement: &Requirement<Balance>) -> Vec<AccountId> {
    let mut drawn: Vec<_> = Workers::candidates(requirement)
        .into_iter()
        .map(|candidate| candidate.account)
        .collect();
    drawn.sort_unstable();
    drawn
}

/// Why `worker` cannot be drawn.
fn refused(worker: AccountId, requirement: &Requirement<Balance>) -> Option<Ineligible> {
    let (eligible, ineligible) = Workers::survey(requirement);
    assert_eq!(eligible, Workers::candidates(requirement), "both go by the same rules");
    ineligible
        .into_iter()
        .find(|(account, _)| *account == worker)
        .map(|(_, reason)| reason)
}

#[test]
fn candidates_should_tell_fee_collateral_and_free_bond() {
    ExtBuilder::default()
        .worker_with(ALICE, 1_000, ASK)
        .build_and_execute(|| {
            lock(ALICE, 1, 30);
            let requirement = Requirement {
                units: 2 * ASK_UNITS + 1,
                collateral_multiple: 3,
                ..requirement()
            };
            let fee = 2 * ASK + 1;
            let expected = Candidate {
                account: ALICE,
                ask: ASK,
                fee,
                collateral: 3 * fee,
                free_bond: 970,
            };
            assert_eq!(Workers::candidates(&requirement), [expected]);
        });
}

#[test]
fn candidates_should_be_all_that_have_the_model_ready() {
    ExtBuilder::default().worker(ALICE).worker(BOB).build_and_execute(|| {
        assert_ok!(register(CAROL, MIN_BOND, ASK));
        assert_ok!(declare(CAROL, &[1]));
        assert_eq!(drawn(&requirement()), [ALICE, BOB]);
        assert_eq!(
            drawn(&Requirement {
                artifact: 1,
                ..requirement()
            }),
            [CAROL]
        );
        assert!(drawn(&Requirement {
            artifact: 2,
            ..requirement()
        })
        .is_empty());
        assert_eq!(refused(CAROL, &requirement()), Some(Ineligible::NotReady));
    });
}

#[test]
fn candidates_should_leave_out_the_chilled() {
    ExtBuilder::default().worker(ALICE).worker(BOB).build_and_execute(|| {
        assert_ok!(Workers::chill(RuntimeOrigin::signed(ALICE)));
        assert_eq!(drawn(&requirement()), [BOB]);
        assert_eq!(refused(ALICE, &requirement()), Some(Ineligible::Chilled));
    });
}

#[test]
fn candidates_should_leave_out_those_who_ask_more_than_the_limit() {
    ExtBuilder::default()
        .worker(ALICE)
        .worker_with(BOB, MIN_BOND, ASK + 1)
        .build_and_execute(|| {
            let requirement = Requirement {
                max_fee: ASK,
                ..requirement()
            };
            assert_eq!(drawn(&requirement), [ALICE]);
            assert_eq!(refused(BOB, &requirement), Some(Ineligible::AskAboveLimit));
        });
}

#[test]
fn candidates_should_leave_out_those_whose_bond_is_locked() {
    ExtBuilder::default().worker(ALICE).worker(BOB).build_and_execute(|| {
        lock(ALICE, 1, MIN_BOND - ASK + 1);
        assert_eq!(drawn(&requirement()), [BOB]);
        assert_eq!(refused(ALICE, &requirement()), Some(Ineligible::BondTooLow));
        Workers::release(&ALICE, 1);
        assert_eq!(drawn(&requirement()), [ALICE, BOB]);
    });
}

#[test]
fn candidates_should_leave_out_the_busy() {
    ExtBuilder::default().worker(ALICE).worker(BOB).build_and_execute(|| {
        (0..u64::from(MAX_JOBS)).for_each(|job| lock(ALICE, job, 1));
        assert_eq!(drawn(&requirement()), [BOB]);
        assert_eq!(refused(ALICE, &requirement()), Some(Ineligible::Busy));
    });
}

#[test]
fn candidates_should_leave_out_asks_of_one_planck() {
    ExtBuilder::default()
        .worker(ALICE)
        .worker(BOB)
        .worker_with(CAROL, MIN_BOND, 1)
        .build_and_execute(|| {
            assert_eq!(drawn(&requirement()), [ALICE, BOB]);
            assert_eq!(refused(CAROL, &requirement()), Some(Ineligible::AskUnderFloor));
        });
}

#[test]
fn floor_should_not_count_asks_of_the_chilled() {
    let asks_much = |builder: ExtBuilder, worker| builder.worker_with(worker, MIN_BOND, 1_000 * ASK);
    asks_much(asks_much(ExtBuilder::default().worker(ALICE), BOB), CAROL).build_and_execute(|| {
        assert_eq!(refused(ALICE, &requirement()), Some(Ineligible::AskUnderFloor));
        assert_ok!(Workers::chill(RuntimeOrigin::signed(BOB)));
        assert_ok!(Workers::chill(RuntimeOrigin::signed(CAROL)));
        assert_eq!(drawn(&requirement()), [ALICE]);
    });
}

#[test]
fn floor_should_not_count_asks_of_those_without_the_model() {
    ExtBuilder::default().worker(ALICE).build_and_execute(|| {
        for dear in [BOB, CAROL] {
            assert_ok!(register(dear, MIN_BOND, 1_000 * ASK));
            assert_ok!(declare(dear, &[1]));
        }
        assert_eq!(drawn(&requirement()), [ALICE]);
    });
}

#[test]
fn survey_should_name_every_worker_once() {
    let all = (1..=AccountId::from(MAX_READY_PER_ARTIFACT)).fold(ExtBuilder::default(), ExtBuilder::worker);
    all.build_and_execute(|| {
        assert_ok!(register(FUNDED, MIN_BOND, ASK));
        assert_ok!(Workers::chill(RuntimeOrigin::signed(FUNDED)));
        assert_ok!(Workers::chill(RuntimeOrigin::signed(BOB)));
        let (eligible, ineligible) = Workers::survey(&requirement());
        let mut named: Vec<_> = eligible.into_iter().map(|candidate| candidate.account).collect();
        named.extend(ineligible.into_iter().map(|(account, _)| account));
        named.sort_unstable();
        assert_eq!(named, (1..=FUNDED).collect::<Vec<_>>());
    });
}

#[test]
fn max_candidates_should_be_what_the_index_of_a_model_holds() {
    let full = (1..=AccountId::from(MAX_READY_PER_ARTIFACT)).fold(ExtBuilder::default(), ExtBuilder::worker);
    full.build_and_execute(|| {
        assert_eq!(
            Workers::candidates(&requirement()).len(),
            Workers::max_candidates() as usize
        );
        assert_eq!(Workers::ready_count(requirement().artifact), Workers::max_candidates());
    });
}

#[test]
fn ready_count_should_count_all_whose_records_are_read() {
    ExtBuilder::default().worker(ALICE).worker(BOB).build_and_execute(|| {
        assert_ok!(Workers::chill(RuntimeOrigin::signed(BOB)));
        assert_eq!(drawn(&requirement()), [ALICE]);
        assert_eq!(Workers::ready_count(requirement().artifact), 2);
        assert_eq!(Workers::ready_count(requirement().artifact + 1), 0);
    });
}
