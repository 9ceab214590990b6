//! Transactions: signed, handed over, followed until they are in a block.
//!
//! A transaction is mortal, and followed by looking into blocks rather than by the node's word for
//! it, which ends with the connection. While it is in no block it is handed over again now and then:
//! always the same bytes, so that it is done at most once.

use super::{block::BlockAt, calls, error::ChainError, hash_of, Call, Chain, DispatchFailure};
use crate::{keys::Keypair, AccountId, Balance, BlockNumber, Hash};
use assay_types::{JobId, JobSpec};
use futures::StreamExt;
use subxt::{
    config::SubstrateExtrinsicParamsBuilder, error::DispatchError, events::Phase, ext::scale_value::Composite,
    rpcs::client::rpc_params,
};

/// Blocks in which a transaction is valid, a power of two: about six minutes.
const MORTALITY: BlockNumber = 128;

/// A transaction's validity starts at a final block, unless the newest is further behind than this.
const MAX_FINALITY_LAG: BlockNumber = 32;

/// Blocks after which a transaction that is in none is handed over again.
const HAND_OVER_AGAIN: u32 = 8;

/// How often a transaction is signed anew because its nonce was taken meanwhile.
const NONCE_ATTEMPTS: u32 = 5;

/// The pool's codes for transactions that it has, or had just now.
const TEMPORARILY_BANNED: i32 = 1012;
const ALREADY_IMPORTED: i32 = 1013;
/// Another transaction with this nonce is in the pool.
const TOO_LOW_PRIORITY: i32 = 1014;
/// The runtime says that it cannot be in a block.
const INVALID_TRANSACTION: i32 = 1010;
/// Of `compute_submitJob`: not in the best chain yet.
const NOT_INCLUDED_YET: i32 = 20_013;
/// Of `compute_submitJob`: in a block, and failed.
const JOB_FAILED: i32 = 20_014;

/// When a transaction is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When it is in the best chain: within a slot or two, and rarely undone.
    Best,
    /// When it is final.
    Finalized,
}

/// A transaction that a node has been given.
#[derive(Clone, Debug)]
pub struct Submitted {
    chain: Chain,
    call: String,
    account: AccountId,
    nonce: u64,
    bytes: Vec<u8>,
    hash: Hash,
    /// It is in no block up to here.
    after: BlockNumber,
    /// The last block in which it may be.
    until: BlockNumber,
}

/// A transaction in a block, in which it succeeded.
#[derive(Clone, Debug)]
pub struct Included {
    /// The block.
    pub block: BlockAt,
    /// Its place among the block's extrinsics.
    pub index: u32,
    /// What it caused.
    pub events: Vec<Event>,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The pallet that emitted it.
    pub pallet: String,
    /// Its name.
    pub name: String,
    /// Its fields.
    pub fields: Composite<()>,
}

impl Chain {
    /// Signs `call` with `key` and gives it to the node. It is in no block yet; see
    /// [`Submitted::wait`].
    pub async fn submit(&self, call: &Call, key: &Keypair) -> Result<Submitted, ChainError> {
        let sender = self.sender(&key.account());
        let _one_at_a_time = sender.lock().await;
        let mut attempt = 1;
        loop {
            let transaction = self.sign(call, key).await?;
            match transaction.hand_over().await {
                Ok(()) => return Ok(transaction),
                // Whether the node has it is not known; to wait for it is safe, to sign anew is not.
                Err(error) if error.is_connection() => {
                    tracing::warn!(target: "chain", call = call.name(), %error, "connection lost while sending");
                    return Ok(transaction);
                }
                Err(error) if is_nonce_taken(&error) && attempt < NONCE_ATTEMPTS => attempt += 1,
                Err(error) => return Err(transaction.refused(error)),
            }
        }
    }

    /// Signs `call` with `key`, gives it to the node and waits until it is in a block. An error if
    /// it failed there.
    pub async fn send(&self, call: &Call, key: &Keypair, until: Until) -> Result<Included, ChainError> {
        self.submit(call, key).await?.wait(until).await
    }

    /// Submits a job and hands its `input` to the node, which keeps it for workers to fetch; without
    /// it, someone whom workers ask must have it. Waits until the job is in the best chain and
    /// returns its id there.
    pub async fn submit_job(
        &self,
        spec: &JobSpec,
        max_fee: Balance,
        input: Option<&[u8]>,
        key: &Keypair,
    ) -> Result<JobId, ChainError> {
        const METHOD: &str = "compute_submitJob";
        let call = calls::submit(spec, max_fee);
        let sender = self.sender(&key.account());
        let _one_at_a_time = sender.lock().await;
        let input = input.map(to_hex);
        let mut attempt = 1;
        loop {
            let transaction = self.sign(&call, key).await?;
            let parameters = rpc_params![to_hex(&transaction.bytes), input.clone()];
            let mut answer = self.0.rpc.request(METHOD, parameters.clone()).await;
            if matches!(&answer, Err(subxt::rpcs::Error::Client(_))) {
                // The same bytes again: if they were taken, the node says so.
                answer = self.0.rpc.request(METHOD, parameters).await;
            }
            let error = match answer {
                Ok(id) => return Ok(id),
                Err(error) => self.rpc_error(METHOD, error),
            };
            match &error {
                ChainError::Rpc {
                    code: NOT_INCLUDED_YET | ALREADY_IMPORTED | TEMPORARILY_BANNED,
                    ..
                } => {}
                ChainError::Connection { .. } => {}
                ChainError::Rpc {
                    code: JOB_FAILED,
                    message,
                    data,
                    ..
                } => {
                    let named = data.as_ref().and_then(|data| data["error"].as_str()).unwrap_or(message);
                    return Err(self.named_failure(call.name(), named).await);
                }
                // Used by these very bytes, if the node took them before the connection was lost.
                _ if is_nonce_taken(&error) && transaction.is_included().await? => {}
                _ if is_nonce_taken(&error) && attempt < NONCE_ATTEMPTS => {
                    attempt += 1;
                    continue;
                }
                ChainError::Rpc { .. } => return Err(transaction.refused(error)),
                _ => return Err(error),
            }
            let Included { block, index, .. } = transaction.wait(Until::Best).await?;
            let ids = block.submitted_in(index).await?;
            return ids.first().copied().ok_or_else(|| ChainError::NotFound {
                what: format!("the job submitted by extrinsic {index} of block {}", block.number),
            });
        }
    }

