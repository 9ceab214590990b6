//! The JavaScript clients in `tests/js`: other people's libraries that talk to our node.

use crate::{
    digest,
    process::{self, Tied},
    workspace,
};
use anyhow::{bail, Context, Result};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{ChildStdout, Command, Stdio},
    thread::JoinHandle,
};

/// Written into `node_modules` after a complete installation: the digest of what was installed.
const INSTALLED: &str = ".assay-installed";

fn dir() -> PathBuf {
    workspace::root().join("tests/js")
}

/// Installs the packages of the lock file if they are not there. Says what it does through `say`.
pub fn install(say: impl Fn(&str)) -> Result<()> {
    let dir = dir();
    let wanted = digest::sha256_file(&dir.join("package-lock.json"))?;
    let marker = dir.join("node_modules").join(INSTALLED);
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        say("npm packages of tests/js: are there");
        return Ok(());
    }
    say("npm packages of tests/js: installing those of package-lock.json");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&dir);
    process::output(&mut npm).context("the packages come from an npm registry: is one in reach?")?;
    fs::write(&marker, wanted).with_context(|| format!("cannot write {}", marker.display()))
}

/// A running script.
#[derive(Debug)]
pub struct Script {
    name: String,
    process: Tied,
    events: BufReader<ChildStdout>,
    printed: Option<JoinHandle<String>>,
}

impl Script {
    /// Starts `tests/js/<name>.mjs` with `task` as its argument.
    pub fn start(name: &str, task: &Value) -> Result<Self> {
        let dir = dir();
        if !dir.join("node_modules").join(INSTALLED).exists() {
            bail!("{} has no packages: `cargo xtask test` installs them", dir.display());
        }
        let mut command = Command::new("node");
        command
            .arg(format!("{name}.mjs"))
            .arg(task.to_string())
            .current_dir(&dir);
        let mut process = Tied::spawn(&command, Stdio::piped(), Stdio::piped())?;
        let events = BufReader::new(process.process.stdout.take().expect("stdout is piped; qed"));
        let printed = process::collect(process.process.stderr.take().expect("stderr is piped; qed"));
        Ok(Self {
            name: name.into(),
            process,
            events,
            printed: Some(printed),
        })
    }

    /// The next event the script tells of; none once it has ended well. An error, with what it
    /// printed, if it failed.
    pub fn next_event(&mut self) -> Result<Option<Value>> {
        loop {
            let mut line = String::new();
            if self.events.read_line(&mut line)? == 0 {
                return self.end().map(|()| None);
            }
            // Libraries may print too
            if let Ok(event @ Value::Object(_)) = serde_json::from_str(&line) {
                return Ok(Some(event));
            }
        }
    }

    /// The first event called `name`; others before it are handed to `seen`.
    pub fn wait_for(&mut self, name: &str, mut seen: impl FnMut(&Value) -> Result<()>) -> Result<Value> {
        while let Some(event) = self.next_event()? {
            if event["event"] == name {
                return Ok(event);
            }
            seen(&event)?;
        }
        bail!("{}.mjs ended without `{name}`", self.name)
    }

    fn end(&mut self) -> Result<()> {
        let status = self.process.wait()?;
        if !status.success() {
            let printed = self
                .printed
                .take()
                .and_then(|reader| reader.join().ok())
                .unwrap_or_default();
            bail!("{}.mjs failed ({status}):\n{}", self.name, printed.trim_end());
        }
        Ok(())
    }
}

/// Runs a script to its end; returns the last event, which must be `done`.
pub fn run(name: &str, task: &Value) -> Result<Value> {
    let mut script = Script::start(name, task)?;
    let done = script.wait_for("done", |_| Ok(()))?;
    script.end()?;
    Ok(done)
}
