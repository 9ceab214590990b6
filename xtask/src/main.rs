//! `cargo xtask`: set-up, demo, tests and weights.

mod report;
mod setup;

use anyhow::Result;
use clap::{Parser, Subcommand};
use report::Report;

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
}

fn main() -> Result<()> {
    let report = Report::new();
    match Arguments::parse().command {
        Command::Setup => setup::run(&report).map(|_| ()),
    }
}
