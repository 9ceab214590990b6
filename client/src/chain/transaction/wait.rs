//! Following a transaction until it is in a block.
//!
//! This is done by looking into blocks rather than by the node's word for it, which ends with the
//! connection. A node that cannot be reached is waited for.

use super::{is_nonce_taken, Event, Included, Submitted, Until, ALREADY_IMPORTED, TEMPORARILY_BANNED};
use crate::{
    chain::{block::BlockAt, error::ChainError, DispatchFailure},
    Hash,
};
use futures::StreamExt;
use std::{future::Future, time::Duration};
use subxt::{error::DispatchError, events::Phase};
use tokio::time;

/// Blocks after which a transaction that is in none is handed over again.
const HAND_OVER_AGAIN: u32 = 8;

/// Pause before a node that cannot be reached is asked again.
const PAUSE: Duration = Duration::from_secs(2);

impl Submitted {
    /// The transaction's hash.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Waits until the transaction is in a block of the best chain, or in a final one. An error if
    /// it failed there, if it can no longer be in any, or if another one took its nonce.
    pub async fn wait(&self, until: Until) -> Result<Included, ChainError> {
        let (block, index) = match until {
            Until::Best => self.wait_best().await?,
            Until::Finalized => self.wait_finalized().await?,
        };
        patiently(|| self.outcome(&block, index)).await
    }

