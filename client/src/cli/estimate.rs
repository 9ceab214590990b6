//! `assay estimate`: what a job would cost, and who could run it.

use super::{
    context::{Context, ModelName},
    embed::Fee,
    failure::Failure,
    render, request,
};
use clap::Args;

/// Says what a job would cost now, who could run it, and why others could not
///
/// Nothing is submitted.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  assay estimate 0 'A cat sits on the mat.' --max-fee 0.01")]
pub(super) struct Estimate {
    /// The model: an artifact id or the hash of its package
    model: ModelName,
    /// Texts
    #[arg(required = true)]
    texts: Vec<String>,
    #[command(flatten)]
    fee: Fee,
}

impl Estimate {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let prepared = request::prepare(context, &self.model, &self.texts, self.fee.max_fee).await?;
        context.print(&prepared.estimate, render::estimate)
    }
}
