//! Random sequences of calls: after each, every invariant holds and no money has come or gone.

use crate::{mock::*, NextId};
use assay_types::{traits::Models, ArtifactId};
use frame_support::traits::fungible::Inspect;
use proptest::prelude::*;

/// Something that anyone might do.
#[derive(Clone, Debug)]
enum Action {
    Register {
        owner: AccountId,
        seed: u8,
        price: Balance,
    },
    SetTerms {
        owner: AccountId,
        id: ArtifactId,
        price: Balance,
    },
    Retire {
        owner: AccountId,
        id: ArtifactId,
    },
    NoteUse {
        id: ArtifactId,
        earned: Balance,
    },
    SetDeposit(Balance),
}

fn action() -> impl Strategy<Value = Action> {
    // Narrow, so that actions meet: few accounts, packages and ids.
    let owner = || prop_oneof![Just(ALICE), Just(BOB), Just(PAUPER)];
    let price = || 0..3 * ED;
    prop_oneof![
        4 => (owner(), 0..6u8, price()).prop_map(|(owner, seed, price)| Action::Register { owner, seed, price }),
        2 => (owner(), 0..6u32, price()).prop_map(|(owner, id, price)| Action::SetTerms { owner, id, price }),
        1 => (owner(), 0..6u32).prop_map(|(owner, id)| Action::Retire { owner, id }),
        2 => (0..6u32, price()).prop_map(|(id, earned)| Action::NoteUse { id, earned }),
        1 => (1..4 * DEPOSIT).prop_map(Action::SetDeposit),
    ]
}

/// Does it; a refusal is as good as any other outcome.
fn act(action: Action) {
    let _ = match action {
        Action::Register { owner, seed, price } => register(owner, seed, price),
        Action::SetTerms { owner, id, price } => Artifacts::set_terms(RuntimeOrigin::signed(owner), id, price),
        Action::Retire { owner, id } => Artifacts::retire(RuntimeOrigin::signed(owner), id),
        Action::NoteUse { id, earned } => {
            // The market only counts uses of models there are.
            if id < NextId::<Test>::get() {
                Artifacts::note_use(id, earned);
            }
            Ok(())
        }
        Action::SetDeposit(deposit) => {
            RegistrationDeposit::set(deposit);
            Ok(())
        }
    };
}

proptest! {
    #[test]
    fn invariants_should_hold_after_any_sequence_of_calls(actions in prop::collection::vec(action(), 1..40)) {
        RegistrationDeposit::set(DEPOSIT);
        ExtBuilder.build().execute_with(|| {
            let issuance = Balances::total_issuance();
            for action in actions {
                let described = format!("{action:?}");
                act(action);
                prop_assert_eq!(Artifacts::do_try_state(), Ok(()), "after {}", described);
                prop_assert_eq!(Balances::total_issuance(), issuance);
                prop_assert!((1..=BOB).all(|owner| Balances::total_balance(&owner) == FUNDS));
            }
            Ok(())
        })?;
    }
}
