//! `assay-worker doctor`: what keeps this worker from earning, and how to mend it.

mod local;

use crate::{config::Config, metrics::Metrics, models::Models};
use assay_blobs::{BlobId, BlobSource, FolderStore, Resolver, SourceError};
use assay_client::{
    amount,
    chain::{BlockAt, Chain},
    keys::Keypair,
    AccountId, Balance, Worker,
};
use assay_types::ArtifactId;
use clap::Args;
use serde::Serialize;
use std::{process::ExitCode, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// Blocks that finality may lag behind without a warning.
const FINALITY_LAG: u32 = 20;

/// How long a new block may take: three slots, and some.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(12);

/// How long an HTTP server may take to say whether it has a blob.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(10);

/// A hot key with less money than this may soon be unable to pay for transactions.
const LOW_FUNDS: Balance = amount::ASY / 10;

/// How to show it.
#[derive(Args)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    Failure,
}

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// What was looked at.
    what: &'static str,
    level: Level,
    /// What was found.
    found: String,
    /// How to mend it, if it is to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

impl Finding {
    fn ok(what: &'static str, found: impl ToString) -> Self {
        Self {
            what,
            level: Level::Ok,
            found: found.to_string(),
            mend: None,
        }
    }

    fn warning(what: &'static str, found: impl ToString, mend: impl Into<String>) -> Self {
        Self {
            what,
            level: Level::Warning,
            found: found.to_string(),
            mend: Some(mend.into()),
        }
    }

    fn failure(what: &'static str, found: impl ToString, mend: impl Into<String>) -> Self {
        Self {
            what,
            level: Level::Failure,
            found: found.to_string(),
            mend: Some(mend.into()),
        }
    }
}

