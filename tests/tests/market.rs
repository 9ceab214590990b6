//! The whole path: a model published, a worker that computes, jobs that are paid for.

use anyhow::{bail, ensure, Context, Result};
use assay_system_tests::{network::Shared, reference::Reference};
use serde_json::{json, Value};
use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use xtask::{
    daemon::Daemon,
    js::{self, Script},
    localnet::{self, Chain, Node, Site, Worker},
    models,
    net::free_port,
    process::{self, POLL},
    workspace,
};

/// Blocks between commitment and reveal: enough to end a worker in between.
const REVEAL_DELAY: u32 = 10;

/// Blocks that a worker has to acknowledge: enough for one that is just being started.
const ACKNOWLEDGE_PERIOD: u32 = 20;

/// Blocks that a job waits for another worker when its first one gave it up.
const ASSIGN_PERIOD: u32 = 4;

/// Who publishes the model and is paid for its use, and the worker's cold account. They must have no other income and no
/// other expenses, and tests must have the network to themselves: what these two gain while a job runs is compared with
/// what that job pays (`checkMoney` in `tests/js/embed.mjs`).
const OWNER: &str = "//Charlie";
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
const CLIENT: &str = "//Bob//stash";

/// How long a program that only asks may take, or something that others wait for to be seen.
const SOON: Duration = Duration::from_secs(60);

struct Network {
    site: Site,
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

    /// Has the worker running, whatever a test that failed has left.
    fn ensure_worker(&mut self) -> Result<()> {
        let is_running = self.running.as_mut().is_some_and(|running| running.check().is_ok());
        if !is_running {
            // The old one must be gone first
            self.running = None;
            self.running = Some(self.worker.start_and_wait(&self.node, self.artifact)?);
        }
        Ok(())
    }

    /// `assay`, called by [`CLIENT`] for `arguments`, for programs to read.
    fn assay(&self, arguments: &[&str]) -> Result<Command> {
        self.site.assay(&self.node, CLIENT, &[arguments, &["--json"]].concat())
    }

    /// What that printed.
    fn assay_json(&self, arguments: &[&str]) -> Result<Value> {
        let text = localnet::output(&self.assay(arguments)?)?;
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
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
        Chain::DevelopmentWith(&[
            ("reveal_delay", REVEAL_DELAY),
            ("assign_period", ASSIGN_PERIOD),
            ("acknowledge_period", ACKNOWLEDGE_PERIOD),
        ]),
    )?;
    node.wait_finalized(1)?;
    let artifact = site.publish(&node, OWNER, PRICE, &models::minilm()?)?;
    let worker = site.worker("worker", &format!("{COLD}//worker"), &node, &[artifact])?;
    worker.register(COLD, BOND, ASK)?;
    let running = worker.start_and_wait(&node, artifact)?;
    Ok(Network {
        site: site.clone(),
        node,
        worker,
        running: Some(running),
        artifact,
    })
}

/// Runs a test on the network, with its worker running.
fn test(run: impl FnOnce(&mut Network) -> Result<()>) {
    NETWORK.test_alone(|network| {
        network.ensure_worker()?;
        run(network)
    });
}

