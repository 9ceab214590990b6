//! Programs that come from the system's packages.

use crate::report::Report;
use anyhow::{bail, ensure, Context, Result};
use std::{
    io::IsTerminal,
    process::{Command, Stdio},
};
use xtask::process::{self, succeeds};

/// The oldest Node.js that the JavaScript clients of the tests run on.
const NODE_MAJOR: u32 = 18;

/// A program that building or testing calls.
struct Tool {
    /// What it is called, and for what it is needed.
    name: &'static str,
    /// Debian packages that bring it.
    packages: &'static [&'static str],
    /// Whether it is there and does.
    present: fn() -> bool,
}

const TOOLS: [Tool; 4] = [
    Tool {
        name: "C and C++ compilers and make (native libraries, linking)",
        packages: &["build-essential"],
        present: || answers("cc", "--version") && answers("c++", "--version") && answers("make", "--version"),
    },
    Tool {
        name: "perl (configures OpenSSL, which is built with the network layer)",
        packages: &["perl"],
        present: || succeeds(Command::new("perl").args(["-MFindBin", "-MIPC::Cmd", "-MTime::Piece", "-e", "1"])),
    },
    Tool {
        name: "protoc (message formats of the network)",
        packages: &["protobuf-compiler"],
        present: || answers("protoc", "--version"),
    },
    Tool {
        name: "Node.js 18 or newer and npm (clients of the tests, the demo's vote, the model)",
        packages: &["nodejs", "npm"],
        present: || node_major().is_some_and(|major| major >= NODE_MAJOR) && answers("npm", "--version"),
    },
];

const PIP: Tool = Tool {
    name: "Python 3 with pip (models of the tests)",
    packages: &["python3-pip"],
    present: || succeeds(Command::new("python3").args(["-m", "pip", "--version"])),
};

/// Installs the tools that are missing.
pub(crate) fn ensure_tools(report: &Report) -> Result<()> {
    ensure_all(report, &TOOLS)
}

/// Installs Python's package manager, if it is missing.
pub(crate) fn ensure_pip(report: &Report) -> Result<()> {
    ensure_all(report, &[PIP])
}

fn ensure_all(report: &Report, tools: &[Tool]) -> Result<()> {
    let missing: Vec<_> = tools.iter().filter(|tool| !(tool.present)()).collect();
    for tool in tools {
        let state = if missing.iter().any(|lacking| lacking.name == tool.name) {
            "missing"
        } else {
            "is there"
        };
        report.say(&format!("{}: {state}", tool.name));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().flat_map(|tool| tool.packages.iter().copied()).collect();
    install(report, &packages)?;
    for tool in missing {
        ensure!(
            (tool.present)(),
            "{} is still missing or too old after installing {}: put a newer one into PATH and run this again",
            tool.name,
            tool.packages.join(" ")
        );
    }
    Ok(())
}

/// Installs Debian packages, those of them that are not installed.
pub(crate) fn ensure_packages(report: &Report, packages: &[&'static str]) -> Result<()> {
    let missing: Vec<_> = packages
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        report.say(&format!("packages {}: are there", packages.join(" ")));
        return Ok(());
    }
    install(report, &missing)
}

/// A command that runs `program` as root: by `sudo` where we are not root.
pub(crate) fn as_root(program: &str) -> Result<Command> {
    let user = process::output(Command::new("id").arg("-u")).context("who runs this?")?;
    if user.trim() == "0" {
        return Ok(Command::new(program));
    }
    ensure!(answers("sudo", "--version"), "not root, and there is no sudo");
    let mut command = Command::new("sudo");
    // Without somebody to type a password, do not wait for one
    if !std::io::stdin().is_terminal() {
        command.arg("-n");
    }
    command.arg(program);
    Ok(command)
}

fn install(report: &Report, packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let by_hand = format!("install by hand (names as in Debian 12): {list}; then run this again");
    if !answers("apt-get", "--version") {
        bail!("packages are missing and this machine has no apt-get: {by_hand}");
    }
    report.say(&format!("installing with apt-get: {list}"));
    let apt = |arguments: &[&str]| -> Result<()> {
        let mut command = as_root("env")?;
        command
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"])
            .args(arguments);
        // Its hundreds of lines are of interest only if it fails
        process::output(command.stdin(Stdio::inherit())).map(|_| ())
    };
    // A source that is out of reach need not be the one that has them
    if let Err(error) = apt(&["update"]) {
        report.say(&format!(
            "package lists could not all be renewed, going on with those there are: {error:#}"
        ));
    }
    apt(&[&["install", "--no-install-recommends"], packages].concat()).with_context(|| by_hand)
}

fn is_installed(package: &str) -> bool {
    process::output(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

fn answers(program: &str, argument: &str) -> bool {
    succeeds(Command::new(program).arg(argument))
}

fn node_major() -> Option<u32> {
    let version = process::output(Command::new("node").arg("--version")).ok()?;
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}
