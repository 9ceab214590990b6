//! `cargo xtask demo`: the whole path once, with real parts, from nothing to a paid inference and a vote.

mod printed;

use crate::{cargo::Cargo, report::Report, setup};
use anyhow::{Context, Result};
use printed::Printed;
use serde_json::{json, Value};
use std::{fs, path::Path, process::Command};
use xtask::{
    js::{self, Script},
    localnet::{self, Chain, Node, Site, Worker},
    models,
    workspace::Binaries,
};

/// Who publishes the model, whose worker computes, and who pays for the job.
const OWNER: &str = "//Charlie";
const COLD: &str = "//Bob";
const SUBMITTER: &str = "//Alice";

/// What a use of the model costs beside the work, what the worker puts at stake, and what it asks for a
/// billion multiply-adds, in ASY.
const PRICE: &str = "0.01";
const BOND: &str = "1000";
const ASK: &str = "0.5";

/// Two that mean about the same, and one that does not.
const SENTENCES: [&str; 3] = [
    "A chain on which computing for AI is paid.",
    "You pay for machine learning on a blockchain.",
    "The cat sleeps.",
];

/// Shows the whole path.
pub(crate) fn run(report: &Report) -> Result<()> {
    let machine = setup::run_without_test_models(report)?;
    js::install(|line| report.say(line))?;
    let cargo = Cargo::new(report, machine)?;

    report.step("Building node, worker and client");
    cargo.build_programs()?;
    run_built(report, &cargo)
}

/// Shows the whole path with the programs that have been built, and checks what was printed.
pub(crate) fn run_built(report: &Report, cargo: &Cargo) -> Result<()> {
    let dir = cargo.target_dir().join("demo");
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    let site = Site::new(Binaries::of_target(&cargo.target_dir()), &dir);
    show(report, &site).with_context(|| format!("what the processes printed is in {}", site.logs().display()))?;
    fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    println!(
        "\nEverything that was started is stopped. All this took {}.",
        report.elapsed().trim()
    );
    Ok(())
}

/// What happens on the chain. Its processes end with it.
fn show(report: &Report, site: &Site) -> Result<()> {
    report.step("A development chain");
    let mut node = site.start_node("node", Chain::Development)?;
    report.say(&format!(
        "node at {}, log {}",
        node.rpc().url(),
        node.daemon().log().display()
    ));
    node.wait_finalized(1)?;
    report.say("its first block is final");

    report.step("A model: all-MiniLM-L6-v2, sentences to vectors");
    let model = site.publish(&node, OWNER, PRICE, &models::minilm()?)?;
    let id = model.to_string();
    call(report, &site.assay(&node, OWNER, &["model", "show", &id])?)?;

    report.step("A worker");
    let worker: Worker = site.worker("worker", &format!("{COLD}//worker"), &node, &[model])?;
    report.say(&worker.register(COLD, BOND, ASK)?);
    let running = worker.start_and_wait(&node, model)?;
    report.say(&format!("it has the model ready, log {}", running.log().display()));

    report.step("Three sentences, embedded through the chain");
    let arguments = [&["embed", id.as_str()], &SENTENCES[..]].concat();
    call(report, &site.assay(&node, SUBMITTER, &arguments)?)?;

    report.step("A vote, with @polkadot/api");
    let votes = vote(report, &node)?;

    report.step("Stopping worker and node");
    let printed = Printed::read(&report.said())?;
    let job = node.rpc().call("compute_job", json!([printed.job]))?;
    printed.compare(&job, votes)?;
    running.stop()?;
    node.stop()
}

/// Runs a program and repeats what it prints.
fn call(report: &Report, command: &Command) -> Result<()> {
    let text = localnet::output(command)?;
    report.say(&format!("$ {}\n{text}", shown(command)));
    Ok(())
}

/// A command line without what only says where things are on this machine.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let words = command.get_args().map(|word| word.to_string_lossy());
    let words = words.filter(|word| !word.starts_with("--rpc=") && !word.starts_with("--blobs="));
    let quoted = words.map(|word| {
        if word.contains(' ') {
            format!("'{word}'")
        } else {
            word.into_owned()
        }
    });
    format!("{program} {}", quoted.collect::<Vec<_>>().join(" "))
}

/// Has a referendum submitted and voted; returns the ayes and nays that it has on the chain, in ASY.
fn vote(report: &Report, node: &Node) -> Result<(u64, u64)> {
    let task = json!({
        "url": node.rpc().url(),
        "proposer": "//Alice",
        "ayes": ["//Alice", "//Dave", "//Eve", "//Dave//stash", "//Eve//stash"],
        "nays": ["//Ferdie"],
    });
    let text = |event: &Value, field: &str| match &event[field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut script = Script::start("referendum", &task)?;
    let submitted = script.wait_for("submitted", |_| Ok(()))?;
    report.say(&format!("//Alice submits referendum {}", text(&submitted, "index")));
    report.say(&format!(
        "on track {}: {}",
        text(&submitted, "track"),
        text(&submitted, "call")
    ));
    let voted = script.wait_for("voted", |_| Ok(()))?;
    let (ayes, nays, support) = (text(&voted, "ayes"), text(&voted, "nays"), text(&voted, "support"));
    report.say(&format!(
        "tally: {ayes} ASY aye, {nays} ASY nay; {support} of all tokens support it"
    ));
    script.wait_for("done", |_| Ok(()))?;
    Ok((ayes.parse()?, nays.parse()?))
}
