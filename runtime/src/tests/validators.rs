//! How one becomes a validator: session keys with the proof that they are one's own, and an election.

use super::chain::{account, Chain};
use crate::{
    configs::{consensus::KeyDeposit, staking::SessionsPerEra},
    constants::currency::ASY,
    Authorship, Babe, Balances, Block, Grandpa, Runtime, RuntimeOrigin, Session, SessionKeys, Staking,
};
use codec::{Decode, Encode};
use frame_support::traits::fungible::InspectHold;
use pallet_session::{Error, HoldReason};
use pallet_staking::{RewardDestination, ValidatorPrefs};
use sp_keyring::Sr25519Keyring;
use sp_session::runtime_api::runtime_decl_for_session_keys::SessionKeysV2;

/// Wants to be a validator, with an account that is its stash and the session keys `//Charlie`.
const CANDIDATE: Sr25519Keyring = Sr25519Keyring::Charlie;

/// `session.set_keys` with the keys `//Charlie`, which a node has generated for `owner`; and the keys.
fn set_keys(chain: &mut Chain, owner: Sr25519Keyring) -> (pallet_session::Call<Runtime>, SessionKeys) {
    let seed = format!("//{CANDIDATE}").into_bytes();
    let generated = chain.read(|| {
        let owner = account(owner).encode();
        <Runtime as SessionKeysV2<Block>>::generate_session_keys(owner, Some(seed))
    });
    let keys = SessionKeys::decode(&mut &generated.keys[..]).unwrap();
    let proof = generated.proof;
    (
        pallet_session::Call::set_keys {
            keys: keys.clone(),
            proof,
        },
        keys,
    )
}

/// What the account of [`CANDIDATE`] has on hold for its session keys.
fn on_hold() -> crate::Balance {
    Balances::balance_on_hold(&HoldReason::Keys.into(), &account(CANDIDATE))
}

#[test]
fn session_keys_should_be_set_for_a_deposit_when_their_owner_proves_them() {
    let mut chain = Chain::development();
    let (call, keys) = set_keys(&mut chain, CANDIDATE);
    chain.call(CANDIDATE, call);
    chain.read(|| {
        assert_eq!(Session::load_keys(&account(CANDIDATE)), Some(keys));
        assert_eq!(on_hold(), KeyDeposit::get());
    });
    chain.call(CANDIDATE, pallet_session::Call::purge_keys {});
    chain.read(|| assert_eq!(on_hold(), 0));
}

#[test]
fn session_keys_should_be_refused_when_the_proof_is_for_another_owner() {
    let mut chain = Chain::development();
    let (call, _) = set_keys(&mut chain, Sr25519Keyring::Dave);
    let results = chain.block(vec![(CANDIDATE, call.into())]);
    assert_eq!(results, [Ok(Err(Error::<Runtime>::InvalidProof.into()))]);
    chain.read(|| {
        assert_eq!(Session::load_keys(&account(CANDIDATE)), None);
        assert_eq!(on_hold(), 0);
    });
}

#[test]
fn candidate_should_validate_when_it_is_elected() {
    let mut chain = Chain::development();
    let (call, keys) = set_keys(&mut chain, CANDIDATE);
    chain.call(CANDIDATE, call);
    let bond = pallet_staking::Call::bond {
        value: 2_000_000 * ASY,
        payee: RewardDestination::Staked,
    };
    chain.call(CANDIDATE, bond);
    let prefs = ValidatorPrefs::default();
    chain.call(CANDIDATE, pallet_staking::Call::validate { prefs });
    chain
        .produce(|| Staking::increase_validator_count(RuntimeOrigin::root(), 1))
        .unwrap();

    // The election is a session before the era for which it is held.
    for _ in 1..SessionsPerEra::get() {
        chain.next_session();
    }
    let old = account(Sr25519Keyring::AliceStash);
    assert_eq!(chain.read(Session::validators), std::slice::from_ref(&old));
    chain.next_session();
    chain.read(|| {
        let validators = Session::validators();
        assert_eq!(validators.len(), 2);
        assert!([old, account(CANDIDATE)].iter().all(|who| validators.contains(who)));
        assert!(Babe::authorities().iter().any(|(key, _)| *key == keys.babe));
        assert!(Grandpa::grandpa_authorities()
            .iter()
            .any(|(key, _)| *key == keys.grandpa));
    });
    chain.authored_by(CANDIDATE);
    chain.produce(|| assert_eq!(Authorship::author(), Some(account(CANDIDATE))));
}
