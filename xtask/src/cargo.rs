//! Calling cargo, always alike: one profile, the whole workspace, one target folder. Another
//! selection of packages would unify other features, and compile half of the dependencies again.

use crate::{
    report::Report,
    setup::{Machine, TOOLCHAIN_VARIABLE},
};
use anyhow::{Context, Result};
use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::ErrorKind,
    path::PathBuf,
    process::Command,
};
use xtask::{models, process, workspace};

/// Arguments of every build.
const ALIKE: [&str; 3] = ["--release", "--workspace", "--locked"];

/// The workspace's cargo, and the target folder, which is ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Cargo {
    target_dir: PathBuf,
    models: PathBuf,
    wasm_toolchain: Option<String>,
    _lock: File,
}

impl Cargo {
    /// Takes the target folder. Another demo or test that uses it is waited for: it would be given
    /// our programs in the middle of its run.
    pub(crate) fn new(report: &Report, machine: Machine) -> Result<Self> {
        let target_dir = workspace::target_dir()?;
        fs::create_dir_all(&target_dir).with_context(|| format!("cannot make {}", target_dir.display()))?;
        report.say(&format!("target folder: {}", target_dir.display()));
        let path = target_dir.join(".xtask-lock");
        let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        if lock.try_lock().is_err() {
            report.say("waiting for another `cargo xtask` that uses this target folder");
            lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        let cargo = Self {
            target_dir,
            models: models::dir()?,
            wasm_toolchain: machine.wasm_toolchain,
            _lock: lock,
        };
        cargo.leave_other_checkout(report)?;
        Ok(cargo)
    }

    /// If another checkout built into the target folder last, removes what it made of the workspace's own crates. (Why:
    /// cargo names them alike in all checkouts and goes by the age of files, so it would take the other's
    /// for ours where those are newer.)
    fn leave_other_checkout(&self, report: &Report) -> Result<()> {
        let stamp = self.target_dir.join(".xtask-checkout");
        let this = workspace::root().as_os_str().as_encoded_bytes();
        match fs::read(&stamp) {
            Ok(last) if last == this => return Ok(()),
            Ok(_) => {
                report.say("another checkout built here last: its own crates are removed, dependencies stay");
                process::run(self.command("clean").args(["--release", "--workspace", "--quiet"]))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", stamp.display())),
        }
        fs::write(&stamp, this).with_context(|| format!("cannot write {}", stamp.display()))
    }

    /// The target folder.
    pub(crate) fn target_dir(&self) -> PathBuf {
        self.target_dir.clone()
    }

    /// Builds node, worker and client.
    pub(crate) fn build_programs(&self) -> Result<()> {
        self.workspace("build", &["--bins"])
    }

    /// Runs `cargo <subcommand>` on the workspace.
    pub(crate) fn workspace(&self, subcommand: &str, arguments: &[&str]) -> Result<()> {
        process::run(&mut self.workspace_command(subcommand, arguments))
    }

    /// `cargo <subcommand>` on the workspace.
    pub(crate) fn workspace_command(&self, subcommand: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(subcommand);
        command.args(ALIKE).args(arguments);
        command
    }

    /// `cargo <subcommand>` in the repository, with the environment that all have.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new("cargo");
        command
            .arg(subcommand)
            .current_dir(workspace::root())
            .env("CARGO_TARGET_DIR", &self.target_dir)
            // Tests do not look for it as we do
            .env(models::VARIABLE, &self.models);
        for (name, _) in env::vars_os() {
            if is_of_this_run(&name) {
                command.env_remove(name);
            }
        }
        if let Some(toolchain) = &self.wasm_toolchain {
            command.env(TOOLCHAIN_VARIABLE, toolchain);
        }
        command
    }
}

/// Whether an environment variable tells what cargo runs right now, which is us. (Why: some crates' build scripts run
/// anew whenever one of these has changed, so half of the dependencies would be compiled again in each checkout.)
fn is_of_this_run(name: &OsStr) -> bool {
    const SET_BY_CARGO_RUN: [&str; 5] = [
        "CARGO_MANIFEST_DIR",
        "CARGO_MANIFEST_PATH",
        "CARGO_BIN_NAME",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
    ];
    name.to_str()
        .is_some_and(|name| name.starts_with("CARGO_PKG_") || SET_BY_CARGO_RUN.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_this_run_should_be_told_from_settings() {
        let of_this_run = |name: &str| is_of_this_run(OsStr::new(name));
        assert!(of_this_run("CARGO_MANIFEST_DIR") && of_this_run("CARGO_PKG_VERSION"));
        assert!(!of_this_run("CARGO_TARGET_DIR") && !of_this_run("CARGO_HOME") && !of_this_run("PATH"));
    }
}
