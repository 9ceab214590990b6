//! `cargo xtask bench`: the engine beside other programs at the same work, in the same run; and the referee.
//!
//! All programs are alive at once and take turns: each answers a request to measure, then the next one does, round after round,
//! so that what else the machine does hits all alike. What is told are medians of rounds, and medians of the rounds' ratios.

mod digits;
mod programs;
mod python;
mod referee;
mod tables;

use crate::{cargo::Cargo, report::Report, setup};
use anyhow::{ensure, Context, Result};
use clap::{Args, Subcommand};
use programs::{Memory, Program};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use xtask::{models, process, workspace};

/// What is measured.
#[derive(Subcommand)]
pub(crate) enum Benchmark {
    /// Speed and memory of the engine, beside candle, PyTorch, onnxruntime and llama.cpp; written to docs/benchmarks.md.
    Engine(Quick),
    /// Accuracy of small nets trained on handwritten digits, beside PyTorch; written to docs/benchmarks.md.
    Digits(Quick),
    /// Recomputing one element of each operator in the runtime's WASM: time, and size of the openings.
    Referee,
}

/// How thoroughly.
#[derive(Args, Clone, Copy)]
pub(crate) struct Quick {
    /// Only whether all works: one round, one number of threads, nothing is written.
    #[arg(long)]
    quick: bool,
}

/// Rounds of which medians are taken.
const ROUNDS: usize = 5;

/// Our own name among programs.
const OURS: &str = "Assay";

/// What a class has behind it if a trace is recorded.
const TRACE: &str = "+trace";

/// A program, and the class of numbers it computes in.
type Contender = (&'static str, &'static str);

/// Something that is measured.
struct Job {
    /// What programs are asked for.
    work: &'static str,
    size: &'static str,
    title: &'static str,
    unit: Unit,
    /// The first is ours, and what ratios are to.
    contenders: &'static [Contender],
    /// How many times as fast as another ours shall be.
    aims: &'static [(Contender, f64)],
}

/// What values are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Milliseconds,
    TokensPerSecond,
}

impl Unit {
    /// How many times as fast as `theirs` `ours` is.
    fn speed(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::Milliseconds => theirs / ours,
            Self::TokensPerSecond => ours / theirs,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::TokensPerSecond => "tokens/s",
        }
    }
}

const JOBS: [Job; 6] = [
    Job {
        work: "minilm",
        size: "32x128",
        title: "MiniLM, 32 texts of 128 tokens",
        unit: Unit::Milliseconds,
        contenders: &[
            (OURS, "w8a16"),
            (OURS, "w8a16+trace"),
            (OURS, "w8a8"),
            ("candle", "f32"),
            ("PyTorch", "f32"),
            ("onnxruntime", "f32"),
            ("onnxruntime", "int8"),
        ],
        aims: &[(("candle", "f32"), 4.0), (("onnxruntime", "f32"), 1.2)],
    },
    Job {
        work: "minilm",
        size: "1x16",
        title: "MiniLM, a text of 16 tokens",
        unit: Unit::Milliseconds,
        contenders: &[
            (OURS, "w8a16"),
            (OURS, "w8a8"),
            ("candle", "f32"),
            ("PyTorch", "f32"),
            ("onnxruntime", "f32"),
            ("onnxruntime", "int8"),
        ],
        aims: &[(("onnxruntime", "f32"), 1.0)],
    },
    Job {
        work: "decode",
        size: "64",
        title: "SmolLM2-135M, 64 tokens one by one",
        unit: Unit::TokensPerSecond,
        contenders: &[
            (OURS, "w8a16"),
            (OURS, "w8a16+trace"),
            (OURS, "w8a8"),
            ("llama.cpp", "Q8_0"),
        ],
        aims: &[(("llama.cpp", "Q8_0"), 1.0)],
    },
    Job {
        work: "prefill",
        size: "512",
        title: "SmolLM2-135M, a prompt of 512 tokens",
        unit: Unit::TokensPerSecond,
        contenders: &[(OURS, "w8a16"), (OURS, "w8a8"), ("llama.cpp", "Q8_0")],
        aims: &[(("llama.cpp", "Q8_0"), 1.5)],
    },
    Job {
        work: "mlp",
        size: "128",
        title: "Training step, 784-256-10, batch of 128",
        unit: Unit::Milliseconds,
        contenders: &[(OURS, "a24"), ("candle", "f32"), ("PyTorch", "f32")],
        aims: &[(("candle", "f32"), 1.0)],
    },
    Job {
        work: "lm",
        size: "8x128",
        title: "Training step, 6-layer decoder, 8 × 128 tokens",
        unit: Unit::Milliseconds,
        contenders: &[(OURS, "a24"), ("candle", "f32"), ("PyTorch", "f32")],
        aims: &[(("candle", "f32"), 1.0)],
    },
];

