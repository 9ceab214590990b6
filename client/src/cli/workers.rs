//! `assay workers`: who computes.

use super::{
    context::{Context, ModelName},
    failure::Failure,
    render,
};
use assay_types::view::WorkerView;
use clap::Args;

/// Lists all workers, or those that have a model ready
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  assay workers --artifact 0")]
pub(super) struct Workers {
    /// Only those that have this model ready: an artifact id or the hash of its package
    #[arg(long, value_name = "MODEL")]
    artifact: Option<ModelName>,
}

impl Workers {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let block = context.chain().await?.best().await?;
        let artifact = match self.artifact {
            Some(model) => Some(model.resolve(&block).await?),
            None => None,
        };
        let workers: Vec<WorkerView> = block.workers(artifact).await?.into_iter().map(Into::into).collect();
        context.print(&workers, |workers| render::workers(workers))
    }
}
