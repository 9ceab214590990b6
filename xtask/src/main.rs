//! `cargo xtask`: set-up, demo, tests, benchmarks and weights.

mod bench;
mod cargo;
mod checks;
mod demo;
mod measure;
mod report;
mod setup;

use bench::Benchmark;
use clap::{Parser, Subcommand};
use report::Report;
use std::process::ExitCode;

/// Everything that is done with this repository. Each command installs what it needs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Brings this machine to a state in which everything builds. Does nothing twice.
    Setup,
    /// From tools to a paid inference and a vote, on a development chain of real processes.
    Demo,
    /// Everything that CI runs: formatting, lints, tests, the real runtime, the whole system.
    Test,
    /// What takes too long for each change: every scalar function over all 2^32 inputs, natively and in
    /// WASM, all models fetched anew.
    Exhaustive,
    /// Measures how long something takes, and says so.
    #[command(subcommand)]
    Bench(Benchmark),
    /// Measures the weights of our pallets and writes them into the runtime.
    Weights,
}

fn main() -> ExitCode {
    let report = Report::new();
    let done = match Arguments::parse().command {
        Command::Setup => setup::run(&report).map(|_| ()),
        Command::Demo => demo::run(&report),
        Command::Test => return checks::run(&report),
        Command::Exhaustive => checks::run_ignored(&report),
        Command::Weights => measure::run(&report),
        Command::Bench(benchmark) => bench::run(&report, &benchmark),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report.failed(&error);
            ExitCode::FAILURE
        }
    }
}
