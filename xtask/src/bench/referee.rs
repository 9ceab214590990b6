//! `cargo xtask bench referee`: what the recomputation of an element costs in the runtime's WASM.

use crate::{cargo::Cargo, report::Report, setup};
use anyhow::Result;
use std::process::Command;
use xtask::process;

/// The program that measures, an example of the whole-system tests.
const PROGRAM: &str = "referee";

/// Builds the program and runs it.
pub(crate) fn run(report: &Report) -> Result<()> {
    let cargo = Cargo::new(report, setup::run_without_test_models(report)?)?;
    report.step("The runtime's WASM and the program that asks it");
    cargo.workspace("build", &["--example", PROGRAM])?;
    report.step("Recomputing elements of every operator");
    let program = cargo.target_dir().join("release/examples").join(PROGRAM);
    process::run(&mut Command::new(program))
}
