//! `cargo xtask setup`: brings a machine with Rust, git and access to package registries to a state
//! in which everything builds. Does nothing twice, and says what it does.

mod packages;
mod rust;
mod wasm;

use crate::report::Report;
use anyhow::Result;
use xtask::models;

pub(crate) use wasm::TOOLCHAIN_VARIABLE;

/// What later steps must know of the machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Toolchain that builds the runtime's WASM, where it is not the one in use.
    pub(crate) wasm_toolchain: Option<String>,
}

/// Makes the machine ready for everything.
pub(crate) fn run(report: &Report) -> Result<Machine> {
    let machine = run_without_test_models(report)?;
    fetch_test_models(report)?;
    Ok(machine)
}

/// Makes the machine ready for everything but tests: what only these use is large.
pub(crate) fn run_without_test_models(report: &Report) -> Result<Machine> {
    report.step("Set-up: what building and testing need");
    packages::ensure_tools(report)?;
    rust::ensure(report)?;
    let wasm_toolchain = wasm::ensure(report)?;
    models::fetch_minilm(|line| report.say(line))?;
    Ok(Machine { wasm_toolchain })
}

fn fetch_test_models(report: &Report) -> Result<()> {
    if !models::are_there_for_tests() {
        packages::ensure_pip(report)?;
    }
    models::fetch_for_tests(|line| report.say(line))
}

/// Makes the C library there that reads C headers, which the measuring program's database needs to
/// be built.
pub(crate) fn ensure_libclang(report: &Report) -> Result<()> {
    packages::ensure_packages(report, &["libclang-dev"])
}

/// Makes what Python's environments need there.
pub(crate) fn ensure_venv(report: &Report) -> Result<()> {
    packages::ensure_packages(report, &["python3-venv"])
}
