//! Other people's clients on a real node: they connect, read, sign, work by hand, and vote.

use anyhow::{ensure, Result};
use assay_system_tests::network::Shared;
use serde_json::json;
use xtask::{
    js,
    localnet::{Chain, Node, Site},
};

/// Blocks in which the handmade worker must acknowledge its job: enough for the refusals that it tries before.
const ACKNOWLEDGE_PERIOD: u32 = 40;

// Tests run at the same time, so no account signs in two of them

static NODE: Shared<Node> = Shared::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/clients"), start);

fn start(site: &Site) -> Result<Node> {
    let chain = Chain::DevelopmentWith(&[("acknowledge_period", ACKNOWLEDGE_PERIOD)]);
    let mut node = site.start_node("node", chain)?;
    node.wait_finalized(1)?;
    Ok(node)
}

#[test]
fn polkadot_api_should_read_and_sign_without_warnings() {
    NODE.test_beside_others(|node| {
        js::run("papi", &json!({ "url": node.rpc().url(), "key": "//Bob//stash" }))?;
        Ok(())
    });
}

#[test]
fn signature_over_the_metadata_hash_should_be_taken_and_refused_when_the_hash_is_wrong() {
    NODE.test_beside_others(|node| {
        js::run(
            "metadata-hash",
            &json!({ "url": node.rpc().url(), "key": "//Alice//stash" }),
        )?;
        Ok(())
    });
}

#[test]
fn handmade_worker_should_be_paid_and_strangers_and_false_reveals_refused() {
    NODE.test_beside_others(|node| {
        let task = json!({
            "url": node.rpc().url(),
            "owner": "//Charlie",
            "cold": "//Dave",
            "hot": "//Dave//hot",
            "submitter": "//Eve",
            "stranger": "//Ferdie//stash",
        });
        let done = js::run("handmade-worker", &task)?;
        ensure!(done["payment"]["worker"] != "0", "the worker was paid nothing: {done}");
        Ok(())
    });
}

#[test]
fn referendum_should_be_carried_out_when_enough_vote_for_it() {
    NODE.test_beside_others(|node| {
        let task = json!({
            "url": node.rpc().url(),
            "proposer": "//Alice",
            "ayes": ["//Alice", "//Bob", "//Charlie//stash", "//Dave//stash", "//Eve//stash"],
            "nays": ["//Ferdie"],
            "wait": true,
        });
        js::run("referendum", &task)?;
        Ok(())
    });
}
