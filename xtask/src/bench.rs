//! `cargo xtask bench`: programs that measure.

mod referee;

use crate::report::Report;
use anyhow::Result;
use clap::Subcommand;

/// What is measured.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Bench {
    /// Recomputing one element of each operator in the runtime's WASM: time, and size of the openings.
    Referee,
}

/// Measures.
pub(crate) fn run(report: &Report, bench: Bench) -> Result<()> {
    match bench {
        Bench::Referee => referee::run(report),
    }
}
