//! The JavaScript clients in `tests/js`: other people's libraries that talk to our node.

use crate::{
    digest,
    process::{self, Lines, Tied},
    workspace,
};
use anyhow::{anyhow, bail, Context, Error, Result};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long a script may take. It ends itself a little earlier, and says what it waited for (`LIMIT` in
/// `tests/js/lib/report.mjs`).
const LIMIT: Duration = Duration::from_secs(330);

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
    process: Option<Tied>,
    lines: Lines,
    printed: Option<JoinHandle<String>>,
    last: Option<Value>,
    end: Instant,
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
        let lines = Lines::of(process.process.stdout.take().expect("stdout is piped; qed"));
        let printed = process::collect(process.process.stderr.take().expect("stderr is piped; qed"));
        Ok(Self {
            name: name.into(),
            process: Some(process),
            lines,
            printed: Some(printed),
            last: None,
            end: Instant::now() + LIMIT,
        })
    }

    /// The next event the script tells of; none once it has ended well. An error, with what it
    /// printed, if it failed or took too long.
    pub fn next_event(&mut self) -> Result<Option<Value>> {
        loop {
            let Ok(line) = self.lines.next_before(self.end) else {
                return Err(self.too_long());
            };
            let Some(line) = line else {
                return self.finish().map(|()| None);
            };
            // Libraries may print too
            if let Ok(event @ Value::Object(_)) = serde_json::from_str(&line) {
                self.last = Some(event.clone());
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

    /// Waits until it has ended by itself; an error, with what it printed, if it failed.
    fn finish(&mut self) -> Result<()> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        match process.wait_before(self.end)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => {
                let printed = self.printed();
                bail!("{}.mjs failed ({status}):\n{printed}", self.name)
            }
            None => Err(self.too_long()),
        }
    }

    /// Ends it, and says how far it was.
    fn too_long(&mut self) -> Error {
        drop(self.process.take());
        let last = self.last.take().map_or("none".into(), |event| event.to_string());
        let printed = self.printed();
        let limit = LIMIT.as_secs();
        anyhow!(
            "{}.mjs was not done after {limit} s; its last event: {last}; it printed:\n{printed}",
            self.name
        )
    }

    /// What it wrote to standard error, once it has ended.
    fn printed(&mut self) -> String {
        let printed = self.printed.take().and_then(|reader| reader.join().ok());
        printed.unwrap_or_default().trim_end().to_string()
    }
}

/// Runs a script to its end; returns the last event, which must be `done`.
pub fn run(name: &str, task: &Value) -> Result<Value> {
    let mut script = Script::start(name, task)?;
    let done = script.wait_for("done", |_| Ok(()))?;
    script.finish()?;
    Ok(done)
}
