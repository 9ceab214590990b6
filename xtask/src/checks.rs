//! `cargo xtask test`: everything that CI runs.

use crate::{cargo::Cargo, report::Report, setup};
use anyhow::{Context, Result};
use xtask::js;

/// Tests of one program that run at the same time.
const TEST_THREADS: &str = "4";

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
    report.step("Lints and documentation, warnings denied");
    cargo.workspace("clippy", &["--all-targets", "--", "-D", "warnings"])?;
    let mut doc = cargo.workspace_command("doc", &["--no-deps", "--document-private-items"]);
    xtask::process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;

    report.step("Tests: units, pallets, the real runtime, the whole system");
    let mut test = cargo.workspace_command("test", &[]);
    // Whole-system tests wait for blocks more than they compute
    xtask::process::run(test.env("RUST_TEST_THREADS", TEST_THREADS))?;

    println!("\ntest result: ok. All checks passed in {}.", report.elapsed().trim());
    Ok(())
}
