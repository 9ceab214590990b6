//! Validators that agree with each other.

use anyhow::{ensure, Context, Result};
use assay_system_tests::network::Shared;
use serde_json::{json, Value};
use xtask::{
    localnet::{Chain, Node, Site},
    net::Rpc,
};

/// Blocks that are final before anything is asked of them.
const SOME_BLOCKS: u64 = 4;

/// The two validators of `local_testnet`, which knows no finality without both.
struct Network {
    alice: Node,
    bob: Node,
}

static NETWORK: Shared<Network> = Shared::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/nodes"), start);

fn start(site: &Site) -> Result<Network> {
    let alice = site.start_node(
        "alice",
        Chain::LocalTestnet {
            validator: "alice",
            bootnode: None,
        },
    )?;
    let bob = site.start_node(
        "bob",
        Chain::LocalTestnet {
            validator: "bob",
            bootnode: Some(&alice),
        },
    )?;
    Ok(Network { alice, bob })
}

fn hash_at(rpc: Rpc, number: u64) -> Result<Value> {
    rpc.call("chain_getBlockHash", json!([number]))
}

/// The validator that authored block `number`, by the BABE digest in its header.
fn author_at(rpc: Rpc, number: u64) -> Result<u32> {
    let header = rpc.call("chain_getHeader", json!([hash_at(rpc, number)?]))?;
    let logs = header["digest"]["logs"]
        .as_array()
        .context("a header without digests")?;
    // A pre-runtime digest (6) of `BABE`, whose content, after two bytes of length, is the kind of slot
    // and the author's index; every kind that this chain has carries a VRF, hence the length
    let digest = logs
        .iter()
        .filter_map(Value::as_str)
        .find(|log| log.starts_with("0x0642414245"));
    let bytes = hex(digest.context("a header without BABE's digest")?)?;
    let index = bytes.get(8..12).context("BABE's digest is too short")?;
    Ok(u32::from_le_bytes(index.try_into()?))
}

fn hex(text: &str) -> Result<Vec<u8>> {
    let digits = text.trim_start_matches("0x");
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16);
    Ok((0..digits.len()).step_by(2).map(byte).collect::<Result<_, _>>()?)
}

#[test]
fn validators_should_finalize_the_same_blocks() {
    NETWORK.test_alone(|network| {
        network.alice.wait_finalized(SOME_BLOCKS)?;
        network.bob.wait_finalized(SOME_BLOCKS)?;
        for number in 0..=SOME_BLOCKS {
            let (alices, bobs) = (
                hash_at(network.alice.rpc(), number)?,
                hash_at(network.bob.rpc(), number)?,
            );
            ensure!(alices == bobs, "block {number}: {alices} with alice, {bobs} with bob");
        }
        Ok(())
    });
}

#[test]
fn validators_should_both_author_blocks() {
    NETWORK.test_alone(|network| {
        const ENOUGH_FOR_BOTH: u64 = 12;
        network.alice.wait_finalized(ENOUGH_FOR_BOTH)?;
        let authors = (1..=ENOUGH_FOR_BOTH).map(|number| author_at(network.alice.rpc(), number));
        let mut authors = authors.collect::<Result<Vec<_>>>()?;
        authors.sort();
        authors.dedup();
        ensure!(
            authors == [0, 1],
            "authors of the first {ENOUGH_FOR_BOTH} blocks: {authors:?}"
        );
        Ok(())
    });
}
