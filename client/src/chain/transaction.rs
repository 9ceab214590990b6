//! Transactions: signed, handed over, followed until they are in a block.
//!
//! Where it is not known whether the node has taken a transaction, it is handed over again: always
//! the same bytes, so that it is done at most once.

mod wait;

use super::{block::BlockAt, calls, error::ChainError, hash_of, Call, Chain, DispatchFailure};
use crate::{keys::Keypair, AccountId, Balance, BlockNumber, Hash};
use assay_types::{JobId, JobSpec};
use subxt::{config::SubstrateExtrinsicParamsBuilder, ext::scale_value::Composite, rpcs::client::rpc_params};
use wait::patiently;

/// Blocks in which a transaction is valid, a power of two: about six minutes.
const MORTALITY: BlockNumber = 128;

/// A transaction's validity starts at a final block, unless the newest is further behind than this.
const MAX_FINALITY_LAG: BlockNumber = 32;

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
    /// returns its id there. Goes on when the connection is lost on the way.
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
            // The same bytes again after a lost connection: if they were taken, the node says so.
            let error = match patiently(|| async {
                let answer = self.0.rpc.request(METHOD, parameters.clone()).await;
                answer.map_err(|error| self.rpc_error(METHOD, error))
            })
            .await
            {
                Ok(id) => return Ok(id),
                Err(error) => error,
            };
            match &error {
                ChainError::Rpc {
                    code: NOT_INCLUDED_YET | ALREADY_IMPORTED | TEMPORARILY_BANNED,
                    ..
                } => {}
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

fn to_hex(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

#[cfg(test)]
mod tests;
