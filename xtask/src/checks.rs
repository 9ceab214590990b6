//! `cargo xtask test`: everything that CI runs.

use crate::{cargo::Cargo, report::Report, setup};
use anyhow::{Context, Result};
use xtask::js;

/// Runs all checks; the first one that fails ends it.
pub(crate) fn run(report: &Report) -> Result<()> {
    let machine = setup::run(report)?;
    let cargo = Cargo::new(report, machine)?;
    js::install(|line| report.say(line))?;

    report.step("Formatting");
    xtask::process::run(cargo.command("fmt").args(["--all", "--check"]))
        .context("the formatting differs from rustfmt's: `cargo fmt --all` mends it")?;

    report.step("Programs and tests: building");
    cargo.build_programs()?;
    cargo.workspace("test", &["--no-run"])?;

    // After the build, which has made the runtime's WASM: clippy must not, being another compiler
    report.step("Lints, warnings denied");
    cargo.workspace("clippy", &["--all-targets", "--", "-D", "warnings"])?;

    report.step("Tests: units, pallets, the real runtime, the whole system");
    cargo.workspace("test", &[])?;

    println!("\ntest result: ok. All checks passed in {}.", report.elapsed().trim());
    Ok(())
}
