//! The whole path: a model published, a worker that computes, jobs that are paid for.

use anyhow::{ensure, Context, Result};
use assay_system_tests::network::Shared;
use serde_json::json;
use std::fs;
use xtask::{
    daemon::Daemon,
    js::{self, Script},
    localnet::{Chain, Node, Site, Worker},
    models, workspace,
};

/// Blocks between commitment and reveal: enough to end a worker in between.
const REVEAL_DELAY: u32 = 5;

/// Blocks that a job waits for another worker when its first one gave it up.
const ASSIGN_PERIOD: u32 = 4;

/// Who publishes the model and is paid for its use. Nothing else happens to this account.
const OWNER: &str = "//Charlie";

/// The worker's cold account.
const COLD: &str = "//Dave";

/// What a use of the model costs beside the work, what the worker puts at stake, and what it asks for a
/// billion multiply-adds, in ASY.
const PRICE: &str = "0.01";
const BOND: &str = "1000";
const ASK: &str = "0.5";

/// Who pays for the jobs of each test. What is held of them, and when it comes back, is another test's business
/// otherwise.
const EMBEDDER: &str = "//Eve";
const REFUSED: &str = "//Bob";
const FORGER: &str = "//Ferdie";

struct Network {
    node: Node,
    worker: Worker,
    running: Option<Daemon>,
    artifact: u32,
}

static NETWORK: Shared<Network> = Shared::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/market"), start);

impl Network {
    fn url(&self) -> String {
        self.node.rpc().url()
    }

    fn start_worker(&mut self) -> Result<()> {
        self.running = Some(self.worker.start()?);
        Ok(())
    }

    fn kill_worker(&mut self) -> Result<()> {
        self.running.take().context("the worker is not running")?.kill()
    }
}

fn start(site: &Site) -> Result<Network> {
    let mut node = site.start_node(
        "node",
        Chain::DevelopmentWith(&[("reveal_delay", REVEAL_DELAY), ("assign_period", ASSIGN_PERIOD)]),
    )?;
    node.wait_finalized(1)?;
    let artifact = site.publish(&node, OWNER, PRICE, &models::minilm()?)?;
    let worker = site.worker("worker", &format!("{COLD}//worker"), &node, &[artifact])?;
    worker.register(COLD, BOND, ASK)?;
    let running = worker.start_and_wait(&node, artifact)?;
    Ok(Network {
        node,
        worker,
        running: Some(running),
        artifact,
    })
}

#[test]
fn job_should_settle_when_its_worker_is_killed_between_commit_and_reveal() {
    NETWORK.test_alone(|network| {
        let task = json!({
            "url": network.url(),
            "key": EMBEDDER,
            "artifact": network.artifact,
            "vectors": workspace::root().join("tests/vectors/minilm.json"),
            "take": 3,
        });
        let mut script = Script::start("embed", &task)?;
        let mut killed = false;
        let done = script.wait_for("done", |event| {
            match event["phase"]["name"].as_str() {
                Some("committed") if !killed => {
                    network.kill_worker()?;
                    killed = true;
                }
                // Reveals are open, and nobody is there to reveal
                Some("revealing") if network.running.is_none() => network.start_worker()?,
                _ => {}
            }
            Ok(())
        })?;
        ensure!(killed, "the job was never seen committed: {done}");
        ensure!(
            network.running.is_some(),
            "reveals were never seen open without a worker: {done}"
        );
        Ok(())
    });
}

#[test]
fn bad_submissions_should_each_have_their_error_and_cost_no_more_than_the_fee() {
    NETWORK.test_alone(|network| {
        js::run(
            "refusals",
            &json!({ "url": network.url(), "key": REFUSED, "artifact": network.artifact }),
        )?;
        Ok(())
    });
}

#[test]
fn worker_should_refuse_an_input_that_does_not_match_its_hash() {
    NETWORK.test_alone(|network| {
        let task = json!({
            "url": network.url(),
            "key": FORGER,
            "artifact": network.artifact,
            "blobs": network.node.blob_dir(),
        });
        js::run("false-input", &task)?;
        let log = fs::read_to_string(network.running.as_ref().context("the worker is not running")?.log())?;
        ensure!(
            log.contains("expected content with hash"),
            "the worker's log does not say that a hash was wrong:\n{log}"
        );
        Ok(())
    });
}
