//! Blocks as they come, over any number of lost connections.

use super::{block::BlockAt, error::ChainError, Chain, Header};
use crate::BlockNumber;
use futures::{
    stream::{self, BoxStream},
    StreamExt,
};
use std::time::Duration;
use subxt::rpcs::client::RpcSubscription;
use tokio::time;

/// Blocks as they come. Never ends but after an error, and errors only where going on is pointless,
/// as when the node now runs another chain; a lost connection is no error.
pub type BlockStream = BoxStream<'static, Result<BlockAt, ChainError>>;

/// How long there may be no block before the connection is taken for dead: 20 slots.
const SILENCE: Duration = Duration::from_secs(60);

/// Pause before subscribing again.
const PAUSE: Duration = Duration::from_secs(2);

/// Which blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Best,
    Finalized,
}

/// New heads of the best chain, from the current one on. Not every block of it: where the best
/// chain changes, or blocks come faster than they are read, some are left out.
pub(super) fn best(chain: Chain) -> BlockStream {
    let heads = Heads {
        chain,
        kind: Kind::Best,
        subscription: None,
    };
    stream::try_unfold((heads, None), |(mut heads, last)| async move {
        loop {
            let head = heads.next().await?;
            if last != Some(head.hash) {
                let last = Some(head.hash);
                return Ok(Some((head, (heads, last))));
            }
        }
    })
    .boxed()
}

/// Every finalized block in order, from number `from` or the current one on.
pub(super) fn finalized(chain: Chain, from: Option<BlockNumber>) -> BlockStream {
    let heads = Heads {
        chain,
        kind: Kind::Finalized,
        subscription: None,
    };
    // Notifications are of the newest of several; `due` is the next to hand out.
    stream::try_unfold((heads, from, None), |(mut heads, mut due, mut newest)| async move {
        loop {
            let head: BlockAt = match newest.take() {
                Some(head) => head,
                None => heads.next().await?,
            };
            let number = *due.get_or_insert(head.number);
            if number > head.number {
                continue;
            }
            let (block, newest) = if number == head.number {
                (head, None)
            } else {
                (heads.ancestor(number).await?, Some(head))
            };
            return Ok(Some((block, (heads, Some(number + 1), newest))));
        }
    })
    .boxed()
}

/// Heads as the node notifies of them, subscribing again as often as needed.
struct Heads {
    chain: Chain,
    kind: Kind,
    subscription: Option<RpcSubscription<Header>>,
}

impl Heads {
    async fn next(&mut self) -> Result<BlockAt, ChainError> {
        loop {
            let Some(subscription) = &mut self.subscription else {
                match self.chain.subscribe(self.kind).await {
                    Ok(subscription) => self.subscription = Some(subscription),
                    Err(error) => pause(error).await?,
                }
                continue;
            };
            match time::timeout(SILENCE, subscription.next()).await {
                Ok(Some(Ok(header))) => return self.chain.block_of(&header),
                Ok(Some(Err(error))) => {
                    tracing::debug!(target: "chain", %error, "subscription broken");
                    self.subscription = None;
                }
                Ok(None) => self.subscription = None,
                Err(_) => {
                    tracing::debug!(target: "chain", "no block for {} s", SILENCE.as_secs());
                    self.subscription = None;
                }
            }
        }
    }

    /// The finalized block with this number, which is below a finalized one.
    async fn ancestor(&mut self, number: BlockNumber) -> Result<BlockAt, ChainError> {
        loop {
            match self.chain.block(number).await {
                Ok(block) => return Ok(block),
                Err(error) => pause(error).await?,
            }
        }
    }
}

/// Waits if the connection is to blame.
async fn pause(error: ChainError) -> Result<(), ChainError> {
    if !error.is_connection() {
        return Err(error);
    }
    tracing::warn!(target: "chain", %error, "trying again");
    time::sleep(PAUSE).await;
    Ok(())
}
