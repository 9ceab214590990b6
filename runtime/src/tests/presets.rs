//! Every preset begins a chain that can author and finalize.

use super::chain::{genesis, pallets};
use crate::{
    configs::money::TreasuryAccount,
    constants::currency::MICRO_ASY,
    genesis_config_presets::{get_preset, preset_names, ENDOWMENT, TREASURY_ENDOWMENT, VALIDATOR_STAKE},
    parameters::{GovernanceDay, MarketParameters, DEFAULT_MARKET},
    AuthorityDiscovery, Babe, Balances, Grandpa, Session, Staking,
};
use assay_types::JobParameters;
use frame_support::traits::{fungible::Inspect, Get};
use sp_consensus_babe::AllowedSlots;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

#[test]
fn preset_names_should_each_have_a_preset() {
    assert_eq!(preset_names(), ["development", "local_testnet"]);
    assert!(preset_names().iter().all(|id| get_preset(id).is_some()));
    assert_eq!(get_preset(&"mainnet".into()), None);
}

#[test]
fn presets_should_give_babe_grandpa_and_discovery_the_same_validators() {
    let authors = [Sr25519Keyring::Alice, Sr25519Keyring::Bob];
    let finality = [Ed25519Keyring::Alice, Ed25519Keyring::Bob];
    for (id, count) in [("development", 1), ("local_testnet", 2)] {
        let (names, finality) = (&authors[..count], &finality[..count]);
        genesis(id).execute_with(|| {
            let babe = Babe::authorities()
                .iter()
                .map(|(key, _)| key.clone().into_inner())
                .collect::<Vec<_>>();
            let discovery = AuthorityDiscovery::authorities()
                .into_iter()
                .map(|key| key.into_inner())
                .collect::<Vec<_>>();
            let grandpa = Grandpa::grandpa_authorities()
                .into_iter()
                .map(|(key, _)| key.into_inner());
            assert_eq!(babe.len(), names.len(), "{id}");
            assert!(names.iter().all(|name| babe.contains(&name.public())), "{id}");
            assert_eq!(discovery.len(), names.len(), "{id}");
            assert!(names.iter().all(|name| discovery.contains(&name.public())), "{id}");
            let grandpa = grandpa.collect::<Vec<_>>();
            assert_eq!(grandpa.len(), names.len(), "{id}");
            assert!(finality.iter().all(|name| grandpa.contains(&name.public())), "{id}");
            assert_eq!(Session::validators().len(), names.len(), "{id}");
            assert_eq!(Staking::validator_count() as usize, names.len(), "{id}");
            assert_eq!(Staking::minimum_validator_count(), 1, "{id}");
            // Stakes are rounded when they are counted as votes.
            let stake = VALIDATOR_STAKE * names.len() as u128;
            assert!(stake.abs_diff(Staking::eras_total_stake(0)) < MICRO_ASY, "{id}");
        });
    }
}

#[test]
fn presets_should_have_a_vrf_output_in_each_slot() {
    for id in preset_names() {
        genesis(&id).execute_with(|| {
            assert_eq!(
                Babe::epoch_config().unwrap().allowed_slots,
                AllowedSlots::PrimaryAndSecondaryVRFSlots,
                "{id}"
            );
        });
    }
}

#[test]
fn presets_should_endow_the_known_accounts_and_the_treasury() {
    for id in preset_names() {
        genesis(&id).execute_with(|| {
            let known = Sr25519Keyring::well_known()
                .map(|key| key.to_account_id())
                .collect::<Vec<_>>();
            assert_eq!(known.len(), 12);
            assert!(
                known
                    .iter()
                    .all(|account| Balances::total_balance(account) == ENDOWMENT),
                "{id}"
            );
            assert_eq!(
                Balances::free_balance(TreasuryAccount::get()),
                TREASURY_ENDOWMENT,
                "{id}"
            );
            assert_eq!(Balances::total_issuance(), 12 * ENDOWMENT + TREASURY_ENDOWMENT, "{id}");
        });
    }
}

#[test]
fn development_should_shorten_what_one_waits_for() {
    genesis("development").execute_with(|| {
        let expected = JobParameters {
            acknowledge_period: 10,
            challenge_period: 3,
            reveal_delay: 1,
            ..DEFAULT_MARKET
        };
        assert_eq!(MarketParameters::get(), expected);
        assert_eq!(GovernanceDay::get(), 10);
    });
    genesis("local_testnet").execute_with(|| {
        let expected = JobParameters {
            challenge_period: 20,
            reveal_delay: 2,
            ..DEFAULT_MARKET
        };
        assert_eq!(MarketParameters::get(), expected);
        assert_eq!(GovernanceDay::get(), 200);
    });
}

#[test]
fn runtime_should_have_its_pallets_in_order_and_no_sudo() {
    let pallets = pallets();
    let position = |name| pallets.iter().position(|pallet| *pallet == name).unwrap();
    for required in [
        "System",
        "Timestamp",
        "Babe",
        "Authorship",
        "Session",
        "Historical",
        "Staking",
        "Offences",
        "Grandpa",
        "AuthorityDiscovery",
        "VoterList",
        "Balances",
        "TransactionPayment",
        "Treasury",
        "Preimage",
        "Scheduler",
        "Referenda",
        "ConvictionVoting",
        "Parameters",
        "Utility",
        "Multisig",
        "Proxy",
        "Artifacts",
        "Workers",
        "ComputeMarket",
    ] {
        assert!(pallets.contains(&required), "{required} is missing");
    }
    assert!(
        position("Authorship") < position("Session"),
        "the author must be known by the session that made it one"
    );
    assert!(position("Balances") < position("Staking"), "stakes are made of money");
    assert!(
        position("Staking") < position("Session"),
        "the first session has validators with a stake"
    );
    assert!(!pallets.contains(&"Sudo"));
}