/// What a contender measured, round by round, or why it did not.
type Measured = Result<Vec<f64>, String>;

/// A job with a number of threads: what each contender measured.
struct Row {
    job: &'static Job,
    threads: usize,
    measured: Vec<Measured>,
}

/// Measures.
pub(crate) fn run(report: &Report, benchmark: &Benchmark) -> Result<()> {
    let machine = match benchmark {
        Benchmark::Engine(_) | Benchmark::Digits(_) => setup::run(report)?,
        Benchmark::Referee => setup::run_without_test_models(report)?,
    };
    let cargo = Cargo::new(report, machine)?;
    match benchmark {
        Benchmark::Engine(how) => engine(report, &cargo, *how),
        Benchmark::Digits(how) => digits::run(report, &cargo, *how),
        Benchmark::Referee => referee::run(report, &cargo),
    }
}

/// Builds an example of the engine; its path.
fn example(cargo: &Cargo, name: &str) -> Result<PathBuf> {
    cargo.workspace("build", &["--example", name])?;
    Ok(cargo.target_dir().join("release/examples").join(name))
}

fn engine(report: &Report, cargo: &Cargo, Quick { quick }: Quick) -> Result<()> {
    report.step("Building ours");
    let ours = example(cargo, "bench")?;
    let scratch = cargo.target_dir().join("bench");
    let packages = scratch.join("packages");
    let models = models::dir()?;
    process::run(
        Command::new(&ours)
            .arg("import")
            .arg(&packages)
            .env(models::VARIABLE, &models),
    )?;
    report.step("Building candle");
    let candle = build_candle(cargo);
    if let Err(error) = &candle {
        report.say(&format!("candle is left out: {error:#}"));
    }
    report.step("PyTorch, onnxruntime, llama.cpp");
    let python = python::ensure(report)?;

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let host = tables::Host::here(cores)?;
    let counts = if quick || cores == 1 {
        vec![cores.min(2)]
    } else {
        vec![1, 2]
    };
    let rounds = if quick { 1 } else { ROUNDS };
    let mut rows = Vec::new();
    let mut versions = Vec::new();
    for threads in counts {
        report.step(&format!("Measuring with {threads} threads"));
        let mut programs = HashMap::new();
        let mut start = |name: &'static str, command: Result<Command, String>| {
            let started = command.and_then(|mut command| {
                command.env(models::VARIABLE, &models);
                Program::start(&mut command, threads).map_err(|error| format!("{error:#}"))
            });
            match &started {
                Ok(program) => versions.push(program.says.clone()),
                Err(error) => report.say(&format!("{name} is missing: {error}")),
            }
            programs.insert(name, started);
        };
        let mut command = Command::new(&ours);
        command.arg("serve").arg(&packages).arg(threads.to_string());
        start(OURS, Ok(command));
        let built = candle.as_ref().map(Command::new);
        start("candle", built.map_err(|error| format!("{error:#}")));
        for peer in ["PyTorch", "onnxruntime", "llama.cpp"] {
            let mut command = Command::new(&python);
            command.arg(workspace::root().join("bench/python/peers.py"));
            command.arg(peer).arg(threads.to_string());
            start(peer, Ok(command));
        }
        ensure!(programs[OURS].is_ok(), "our own program does not start");
        for job in &JOBS {
            let row = measure(job, threads, rounds, &mut programs);
            report.say(&tables::line(&row));
            rows.push(row);
        }
    }
    report.step("Memory");
    let memory = Memory::of(&ours, &packages, "smollm2-w8a16")?;

    versions.sort();
    versions.dedup();
    let mut text = tables::markdown(&host, &versions, rounds, &rows, &memory);
    println!("\n{text}");
    let results = scratch.join("engine.json");
    fs::write(&results, tables::json(&host, &rows).to_string())?;
    let docs = workspace::root().join("docs");
    let plot = if quick { &scratch } else { &docs }.join("benchmarks.svg");
    let mut draw = Command::new(&python);
    draw.arg(workspace::root().join("bench/python/plot.py"));
    match process::output(draw.arg(&results).arg(&plot)) {
        Ok(_) => text = format!("![Speed of each program](benchmarks.svg)\n\n{text}"),
        Err(error) => report.say(&format!("there is no plot: {error:#}")),
    }
    if quick {
        report.say("one round says little: nothing was written to docs");
        return Ok(());
    }
    replace_part(&docs.join("benchmarks.md"), "engine", &text)?;
    report.say("written: docs/benchmarks.md, docs/benchmarks.svg");
    Ok(())
}

