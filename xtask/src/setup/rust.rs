//! The Rust toolchain that builds the native side.

use crate::report::Report;
use anyhow::{bail, ensure, Context, Result};
use std::{path::PathBuf, process::Command, time::Duration};
use xtask::process::{self, output_within, succeeds};

/// The release the workspace is written for (`rust-version` in Cargo.toml).
const RELEASE: (u32, u32) = (1, 95);

/// How long downloading a part of a toolchain may take.
pub(super) const DOWNLOAD_LIMIT: Duration = Duration::from_secs(300);

/// Checks the compiler and adds the formatter and the linter to it.
pub(super) fn ensure(report: &Report) -> Result<()> {
    let version = process::output(Command::new("rustc").arg("--version")).context("install Rust by rustup")?;
    ensure!(
        suffices(&version),
        "{}: expected Rust {}.{} or newer; `rustup update stable`, then run this again",
        version.trim(),
        RELEASE.0,
        RELEASE.1
    );
    report.say(&format!("Rust: {}", version.trim()));
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if succeeds(Command::new("cargo").args([subcommand, "--version"])) {
            report.say(&format!("{component}: is there"));
            continue;
        }
        report.say(&format!("{component}: adding it by rustup"));
        let mut add = Command::new("rustup");
        // What it says of its own innards is of no use here
        add.env_remove("RUST_BACKTRACE");
        if let Err(error) = output_within(add.args(["component", "add", component]), DOWNLOAD_LIMIT) {
            bail!("{component} is missing: `rustup component add {component}` by hand ({error:#})");
        }
    }
    Ok(())
}

/// Release of a compiler by the first line it prints of itself.
pub(super) fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split_whitespace().nth(1)?.split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Whether a compiler release can build the workspace.
pub(super) fn suffices(version: &str) -> bool {
    release(version).is_some_and(|got| got >= RELEASE)
}

/// Folder of the toolchain in use.
pub(super) fn sysroot() -> Result<PathBuf> {
    Ok(PathBuf::from(
        process::output(Command::new("rustc").args(["--print", "sysroot"]))?.trim(),
    ))
}

/// Triple of this machine, as the compiler names it.
pub(super) fn host() -> Result<String> {
    let text = process::output(Command::new("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_should_be_read_from_what_the_compiler_prints() {
        assert_eq!(release("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(release("rustc 1.97.0-nightly (59807616e 2026-04-14)"), Some((1, 97)));
        assert_eq!(release("no compiler"), None);
        assert!(!suffices(
            "rustc 1.85.0 (4d91de4e4 2025-02-17) (built from a source tarball)"
        ));
    }
}
