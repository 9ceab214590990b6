//! What the worker counts, for Prometheus.

use crate::tracker::End;
use prometheus::{Counter, Encoder, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};
use std::time::Duration;

/// Labels of blobs by what they are.
const INPUT: &str = "input";
const OUTPUT: &str = "output";
const PACKAGE: &str = "package";

/// The worker's counters and gauges.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    jobs: IntCounterVec,
    earned: Counter,
    in_progress: IntGauge,
    computing: Counter,
    units: IntCounter,
    blob_bytes: IntCounterVec,
    transactions: IntCounterVec,
    best: IntGauge,
    finalized: IntGauge,
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("assay_worker".into()), None)?;
        let metrics = Self {
            jobs: IntCounterVec::new(Opts::new("jobs_total", "Attempts that ended, by outcome"), &["outcome"])?,
            earned: Counter::new("earned_asy_total", "Paid for settled jobs, in ASY")?,
            in_progress: IntGauge::new("jobs_in_progress", "Attempts that have not ended")?,
            computing: Counter::new("computing_seconds_total", "Time spent running models")?,
            units: IntCounter::new("work_units_total", "Work units (multiply-adds) done")?,
            blob_bytes: IntCounterVec::new(
                Opts::new("blob_bytes_total", "Bytes of blobs used or made, by kind"),
                &["kind"],
            )?,
            transactions: IntCounterVec::new(
                Opts::new("transactions_total", "Transactions sent, by call and result"),
                &["call", "result"],
            )?,
            best: IntGauge::new("best_block", "Latest block seen")?,
            finalized: IntGauge::new("finalized_block", "Latest finalized block seen")?,
            registry,
        };
        for collector in [
            Box::new(metrics.jobs.clone()) as Box<dyn prometheus::core::Collector>,
            Box::new(metrics.earned.clone()),
            Box::new(metrics.in_progress.clone()),
            Box::new(metrics.computing.clone()),
            Box::new(metrics.units.clone()),
            Box::new(metrics.blob_bytes.clone()),
            Box::new(metrics.transactions.clone()),
            Box::new(metrics.best.clone()),
            Box::new(metrics.finalized.clone()),
        ] {
            metrics.registry.register(collector)?;
        }
        Ok(metrics)
    }

    /// Everything in Prometheus' text format.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }

    pub(crate) fn job_ended(&self, end: &End) {
        self.jobs.with_label_values(&[end.label()]).inc();
        if let End::Settled { paid } = end {
            // A gauge for people to look at; the chain has the exact amounts.
            self.earned.inc_by(*paid as f64 / assay_client::amount::ASY as f64);
        }
    }

    pub(crate) fn in_progress(&self, jobs: usize) {
        self.in_progress.set(jobs as i64);
    }

    pub(crate) fn computed(&self, units: u64, took: Duration) {
        self.units.inc_by(units);
        self.computing.inc_by(took.as_secs_f64());
    }

    pub(crate) fn input_bytes(&self, bytes: u64) {
        self.blob_bytes.with_label_values(&[INPUT]).inc_by(bytes);
    }

    pub(crate) fn output_bytes(&self, bytes: u64) {
        self.blob_bytes.with_label_values(&[OUTPUT]).inc_by(bytes);
    }

    pub(crate) fn package_bytes(&self, bytes: u64) {
        self.blob_bytes.with_label_values(&[PACKAGE]).inc_by(bytes);
    }

    pub(crate) fn sent(&self, call: &str, result: &str) {
        self.transactions.with_label_values(&[call, result]).inc();
    }

    pub(crate) fn best(&self, number: u32) {
        self.best.set(number.into());
    }

    pub(crate) fn finalized(&self, number: u32) {
        self.finalized.set(number.into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_should_show_what_was_counted() {
        let metrics = Metrics::new().unwrap();
        metrics.job_ended(&End::Settled {
            paid: assay_client::amount::ASY / 2,
        });
        metrics.computed(7, Duration::from_millis(1500));
        metrics.output_bytes(1536);
        let text = metrics.text().unwrap();
        for line in [
            "assay_worker_jobs_total{outcome=\"settled\"} 1",
            "assay_worker_earned_asy_total 0.5",
            "assay_worker_computing_seconds_total 1.5",
            "assay_worker_work_units_total 7",
            "assay_worker_blob_bytes_total{kind=\"output\"} 1536",
        ] {
            assert!(text.lines().any(|is| is == line), "expected {line:?} in:\n{text}");
        }
    }
}
