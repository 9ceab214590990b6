//! Nodes: validators that agree with each other, others that follow them, and what else the program does.

use anyhow::{bail, ensure, Context, Result};
use assay_system_tests::network::Shared;
use serde_json::{json, Value};
use std::{fs, process::Command, thread, time::Duration};
use xtask::{
    localnet::{self, Chain, Node, Site},
    net::Rpc,
};

/// Blocks that are final before anything is asked of them.
const SOME_BLOCKS: u64 = 4;

/// Blocks within which both validators author one, by all odds: each slot is one's or the other's.
const ENOUGH_FOR_BOTH: u64 = 40;

/// How long a node that has warped may take to fetch the blocks before.
const HISTORY: Duration = Duration::from_secs(60);

/// The public key of `//Alice`, as every Substrate chain's documentation has it.
const ALICE: &str = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";

/// Key of the runtime in a chain's state: `:code`.
const CODE: &str = "0x3a636f6465";

/// The two validators of `local_testnet`, which knows no finality without both.
struct Network {
    site: Site,
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
    Ok(Network {
        site: site.clone(),
        alice,
        bob,
    })
}

/// Runs the node's program for something else than a node; returns what it printed.
fn node_program(site: &Site, arguments: &[&str]) -> Result<String> {
    localnet::output(Command::new(site.program("assay-node")?).args(arguments))
}

fn json_of(text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| format!("not JSON: {text}"))
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
        let rpc = network.alice.rpc();
        let mut authors = Vec::new();
        for number in 1..=ENOUGH_FOR_BOTH {
            network.alice.wait_finalized(number)?;
            authors.push(author_at(rpc, number)?);
            if authors.contains(&0) && authors.contains(&1) {
                return Ok(());
            }
        }
        bail!("authors of the first {ENOUGH_FOR_BOTH} blocks: {authors:?}")
    });
}

#[test]
fn metrics_should_tell_of_finalized_blocks() {
    const HEIGHT: &str = r#"substrate_block_height{status="finalized"}"#;
    NETWORK.test_alone(|network| {
        network.alice.wait_finalized(SOME_BLOCKS)?;
        // They are brought up to date every few seconds
        for _ in 0..30 {
            let height = localnet::metric(&network.alice.metrics()?, HEIGHT).context("no such metric")?;
            let finalized = network.alice.rpc().finalized()? as f64;
            ensure!(
                height <= finalized,
                "{HEIGHT} is {height}, but block {finalized} is the last final one"
            );
            if height >= SOME_BLOCKS as f64 {
                return Ok(());
            }
            thread::sleep(Duration::from_secs(1));
        }
        bail!("{HEIGHT} is below {SOME_BLOCKS} in {}", network.alice.metrics()?)
    });
}

#[test]
fn node_should_reach_the_finalized_head_when_it_starts_with_warp_sync() {
    NETWORK.test_alone(|network| {
        let Network { site, alice, bob } = network;
        alice.wait_finalized(SOME_BLOCKS)?;
        // Warp sync begins when there are three to ask
        let mut full = site.start_node(
            "full",
            Chain::LocalTestnetFollower {
                sync: "full",
                bootnodes: &[&*alice, &*bob],
            },
        )?;
        full.wait_finalized(SOME_BLOCKS)?;
        let head = alice.rpc().finalized()?;
        let mut warp = site.start_node(
            "warp",
            Chain::LocalTestnetFollower {
                sync: "warp",
                bootnodes: &[&*alice, &*bob, &full],
            },
        )?;
        warp.wait_finalized(head)?;
        // The blocks before the one it warped to come afterwards
        let (reached, rpc) = (warp.rpc().finalized()?, warp.rpc());
        for number in [reached, 1] {
            let known = || hash_at(rpc, number).ok().filter(|hash| !hash.is_null());
            let got = warp.daemon().wait_for(&format!("block {number}"), HISTORY, known)?;
            let expected = hash_at(alice.rpc(), number)?;
            ensure!(
                expected == got,
                "block {number}: {expected} with alice, {got} with the node that warped"
            );
        }
        let log = fs::read_to_string(warp.daemon().log())?;
        ensure!(
            log.contains("Warp sync is complete"),
            "it did not warp:\n{}",
            warp.daemon().tail()
        );
        Ok(())
    });
}

#[test]
fn keys_should_be_made_and_shown() {
    NETWORK.test_beside_others(|network| {
        let generate = &["key", "generate", "--output-type", "json"];
        let made = json_of(&node_program(&network.site, generate)?)?;
        let phrase = made["secretPhrase"]
            .as_str()
            .with_context(|| format!("no phrase in {made}"))?;
        ensure!(
            phrase.split(' ').count() == 12,
            "expected a phrase of 12 words, got {phrase:?}"
        );
        let inspect = |uri: &str| {
            let arguments = ["key", "inspect", uri, "--output-type", "json"];
            json_of(&node_program(&network.site, &arguments)?)
        };
        let again = inspect(phrase)?;
        ensure!(again["publicKey"] == made["publicKey"], "made {made}, shown {again}");
        let alice = inspect("//Alice")?;
        ensure!(alice["publicKey"] == ALICE, "expected {ALICE}, got {alice}");
        Ok(())
    });
}

#[test]
fn chain_specification_should_have_the_genesis_of_the_running_chain() {
    NETWORK.test_beside_others(|network| {
        let rpc = network.alice.rpc();
        let genesis = hash_at(rpc, 0)?;
        let base = format!("--base-path={}", network.site.dir().join("spec").display());
        for arguments in [
            &["chain-spec", "--chain=local", "--raw"][..],
            &[
                "build-spec",
                "--chain=local",
                "--raw",
                "--disable-default-bootnode",
                &base,
            ],
        ] {
            let spec = json_of(&node_program(&network.site, arguments)?)?;
            let command = arguments[0];
            let top = spec["genesis"]["raw"]["top"].as_object();
            let top = top.with_context(|| format!("{command}: no raw genesis"))?;
            ensure!(top.contains_key(CODE), "{command}: no runtime");
            for (key, value) in top {
                let running = rpc.call("state_getStorage", json!([key, genesis]))?;
                ensure!(*value == running, "{command}: {key} differs from the state of block 0");
            }
        }
        Ok(())
    });
}
