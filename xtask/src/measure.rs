//! `cargo xtask weights`: measures the weights of our pallets and writes them into the runtime.

use crate::{cargo::Cargo, report::Report, setup};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use xtask::{process, weights};

/// The measuring program and its version, which belongs to the SDK's.
const BENCHER: (&str, &str) = ("frame-omni-bencher", "0.28.0");

/// Points at which each component is measured.
const STEPS: u32 = 50;

/// Times each point is measured.
const REPEAT: u32 = 20;

/// Flags with paths of this machine.
const RUNTIME_FLAG: &str = "--runtime=";
const HEADER_FLAG: &str = "--header=";
const OUTPUT_FLAG: &str = "--output=";

/// First lines of a weight file, before the line with the digest.
const HEADER: &str = "// Copyright (C) the Assay authors.\n// SPDX-License-Identifier: Apache-2.0\n";

/// Measures all pallets.
pub(crate) fn run(report: &Report) -> Result<()> {
    let machine = setup::run_without_test_models(report)?;
    setup::ensure_libclang(report)?;
    let cargo = Cargo::new(report, machine)?;
    let bencher = install(report, &cargo)?;

    report.step("The runtime with benchmarks");
    // The build script of the whole-system tests makes it
    cargo.workspace("test", &["--no-run"])?;
    let runtime = cargo
        .target_dir()
        .join("release/wbuild/assay-runtime/checked_runtime.compact.compressed.wasm");

    for (folder, pallet) in weights::PALLETS {
        report.step(&format!("Measuring {pallet}"));
        measure(&bencher, &runtime, &cargo.target_dir(), folder, pallet)?;
        report.say(&format!("written: {}", weights::file(pallet).display()));
    }
    Ok(())
}

/// Builds the measuring program, once; returns its path.
fn install(report: &Report, cargo: &Cargo) -> Result<PathBuf> {
    let (name, version) = BENCHER;
    let tools = cargo.target_dir().join("tools").join(format!("{name}-{version}"));
    let program = tools.join("bin").join(name);
    report.step(&format!("{name} {version}"));
    if program.is_file() {
        report.say(&format!("{}: is there", program.display()));
        return Ok(program);
    }
    report.say("installing it; this takes half an hour, once");
    let mut install = cargo.command("install");
    // Its dependencies have other features than the workspace's: apart, neither disturbs the other
    install
        .env("CARGO_TARGET_DIR", tools.join("target"))
        .args([name, "--version", version, "--locked"]);
    process::run(install.arg("--root").arg(&tools))?;
    fs::remove_dir_all(tools.join("target")).context("cannot remove what building it left behind")?;
    Ok(program)
}

fn measure(bencher: &Path, runtime: &Path, scratch: &Path, folder: &str, pallet: &str) -> Result<()> {
    let header = scratch.join(format!("{pallet}.header"));
    fs::write(
        &header,
        format!("{HEADER}{}{}\n", weights::DIGEST_LINE, weights::code_digest(folder)?),
    )?;
    let output = weights::file(pallet);
    let mut command = Command::new(bencher);
    command
        .args([
            "v1",
            "benchmark",
            "pallet",
            "--genesis-builder=runtime",
            "--genesis-builder-preset=development",
        ])
        .args([
            format!("--steps={STEPS}"),
            format!("--repeat={REPEAT}"),
            format!("--pallet={pallet}"),
        ])
        .args(["--extrinsic=*", "--quiet"])
        .arg(format!("{RUNTIME_FLAG}{}", runtime.display()))
        .arg(format!("{HEADER_FLAG}{}", header.display()))
        .arg(format!("{OUTPUT_FLAG}{}", output.display()));
    process::run(&mut command)?;
    fs::remove_file(&header)?;
    let text = fs::read_to_string(&output).with_context(|| format!("cannot read {}", output.display()))?;
    fs::write(&output, tidy(&text)).with_context(|| format!("cannot write {}", output.display()))
}

/// A weight file without the paths and the name of this machine: they say nothing to anyone else.
fn tidy(text: &str) -> String {
    let (bencher, _) = BENCHER;
    let names_file = |line: &&str| {
        [RUNTIME_FLAG, HEADER_FLAG, OUTPUT_FLAG]
            .iter()
            .any(|flag| line.contains(flag))
    };
    text.lines()
        .filter(|line| !names_file(line))
        .map(|line| match line.split_once("CPU: ") {
            Some((hostname, cpu)) if hostname.starts_with("//! HOSTNAME") => format!("//! CPU: {cpu}\n"),
            _ if line.starts_with("// ") && line.ends_with(&format!("/{bencher}")) => format!("// {bencher}\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tidy_should_take_out_what_names_this_machine() {
        let text = "//! HOSTNAME: `here`, CPU: `Some CPU`\n\n// Executed Command:\n// /here/tools/frame-omni-bencher\n\
                    // v1\n// --steps=50\n// --runtime=/here/runtime.wasm\n// --header=/here/h\n// --output=/here/o\n\n\
                    fn weight() {}\n";
        let tidied = "//! CPU: `Some CPU`\n\n// Executed Command:\n// frame-omni-bencher\n// v1\n// --steps=50\n\nfn weight() {}\n";
        assert_eq!(tidy(text), tidied);
    }
}