    async fn wait_best(&self) -> Result<(BlockAt, u32), ChainError> {
        let mut heads = self.chain.best_blocks();
        let mut searched: Option<BlockAt> = None;
        let mut blocks = 0;
        while let Some(head) = heads.next().await {
            let head = head?;
            match self.search_back(&head, searched.as_ref()).await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                // A node that crashed may have lost its newest blocks; it gets them again.
                Err(ChainError::NotFound { .. }) => continue,
                Err(error) => return Err(error),
            }
            self.check_alive(&head, &mut blocks).await?;
            searched = Some(head);
        }
        Err(self.expired())
    }

    async fn wait_finalized(&self) -> Result<(BlockAt, u32), ChainError> {
        let mut chain = self.chain.finalized_blocks_from(self.after.saturating_add(1));
        let mut blocks = 0;
        while let Some(block) = chain.next().await {
            let block = block?;
            if let Some(index) = self.index_in(&block).await?.0 {
                return Ok((block, index));
            }
            self.check_alive(&block, &mut blocks).await?;
        }
        Err(self.expired())
    }

    /// Whether the transaction is in the best chain now.
    pub(super) async fn is_included(&self) -> Result<bool, ChainError> {
        let best = self.chain.best().await?;
        Ok(self.search_back(&best, None).await?.is_some())
    }

    /// Looks for the transaction in `head` and the blocks before it, as far back as to a block that
    /// has been searched already or to the one after which it may be.
    async fn search_back(
        &self,
        head: &BlockAt,
        searched: Option<&BlockAt>,
    ) -> Result<Option<(BlockAt, u32)>, ChainError> {
        let mut block = head.clone();
        while block.number > self.after && searched.is_none_or(|searched| searched.hash != block.hash) {
            let (index, parent) = self.index_in(&block).await?;
            if let Some(index) = index {
                return Ok(Some((block, index)));
            }
            block = BlockAt::new(self.chain.clone(), parent, block.number - 1);
        }
        Ok(None)
    }

    /// The transaction's index in a block, and the block's parent.
    async fn index_in(&self, block: &BlockAt) -> Result<(Option<u32>, Hash), ChainError> {
        const METHOD: &str = "chain_getBlock";
        let content = patiently(|| async {
            let content = self.chain.0.methods.chain_get_block(Some(block.hash)).await;
            content.map_err(|error| self.chain.rpc_error(METHOD, error))
        })
        .await?;
        let not_found = || ChainError::NotFound {
            what: format!("block {} ({:?})", block.number, block.hash),
        };
        let content = content.ok_or_else(not_found)?.block;
        let position = content
            .extrinsics
            .iter()
            .position(|extrinsic| extrinsic.0 == self.bytes);
        let index = position.map(|index| u32::try_from(index).expect("a block has fewer extrinsics than bytes; qed"));
        Ok((index, content.header.parent_hash))
    }

    /// After a look into `head` and all before it: can the transaction still come, and does the node
    /// still have it?
    async fn check_alive(&self, head: &BlockAt, blocks: &mut u32) -> Result<(), ChainError> {
        if head.number >= self.until {
            return Err(self.expired());
        }
        if u64::from(patiently(|| head.nonce(&self.account)).await?) > self.nonce {
            let account = self.account.clone();
            return Err(ChainError::Displaced {
                hash: self.hash,
                account,
                nonce: self.nonce,
            });
        }
        *blocks += 1;
        if !blocks.is_multiple_of(HAND_OVER_AGAIN) {
            return Ok(());
        }
        // A node that was restarted, or short of room, has forgotten it.
        match self.hand_over().await {
            Ok(()) => Ok(()),
            Err(error) if error.is_connection() || is_nonce_taken(&error) => Ok(()),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Gives the transaction to the node; no error if it has it already.
    pub(super) async fn hand_over(&self) -> Result<(), ChainError> {
        match self.chain.0.methods.author_submit_extrinsic(&self.bytes).await {
            Ok(_) => Ok(()),
            Err(error) => match self.chain.rpc_error("author_submitExtrinsic", error) {
                ChainError::Rpc {
                    code: ALREADY_IMPORTED | TEMPORARILY_BANNED,
                    ..
                } => Ok(()),
                error => Err(error),
            },
        }
    }

    /// What the transaction did in its block.
    async fn outcome(&self, block: &BlockAt, index: u32) -> Result<Included, ChainError> {
        let client = block.client().await?;
        let failed = |error| ChainError::subxt(self.chain.url(), "the block's events", error);
        let mut events = Vec::new();
        for event in client.events().fetch().await.map_err(failed)?.iter() {
            let event = event.map_err(failed)?;
            if event.phase() != Phase::ApplyExtrinsic(index) {
                continue;
            }
            if event.pallet_name() == "System" && event.event_name() == "ExtrinsicFailed" {
                let error = DispatchError::decode_from(event.field_bytes(), client.metadata());
                let error = error.map_err(|error| ChainError::decode("System.ExtrinsicFailed", error))?;
                return Err(ChainError::Dispatch {
                    call: self.call.clone(),
                    failure: failure(error),
                });
            }
            events.push(Event {
                pallet: event.pallet_name().into(),
                name: event.event_name().into(),
                fields: event.decode_fields_unchecked_as().map_err(failed)?,
            });
        }
        Ok(Included {
            block: block.clone(),
            index,
            events,
        })
    }

    fn expired(&self) -> ChainError {
        ChainError::Expired {
            hash: self.hash,
            until: self.until,
        }
    }

    pub(super) fn refused(&self, error: ChainError) -> ChainError {
        match error {
            ChainError::Rpc { message, .. } => ChainError::Refused {
                call: self.call.clone(),
                account: self.account.clone(),
                reason: message,
            },
            error => error,
        }
    }
}

fn failure(error: DispatchError) -> DispatchFailure {
    let other = |error: String| DispatchFailure {
        pallet: None,
        error,
        docs: String::new(),
    };
    match error {
        DispatchError::Module(module) => match module.details() {
            Ok(details) => DispatchFailure {
                pallet: Some(details.pallet.name().into()),
                error: details.variant.name.clone(),
                docs: details.variant.docs.join(" ").trim().into(),
            },
            Err(_) => other(module.details_string()),
        },
        error => other(error.to_string()),
    }
}

/// Asks until the node can be reached.
pub(super) async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, ChainError>
where
    F: Future<Output = Result<T, ChainError>>,
{
    loop {
        match ask().await {
            Err(error) if error.is_connection() => {
                tracing::warn!(target: "chain", %error, "trying again");
                time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}
