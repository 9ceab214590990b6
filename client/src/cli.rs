//! The command line: what can be asked, and how each command ends.

mod balance;
mod context;
mod embed;
mod estimate;
mod failure;
mod job;
mod jobs;
mod model;
mod output;
mod progress;
mod render;
mod request;
mod workers;

use clap::{Args, Parser, Subcommand};
use context::Context;
use failure::Failure;
use std::{io::IsTerminal, path::PathBuf, process::ExitCode};
use tracing_subscriber::EnvFilter;

/// Appended to `assay --help`.
const NOTES: &str = "\
Exit codes:
  0  done
  1  wrong usage, bad input, or something on this machine
  2  the chain or its node refused, or knows no such model or job
  3  the job failed, or nobody could or did run it
  4  the node or a blob server cannot be reached

Example:
  assay embed 0 'A cat sits on the mat.' 'A kitten rests on a rug.' --key //Alice";

/// Publishes models and has them run on the Assay chain.
#[derive(Debug, Parser)]
#[command(name = "assay", version, after_help = NOTES, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What all commands share.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
struct Global {
    /// The node's JSON-RPC address
    #[arg(
        long,
        global = true,
        env = "ASSAY_RPC",
        value_name = "URL",
        default_value = "ws://127.0.0.1:9944"
    )]
    rpc: String,

    /// What signs and pays: a file with a secret phrase or seed that only you can read, or a
    /// development key like //Alice
    #[arg(
        long,
        global = true,
        env = "ASSAY_KEY",
        value_name = "FILE|//NAME",
        hide_env_values = true
    )]
    key: Option<String>,

    /// Folder of blobs: packages to publish, and what was fetched [default: assay/blobs in the user's
    /// data folder]
    #[arg(long, global = true, env = "ASSAY_BLOBS", value_name = "DIR")]
    blobs: Option<PathBuf>,

    /// Where else to look for blobs: an HTTP server or a folder; may be repeated. Workers that have
    /// the model are asked too
    #[arg(long = "blob-source", global = true, value_name = "URL|DIR")]
    blob_sources: Vec<String>,

    /// Print JSON, for programs; amounts are strings of the smallest unit, 10⁻¹² ASY
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Publishes a model, or shows one
    #[command(subcommand)]
    Model(model::Model),
    Embed(embed::Embed),
    Infer(embed::Infer),
    Job(job::Job),
    Jobs(jobs::Jobs),
    Workers(workers::Workers),
    Estimate(estimate::Estimate),
    Balance(balance::Balance),
}

/// Runs the command that the process was started with.
pub(crate) fn main() -> ExitCode {
    let Cli { global, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Clap's own code for wrong usage is what we use for refusals.
            let code = if error.use_stderr() { failure::OTHER } else { 0 };
            // Nothing is left to do if the terminal is gone.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    // Standard error is for programs too when they asked for JSON.
    let level = if global.json { "error" } else { "error,chain=warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let json = global.json;
    match run(global, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

fn run(global: Global, command: Command) -> Result<(), Failure> {
    let context = Context::new(global);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("cannot start threads: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Model(command) => command.run(&context).await,
            Command::Embed(command) => command.run(&context).await,
            Command::Infer(command) => command.run(&context).await,
            Command::Job(command) => command.run(&context).await,
            Command::Jobs(command) => command.run(&context).await,
            Command::Workers(command) => command.run(&context).await,
            Command::Estimate(command) => command.run(&context).await,
            Command::Balance(command) => command.run(&context).await,
        }
    })
}

#[cfg(test)]
mod tests;
