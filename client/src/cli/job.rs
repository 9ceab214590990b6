//! `assay job`: shows, watches and cancels a job.

use super::{context::Context, failure::Failure, render, request::ended_badly};
use assay_client::{
    chain::{calls, Until},
    inference::{self, InferenceError},
};
use assay_types::{
    view::{JobUpdate, JobView, PhaseView},
    JobId, Phase,
};
use clap::{Args, Subcommand};
use serde::Serialize;

/// Shows, watches or cancels a job
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  assay job 3 --watch\n  assay job cancel 3 --key //Alice"
)]
pub(super) struct Job {
    #[command(subcommand)]
    action: Option<Action>,
    /// The job's id
    #[arg(required = true)]
    id: Option<JobId>,
    /// Print every change until the job has ended; as JSON, one object a line. Ends with code 3 if
    /// it did not settle
    #[arg(long)]
    watch: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Cancels a job that no worker has acknowledged; what is on hold for it goes back
    #[command(after_help = "Example:\n  assay job cancel 3 --key //Alice")]
    Cancel {
        /// The job's id
        id: JobId,
        /// Wait until the cancellation is final
        #[arg(long)]
        finalized: bool,
    },
}

/// What `--json` prints of a job whose record is gone: of a [`JobView`], what is still known.
#[derive(Serialize)]
struct Gone {
    id: JobId,
    phase: PhaseView,
}

impl Job {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        match (self.action, self.id) {
            (Some(Action::Cancel { id, finalized }), _) => cancel(context, id, finalized).await,
            (None, Some(id)) if self.watch => watch(context, id).await,
            (None, Some(id)) => show(context, id).await,
            (None, None) => Err(Failure::other("expected a job id")),
        }
    }
}

async fn show(context: &Context, id: JobId) -> Result<(), Failure> {
    let block = context.chain().await?.best().await?;
    let job = block.job(id).await?.ok_or(InferenceError::UnknownJob(id))?;
    context.print(&JobView::at(job, block.number), render::job)
}

async fn watch(context: &Context, id: JobId) -> Result<(), Failure> {
    let chain = context.chain().await?;
    let mut printed = Ok(());
    let job = inference::follow(&chain, id, |job, block| {
        let update = JobUpdate {
            finalized: false,
            block_hash: block.hash,
            block_number: block.number,
            job: Some(JobView::at(job.clone(), block.number)),
        };
        printed = context.print_one(&update, |update| match &update.job {
            Some(job) => format!("block {}  job {id}  {}", update.block_number, render::phase(&job.phase)),
            None => String::new(),
        });
        printed.is_err()
    })
    .await?;
    printed?;
    match job.phase {
        Phase::Settled { .. } => Ok(()),
        _ => Err(ended_badly(&job)),
    }
}

async fn cancel(context: &Context, id: JobId, finalized: bool) -> Result<(), Failure> {
    let key = context.key()?;
    let progress = context.progress();
    progress.say(format!("cancelling job {id}"));
    let until = if finalized { Until::Finalized } else { Until::Best };
    let included = context.chain().await?.send(&calls::cancel(id), &key, until).await?;
    drop(progress);
    let block = included.block;
    match block.job(id).await? {
        Some(job) => context.print(&JobView::at(job, block.number), render::job),
        // Records of cancelled jobs need not be kept.
        None => context.print(
            &Gone {
                id,
                phase: PhaseView::Cancelled,
            },
            |gone| format!("job {} is {}", gone.id, gone.phase.name()),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn job_whose_record_is_gone_should_be_json_like_other_jobs() {
        let gone = Gone {
            id: 3,
            phase: PhaseView::Cancelled,
        };
        let json = serde_json::to_string(&gone).unwrap();
        assert_eq!(json, r#"{"id":3,"phase":{"name":"cancelled"}}"#);
    }
}
