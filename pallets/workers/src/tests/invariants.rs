//! Random sequences of calls by anyone and by the market: after each, every invariant holds, and
//! no money has gone but what was burned.

use crate::{mock::*, Event};
use assay_types::{traits::Workers as _, ArtifactId, JobId};
use frame_support::{storage::with_storage_layer, traits::fungible::InspectHold};
use proptest::prelude::*;
use sp_runtime::DispatchResult;

/// Something that a worker or the market might do.
#[derive(Clone, Debug)]
enum Action {
    Register {
        worker: AccountId,
        hot_key: AccountId,
        bond: Balance,
        ask: Balance,
    },
    BondExtra {
        worker: AccountId,
        amount: Balance,
    },
    SetAsk {
        worker: AccountId,
        ask: Balance,
    },
    SetHotKey {
        worker: AccountId,
        hot_key: AccountId,
    },
    ValidateArtifacts {
        signer: AccountId,
        ready: Vec<ArtifactId>,
    },
    Chill {
        signer: AccountId,
    },
    Resume {
        signer: AccountId,
    },
    Deregister {
        worker: AccountId,
    },
    Reserve {
        worker: AccountId,
        job: JobId,
        collateral: Balance,
    },
    Release {
        worker: AccountId,
        job: JobId,
    },
    Forfeit {
        worker: AccountId,
        job: JobId,
        amount: Balance,
        beneficiary: AccountId,
        part: Balance,
    },
    NoteSettled {
        worker: AccountId,
    },
    NoteMissed {
        worker: AccountId,
    },
    Draw {
        job: JobId,
        max_fee: Balance,
        multiple: u32,
    },
}

fn action() -> impl Strategy<Value = Action> {
    // Narrow, so that actions meet. Accounts are cold accounts, hot keys or both.
    let account = || 1..=FUNDED + 1;
    let job = || 0..4u64;
    let amount = || 0..3 * MIN_BOND;
    prop_oneof![
        4 => (account(), account(), MIN_BOND - 5..4 * MIN_BOND, 0..4 * ASK)
            .prop_map(|(worker, hot_key, bond, ask)| Action::Register { worker, hot_key, bond, ask }),
        1 => (account(), amount()).prop_map(|(worker, amount)| Action::BondExtra { worker, amount }),
        1 => (account(), 0..4 * ASK).prop_map(|(worker, ask)| Action::SetAsk { worker, ask }),
        1 => (account(), account()).prop_map(|(worker, hot_key)| Action::SetHotKey { worker, hot_key }),
        4 => (account(), prop::collection::vec(0..=MODELS / 2, 0..=MAX_READY_PER_WORKER as usize))
            .prop_map(|(signer, ready)| Action::ValidateArtifacts { signer, ready }),
        1 => account().prop_map(|signer| Action::Chill { signer }),
        2 => account().prop_map(|signer| Action::Resume { signer }),
        1 => account().prop_map(|worker| Action::Deregister { worker }),
        2 => (account(), job(), amount())
            .prop_map(|(worker, job, collateral)| Action::Reserve { worker, job, collateral }),
        2 => (account(), job()).prop_map(|(worker, job)| Action::Release { worker, job }),
        2 => (account(), job(), amount(), prop_oneof![account(), Just(PAUPER)], amount())
            .prop_map(|(worker, job, amount, beneficiary, part)| {
                Action::Forfeit { worker, job, amount, beneficiary, part }
            }),
        1 => account().prop_map(|worker| Action::NoteSettled { worker }),
        2 => account().prop_map(|worker| Action::NoteMissed { worker }),
        4 => (4..20u64, 0..4 * ASK, 0..4u32)
            .prop_map(|(job, max_fee, multiple)| Action::Draw { job, max_fee, multiple }),
    ]
}

/// Does it as it would be dispatched. A refusal is as good as any other outcome.
fn act(action: Action) -> DispatchResult {
    let signed = RuntimeOrigin::signed;
    match action {
        Action::Register {
            worker,
            hot_key,
            bond,
            ask,
        } => Workers::register(signed(worker), hot_key, endpoint(""), bond, ask),
        Action::BondExtra { worker, amount } => Workers::bond_extra(signed(worker), amount),
        Action::SetAsk { worker, ask } => Workers::set_ask(signed(worker), ask),
        Action::SetHotKey { worker, hot_key } => Workers::set_hot_key(signed(worker), hot_key),
        Action::ValidateArtifacts { signer, ready } => declare(signer, &ready),
        Action::Chill { signer } => Workers::chill(signed(signer)),
        Action::Resume { signer } => Workers::resume(signed(signer)),
        Action::Deregister { worker } => Workers::deregister(signed(worker))
            .map(|_| ())
            .map_err(|failed| failed.error),
        Action::Reserve {
            worker,
            job,
            collateral,
        } => Workers::reserve(&worker, job, collateral),
        Action::Release { worker, job } => {
            Workers::release(&worker, job);
            Ok(())
        }
        Action::Forfeit {
            worker,
            job,
            amount,
            beneficiary,
            part,
        } => Workers::forfeit(&worker, job, amount, &beneficiary, part).map(|_| ()),
        Action::NoteSettled { worker } => {
            Workers::note_settled(&worker, 1);
            Ok(())
        }
        Action::NoteMissed { worker } => {
            Workers::note_missed(&worker);
            Ok(())
        }
        Action::Draw { job, max_fee, multiple } => draw(job, max_fee, multiple),
    }
}

/// Draws for a job as the market does. Whoever is a candidate can be reserved.
fn draw(job: JobId, max_fee: Balance, multiple: u32) -> DispatchResult {
    let requirement = assay_types::traits::Requirement {
        max_fee,
        collateral_multiple: multiple,
        ..requirement()
    };
    let candidates = Workers::candidates(&requirement);
    assert!(candidates.len() <= Workers::max_candidates() as usize);
    let fresh = |worker: &AccountId| {
        Workers::locked_jobs(worker)
            .iter()
            .all(|(locked_for, _)| *locked_for != job)
    };
    if let Some(candidate) = candidates.into_iter().find(|candidate| fresh(&candidate.account)) {
        lock(candidate.account, job, candidate.collateral);
    }
    Ok(())
}

/// What forfeits have burned so far.
fn burned() -> Balance {
    let burned = |event| match event {
        Event::Forfeited { burned, .. } => Some(burned),
        _ => None,
    };
    events().into_iter().filter_map(burned).sum()
}

proptest! {
    #[test]
    fn invariants_should_hold_after_any_sequence_of_calls(actions in prop::collection::vec(action(), 1..60)) {
        ExtBuilder::default().worker_with(ALICE, 5 * MIN_BOND, ASK).worker(BOB).build().execute_with(|| {
            let issuance = Balances::total_issuance();
            for action in actions {
                let described = format!("{action:?}");
                let _ = with_storage_layer(|| act(action));
                prop_assert_eq!(Workers::do_try_state(), Ok(()), "after {}", described);
                prop_assert_eq!(Balances::total_issuance() + burned(), issuance, "after {}", described);
            }
            let held: Balance = (1..=FUNDED + 1).map(|worker| Balances::total_balance_on_hold(&worker)).sum();
            let bonds: Balance = crate::Workers::<Test>::iter_values().map(|record| record.bond).sum();
            prop_assert_eq!(held, bonds);
            Ok(())
        })?;
    }
}
