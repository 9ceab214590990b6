//! A connection to a node that is made again when it is lost.
//!
//! Requests that only ask are repeated on the new connection; those that submit are not, since the
//! node may have acted on them. Subscriptions end with the connection they were made on; whoever
//! holds one subscribes again (see [`super::blocks`]).

use super::error::ChainError;
use crate::Hash;
use futures::StreamExt;
use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};
use subxt::rpcs::{
    client::{rpc_params, RawRpcFuture, RawRpcSubscription, RawValue, RpcClient, RpcClientT},
    Error,
};
use tokio::{sync::Mutex, time};

/// How often a question is asked on a new connection before giving up.
const ATTEMPTS: u32 = 4;

/// Pause before the second attempt; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the node may take to answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// Methods that change something: asking twice may do it twice.
const SUBMITTING: [&str; 3] = [
    "author_submitExtrinsic",
    "author_submitAndWatchExtrinsic",
    "compute_submitJob",
];

/// See the module's description.
#[derive(Clone)]
pub(super) struct Transport(Arc<Inner>);

struct Inner {
    url: String,
    /// Set after the first connection; a node with another one is another chain.
    genesis: OnceLock<Hash>,
    connection: Mutex<Connection>,
}

#[derive(Default)]
struct Connection {
    /// None before the first and after a lost one.
    client: Option<RpcClient>,
    /// Counts connections, so that nobody gives up one that is newer than the one that failed.
    number: u64,
}

impl Transport {
    /// Connects to the node at `url`; tries once.
    pub(super) async fn connect(url: &str) -> Result<Self, Error> {
        let inner = Inner {
            url: url.into(),
            genesis: OnceLock::new(),
            connection: Mutex::default(),
        };
        let transport = Self(Arc::new(inner));
        let (client, _) = transport.connection().await?;
        let genesis = genesis(&client).await?;
        transport.0.genesis.get_or_init(|| genesis);
        Ok(transport)
    }

    pub(super) fn url(&self) -> &str {
        &self.0.url
    }

    /// Hash of the block from which the chain starts.
    pub(super) fn genesis(&self) -> Hash {
        *self
            .0
            .genesis
            .get()
            .expect("set by `connect` before anyone has a transport; qed")
    }

    /// The current connection and its number; makes one if there is none.
    async fn connection(&self) -> Result<(RpcClient, u64), Error> {
        let mut connection = self.0.connection.lock().await;
        if let Some(client) = &connection.client {
            return Ok((client.clone(), connection.number));
        }
        let client = time::timeout(CONNECT_TIMEOUT, RpcClient::from_insecure_url(&self.0.url))
            .await
            .map_err(|_| no_answer(CONNECT_TIMEOUT))??;
        if let Some(expected) = self.0.genesis.get() {
            let got = genesis(&client).await?;
            if got != *expected {
                let url = self.0.url.clone();
                let error = ChainError::GenesisChanged {
                    url,
                    expected: *expected,
                    got,
                };
                return Err(Error::Client(Box::new(error)));
            }
            tracing::info!(target: "chain", url = self.0.url, "connected again");
        }
        connection.client = Some(client.clone());
        connection.number += 1;
        Ok((client, connection.number))
    }

    /// Gives up connection `number`, unless someone has already.
    async fn lose(&self, number: u64) {
        let mut connection = self.0.connection.lock().await;
        if connection.number == number {
            connection.client = None;
        }
    }

    /// Does `ask` on the current connection, and again on new ones if that is lost.
    async fn attempt<T, F>(&self, method: &str, ask: impl Fn(RpcClient) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let (failed, was_asked) = match self.connection().await {
                Ok((client, number)) => {
                    let answer = time::timeout(REQUEST_TIMEOUT, ask(client)).await;
                    match answer.unwrap_or_else(|_| Err(no_answer(REQUEST_TIMEOUT))) {
                        Err(Error::Client(error)) => {
                            self.lose(number).await;
                            (error, true)
                        }
                        other => return other,
                    }
                }
                Err(Error::Client(error)) if !error.is::<ChainError>() => (error, false),
                Err(error) => return Err(error),
            };
            if attempt == ATTEMPTS || (was_asked && SUBMITTING.contains(&method)) {
                return Err(Error::Client(failed));
            }
            tracing::debug!(target: "chain", url = self.0.url, method, error = %failed, "connection lost");
            time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }
}

impl RpcClientT for Transport {
    fn request_raw<'a>(&'a self, method: &'a str, params: Option<Box<RawValue>>) -> RawRpcFuture<'a, Box<RawValue>> {
        Box::pin(self.attempt(method, move |client| {
            let params = params.clone();
            async move { client.request_raw(method, params).await }
        }))
    }

    fn subscribe_raw<'a>(
        &'a self,
        sub: &'a str,
        params: Option<Box<RawValue>>,
        unsub: &'a str,
    ) -> RawRpcFuture<'a, RawRpcSubscription> {
        Box::pin(self.attempt(sub, move |client| {
            let params = params.clone();
            async move {
                let RawRpcSubscription { stream, id } = client.subscribe_raw(sub, params, unsub).await?;
                // Holds the connection, which otherwise would close under the subscription.
                let stream = stream.map(move |item| {
                    let _connection = &client;
                    item
                });
                Ok(RawRpcSubscription {
                    stream: stream.boxed(),
                    id,
                })
            }
        }))
    }
}

fn no_answer(within: Duration) -> Error {
    Error::Client(format!("no answer within {} s", within.as_secs()).into())
}

async fn genesis(client: &RpcClient) -> Result<Hash, Error> {
    client.request("chain_getBlockHash", rpc_params![0u32]).await
}

#[cfg(test)]
mod tests;
