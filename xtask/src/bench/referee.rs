//! `cargo xtask bench referee`: what the recomputation of an element costs in the runtime's WASM.

use crate::{cargo::Cargo, report::Report};
use anyhow::Result;
use std::process::Command;
use xtask::process;

/// The program that measures, an example of the whole-system tests.
const PROGRAM: &str = "referee";

/// Builds the program and runs it.
pub(crate) fn run(report: &Report, cargo: &Cargo) -> Result<()> {
    report.step("The runtime's WASM and the program that asks it");
    let program = super::example(cargo, PROGRAM)?;
    report.step("Recomputing elements of every operator");
    process::run(&mut Command::new(program))
}
