//! The Python in which peers run: made if it is missing, with the pinned packages.

use crate::{report::Report, setup};
use anyhow::{Context, Result};
use std::{fs, path::PathBuf, process::Command};
use xtask::{
    process::{self, succeeds},
    workspace,
};

/// Installed without what they depend on: CUDA's libraries, 3 GB; nothing.
const APART: [&str; 2] = ["torch==2.15.0", "xllamacpp==2026.10.11549"];

/// Makes sure that it is there; its path. A package that cannot be had is told of, and only its peer is missing then.
pub(super) fn ensure(report: &Report) -> Result<PathBuf> {
    let folder = workspace::cache_dir()?.join("python");
    let python = folder.join("bin/python");
    let scripts = workspace::root().join("bench/python");
    if !succeeds(Command::new(&python).arg("--version")) {
        report.say(&format!("making {}", folder.display()));
        let make = |program: &str| process::output(Command::new(program).args(["-m", "venv"]).arg(&folder));
        // The pinned versions are those for 3.11
        if make("python3.11").is_err() {
            setup::ensure_venv(report)?;
            make("python3")?;
        }
    }
    let requirements = scripts.join("requirements.txt");
    let wanted = fs::read_to_string(&requirements).context("bench/python/requirements.txt")? + &APART.join("\n");
    let stamp = folder.join(".installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        report.say(&format!("{}: has all packages", folder.display()));
        return Ok(python);
    }
    report.say("installing packages; this takes minutes, once");
    let pip = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        command.args(arguments);
        command
    };
    let mut commands = vec![pip(&["-r", &requirements.to_string_lossy()])];
    commands.extend(APART.map(|package| pip(&["--no-deps", package])));
    let mut without_cuda = Command::new(&python);
    without_cuda.arg(scripts.join("torch_cpu.py"));
    commands.push(without_cuda);
    let mut is_whole = true;
    for mut command in commands {
        if let Err(error) = process::output(&mut command) {
            report.say(&format!("{error:#}"));
            is_whole = false;
        }
    }
    if is_whole {
        fs::write(stamp, wanted)?;
    }
    Ok(python)
}