/// Asks all contenders of a job in turn, round after round.
fn measure(
    job: &'static Job,
    threads: usize,
    rounds: usize,
    programs: &mut HashMap<&'static str, Result<Program, String>>,
) -> Row {
    let mut measured: Vec<Measured> = job.contenders.iter().map(|_| Ok(Vec::new())).collect();
    for _ in 0..rounds {
        for ((program, class), values) in job.contenders.iter().zip(&mut measured) {
            let Ok(seen) = values else {
                continue;
            };
            let answer = match programs.get_mut(program) {
                Some(Ok(program)) => program
                    .ask(job.work, class, job.size)
                    .map_err(|error| format!("{error:#}")),
                Some(Err(error)) => Err(error.clone()),
                None => Err("it was not started".into()),
            };
            match answer {
                Ok(value) => seen.push(value),
                Err(error) => *values = Err(error),
            }
        }
    }
    Row { job, threads, measured }
}

/// Builds candle's program; its path.
fn build_candle(cargo: &Cargo) -> Result<PathBuf> {
    let folder = workspace::root().join("bench/peers");
    // Another checkout's may be newer than this one's files, and cargo would take it for ours
    let main = folder.join("src/main.rs");
    let now = std::time::SystemTime::now();
    fs::File::options().append(true).open(&main)?.set_modified(now)?;
    let target = cargo.target_dir().join("peers");
    let mut command = cargo.command("build");
    command
        .args(["--release", "--locked", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        // As candle's own documentation has it built
        .env("RUSTFLAGS", "-C target-cpu=native");
    process::run(&mut command)?;
    Ok(target.join("release/peers"))
}

/// Replaces what lies between the two markers of `part` in a file.
fn replace_part(path: &Path, part: &str, text: &str) -> Result<()> {
    let whole = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let replaced = replaced(&whole, part, text)
        .with_context(|| format!("{} lacks the markers of the part {part}", path.display()))?;
    fs::write(path, replaced).with_context(|| format!("cannot write {}", path.display()))
}

fn replaced(whole: &str, part: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {part}: begin -->\n"), format!("<!-- {part}: end -->\n"));
    let (before, rest) = whole.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn part_should_be_replaced_and_all_else_stay_when_its_markers_are_there() {
        let whole = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n";
        let new = "a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb\n";
        assert_eq!(replaced(whole, "x", "new\n").unwrap(), new);
        assert_eq!(replaced(new, "x", "new").unwrap(), new);
        assert_eq!(replaced(whole, "y", "new"), None);
    }

    #[test]
    fn speed_should_be_above_one_when_ours_is_faster() {
        assert_eq!(Unit::Milliseconds.speed(10.0, 40.0), 4.0);
        assert_eq!(Unit::TokensPerSecond.speed(40.0, 10.0), 4.0);
    }
}
