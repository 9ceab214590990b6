//! Other people's clients on a real node: they connect, read, sign, work by hand, and vote.

use anyhow::{ensure, Result};
use assay_system_tests::network::{site, Shared};
use serde_json::json;
use std::path::Path;
use xtask::{
    js,
    localnet::{Chain, Node, Site},
};

const DIR: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/clients");

struct Network {
    node: Node,
    _site: Site,
}

fn start() -> Result<Network> {
    let site = site(Path::new(DIR))?;
    let mut node = site.start_node("node", Chain::Development)?;
    node.wait_finalized(1)?;
    Ok(Network { node, _site: site })
}

fn test(test: impl FnOnce(&mut Network) -> Result<()>) {
    static NETWORK: Shared<Network> = Shared::new();
    NETWORK.test(&Path::new(DIR).join("logs"), start, test);
}

#[test]
fn polkadot_api_should_read_and_sign_without_warnings() {
    test(|network| {
        js::run("papi", &json!({ "url": network.node.rpc().url(), "key": "//Ferdie" }))?;
        Ok(())
    });
}

#[test]
fn handmade_worker_should_be_paid_and_strangers_and_false_reveals_refused() {
    test(|network| {
        let task = json!({
            "url": network.node.rpc().url(),
            "owner": "//Charlie",
            "cold": "//Dave",
            "hot": "//Dave//hot",
            "submitter": "//Eve",
            "stranger": "//Ferdie",
        });
        let done = js::run("handmade-worker", &task)?;
        ensure!(done["payment"]["worker"] != "0", "the worker was paid nothing: {done}");
        Ok(())
    });
}

#[test]
fn referendum_should_be_carried_out_when_enough_vote_for_it() {
    test(|network| {
        let task = json!({
            "url": network.node.rpc().url(),
            "proposer": "//Alice",
            "ayes": ["//Alice", "//Bob", "//Charlie//stash", "//Dave//stash", "//Eve//stash"],
            "nays": ["//Ferdie"],
            "wait": true,
        });
        js::run("referendum", &task)?;
        Ok(())
    });
}
