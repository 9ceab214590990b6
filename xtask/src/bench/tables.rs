//! What was measured, as tables.

use super::{programs::Memory, Contender, Job, Measured, Row, OURS, TRACE};
use anyhow::Result;
use serde_json::{json, Value};
use std::{fs, process::Command};
use xtask::process;

/// Most of what recording a trace may cost.
const TRACE_AIM: f64 = 0.03;

/// Most memory, as a multiple of the package, beside keys and values.
const MEMORY_AIM: f64 = 1.3;

const MIB: f64 = 1_048_576.0;

/// The machine and the day.
#[derive(Debug)]
pub(super) struct Host(String);

impl Host {
    /// This one, now.
    pub(super) fn here(cores: usize) -> Result<Self> {
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        let of = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.starts_with(key))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let flags = of(&cpu, "flags").unwrap_or_default();
        let flags: Vec<_> = flags.split_whitespace().collect();
        let sets = ["avx2", "avx_vnni", "avx512_vnni", "amx_int8"];
        let sets: Vec<_> = sets.into_iter().filter(|set| flags.contains(set)).collect();
        let memory = of(&fs::read_to_string("/proc/meminfo")?, "MemTotal").unwrap_or_default();
        let kib: f64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg")?;
        Ok(Self(format!(
            "{}, {cores} cores ({}), {:.0} GiB of memory; {}; load when it began: {}",
            of(&cpu, "model name").unwrap_or_else(|| std::env::consts::ARCH.into()),
            sets.join(", "),
            kib / MIB,
            process::output(Command::new("date").arg("+%-d %B %Y"))?.trim(),
            load.split_whitespace().next().unwrap_or_default()
        )))
    }

    /// In a sentence.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// The middle of some numbers.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// A class as people write it.
fn class(class: &str) -> String {
    match class {
        "w8a16" => "W8×A16".into(),
        "w8a8" => "W8×A8".into(),
        "a24" => "A24×A24".into(),
        _ => match class.strip_suffix(TRACE) {
            Some(plain) => format!("{}, with trace", self::class(plain)),
            None => class.into(),
        },
    }
}

fn label((program, of): Contender) -> String {
    format!("{program} {}", class(of))
}

