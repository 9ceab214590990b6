//! What the demo printed, read back: it must be what the chain says.

use anyhow::{ensure, Context, Result};
use serde_json::Value;

/// Decimal places of ASY.
const DECIMALS: usize = 12;

/// What the command line calls the parts of a payment, and what JSON-RPC calls them.
const PARTS: [(&str, &str); 4] = [
    ("worker", "worker"),
    ("model", "artifact"),
    ("treasury", "treasury"),
    ("burned", "burned"),
];

/// What a reader of the demo's output is to find there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Printed {
    /// The job's id.
    pub(super) job: u64,
    /// Hash of its result, with 0x.
    result: String,
    /// What it cost, in the smallest unit.
    total: u128,
    /// What of that went to whom, in the order of [`PARTS`].
    parts: [u128; PARTS.len()],
    /// Ayes and nays of the referendum, in ASY.
    ayes: u64,
    nays: u64,
}

impl Printed {
    /// Reads it from everything that was printed.
    pub(super) fn read(text: &str) -> Result<Self> {
        let job = field(text, "job")?.split_once(", settled");
        let (job, _) = job.context("the job is not printed as settled")?;
        let paid = field(text, "paid")?;
        let (total, parts) = paid.split_once(": ").with_context(|| format!("payment {paid:?}"))?;
        let part = |name: &str| {
            let of_this = |part: &str| part.strip_prefix(name).map(|amount| asy(amount.trim()));
            let mut all = parts.split(';').next().unwrap_or_default().split(", ");
            all.find_map(of_this)
                .with_context(|| format!("no {name} in {paid:?}"))?
        };
        let tally = field(text, "tally:")?;
        let votes = |kind: &str| {
            let mut all = tally.split([',', ';']).map(str::trim);
            let count = all.find_map(|votes| votes.strip_suffix(kind)?.trim().strip_suffix("ASY"));
            let count = count.with_context(|| format!("no{kind} in the tally {tally:?}"))?;
            count.trim().parse().with_context(|| format!("tally {tally:?}"))
        };
        Ok(Self {
            job: job.parse().with_context(|| format!("job id {job:?}"))?,
            result: field(text, "result")?.into(),
            total: asy(total)?,
            parts: [
                part(PARTS[0].0)?,
                part(PARTS[1].0)?,
                part(PARTS[2].0)?,
                part(PARTS[3].0)?,
            ],
            ayes: votes(" aye")?,
            nays: votes(" nay")?,
        })
    }

    /// An error unless the job is what `job` says, which is the node's answer, and the referendum has these `votes`:
    /// ayes and nays, in ASY.
    pub(super) fn compare(&self, job: &Value, votes: (u64, u64)) -> Result<()> {
        let phase = &job["phase"];
        ensure!(
            phase["name"] == "settled",
            "job {} is printed as settled, but is {phase}",
            self.job
        );
        let result = &phase["outcome"]["result"];
        ensure!(
            *result == self.result,
            "printed as result: {}, expected {result}",
            self.result
        );
        for ((name, field), printed) in PARTS.iter().zip(self.parts) {
            let paid = phase["payment"][*field].as_str();
            let paid: u128 = paid.with_context(|| format!("no {field} in {phase}"))?.parse()?;
            ensure!(printed == paid, "printed as paid to {name}: {printed}, expected {paid}");
        }
        let total: u128 = self.parts.iter().sum();
        ensure!(
            self.total == total && total > 0,
            "printed as paid: {}, expected {total}",
            self.total
        );
        let printed = (self.ayes, self.nays);
        ensure!(
            printed == votes,
            "printed as ayes and nays: {printed:?}, expected {votes:?}"
        );
        Ok(())
    }
}

/// What follows `name` on the last line that begins with it.
fn field<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    let mut lines = text.lines().rev().map(str::trim);
    let value = lines.find_map(|line| line.strip_prefix(name).filter(|rest| rest.starts_with(' ')));
    value
        .map(str::trim)
        .with_context(|| format!("no line `{name}` in what was printed"))
}

/// An amount such as `0.5 ASY`, in the smallest unit.
fn asy(text: &str) -> Result<u128> {
    let number = text
        .strip_suffix("ASY")
        .with_context(|| format!("amount {text:?}"))?
        .trim();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    ensure!(fraction.len() <= DECIMALS, "amount {text:?}");
    let digits = format!("{whole}{fraction:0<DECIMALS$}");
    digits.parse().with_context(|| format!("amount {text:?}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    const TEXT: &str = "\
        $ assay embed 0 'The cat sleeps.'\n\
        job     7, settled\n\
        model   0 (all-MiniLM-L6-v2)\n\
        result  0xab\n\
        paid    0.5 ASY: worker 0.3 ASY, model 0.1 ASY, treasury 0.05 ASY, burned 0.05 ASY; 1 ASY went back\n\
        tally: 33 ASY aye, 6 ASY nay; 27.27 % of all tokens support it\n";

    fn job() -> Value {
        json!({ "phase": {
            "name": "settled",
            "outcome": { "result": "0xab" },
            "payment": { "worker": "300000000000", "artifact": "100000000000", "treasury": "50000000000",
                "burned": "50000000000", "refunded": "1000000000000" },
        } })
    }

    #[test]
    fn printed_should_be_read_back_and_agree_with_the_chain() {
        let printed = Printed::read(TEXT).unwrap();
        assert_eq!(
            (printed.job, printed.total, printed.ayes, printed.nays),
            (7, 500_000_000_000, 33, 6)
        );
        printed.compare(&job(), (33, 6)).unwrap();
    }

    #[test]
    fn printed_should_be_refused_when_anything_differs_from_the_chain() {
        let other = |from: &str, to: &str| Printed::read(&TEXT.replace(from, to)).unwrap().compare(&job(), (33, 6));
        for (from, to) in [
            ("0xab", "0xac"),
            ("0.3 ASY", "0.30001 ASY"),
            ("0.5 ASY", "0.6 ASY"),
            ("33 ASY", "34 ASY"),
        ] {
            assert!(other(from, to).is_err(), "{to} instead of {from}");
        }
        let mut failed = job();
        failed["phase"]["name"] = json!("failed");
        assert!(Printed::read(TEXT).unwrap().compare(&failed, (33, 6)).is_err());
    }

    #[test]
    fn printed_should_be_refused_when_a_line_is_missing() {
        for name in ["job ", "result ", "paid ", "tally: "] {
            let lines = TEXT.lines().filter(|line| !line.starts_with(name));
            let text: String = lines.map(|line| format!("{line}\n")).collect();
            assert!(Printed::read(&text).is_err(), "without {name}");
        }
    }
}
