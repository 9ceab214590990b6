//! The chains that can be started: those built in, and any given as a file.

use assay_runtime::{opaque::Block, WASM_BINARY};
use sc_chain_spec::{ChainSpecExtension, ChainType, GenericChainSpec, Properties};
use serde::{Deserialize, Serialize};
use sp_genesis_builder::{DEV_RUNTIME_PRESET, LOCAL_TESTNET_RUNTIME_PRESET};
use std::path::PathBuf;

/// Names this chain's protocols on the network.
const PROTOCOL_ID: &str = "assay";

/// What the token is called.
const TOKEN_SYMBOL: &str = "ASY";

/// Decimal places of the token.
const TOKEN_DECIMALS: u32 = 12;

/// Prefix of addresses.
const SS58_PREFIX: u32 = 42;

/// A chain specification.
pub(crate) type ChainSpec = GenericChainSpec<Extensions>;

/// What a specification says to the client beside genesis.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ChainSpecExtension)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Extensions {
    /// Block numbers at which only a block with the given hash is taken.
    pub(crate) fork_blocks: sc_client_api::ForkBlocks<Block>,
    /// Blocks that are never taken.
    pub(crate) bad_blocks: sc_client_api::BadBlocks<Block>,
    /// A finalized state from which light clients may start.
    pub(crate) light_sync_state: sc_sync_state_rpc::LightSyncStateExtension,
}

/// A chain that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preset {
    /// One validator, Alice.
    Development,
    /// Several validators with well-known keys.
    LocalTestnet,
}

impl Preset {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "dev" | "development" => Some(Self::Development),
            // Commands that only need some chain's id, as `key`, name none.
            "" | "local" | "local_testnet" => Some(Self::LocalTestnet),
            _ => None,
        }
    }

    fn spec(self, code: &[u8]) -> ChainSpec {
        let (name, id, chain_type, preset) = match self {
            Self::Development => ("Assay Development", "dev", ChainType::Development, DEV_RUNTIME_PRESET),
            Self::LocalTestnet => (
                "Assay Local Testnet",
                "local_testnet",
                ChainType::Local,
                LOCAL_TESTNET_RUNTIME_PRESET,
            ),
        };
        ChainSpec::builder(code, Extensions::default())
            .with_name(name)
            .with_id(id)
            .with_chain_type(chain_type)
            .with_protocol_id(PROTOCOL_ID)
            .with_properties(properties())
            .with_genesis_config_preset_name(preset)
            .build()
    }
}

/// What wallets are told of the token.
fn properties() -> Properties {
    let mut properties = Properties::new();
    properties.insert("tokenSymbol".into(), TOKEN_SYMBOL.into());
    properties.insert("tokenDecimals".into(), TOKEN_DECIMALS.into());
    properties.insert("ss58Format".into(), SS58_PREFIX.into());
    properties
}

/// The specification of the chain called `id`, or in the file `id`.
pub(crate) fn load(id: &str) -> Result<ChainSpec, String> {
    if let Some(preset) = Preset::from_name(id) {
        let code = WASM_BINARY.ok_or(
            "this node was built without a runtime (SKIP_WASM_BUILD was set), so it knows no chain by name: \
             build it again without SKIP_WASM_BUILD, or give the file of a chain specification with --chain",
        )?;
        return Ok(preset.spec(code));
    }
    let path = PathBuf::from(id);
    if !path.is_file() {
        return Err(format!(
            "no chain is called `{id}` and there is no such file: expected `dev`, `local_testnet` or the path of a \
             chain specification"
        ));
    }
    ChainSpec::from_json_file(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use sc_chain_spec::ChainSpec as _;

    #[test]
    fn presets_should_be_found_by_their_names() {
        for name in ["dev", "development"] {
            assert_eq!(Preset::from_name(name), Some(Preset::Development));
        }
        for name in ["", "local", "local_testnet"] {
            assert_eq!(Preset::from_name(name), Some(Preset::LocalTestnet));
        }
        assert_eq!(Preset::from_name("mainnet"), None);
    }

    #[test]
    fn preset_should_tell_wallets_of_the_token() {
        let spec = Preset::Development.spec(&[]);
        assert_eq!((spec.id(), spec.protocol_id()), ("dev", Some("assay")));
        assert_eq!(spec.chain_type(), ChainType::Development);
        let properties = serde_json::Value::Object(spec.properties());
        assert_eq!(
            properties,
            serde_json::json!({ "tokenSymbol": "ASY", "tokenDecimals": 12, "ss58Format": 42 })
        );
    }

    #[test]
    fn load_should_say_what_it_knows_when_the_chain_is_unknown() {
        let error = load("no-such-chain").err().unwrap();
        assert!(
            error.contains("no-such-chain") && error.contains("local_testnet"),
            "{error}"
        );
    }

    #[test]
    fn load_should_ask_for_the_runtime_when_it_is_missing() {
        assert_eq!(load("dev").is_err(), WASM_BINARY.is_none());
    }
}