#[test]
fn job_should_settle_when_its_worker_is_killed_between_commit_and_reveal() {
    test(|network| {
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
                // Blocks become final later: by then, reveals may be open
                Some("committed") if !killed && event["finalized"] == false => {
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
    test(|network| {
        js::run(
            "refusals",
            &json!({ "url": network.url(), "key": REFUSED, "artifact": network.artifact }),
        )?;
        Ok(())
    });
}

#[test]
fn worker_should_refuse_an_input_that_does_not_match_its_hash() {
    test(|network| {
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

#[test]
fn command_line_should_have_sentences_embedded_and_show_its_jobs() {
    test(|network| {
        let reference = Reference::minilm(3)?;
        let model = network.artifact.to_string();
        let funds_before = Funds::of(&network.assay_json(&["balance"])?)?;

        let estimate = network.assay_json(&[&["estimate", &model], &reference.texts()[..]].concat())?;
        ensure!(number(&estimate["highestFee"])? > 0, "no fee in {estimate}");
        let workers = network.assay_json(&["workers", "--artifact", &model])?;
        let worker = &workers[0];
        ensure!(
            workers.as_array().map(Vec::len) == Some(1),
            "expected one worker, got {workers}"
        );
        ensure!(
            estimate["eligible"] == json!([worker["account"]]),
            "expected {worker} alone to be eligible, got {estimate}"
        );

        let embedded = network.assay_json(&[&["embed", &model], &reference.texts()[..]].concat())?;
        reference.check(&embedded)?;

        // The same from a file, with the next job's id
        let first = embedded["job"]["id"].as_u64().context("no id")?;
        let (inferred, watched) = infer_and_watch(network, &model, &reference.texts(), first + 1)?;
        ensure!(
            inferred["embeddings"] == embedded["embeddings"],
            "the same sentences gave other vectors: {inferred} after {embedded}"
        );
        check_watched(&watched, &inferred["job"])?;

        let jobs = network.assay_json(&["jobs"])?;
        ensure!(
            jobs == json!([inferred["job"], embedded["job"]]),
            "expected both jobs, got {jobs}"
        );
        let one = network.assay_json(&["job", &first.to_string()])?;
        ensure!(one == embedded["job"], "expected {}, got {one}", embedded["job"]);
        check_funds(&funds_before, &Funds::of(&network.assay_json(&["balance"])?)?, &jobs)?;
        check_worker(network, worker)
    });
}

#[test]
fn command_line_should_tell_by_its_code_and_in_json_what_is_wrong() {
    test(|network| {
        let fails = |command: &Command, code: i32| {
            let finished = process::finish_within(command, SOON)?;
            let got = finished.status;
            ensure!(
                got.code() == Some(code),
                "`{}` ended with {got}, expected {code}",
                process::display(command)
            );
            let error = finished.stderr.lines().last().unwrap_or_default();
            let error: Value = serde_json::from_str(error).with_context(|| format!("not JSON: {error}"))?;
            ensure!(error["error"]["code"] == code, "expected code {code} in {error}");
            ensure!(finished.stdout.is_empty(), "something was printed: {}", finished.stdout);
            Ok(())
        };
        const REFUSED: i32 = 2;
        const NOT_REACHED: i32 = 4;
        fails(&network.assay(&["embed", "4000000000", "text"])?, REFUSED)?;
        fails(&network.assay(&["job", "4000000000"])?, REFUSED)?;
        let nobody = format!("--rpc=ws://127.0.0.1:{}", free_port()?);
        let mut command = Command::new(network.site.program("assay")?);
        fails(command.args(["balance", CLIENT, "--json", &nobody]), NOT_REACHED)
    });
}

/// What an account has, in the smallest unit.
struct Funds {
    free: u128,
    held: u128,
}

impl Funds {
    fn of(balance: &Value) -> Result<Self> {
        let (free, held) = (number(&balance["free"])?, number(&balance["held"])?);
        Ok(Self { free, held })
    }
}

/// A number that JSON has as a string of digits.
fn number(value: &Value) -> Result<u128> {
    let digits = value
        .as_str()
        .with_context(|| format!("expected digits, got {value}"))?;
    digits
        .parse()
        .with_context(|| format!("expected digits, got {digits:?}"))
}

/// Has `texts` embedded by `assay infer`, which reads them from standard input, and watches the job from another
/// `assay`, which is to have the id `job`. Returns what both printed.
fn infer_and_watch(network: &Network, model: &str, texts: &[&str], job: u64) -> Result<(Value, String)> {
    let file = network.site.dir().join("sentences.txt");
    fs::write(&file, texts.join("\n"))?;
    let infer = network.assay(&["infer", model, "--input", "-"])?;
    let mut with_input = Command::new("sh");
    with_input.args(["-c", r#"exec "$@" <"$0""#]).arg(&file);
    with_input.arg(infer.get_program()).args(infer.get_args());
    let rpc = network.node.rpc();
    thread::scope(|scope| {
        let inferring = scope.spawn(|| localnet::output(&with_input));
        let end = Instant::now() + SOON;
        while rpc.call("compute_job", json!([job])).map_or(true, |job| job.is_null()) {
            if inferring.is_finished() || Instant::now() > end {
                let inferred = inferring.join().unwrap_or_else(|_| bail!("the thread panicked"));
                bail!("there is no job {job}; `assay infer` gave {inferred:?}");
            }
            thread::sleep(POLL);
        }
        let watched = localnet::output(&network.assay(&["job", &job.to_string(), "--watch"])?)?;
        let inferred = inferring.join().unwrap_or_else(|_| bail!("the thread panicked"))?;
        Ok((serde_json::from_str(&inferred)?, watched))
    })
}

/// Whether `assay job --watch` printed one JSON object a line, from before the end to the end, which is `job`.
fn check_watched(watched: &str, job: &Value) -> Result<()> {
    let updates = watched
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).with_context(|| line.to_string()));
    let updates = updates.collect::<Result<Vec<_>>>()?;
    let names: Vec<_> = updates.iter().map(|update| &update["job"]["phase"]["name"]).collect();
    let [begin, .., _] = &names[..] else {
        bail!("expected several changes, got {names:?}");
    };
    ensure!(**begin != "settled", "it was settled when it was first seen: {names:?}");
    let last = updates.last().context("no changes")?;
    ensure!(last["job"] == *job, "expected {job} in the end, got {last}");
    ensure!(job["phase"]["name"] == "settled", "expected a settled job, got {job}");
    Ok(())
}

/// Whether the account paid what `jobs` say, beside transaction fees, and has their deposits on hold.
fn check_funds(before: &Funds, after: &Funds, jobs: &Value) -> Result<()> {
    const MOST_FEES: u128 = 1_000_000_000_000;
    let (mut paid, mut deposits) = (0, 0);
    for job in jobs.as_array().context("no jobs")? {
        let payment = &job["phase"]["payment"];
        for part in ["worker", "artifact", "treasury", "burned"] {
            paid += number(&payment[part])?;
        }
        deposits += number(&job["deposit"])?;
    }
    let held = after.held - before.held;
    ensure!(
        held == deposits && held > 0,
        "{held} is on hold, expected the deposits, {deposits}"
    );
    let fees = (before.free + before.held) - (after.free + after.held) - paid;
    ensure!(
        fees > 0 && fees < MOST_FEES,
        "paid {paid} for the jobs and {fees} beside them"
    );
    Ok(())
}

/// Whether `assay workers` and the worker's metrics count two more jobs than it had `before`, in the metrics at least two.
fn check_worker(network: &Network, before: &Value) -> Result<()> {
    const SETTLED: &str = r#"assay_worker_jobs_total{outcome="settled"}"#;
    let after = &network.assay_json(&["workers"])?[0];
    let settled = |worker: &Value| {
        worker["settled"]
            .as_u64()
            .with_context(|| format!("no count in {worker}"))
    };
    ensure!(
        settled(after)? == settled(before)? + 2,
        "expected two more jobs than {before}, got {after}"
    );
    ensure!(
        after["activeJobs"] == 0 && after["locked"] == "0",
        "expected it to be idle, got {after}"
    );
    // It counts what is final
    let end = Instant::now() + SOON;
    while localnet::metric(&network.worker.metrics()?, SETTLED).unwrap_or(0.0) < 2.0 {
        ensure!(
            Instant::now() < end,
            "{SETTLED} is below 2 in {}",
            network.worker.metrics()?
        );
        thread::sleep(POLL);
    }
    Ok(())
}