    async fn sign(&self, call: &Call, key: &Keypair) -> Result<Submitted, ChainError> {
        let account = key.account();
        let (best, finalized) = (self.best().await?, self.finalized().await?);
        let anchor = match best.number.checked_sub(MAX_FINALITY_LAG) {
            Some(oldest) if oldest > finalized.number => self.block(oldest).await?,
            _ => finalized,
        };
        let id = subxt::utils::AccountId32(account.clone().into());
        let nonce = self.0.methods.system_account_next_index(&id).await;
        let nonce = nonce.map_err(|error| self.rpc_error("system_accountNextIndex", error))?;
        let params = SubstrateExtrinsicParamsBuilder::new()
            .mortal_from_unchecked(MORTALITY.into(), anchor.number.into(), anchor.hash)
            .nonce(nonce)
            .build();
        let encode = |error: subxt::error::ExtrinsicError| ChainError::Encode {
            call: call.name(),
            reason: error.to_string(),
        };
        // Of the newest runtime, which is the one that checks the signature.
        let client = best.client().await?;
        let bytes = client
            .transactions()
            .create_signable_offline(call.payload(), params)
            .and_then(|mut signable| signable.sign(key.signer()))
            .map_err(encode)?
            .into_encoded();
        Ok(Submitted {
            chain: self.clone(),
            call: call.name(),
            account,
            nonce,
            hash: hash_of(&bytes),
            bytes,
            after: anchor.number,
            until: anchor.number.saturating_add(MORTALITY - 1),
        })
    }

    /// The failure that the node named as `Pallet.Error`, with what the metadata says about it.
    async fn named_failure(&self, call: String, named: &str) -> ChainError {
        let Some((pallet, error)) = named.split_once('.') else {
            let failure = DispatchFailure {
                pallet: None,
                error: named.into(),
                docs: String::new(),
            };
            return ChainError::Dispatch { call, failure };
        };
        // The failure matters, its description is extra: none if the node cannot be asked for it.
        let docs = self.error_docs(pallet, error).await.ok().flatten().unwrap_or_default();
        let failure = DispatchFailure {
            pallet: Some(pallet.into()),
            error: error.into(),
            docs,
        };
        ChainError::Dispatch { call, failure }
    }

    async fn error_docs(&self, pallet: &str, error: &str) -> Result<Option<String>, ChainError> {
        let client = self.best().await?.client().await?;
        let variants = client
            .metadata_ref()
            .pallet_by_name(pallet)
            .and_then(|pallet| pallet.error_variants());
        let variant = variants.and_then(|variants| variants.iter().find(|variant| variant.name == error));
        Ok(variant.map(|variant| variant.docs.join(" ").trim().to_owned()))
    }
}

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
        self.outcome(block, index).await
    }

    async fn wait_best(&self) -> Result<(BlockAt, u32), ChainError> {
        let mut heads = self.chain.best_blocks();
        let mut searched: Option<BlockAt> = None;
        let mut blocks = 0;
        while let Some(head) = heads.next().await {
            let head = head?;
            if let Some(found) = self.search_back(&head, searched.as_ref()).await? {
                return Ok(found);
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
    async fn is_included(&self) -> Result<bool, ChainError> {
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
        let content = self.chain.0.methods.chain_get_block(Some(block.hash)).await;
        let content = content.map_err(|error| self.chain.rpc_error(METHOD, error))?;
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
        if u64::from(head.nonce(&self.account).await?) > self.nonce {
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
    async fn hand_over(&self) -> Result<(), ChainError> {
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
    async fn outcome(&self, block: BlockAt, index: u32) -> Result<Included, ChainError> {
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
        Ok(Included { block, index, events })
    }

    fn expired(&self) -> ChainError {
        ChainError::Expired {
            hash: self.hash,
            until: self.until,
        }
    }

    fn refused(&self, error: ChainError) -> ChainError {
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

/// Whether the node refused a transaction because its nonce was used, in a block or in the pool.
fn is_nonce_taken(error: &ChainError) -> bool {
    match error {
        ChainError::Rpc {
            code: TOO_LOW_PRIORITY, ..
        } => true,
        ChainError::Rpc {
            code: INVALID_TRANSACTION,
            message,
            ..
        } => message.contains("outdated"),
        _ => false,
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

fn to_hex(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}
