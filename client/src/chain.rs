//! A connection to a chain, by way of one of its nodes.
//!
//! [`Chain::connect`] refuses chains that this program was not built for. After that a lost
//! connection is made again by itself: questions wait for it, streams of blocks go on after it, and
//! transactions are handed over again, always the same bytes, so that none is done twice.
//!
//! Calls are encoded by name against the metadata of the runtime that the node has now, so that a
//! runtime upgrade that keeps a call's arguments needs no new program.

mod block;
mod blocks;
pub mod calls;
mod error;
mod transaction;
mod transport;

pub use block::{BlockAt, Funds};
pub use blocks::BlockStream;
pub use calls::Call;
pub use error::{ChainError, DispatchFailure};
pub use transaction::{Event, Included, Submitted, Until};

use crate::{AccountId, BlockNumber, Hash};
use assay_types::api::runtime_decl_for_compute_api;
use blocks::Kind;
use codec::{Decode, Encode};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use subxt::{
    backend::LegacyBackend,
    client::OnlineClientAtBlockImpl,
    config::{
        substrate::{BlakeTwo256, SubstrateHeader},
        Hasher, RpcConfigFor,
    },
    rpcs::{
        client::{RpcClient, RpcSubscription},
        methods::LegacyRpcMethods,
    },
    OnlineClient, SubstrateConfig,
};
use transport::Transport;
use url::Url;

/// Name of the runtime that this program talks to.
const SPEC_NAME: &str = "assay";

/// subxt's view of a block.
type ClientAt = subxt::client::ClientAtBlock<SubstrateConfig, OnlineClientAtBlockImpl<SubstrateConfig>>;

/// A block's header.
type Header = SubstrateHeader<Hash>;

/// A chain. Clones share the connection.
#[derive(Clone)]
pub struct Chain(Arc<Inner>);

struct Inner {
    transport: Transport,
    rpc: RpcClient,
    methods: LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>,
    client: OnlineClient<SubstrateConfig>,
    /// One lock an account that sends, so that no two transactions get the same nonce.
    senders: Mutex<HashMap<AccountId, Weak<tokio::sync::Mutex<()>>>>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("url", &self.url())
            .field("genesis", &self.genesis_hash())
            .finish()
    }
}

/// What `Core_version` says, as far as it is looked at.
#[derive(Decode)]
struct RuntimeVersion {
    spec_name: String,
    _impl_name: String,
    _authoring_version: u32,
    spec_version: u32,
    _impl_version: u32,
    apis: Vec<([u8; 8], u32)>,
}

impl Chain {
    /// Connects to the node whose JSON-RPC is at `url`, `ws://…` or `wss://…`, and checks that its
    /// chain is of the kind that this program was built for. Tries once.
    pub async fn connect(url: &str) -> Result<Self, ChainError> {
        let scheme = Url::parse(url).map(|url| url.scheme().to_owned());
        if !matches!(scheme.as_deref(), Ok("ws" | "wss")) {
            return Err(ChainError::InvalidUrl { url: url.into() });
        }
        let failed = |error| ChainError::rpc(url, "chain_getBlockHash", error);
        let transport = Transport::connect(url).await.map_err(failed)?;
        let rpc = RpcClient::new(transport.clone());
        let backend = LegacyBackend::builder().build(rpc.clone());
        let client = OnlineClient::from_backend(Arc::new(backend))
            .await
            .map_err(|error| ChainError::subxt(url, "the genesis hash", error))?;
        let methods = LegacyRpcMethods::new(rpc.clone());
        let chain = Self(Arc::new(Inner {
            transport,
            rpc,
            methods,
            client,
            senders: Mutex::default(),
        }));
        chain.check_version().await?;
        Ok(chain)
    }

    /// The node's address.
    pub fn url(&self) -> &str {
        self.0.transport.url()
    }

    /// Hash of the block from which the chain starts; tells chains apart.
    pub fn genesis_hash(&self) -> Hash {
        self.0.transport.genesis()
    }

    /// The newest block of the best chain.
    pub async fn best(&self) -> Result<BlockAt, ChainError> {
        self.head(None).await
    }

    /// The newest block that is final.
    pub async fn finalized(&self) -> Result<BlockAt, ChainError> {
        let hash = self.0.methods.chain_get_finalized_head().await;
        let hash = hash.map_err(|error| self.rpc_error("chain_getFinalizedHead", error))?;
        self.head(Some(hash)).await
    }