/// Three digits.
fn number(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

impl Row {
    fn of(&self, contender: Contender) -> Option<&[f64]> {
        let at = self.job.contenders.iter().position(|other| *other == contender)?;
        self.measured[at].as_deref().ok()
    }

    /// How many times as fast as another one is: the median of rounds.
    fn speed(&self, one: Contender, other: Contender) -> Option<f64> {
        let rounds = self.of(one)?.iter().zip(self.of(other)?);
        let speeds: Vec<_> = rounds
            .map(|(ours, theirs)| self.job.unit.speed(*ours, *theirs))
            .collect();
        Some(median(&speeds))
    }
}

/// What a job's contenders measured, in a line.
pub(super) fn line(row: &Row) -> String {
    let cells = row.job.contenders.iter().zip(&row.measured);
    let cells = cells.map(|(contender, measured)| match measured {
        Ok(values) => format!("{} {}", label(*contender), number(median(values))),
        Err(error) => format!("{} missing: {error}", label(*contender)),
    });
    let cells: Vec<_> = cells.collect();
    format!("{} ({}): {}", row.job.title, row.job.unit.name(), cells.join(", "))
}

/// One table for each job: a line for each contender, and for each number of threads what it measured and how many times as
/// fast our first is.
fn job_table(job: &Job, rows: &[&Row]) -> String {
    let mut head = format!("| {}: {} |", job.title, job.unit.name());
    let mut rule = "|---|".to_owned();
    for row in rows {
        let threads = if row.threads == 1 { "thread" } else { "threads" };
        head += &format!(" {} {threads} | ours is |", row.threads);
        rule += "--:|--:|";
    }
    let lines = job.contenders.iter().enumerate().map(|(at, contender)| {
        let cells = rows.iter().map(|row| match &row.measured[at] {
            Ok(values) => {
                let speed = row.speed(job.contenders[0], *contender).filter(|_| at > 0);
                let speed = speed.map_or_else(String::new, |speed| format!("{speed:.2} ×"));
                format!(" {} | {speed} |", number(median(values)))
            }
            Err(_) => " missing | |".into(),
        });
        format!("| {} |{}", label(*contender), cells.collect::<String>())
    });
    [head, rule].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// A line of the table of aims.
fn aim(what: &str, threads: usize, wanted: &str, measured: Option<(f64, bool)>, unit: &str) -> String {
    let (value, verdict) = match measured {
        Some((value, is_met)) => (format!("{value:.2}{unit}"), if is_met { "met" } else { "**missed**" }),
        None => ("–".into(), "not measured"),
    };
    format!("| {what} | {threads} | {wanted} | {value} | {verdict} |")
}

/// What was aimed at, and whether it was met.
fn aims_table(rows: &[Row], memory: &Memory) -> String {
    let mut lines = vec![
        "| aim | threads | wanted | measured | |".to_owned(),
        "|---|--:|--:|--:|---|".into(),
    ];
    for row in rows {
        let ours = row.job.contenders[0];
        for (peer, least) in row.job.aims {
            let measured = row.speed(ours, *peer).map(|speed| (speed, speed >= *least));
            let what = format!("{}: speed of {} ÷ {}", row.job.title, class(ours.1), label(*peer));
            lines.push(aim(&what, row.threads, &format!("≥ {least} ×"), measured, " ×"));
        }
        let traced = row.job.contenders.iter().find(|(_, class)| class.ends_with(TRACE));
        if let Some(traced) = traced {
            let cost = row.speed(ours, *traced).map(|speed| speed - 1.0);
            let measured = cost.map(|cost| (100.0 * cost, cost <= TRACE_AIM));
            let what = format!("{}: cost of recording the trace", row.job.title);
            let wanted = format!("≤ {:.0} %", 100.0 * TRACE_AIM);
            lines.push(aim(&what, row.threads, &wanted, measured, " %"));
        }
    }
    let ratio = (memory.peak - memory.states) / memory.package;
    lines.push(aim(
        "SmolLM2-135M W8×A16: (largest resident memory − keys and values) ÷ package",
        1,
        &format!("≤ {MEMORY_AIM}"),
        Some((ratio, ratio <= MEMORY_AIM)),
        "",
    ));
    lines.join("\n")
}

/// All of it.
pub(super) fn markdown(host: &Host, versions: &[String], rounds: usize, rows: &[Row], memory: &Memory) -> String {
    let of_rounds = |values: &[f64]| {
        let middle = median(values);
        values
            .iter()
            .map(|value| (value / middle - 1.0).abs())
            .fold(0.0, f64::max)
    };
    let measured = rows.iter().flat_map(|row| &row.measured);
    let spreads: Vec<_> = measured.flatten().map(|values| of_rounds(values)).collect();
    let mut parts = vec![
        format!("{}.", host.text()),
        format!(
            "{}. Medians of {rounds} rounds, in which all take turns; of half of the values, the round that is furthest from the \
             median is within {:.0} % of it.",
            versions.join(", "),
            100.0 * median(&spreads)
        ),
    ];
    for job in rows
        .iter()
        .map(|row| row.job)
        .fold(Vec::<&Job>::new(), |mut jobs, job| {
            if !jobs.iter().any(|other| std::ptr::eq(*other, job)) {
                jobs.push(job);
            }
            jobs
        })
    {
        let of_job: Vec<_> = rows.iter().filter(|row| std::ptr::eq(row.job, job)).collect();
        parts.push(job_table(job, &of_job));
    }
    let mib = |bytes: f64| format!("{:.0}", bytes / MIB);
    parts.push(format!(
        "Memory, in MiB, of a process that loads SmolLM2-135M W8×A16, takes in 512 tokens and generates 64: the package's weights {}, \
         keys and values {}; resident before loading {}, after it {}, at most while loading {}, at most in all {}.",
        mib(memory.package),
        mib(memory.states),
        mib(memory.before),
        mib(memory.loaded),
        mib(memory.peak_of_loading),
        mib(memory.peak)
    ));
    parts.push(aims_table(rows, memory));
    parts.join("\n\n")
}

/// What is drawn: for each row how many times as fast each contender is as our first.
pub(super) fn json(host: &Host, rows: &[Row]) -> Value {
    let panel = |row: &Row| {
        let bars = row.job.contenders.iter().zip(&row.measured);
        let bar = |(contender, measured): (&Contender, &Measured)| {
            let values = measured.as_ref().ok()?;
            Some(json!({
                "label": label(*contender), "ours": contender.0 == OURS, "median": median(values),
                "speed": row.speed(*contender, row.job.contenders[0]), "rounds": values,
            }))
        };
        json!({
            "title": row.job.title, "threads": row.threads, "unit": row.job.unit.name(),
            "bars": bars.filter_map(bar).collect::<Vec<_>>(),
        })
    };
    json!({"host": host.text(), "panels": rows.iter().map(panel).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Unit, JOBS};

    fn row(measured: Vec<Measured>) -> Row {
        Row {
            job: &JOBS[4],
            threads: 2,
            measured,
        }
    }

    const MEMORY: Memory = Memory {
        package: 100.0 * MIB,
        states: 20.0 * MIB,
        before: 5.0 * MIB,
        loaded: 120.0 * MIB,
        peak_of_loading: 140.0 * MIB,
        peak: 170.0 * MIB,
    };

    #[test]
    fn median_should_lie_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn aims_should_be_told_as_met_missed_and_not_measured() {
        let fast = row(vec![Ok(vec![2.0]), Ok(vec![3.0]), Ok(vec![1.0])]);
        let slow = row(vec![Ok(vec![2.0]), Ok(vec![1.0]), Ok(vec![1.0])]);
        let alone = row(vec![Ok(vec![2.0]), Err("no wheel".into()), Ok(vec![1.0])]);
        let table = aims_table(&[fast, slow, alone], &MEMORY);
        let lines: Vec<_> = table.lines().skip(2).collect();
        assert!(lines[0].ends_with("| ≥ 1 × | 1.50 × | met |"), "{table}");
        assert!(lines[1].ends_with("| ≥ 1 × | 0.50 × | **missed** |"), "{table}");
        assert!(lines[2].ends_with("| ≥ 1 × | – | not measured |"), "{table}");
        assert!(lines[3].ends_with("| ≤ 1.3 | 1.50 | **missed** |"), "{table}");
    }

    #[test]
    fn contender_should_be_named_as_missing_when_it_cannot_be_had() {
        let row = row(vec![Ok(vec![2.0, 2.0]), Err("no wheel".into()), Ok(vec![1.0, 4.0])]);
        let table = job_table(row.job, &[&row]);
        assert!(table.contains("| candle f32 | missing | |"), "{table}");
        // The rounds' ratios are 0.5 and 2
        assert!(table.ends_with("| PyTorch f32 | 2.50 | 1.25 × |"), "{table}");
    }

    #[test]
    fn speed_should_be_of_rates_the_other_way_round() {
        let mut row = row(vec![Ok(vec![30.0]), Ok(vec![20.0]), Ok(vec![60.0])]);
        row.job = &JOBS[3];
        assert!(row.job.unit == Unit::TokensPerSecond);
        assert_eq!(row.speed(row.job.contenders[0], row.job.contenders[1]), Some(1.5));
    }
}
