//! The chains that can be started by name.

use crate::{
    configs::{consensus::BABE_GENESIS_EPOCH_CONFIG, money::TreasuryAccount, staking::MaxElectableTargets},
    constants::currency::ASY,
    parameters::DEFAULT_MARKET,
    AccountId, BabeConfig, Balance, BalancesConfig, GenesisParametersConfig, RuntimeGenesisConfig, SessionConfig,
    SessionKeys, StakingConfig,
};
use alloc::{format, vec, vec::Vec};
use assay_types::JobParameters;
use frame_support::build_struct_json_patch;
use pallet_grandpa::AuthorityId as GrandpaId;
use pallet_staking::{Forcing, StakerStatus};
use serde_json::Value;
use sp_authority_discovery::AuthorityId as AuthorityDiscoveryId;
use sp_consensus_babe::AuthorityId as BabeId;
use sp_core::{crypto::get_public_from_string_or_panic, sr25519};
use sp_genesis_builder::{PresetId, DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use sp_keyring::Sr25519Keyring;
use sp_runtime::Perbill;

/// What each well-known account has in the beginning.
pub const ENDOWMENT: Balance = 10_000_000 * ASY;

/// What the treasury has in the beginning.
pub const TREASURY_ENDOWMENT: Balance = 1_000_000 * ASY;

/// What each first validator has staked, of its endowment.
pub const VALIDATOR_STAKE: Balance = 1_000_000 * ASY;

/// The least that later validators must stake.
pub const MIN_VALIDATOR_BOND: Balance = 1_000 * ASY;

/// The least that nominators must stake.
pub const MIN_NOMINATOR_BOND: Balance = 10 * ASY;

/// Nominators there may be.
pub const MAX_NOMINATORS: u32 = 10_000;

/// A validator in the beginning.
pub(crate) struct Validator {
    stash: AccountId,
    keys: SessionKeys,
}

impl Validator {
    /// The validator whose keys are those of `//NAME`, and whose stash is `//NAME//stash`.
    pub(crate) fn from_name(name: &str) -> Self {
        Self {
            stash: get_public_from_string_or_panic::<sr25519::Public>(&format!("{name}//stash")).into(),
            keys: SessionKeys {
                babe: get_public_from_string_or_panic::<BabeId>(name),
                grandpa: get_public_from_string_or_panic::<GrandpaId>(name),
                authority_discovery: get_public_from_string_or_panic::<AuthorityDiscoveryId>(name),
            },
        }
    }
}

/// Genesis with these validators. `//Alice` to `//Ferdie` and their stashes have money.
pub(crate) fn genesis(validators: Vec<Validator>, parameters: GenesisParametersConfig) -> Value {
    let count = validators.len() as u32;
    let balances = Sr25519Keyring::well_known()
        .map(|account| (account.to_account_id(), ENDOWMENT))
        .chain([(TreasuryAccount::get(), TREASURY_ENDOWMENT)])
        .collect::<Vec<_>>();

    build_struct_json_patch!(RuntimeGenesisConfig {
        balances: BalancesConfig { balances },
        babe: BabeConfig {
            epoch_config: BABE_GENESIS_EPOCH_CONFIG
        },
        genesis_parameters: parameters,
        staking: StakingConfig {
            validator_count: count,
            minimum_validator_count: 1,
            force_era: Forcing::NotForcing,
            slash_reward_fraction: Perbill::from_percent(10),
            stakers: validators
                .iter()
                .map(|validator| {
                    let stash = validator.stash.clone();
                    (stash.clone(), stash, VALIDATOR_STAKE, StakerStatus::Validator)
                })
                .collect::<Vec<_>>(),
            min_nominator_bond: MIN_NOMINATOR_BOND,
            min_validator_bond: MIN_VALIDATOR_BOND,
            max_validator_count: Some(MaxElectableTargets::get()),
            max_nominator_count: Some(MAX_NOMINATORS),
        },
        session: SessionConfig {
            keys: validators
                .into_iter()
                .map(|validator| (validator.stash.clone(), validator.stash, validator.keys))
                .collect::<Vec<_>>(),
        },
    })
}

/// One validator, and everything that one waits for takes seconds.
fn development() -> Value {
    let market = JobParameters {
        // Still enough to fetch a model that lies on the same machine
        acknowledge_period: 10,
        challenge_period: 3,
        reveal_delay: 1,
        ..DEFAULT_MARKET
    };
    genesis(
        vec![Validator::from_name("Alice")],
        GenesisParametersConfig {
            market: Some(market),
            governance_day: Some(10),
            ..Default::default()
        },
    )
}

/// Two validators, and waiting times of minutes.
fn local_testnet() -> Value {
    let market = JobParameters {
        challenge_period: 20,
        reveal_delay: 2,
        ..DEFAULT_MARKET
    };
    genesis(
        vec![Validator::from_name("Alice"), Validator::from_name("Bob")],
        GenesisParametersConfig {
            market: Some(market),
            governance_day: Some(200),
            ..Default::default()
        },
    )
}

/// The preset's JSON patch to the default genesis, if there is a preset `id`.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
    let patch = match id.as_str() {
        DEV_RUNTIME_PRESET => development(),
        LOCAL_TESTNET_RUNTIME_PRESET => local_testnet(),
        _ => return None,
    };
    Some(serde_json::to_vec(&patch).expect("a JSON value can always be written; qed"))
}

/// The presets there are.
pub fn preset_names() -> Vec<PresetId> {
    vec![
        PresetId::from(DEV_RUNTIME_PRESET),
        PresetId::from(LOCAL_TESTNET_RUNTIME_PRESET),
    ]
}
