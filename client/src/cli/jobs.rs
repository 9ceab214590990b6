//! `assay jobs`: jobs of an account.

use super::{context::Context, failure::Failure, render};
use assay_types::view::JobView;
use clap::Args;

/// Lists jobs of an account
///
/// Newest first, as long as the chain keeps their records.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  assay jobs //Alice --limit 5")]
pub(super) struct Jobs {
    /// The account: an SS58 address or a development key [default: the key's]
    account: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

impl Jobs {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let account = context.account(self.account.as_deref())?;
        let block = context.chain().await?.best().await?;
        let jobs = block.jobs(&account, self.limit).await?;
        let jobs: Vec<_> = jobs.into_iter().map(|job| JobView::at(job, block.number)).collect();
        context.print(&jobs, |jobs| render::jobs(jobs))
    }
}
