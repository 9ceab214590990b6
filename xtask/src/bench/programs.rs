//! Programs that measure when they are asked, and what memory ours takes.

use anyhow::{anyhow, bail, Context, Result};
use serde_json::Value;
use std::{
    io::Write,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};
use xtask::process::{self, Lines};

/// How long a program may take to load libraries, and to answer. (The first answer includes loading a model.)
const PATIENCE: Duration = Duration::from_secs(180);

/// How long threads of one program are given to go to sleep before the next one measures: some keep looking for work.
const PAUSE: Duration = Duration::from_millis(50);

/// A program that answers `WORK CLASS SIZE` with a value. It ends when this is dropped, as its input does.
#[derive(Debug)]
pub(super) struct Program {
    process: Child,
    requests: Option<ChildStdin>,
    answers: Lines,
    /// Name and version.
    pub(super) says: String,
}

impl Program {
    /// Starts it with a number of threads.
    pub(super) fn start(command: &mut Command, threads: usize) -> Result<Self> {
        for variable in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"] {
            command.env(variable, threads.to_string());
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", process::display(command)))?;
        let printed = process::collect(process.stderr.take().expect("stderr is piped; qed"));
        let mut program = Self {
            requests: process.stdin.take(),
            answers: Lines::of(process.stdout.take().expect("stdout is piped; qed")),
            process,
            says: String::new(),
        };
        match program.answer() {
            Ok(hello) => {
                let of = |key: &str| hello[key].as_str().unwrap_or_default().to_owned();
                program.says = [of("peer"), of("version"), of("isa")].join(" ").trim_end().to_owned();
                Ok(program)
            }
            Err(error) => {
                drop(program);
                let printed = printed.join().unwrap_or_default();
                // The last line of what Python prints is the error
                Err(error.context(printed.trim_end().lines().last().unwrap_or_default().to_owned()))
            }
        }
    }

    /// What it measures.
    pub(super) fn ask(&mut self, work: &str, class: &str, size: &str) -> Result<f64> {
        let requests = self.requests.as_mut().context("it does not listen")?;
        writeln!(requests, "{work} {class} {size}").context("it has ended")?;
        let answer = self.answer()?;
        std::thread::sleep(PAUSE);
        match answer["value"].as_f64() {
            Some(value) => Ok(value),
            None => bail!("{}", answer["error"].as_str().unwrap_or("it answers something else")),
        }
    }

    fn answer(&mut self) -> Result<Value> {
        let line = self.answers.next_before(Instant::now() + PATIENCE);
        let line = line.map_err(|_| anyhow!("it has said nothing for {} s", PATIENCE.as_secs()))?;
        let line = line.context("it has ended")?;
        serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.requests.take());
        // It may be in the middle of a measurement; it has nothing to lose
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a process had in memory that loaded a package and generated. In bytes.
#[derive(Debug)]
pub(super) struct Memory {
    /// The package's weights.
    pub(super) package: f64,
    /// Keys and values.
    pub(super) states: f64,
    /// The process before the weights were loaded, and behind it.
    pub(super) before: f64,
    pub(super) loaded: f64,
    /// The most that it had, when they were loaded, and at the end.
    pub(super) peak_of_loading: f64,
    pub(super) peak: f64,
}

impl Memory {
    /// Measures it in a process of its own.
    pub(super) fn of(ours: &Path, packages: &Path, package: &str) -> Result<Self> {
        let mut command = Command::new(ours);
        let printed = process::output(command.arg("memory").arg(packages).arg(package))?;
        let answer: Value = serde_json::from_str(&printed)?;
        let of = |key: &str| answer[key].as_f64().with_context(|| format!("no {key} in {answer}"));
        Ok(Self {
            package: of("package")?,
            states: of("states")?,
            before: of("before")?,
            loaded: of("loaded")?,
            peak_of_loading: of("peak_of_loading")?,
            peak: of("peak")?,
        })
    }
}
