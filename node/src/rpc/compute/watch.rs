//! What `compute_subscribeJob` tells.

use super::Error;
use assay_runtime::{opaque::Block, AccountId, Balance, BlockNumber, Hash};
use assay_types::{
    api::ComputeApi,
    view::{JobUpdate, JobView},
    JobId,
};
use futures::{
    stream::{self, BoxStream},
    StreamExt,
};
use sc_client_api::BlockchainEvents;
use sp_api::ProvideRuntimeApi;
use sp_blockchain::HeaderBackend;
use std::{collections::VecDeque, sync::Arc};

const LOG_TARGET: &str = "rpc::compute";

/// Blocks that became best or final, the latter in the order of the chain.
struct Seen {
    finalized: bool,
    blocks: Vec<Hash>,
}

/// One job, as last told.
struct Watch<C> {
    client: Arc<C>,
    id: JobId,
    best: Option<JobView>,
    finalized: Option<JobView>,
    /// To be told.
    queue: VecDeque<JobUpdate>,
    /// Whether nothing can happen any more.
    ended: bool,
}

/// The job as it is, and every change from now on. Ends when its record is gone from the finalized
/// chain.
pub(super) fn updates<C>(client: Arc<C>, id: JobId) -> Result<BoxStream<'static, JobUpdate>, Error>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + BlockchainEvents<Block> + Send + Sync + 'static,
    C::Api: ComputeApi<Block, AccountId, Balance, BlockNumber>,
{
    // Listen first, then look: so nothing in between is missed.
    let best = client.import_notification_stream().filter_map(|block| async move {
        block.is_new_best.then(|| Seen {
            finalized: false,
            blocks: vec![block.hash],
        })
    });
    let finalized = client.finality_notification_stream().map(|block| {
        let blocks = block.tree_route.iter().copied().chain([block.hash]).collect();
        Seen {
            finalized: true,
            blocks,
        }
    });
    let seen = stream::select(best, finalized).boxed();
    let watch = Watch::start(client, id)?;
    let updates = stream::unfold((watch, seen), |(mut watch, mut seen)| async move {
        loop {
            if let Some(update) = watch.queue.pop_front() {
                return Some((update, (watch, seen)));
            }
            if watch.ended {
                return None;
            }
            watch.observe(seen.next().await?);
        }
    });
    Ok(updates.boxed())
}

impl<C> Watch<C>
where
    C: ProvideRuntimeApi<Block> + HeaderBackend<Block>,
    C::Api: ComputeApi<Block, AccountId, Balance, BlockNumber>,
{
    /// Tells the job as it is now. Where the finalized chain has it too, that is told first.
    fn start(client: Arc<C>, id: JobId) -> Result<Self, Error> {
        let info = client.info();
        let mut watch = Self {
            client,
            id,
            best: None,
            finalized: None,
            queue: VecDeque::new(),
            ended: false,
        };
        for (finalized, block) in [(true, info.finalized_hash), (false, info.best_hash)] {
            let (number, job) = watch.read(block)?;
            watch.tell(finalized, block, number, job);
        }
        if watch.queue.is_empty() {
            return Err(Error::UnknownJob(id));
        }
        Ok(watch)
    }

    fn observe(&mut self, seen: Seen) {
        for block in seen.blocks {
            match self.read(block) {
                Ok((number, job)) => self.tell(seen.finalized, block, number, job),
                // A later block will show the change, if there was one.
                Err(error) => log::warn!(target: LOG_TARGET, "Job {} at block {block:?}: {error}", self.id),
            }
        }
    }

    fn read(&self, block: Hash) -> Result<(BlockNumber, Option<JobView>), Error> {
        let number = self
            .client
            .number(block)?
            .ok_or_else(|| sp_blockchain::Error::UnknownBlock(format!("no header of block {block:?}")))?;
        let job = self.client.runtime_api().job(block, self.id)?;
        Ok((number, job.map(|job| JobView::at(job, number))))
    }

    /// Queues an update if the job is not as it was last told.
    fn tell(&mut self, finalized: bool, block_hash: Hash, block_number: BlockNumber, job: Option<JobView>) {
        let told = if finalized { &mut self.finalized } else { &mut self.best };
        if *told == job {
            return;
        }
        self.ended |= finalized && job.is_none();
        told.clone_from(&job);
        self.queue.push_back(JobUpdate {
            finalized,
            block_hash,
            block_number,
            job,
        });
    }
}

#[cfg(test)]
mod tests;