/// Looks at everything; the exit code is that of failure if anything is one.
pub(crate) async fn run(config: &Config, options: &Options) -> anyhow::Result<ExitCode> {
    let mut findings = Vec::new();
    let mut note = |finding: Finding| {
        if !options.json {
            print(&finding);
        }
        findings.push(finding);
    };

    let key = match config
        .key()
        .map_err(anyhow::Error::from)
        .and_then(|key| Ok(Keypair::load(key)?))
    {
        Ok(key) => {
            note(Finding::ok("hot key", key.account()));
            Some(key)
        }
        Err(error) => {
            note(Finding::failure(
                "hot key",
                error,
                "give the worker's hot key by --key, ASSAY_KEY or `key` in the TOML file",
            ));
            None
        }
    };
    note(local::state_dir(&config.state_dir));
    note(local::blob_dir(&config.blob_dir));
    for address in &config.blob_sources {
        note(source("blob source", address).await);
    }

    match Chain::connect(&config.node).await {
        Err(error) => {
            note(Finding::failure(
                "node",
                error,
                "start the node, or give its URL by --node, ASSAY_RPC or `node` in the TOML file",
            ));
        }
        Ok(chain) => {
            for finding in node(&chain).await {
                note(finding);
            }
            if let Some(key) = key {
                for finding in registration(&chain, &key.account(), config).await {
                    note(finding);
                }
            }
            for finding in models(&chain, config).await {
                note(finding);
            }
        }
    }

    if options.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    }
    let worst = findings.iter().map(|finding| finding.level).max();
    Ok(if worst == Some(Level::Failure) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn print(finding: &Finding) {
    let level = match finding.level {
        Level::Ok => "ok  ",
        Level::Warning => "warn",
        Level::Failure => "FAIL",
    };
    println!("{level}  {}: {}", finding.what, finding.found);
    if let Some(mend) = &finding.mend {
        println!("      → {mend}");
    }
}

/// Whether the node is on a chain that goes on, and the clock is right.
async fn node(chain: &Chain) -> Vec<Finding> {
    const NODE: &str = "node";
    let (best, finalized) = match tokio::try_join!(chain.best(), chain.finalized()) {
        Ok(heads) => heads,
        Err(error) => return vec![Finding::failure(NODE, error, "look at the node's log")],
    };
    let found = format!(
        "{}, chain {:?}, block {}",
        chain.url(),
        chain.genesis_hash(),
        best.number
    );
    let mut findings = vec![Finding::ok(NODE, found)];
    match next_block(&best).await {
        Some(block) => {
            findings.push(Finding::ok("blocks", format!("block {} has come", block.number)));
            findings.push(local::clock(&block).await);
        }
        None => findings.push(Finding::failure(
            "blocks",
            format!("no block after {} within {} s", best.number, BLOCK_TIMEOUT.as_secs()),
            "the node does not follow the chain, or nobody makes blocks: look at its peers and its log",
        )),
    }
    let lag = best.number.saturating_sub(finalized.number);
    findings.push(if lag <= FINALITY_LAG {
        Finding::ok("finality", format!("{lag} blocks behind the best"))
    } else {
        let mend = "validators are missing, or the node is still synchronising; jobs go on, but payments are not final";
        Finding::warning(
            "finality",
            format!("{lag} blocks behind the best, expected at most {FINALITY_LAG}"),
            mend,
        )
    });
    findings
}

/// The next best block, if there is one in time.
async fn next_block(best: &BlockAt) -> Option<BlockAt> {
    let next = async {
        loop {
            match best.chain().best().await {
                Ok(block) if block.number > best.number => return block,
                _ => sleep(Duration::from_millis(500)).await,
            }
        }
    };
    timeout(BLOCK_TIMEOUT, next).await.ok()
}

/// Whether the chain knows the worker, and it could be given jobs.
async fn registration(chain: &Chain, hot: &AccountId, config: &Config) -> Vec<Finding> {
    const REGISTRATION: &str = "registration";
    let state = async {
        let block = chain.best().await?;
        let (worker, funds) = tokio::try_join!(block.worker(hot), block.funds(hot))?;
        Ok::<_, assay_client::chain::ChainError>((worker, funds))
    };
    let (worker, funds) = match state.await {
        Ok(state) => state,
        Err(error) => return vec![Finding::failure(REGISTRATION, error, "look at the node's log")],
    };
    let Some(worker) = worker else {
        let mend = "register it: assay-worker register --cold-key FILE --bond ASY --ask ASY --endpoint URL --fund ASY";
        return vec![Finding::failure(
            REGISTRATION,
            format!("no worker has the hot key {hot}"),
            mend,
        )];
    };
    let mut findings = vec![
        if worker.hot_key == *hot {
            Finding::ok(REGISTRATION, format!("worker {}", worker.account))
        } else {
            let found = format!(
                "{hot} is the cold account of a worker whose hot key is {}",
                worker.hot_key
            );
            Finding::failure(
                REGISTRATION,
                found,
                "give the hot key, and keep the cold one away from this machine",
            )
        },
        money(funds.usable()),
        bond(&worker),
        taking_jobs(&worker),
    ];
    findings.extend(endpoint(&worker, config).await);
    findings.push(declared(&worker, &config.models));
    findings
}

/// Whether the hot key can pay for transactions.
fn money(usable: Balance) -> Finding {
    const MONEY: &str = "hot key's money";
    let found = amount::format(usable);
    let mend = "send some to the hot key, or run `assay-worker register --fund ASY`; each job takes three transactions";
    match usable {
        0 => Finding::failure(MONEY, found, mend),
        low if low < LOW_FUNDS => Finding::warning(MONEY, found, mend),
        _ => Finding::ok(MONEY, found),
    }
}

/// Whether any bond is left for another job.
fn bond(worker: &Worker) -> Finding {
    const BOND: &str = "bond";
    let found = format!(
        "{}, of which {} locked",
        amount::format(worker.bond),
        amount::format(worker.locked)
    );
    if worker.bond > worker.locked {
        Finding::ok(BOND, found)
    } else {
        Finding::failure(
            BOND,
            found,
            "raise it, or no job can be assigned: assay-worker register --cold-key FILE --bond ASY",
        )
    }
}

fn taking_jobs(worker: &Worker) -> Finding {
    const JOBS: &str = "jobs";
    let record = format!(
        "{} in progress, {} settled, {} deadlines missed",
        worker.active_jobs, worker.settled, worker.missed
    );
    if worker.chilled {
        let mend =
            "start `assay-worker run`, which takes jobs again; if it was running, deadlines were missed: see its log";
        Finding::warning(JOBS, format!("takes none; {record}"), mend)
    } else {
        Finding::ok(JOBS, record)
    }
}

/// Whether others can fetch output where the chain says.
async fn endpoint(worker: &Worker, config: &Config) -> Vec<Finding> {
    const ENDPOINT: &str = "endpoint";
    let registered = String::from_utf8_lossy(&worker.endpoint).into_owned();
    let mut findings = Vec::new();
    if let Some(configured) = config
        .endpoint
        .as_deref()
        .filter(|configured| *configured != registered)
    {
        let found = format!("{registered:?} is registered, expected {configured:?} as configured");
        findings.push(Finding::failure(
            ENDPOINT,
            found,
            "bring it up to date: assay-worker register --cold-key FILE",
        ));
    }
    if registered.is_empty() {
        let mend = "submitters must get output in another way; to serve it set `blob_listen` and `endpoint`, and register again";
        findings.push(Finding::warning(ENDPOINT, "none is registered", mend));
    } else {
        findings.push(source(ENDPOINT, &registered).await);
    }
    findings
}

/// Whether the chain has the configured models as ready.
fn declared(worker: &Worker, models: &[ArtifactId]) -> Finding {
    const DECLARED: &str = "declared models";
    let missing: Vec<_> = models.iter().filter(|id| !worker.ready.contains(id)).collect();
    let found = format!("{:?}", worker.ready);
    if models.is_empty() {
        Finding::warning(
            DECLARED,
            found,
            "no models are configured: give ids by --models or `models` in the TOML file",
        )
    } else if missing.is_empty() {
        Finding::ok(DECLARED, found)
    } else {
        let mend = "`assay-worker run` declares them once they are loaded; if it is running, see its log";
        Finding::warning(DECLARED, format!("{found}, without {missing:?}"), mend)
    }
}

/// Whether a blob source or server answers. It need not have the blob that it is asked for.
async fn source(what: &'static str, address: &str) -> Finding {
    let mend = "check the address, and that something serves blobs there";
    let source = match assay_blobs::source(address) {
        Ok(source) => source,
        Err(error) => return Finding::failure(what, error, mend),
    };
    match ask(source.as_ref()).await {
        Ok(()) => Finding::ok(what, address),
        Err(reason) => Finding::failure(what, format!("{address}: {reason}"), mend),
    }
}

async fn ask(source: &dyn BlobSource) -> Result<(), String> {
    match timeout(SOURCE_TIMEOUT, source.fetch(&BlobId::of(&[]))).await {
        Ok(Ok(_) | Err(SourceError::NotFound)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", SOURCE_TIMEOUT.as_secs())),
    }
}

/// Whether the configured models can be fetched, loaded and run.
async fn models(chain: &Chain, config: &Config) -> Vec<Finding> {
    const MODEL: &str = "model";
    let prepared = async {
        let sources = config.blob_sources.iter().map(|address| assay_blobs::source(address));
        let resolver = Resolver::new(FolderStore::open(&config.blob_dir)?, sources.collect::<Result<_, _>>()?);
        let models = Models::new(resolver, Arc::new(Metrics::new()?)).on_gpu(config.gpu);
        Ok::<_, anyhow::Error>((models, chain.best().await?))
    };
    let (models, block) = match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => return vec![Finding::failure(MODEL, format!("{error:#}"), "see the findings above")],
    };
    let mut findings = Vec::new();
    for id in &config.models {
        findings.push(match block.artifact(*id).await {
            Err(error) => Finding::failure(MODEL, error, "look at the node's log"),
            Ok(None) => Finding::failure(MODEL, format!("the chain has no artifact {id}"), "correct `models`"),
            Ok(Some(artifact)) if artifact.retired => {
                Finding::warning(MODEL, format!("{id} is retired: it gets no jobs"), "take it out of `models`")
            }
            Ok(Some(artifact)) => match models.get(&artifact).await {
                Ok(model) => {
                    let speed = model.speed() / 1_000_000;
                    Finding::ok(MODEL, format!("{id} ({}) runs at {speed} million work units a second", model.name))
                }
                Err(error) => {
                    let mend = "if a blob is missing, add a source that has it to `blob_sources`; otherwise take the model out of `models`";
                    Finding::failure(MODEL, format!("{id}: {error}"), mend)
                }
            },
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::worker;

    #[test]
    fn money_should_be_judged_by_what_transactions_cost() {
        assert_eq!(money(0).level, Level::Failure);
        assert_eq!(money(LOW_FUNDS - 1).level, Level::Warning);
        assert_eq!(money(LOW_FUNDS).level, Level::Ok);
    }

    #[test]
    fn bond_should_fail_when_all_of_it_is_locked() {
        let mut worker = worker(false, &[]);
        assert_eq!(bond(&worker).level, Level::Ok);
        worker.locked = worker.bond;
        assert_eq!(bond(&worker).level, Level::Failure);
    }

    #[test]
    fn chilled_worker_and_missing_models_should_be_warned_of() {
        assert_eq!(taking_jobs(&worker(true, &[])).level, Level::Warning);
        assert_eq!(taking_jobs(&worker(false, &[])).level, Level::Ok);
        assert_eq!(declared(&worker(false, &[1, 2]), &[2]).level, Level::Ok);
        assert_eq!(declared(&worker(false, &[1]), &[1, 2]).level, Level::Warning);
        assert_eq!(declared(&worker(false, &[]), &[]).level, Level::Warning);
    }

    #[tokio::test]
    async fn source_should_fail_when_nothing_is_there() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            source("blob source", folder.path().to_str().unwrap()).await.level,
            Level::Ok
        );
        assert_eq!(source("blob source", "http://127.0.0.1:1").await.level, Level::Failure);
    }
}