    /// The block of the best chain with this number.
    pub async fn block(&self, number: BlockNumber) -> Result<BlockAt, ChainError> {
        let hash = self.0.methods.chain_get_block_hash(Some(number.into())).await;
        let hash = hash.map_err(|error| self.rpc_error("chain_getBlockHash", error))?;
        let hash = hash.ok_or_else(|| ChainError::NotFound {
            what: format!("block {number}"),
        })?;
        Ok(BlockAt::new(self.clone(), hash, number))
    }

    /// Heads of the best chain as they come. See [`BlockStream`].
    pub fn best_blocks(&self) -> BlockStream {
        blocks::best(self.clone())
    }

    /// Every finalized block from the current one on, in order. See [`BlockStream`].
    pub fn finalized_blocks(&self) -> BlockStream {
        blocks::finalized(self.clone(), None)
    }

    /// Every finalized block from number `from` on, in order, past ones first. See [`BlockStream`].
    pub fn finalized_blocks_from(&self, from: BlockNumber) -> BlockStream {
        blocks::finalized(self.clone(), Some(from))
    }

    async fn check_version(&self) -> Result<(), ChainError> {
        let RuntimeVersion {
            spec_name,
            spec_version,
            apis,
            ..
        } = {
            let answer = self.state_call("Core_version", &[], self.best().await?.hash).await?;
            // What comes after the APIs is of no interest.
            Decode::decode(&mut &answer[..]).map_err(|error| ChainError::decode("Core_version", error))?
        };
        if spec_name != SPEC_NAME {
            return Err(ChainError::WrongChain {
                url: self.url().into(),
                expected: SPEC_NAME,
                got: spec_name,
            });
        }
        let api = apis.into_iter().find(|(id, _)| *id == runtime_decl_for_compute_api::ID);
        let got = api.map_or(0, |(_, version)| version);
        let expected = runtime_decl_for_compute_api::VERSION;
        if got != expected {
            return Err(ChainError::ApiVersion {
                spec_version,
                expected,
                got,
            });
        }
        Ok(())
    }

    async fn head(&self, hash: Option<Hash>) -> Result<BlockAt, ChainError> {
        let header = self.0.methods.chain_get_header(hash).await;
        let header = header.map_err(|error| self.rpc_error("chain_getHeader", error))?;
        let header = header.ok_or_else(|| ChainError::NotFound {
            what: format!("block {hash:?}"),
        })?;
        self.block_of(&header)
    }

    fn block_of(&self, header: &Header) -> Result<BlockAt, ChainError> {
        let number = BlockNumber::try_from(header.number)
            .map_err(|_| ChainError::decode("a header", format!("block number {}", header.number)))?;
        let hash = hash_of(&header.encode());
        Ok(BlockAt::new(self.clone(), hash, number))
    }

    async fn subscribe(&self, kind: Kind) -> Result<RpcSubscription<Header>, ChainError> {
        let (method, subscription) = match kind {
            Kind::Best => (
                "chain_subscribeNewHeads",
                self.0.methods.chain_subscribe_new_heads().await,
            ),
            Kind::Finalized => (
                "chain_subscribeFinalizedHeads",
                self.0.methods.chain_subscribe_finalized_heads().await,
            ),
        };
        subscription.map_err(|error| self.rpc_error(method, error))
    }

    async fn state_call(&self, function: &str, arguments: &[u8], at: Hash) -> Result<Vec<u8>, ChainError> {
        let answer = self.0.methods.state_call(function, Some(arguments), Some(at)).await;
        answer.map_err(|error| self.rpc_error(function, error))
    }

    async fn client_at(&self, hash: Hash, number: BlockNumber) -> Result<ClientAt, ChainError> {
        let client = self.0.client.at_block_hash_and_number(hash, number.into()).await;
        client.map_err(|error| ChainError::subxt(self.url(), "the runtime's metadata", error))
    }

    fn rpc_error(&self, method: &str, error: subxt::rpcs::Error) -> ChainError {
        ChainError::rpc(self.url(), method, error)
    }

    /// The lock under which transactions of `account` are made and handed over.
    fn sender(&self, account: &AccountId) -> Arc<tokio::sync::Mutex<()>> {
        let mut senders = self.0.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = senders.get(account).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        senders.insert(account.clone(), Arc::downgrade(&lock));
        lock
    }
}

/// The chain's hash of an encoded header or transaction.
fn hash_of(encoded: &[u8]) -> Hash {
    BlakeTwo256.hash(encoded)
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
