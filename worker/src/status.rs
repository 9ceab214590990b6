//! `assay-worker status`: the worker, its money and its jobs as the chain has them.

use crate::config::Config;
use anyhow::Context;
use assay_client::{
    amount,
    chain::{Chain, Funds},
    keys::Keypair,
    AccountId, BlockNumber, Job, Worker,
};
use assay_types::{JobId, Phase};
use clap::Args;
use serde::Serialize;

/// How to show it.
#[derive(Args)]
pub(crate) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is shown. Amounts are decimal strings in the smallest unit, as JSON numbers would lose digits.
#[derive(Serialize)]
struct Status {
    block: BlockNumber,
    worker: AccountId,
    hot_key: AccountId,
    endpoint: String,
    chilled: bool,
    ready: Vec<u32>,
    bond: String,
    locked: String,
    ask: String,
    free: String,
    hot_key_free: String,
    settled: u64,
    missed: u64,
    delivered_units: String,
    jobs: Vec<JobStatus>,
}

#[derive(Serialize)]
struct JobStatus {
    id: JobId,
    attempt: u32,
    artifact: u32,
    phase: &'static str,
    until: Option<BlockNumber>,
}

/// Shows the worker of the configured hot key.
pub(crate) async fn run(config: &Config, options: &Options) -> anyhow::Result<()> {
    let hot = Keypair::load(config.key()?)?.account();
    let block = Chain::connect(&config.node).await?.best().await?;
    let worker = block.worker(&hot).await?;
    let worker = worker.with_context(|| {
        format!("expected a registered worker's hot key, got {hot}, which is none; register it with `assay-worker register`")
    })?;
    let jobs = block.assignments(&hot).await?;
    let (cold_funds, hot_funds) = (block.funds(&worker.account).await?, block.funds(&worker.hot_key).await?);
    if options.json {
        let status = status(block.number, &worker, &jobs, &cold_funds, &hot_funds);
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print(block.number, &worker, &jobs, &cold_funds, &hot_funds);
    }
    Ok(())
}

fn status(block: BlockNumber, worker: &Worker, jobs: &[Job], cold: &Funds, hot: &Funds) -> Status {
    Status {
        block,
        worker: worker.account.clone(),
        hot_key: worker.hot_key.clone(),
        endpoint: String::from_utf8_lossy(&worker.endpoint).into_owned(),
        chilled: worker.chilled,
        ready: worker.ready.clone(),
        bond: worker.bond.to_string(),
        locked: worker.locked.to_string(),
        ask: worker.ask.to_string(),
        free: cold.free.to_string(),
        hot_key_free: hot.free.to_string(),
        settled: worker.settled,
        missed: worker.missed,
        delivered_units: worker.delivered_units.to_string(),
        jobs: jobs.iter().map(job_status).collect(),
    }
}

fn job_status(job: &Job) -> JobStatus {
    JobStatus {
        id: job.id,
        attempt: job.attempt,
        artifact: job.spec.artifact,
        phase: job.phase.name(),
        until: until(job),
    }
}

/// The last block of the job's phase.
fn until(job: &Job) -> Option<BlockNumber> {
    match job.phase {
        Phase::Open { until }
        | Phase::Assigned { until, .. }
        | Phase::Running { until, .. }
        | Phase::Committed { until, .. }
        | Phase::Challengeable { until, .. } => Some(until),
        Phase::Settled { .. } | Phase::Failed { .. } | Phase::Cancelled | Phase::Expired => None,
    }
}

fn print(block: BlockNumber, worker: &Worker, jobs: &[Job], cold: &Funds, hot: &Funds) {
    let state = if worker.chilled {
        "chilled: takes no jobs"
    } else {
        "takes jobs"
    };
    println!("worker    {} ({state})", worker.account);
    println!("hot key   {} with {}", worker.hot_key, amount::format(hot.free));
    println!("endpoint  {}", String::from_utf8_lossy(&worker.endpoint));
    println!(
        "bond      {}, of which {} locked",
        amount::format(worker.bond),
        amount::format(worker.locked)
    );
    println!("ask       {} per billion multiply-adds", amount::format(worker.ask));
    println!("account   {}", amount::format(cold.free));
    println!("models    {:?}", worker.ready);
    println!(
        "record    {} jobs settled, {} deadlines missed",
        worker.settled, worker.missed
    );
    println!("block     {block}");
    println!("jobs      {}", jobs.len());
    for job in jobs {
        let until = until(job)
            .map(|until| format!(", until block {until}"))
            .unwrap_or_default();
        println!(
            "          job {} attempt {} of model {}: {}{until}",
            job.id,
            job.attempt,
            job.spec.artifact,
            job.phase.name()
        );
    }
}
