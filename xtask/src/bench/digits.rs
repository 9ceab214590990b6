//! `cargo xtask bench digits`: how well small nets learn in exact arithmetic, beside the same nets in f32.

use super::{example, python, replace_part, tables::Host, Quick, OURS};
use crate::{cargo::Cargo, report::Report};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{collections::BTreeMap, process::Command};
use xtask::{models, process, workspace};

/// Nets, the accuracy aimed at, and how many of the seeds ours trains with: one takes minutes for the second.
const NETS: [(&str, f64, usize); 2] = [("mlp", 0.975, 3), ("cnn", 0.99, 1)];

/// Seeds of initial values and of the order of images.
const SEEDS: [&str; 3] = ["1", "2", "3"];

/// What training a net came to with a seed.
struct Trained {
    accuracy: f64,
    loss: f64,
    seconds: f64,
}

/// Trains all nets with all seeds, ours and PyTorch's in turn.
pub(super) fn run(report: &Report, cargo: &Cargo, Quick { quick }: Quick) -> Result<()> {
    report.step("Building");
    let ours = example(cargo, "mnist")?;
    models::fetch_for_benchmarks(|line| report.say(line))?;
    let python = python::ensure(report)?;
    let seeds = if quick { &SEEDS[..1] } else { &SEEDS };
    let nets = if quick { &NETS[..1] } else { &NETS };
    let mut found: BTreeMap<(&str, &str), Vec<Trained>> = BTreeMap::new();
    report.step("Training");
    for (net, _, of_ours) in nets {
        for (at, seed) in seeds.iter().enumerate() {
            if at < *of_ours {
                let mut command = Command::new(&ours);
                let trained = last(report, command.args([*net, *seed]))?;
                found.entry((*net, OURS)).or_default().push(trained);
            }
            let mut command = Command::new(&python);
            command.arg(workspace::root().join("bench/python/mnist_reference.py"));
            match last(report, command.args([*net, *seed])) {
                Ok(trained) => found.entry((*net, "PyTorch")).or_default().push(trained),
                Err(error) => report.say(&format!("PyTorch is missing: {error:#}")),
            }
        }
    }
    let host = Host::here(std::thread::available_parallelism().map_or(1, usize::from))?;
    let text = table(&host, &found);
    println!("\n{text}");
    if quick {
        report.say("one net and one seed say little: nothing was written to docs");
        return Ok(());
    }
    replace_part(&workspace::root().join("docs/benchmarks.md"), "digits", &text)
}

/// Runs a program that trains; what it printed of the last epoch.
fn last(report: &Report, command: &mut Command) -> Result<Trained> {
    let printed = process::output(command.env(models::VARIABLE, models::dir()?))?;
    report.say(printed.trim_end());
    let lines: Vec<Value> = printed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let last = lines.last().context("it printed nothing")?;
    let of = |key: &str| last[key].as_f64().with_context(|| format!("no {key} in {last}"));
    Ok(Trained {
        accuracy: of("accuracy")?,
        loss: of("loss")?,
        seconds: lines.iter().filter_map(|line| line["seconds"].as_f64()).sum(),
    })
}

fn table(host: &Host, found: &BTreeMap<(&str, &str), Vec<Trained>>) -> String {
    let mut lines = vec![
        format!("{}. Seeds {}, in order.\n", host.text(), SEEDS.join(", ")),
        "| net | program | accuracy on the test images | mean | loss of the last epoch | seconds | aim | |".into(),
        "|---|---|--:|--:|--:|--:|--:|---|".into(),
    ];
    for (net, aim, _) in NETS {
        for program in [OURS, "PyTorch"] {
            let Some(all) = found.get(&(net, program)) else {
                lines.push(format!("| {net} | {program} | missing | | | | | |"));
                continue;
            };
            let mean = |of: fn(&Trained) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
            let each: Vec<_> = all.iter().map(|one| format!("{:.2} %", 100.0 * one.accuracy)).collect();
            let accuracy = mean(|one| one.accuracy);
            let verdict = match program {
                OURS => format!(
                    "≥ {} % | {}",
                    100.0 * aim,
                    if accuracy >= aim { "met" } else { "**missed**" }
                ),
                _ => " | ".into(),
            };
            lines.push(format!(
                "| {net} | {program} {} | {} | {:.2} % | {:.4} | {:.0} | {verdict} |",
                if program == OURS {
                    "A24×A24, all threads"
                } else {
                    "f32, 1 thread"
                },
                each.join(", "),
                100.0 * accuracy,
                mean(|one| one.loss),
                mean(|one| one.seconds)
            ));
        }
    }
    lines.join("\n")
}
