//! Views as people read them.

use super::output::{fields, table};
use assay_client::amount;
use assay_types::view::{
    ArtifactView, Decimal, EstimateView, FaultView, JobView, PaymentView, PhaseView, StatusView, WorkerView,
};

/// An amount of ASY.
pub(super) fn asy(amount: Decimal) -> String {
    amount::format(amount.into())
}

/// An artifact, one property a line.
pub(super) fn artifact(artifact: &ArtifactView) -> String {
    let profile = &artifact.profile;
    fields(&[
        ("artifact", artifact.id.to_string()),
        ("owner", artifact.owner.to_string()),
        (
            "package",
            format!("{:?} ({} bytes)", artifact.package.hash, artifact.package.size),
        ),
        ("metadata", format!("{:?}", artifact.metadata)),
        ("price", format!("{} a use", asy(artifact.price_per_use))),
        ("work", format!("{} units a token", profile.units_per_token)),
        ("sequence", format!("at most {} tokens", profile.max_sequence)),
        ("output", format!("{} dimensions", profile.dimensions)),
        ("registered", format!("in block {}", artifact.registered_at)),
        (
            "used",
            format!("{} times, earned {}", artifact.uses, asy(artifact.earned)),
        ),
        (
            "state",
            if artifact.retired {
                "retired: takes no new jobs".into()
            } else {
                "takes jobs".into()
            },
        ),
    ])
}

/// A job, one property a line.
pub(super) fn job(job: &JobView) -> String {
    let mut lines = vec![
        ("job", job.id.to_string()),
        ("state", phase(&job.phase)),
        ("submitter", format!("{} in block {}", job.submitter, job.submitted_at)),
        ("artifact", job.spec.artifact.to_string()),
        (
            "input",
            format!("{:?} ({} bytes)", job.spec.input.hash, job.spec.input.size),
        ),
        (
            "sequences",
            format!("{} with at most {} tokens", job.spec.sequences, job.spec.max_tokens),
        ),
        (
            "fee",
            format!(
                "at most {}, {} on hold, deposit {}",
                asy(job.max_fee),
                asy(job.held),
                asy(job.deposit)
            ),
        ),
    ];
    if let Some(agreed) = &job.agreed {
        lines.push((
            "terms",
            format!("ask {}, collateral {}", asy(agreed.ask), asy(agreed.collateral)),
        ));
    }
    for attempt in &job.attempts {
        let ended = format!(
            "{} gave up in block {}: {}",
            attempt.worker,
            attempt.ended_at,
            fault(attempt.fault)
        );
        lines.push(("attempt", ended));
    }
    match &job.phase {
        PhaseView::Challengeable { worker, outcome, .. } | PhaseView::Settled { worker, outcome, .. } => {
            lines.push(("worker", worker.to_string()));
            lines.push((
                "outcome",
                format!("{}, {} tokens", status(outcome.status), outcome.tokens),
            ));
            lines.push((
                "result",
                format!("{:?} ({} bytes)", outcome.result, outcome.delivered_size),
            ));
        }
        PhaseView::Assigned { worker, .. }
        | PhaseView::Running { worker, .. }
        | PhaseView::Committed { worker, .. }
        | PhaseView::Revealing { worker, .. } => lines.push(("worker", worker.to_string())),
        PhaseView::Open { .. } | PhaseView::Failed { .. } | PhaseView::Cancelled | PhaseView::Expired => {}
    }
    if let PhaseView::Settled { payment: paid, .. } = &job.phase {
        lines.push(("paid", payment(paid)));
    }
    fields(&lines)
}

/// How far a job is, in a few words.
pub(super) fn phase(phase: &PhaseView) -> String {
    let name = phase.name();
    match phase {
        PhaseView::Open { until } => format!("{name}: waits for a worker up to block {until}"),
        PhaseView::Assigned { until, .. } => format!("{name}: to be acknowledged up to block {until}"),
        PhaseView::Running { until, .. } => format!("{name}: to be committed up to block {until}"),
        PhaseView::Committed { from, .. } => format!("{name}: reveals open in block {from}"),
        PhaseView::Revealing { until, .. } => format!("{name}: to be revealed up to block {until}"),
        PhaseView::Challengeable { until, .. } => format!("{name}: settles after block {until}"),
        PhaseView::Failed {
            fault: whose,
            status: None,
        } => format!("{name}: {}", fault(*whose)),
        PhaseView::Failed {
            fault: whose,
            status: Some(got),
        } => {
            format!("{name}: {}, {}", status(*got), fault(*whose))
        }
        PhaseView::Expired => format!("{name}: no worker took it in time"),
        PhaseView::Settled { .. } | PhaseView::Cancelled => name.into(),
    }
}

