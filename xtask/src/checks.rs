//! `cargo xtask test`: everything that CI runs.

mod count;

use crate::{cargo::Cargo, demo, report::Report, setup};
use anyhow::{Context, Result};
use count::Count;
use std::process::ExitCode;
use xtask::{js, process};

/// Tests of one program that run at the same time.
const TEST_THREADS: &str = "4";

/// The file of tests that compare the runtime's WASM with native code.
const WASM_TESTS: &str = "exact";

/// Runs all checks; the first one that fails ends it. The last line says how it went, and how many tests ran.
pub(crate) fn run(report: &Report) -> ExitCode {
    let mut count = Count::default();
    let done = all(report, &mut count);
    let after = report.elapsed();
    match done {
        Ok(()) => {
            println!("\ntest result: ok. {count}; all checks passed in {}", after.trim());
            ExitCode::SUCCESS
        }
        Err(error) => {
            report.failed(&error);
            println!("\ntest result: FAILED. {count}; a check failed after {}", after.trim());
            ExitCode::FAILURE
        }
    }
}

/// Runs the tests that [`run`] leaves out: those marked as ignored, each of which says why.
pub(crate) fn run_ignored(report: &Report) -> Result<()> {
    let cargo = Cargo::new(report, setup::run(report)?)?;
    report.step("Tests that take long: about an hour");
    cargo.workspace(
        "test",
        &["--lib", "--test", WASM_TESTS, "--", "--ignored", "--nocapture"],
    )
}

fn all(report: &Report, count: &mut Count) -> Result<()> {
    let machine = setup::run(report)?;
    let cargo = Cargo::new(report, machine)?;
    js::install(|line| report.say(line))?;

    report.step("Formatting");
    process::run(cargo.command("fmt").args(["--all", "--check"]))
        .context("the formatting differs from rustfmt's: `cargo fmt --all` mends it")?;

    report.step("Programs and tests: building");
    cargo.build_programs()?;
    cargo.workspace("test", &["--no-run"])?;

    report.step("Lints and documentation, warnings denied");
    // Clippy has build scripts of its own, which would make the runtime's WASM anew, and later steps would find it changed
    let mut clippy = cargo.workspace_command("clippy", &["--all-targets", "--keep-going", "--", "-D", "warnings"]);
    process::run(clippy.env("SKIP_WASM_BUILD", "1"))?;
    let mut doc = cargo.workspace_command("doc", &["--no-deps", "--document-private-items"]);
    process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;

    report.step("Tests: units, pallets, the real runtime, the whole system");
    let mut test = cargo.workspace_command("test", &[]);
    // Whole-system tests wait for blocks more than they compute
    test.env("RUST_TEST_THREADS", TEST_THREADS);
    process::run_seen(&mut test, |line| count.add(line))?;

    report.step("The demo, with what was built");
    demo::run_built(report, &cargo)
}