/// Who got how much.
pub(super) fn payment(payment: &PaymentView) -> String {
    let PaymentView {
        worker,
        artifact,
        treasury,
        burned,
        refunded,
    } = *payment;
    let total = Decimal(worker.0 + artifact.0 + treasury.0 + burned.0);
    let parts = format!(
        "{}: worker {}, model {}, treasury {}, burned {}",
        asy(total),
        asy(worker),
        asy(artifact),
        asy(treasury),
        asy(burned)
    );
    if refunded == Decimal(0) {
        parts
    } else {
        format!("{parts}; {} went back", asy(refunded))
    }
}

/// Jobs, one a line.
pub(super) fn jobs(jobs: &[JobView]) -> String {
    if jobs.is_empty() {
        return "no jobs on record".into();
    }
    let row = |job: &JobView| {
        let paid = match &job.phase {
            PhaseView::Settled { payment, .. } => asy(Decimal(
                payment.worker.0 + payment.artifact.0 + payment.treasury.0 + payment.burned.0,
            )),
            _ => "-".into(),
        };
        vec![
            job.id.to_string(),
            job.phase.name().into(),
            job.spec.artifact.to_string(),
            job.spec.sequences.to_string(),
            job.submitted_at.to_string(),
            paid,
        ]
    };
    let rows: Vec<_> = jobs.iter().map(row).collect();
    table(&["job", "state", "artifact", "sequences", "block", "paid"], &rows)
}

/// Workers, one a line.
pub(super) fn workers(workers: &[WorkerView]) -> String {
    if workers.is_empty() {
        return "no workers".into();
    }
    let row = |worker: &WorkerView| {
        let ready: Vec<_> = worker.ready.iter().map(ToString::to_string).collect();
        vec![
            worker.account.to_string(),
            if worker.chilled {
                "chilled".into()
            } else {
                "active".into()
            },
            asy(worker.ask),
            asy(worker.bond),
            asy(worker.locked),
            if ready.is_empty() { "-".into() } else { ready.join(",") },
            worker.active_jobs.to_string(),
            worker.settled.to_string(),
            worker.missed.to_string(),
            worker.endpoint.chars().filter(|c| !c.is_control()).collect(),
        ]
    };
    let head = [
        "worker",
        "state",
        "ask/10⁹ units",
        "bond",
        "locked",
        "ready",
        "jobs",
        "settled",
        "missed",
        "endpoint",
    ];
    table(&head, &workers.iter().map(row).collect::<Vec<_>>())
}

/// An estimate.
pub(super) fn estimate(estimate: &EstimateView) -> String {
    let fee = match (estimate.lowest_fee, estimate.highest_fee) {
        (Some(lowest), Some(highest)) if lowest == highest => asy(lowest),
        (Some(lowest), Some(highest)) => format!("{} to {}, as the draw falls", asy(lowest), asy(highest)),
        _ => "none: nobody can run it now".into(),
    };
    let mut text = fields(&[
        ("work", format!("{} units", estimate.units)),
        ("fee", fee),
        (
            "deposit",
            format!("{}, goes back when the job's record is removed", asy(estimate.deposit)),
        ),
        ("eligible", format!("{} workers", estimate.eligible.len())),
    ]);
    for account in &estimate.eligible {
        text.push_str(&format!("  {account}\n"));
    }
    if !estimate.ineligible.is_empty() {
        text.push_str("not eligible\n");
        text.push_str(&ineligible(estimate));
    }
    text
}

/// Who cannot run a job and why, one a line.
pub(super) fn ineligible(estimate: &EstimateView) -> String {
    estimate
        .ineligible
        .iter()
        .map(|worker| format!("  {}: {}\n", worker.account, worker.detail))
        .collect()
}

/// Whose fault it was.
fn fault(fault: FaultView) -> &'static str {
    match fault {
        FaultView::Worker => "the worker's fault",
        FaultView::Submitter => "the submitter's fault: the input cannot be had or is not what the job says",
        FaultView::Artifact => "the model's fault: its package cannot be had or run",
        FaultView::Network => "nobody eligible, or nobody who acknowledged",
    }
}

fn status(status: StatusView) -> &'static str {
    match status {
        StatusView::Completed => "completed",
        StatusView::MalformedInput => "malformed input",
        StatusView::MalformedModel => "malformed model",
    }
}
