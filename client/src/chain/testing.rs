//! A node for tests: as much of its JSON-RPC as a test gives it, on a real socket, that can be
//! stopped and started again at the same address.

#![allow(clippy::unwrap_used)]

use crate::Hash;
use assay_runtime::{Runtime, VERSION};
use codec::Encode;
use jsonrpsee::{
    server::{Server, ServerHandle},
    RpcModule,
};
use serde_json::{json, Value};
use std::{net::SocketAddr, time::Duration};

pub(super) const GENESIS: u8 = 7;

pub(super) struct FakeNode {
    address: SocketAddr,
    handle: ServerHandle,
}

impl FakeNode {
    /// Starts a node at any free port.
    pub(super) async fn start(module: RpcModule<()>) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), module).await
    }

    pub(super) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Stops the node, cuts all connections, and starts one with `module` in its place after
    /// `pause`.
    pub(super) async fn restart(&mut self, module: RpcModule<()>, pause: Duration) {
        self.handle.stop().unwrap();
        self.handle.clone().stopped().await;
        tokio::time::sleep(pause).await;
        *self = Self::start_at(self.address, module).await;
    }

    async fn start_at(address: SocketAddr, module: RpcModule<()>) -> Self {
        let server = Server::builder().build(address).await.unwrap();
        let address = server.local_addr().unwrap();
        Self {
            address,
            handle: server.start(module),
        }
    }
}

/// The methods with which a node says which chain it has.
pub(super) fn chain(genesis: u8) -> RpcModule<()> {
    let mut module = RpcModule::new(());
    module
        .register_method("chain_getBlockHash", move |parameters, _, _| -> Value {
            match parameters.one::<u32>().unwrap() {
                0 => json!(Hash::repeat_byte(genesis)),
                number => json!(hash_of(number)),
            }
        })
        .unwrap();
    module.register_method("chain_getHeader", |_, _, _| header(1)).unwrap();
    module
}

/// What the runtime answers to `Core_version`.
pub(super) fn version(name: &str, apis: &[([u8; 8], u32)]) -> String {
    let (spec, transaction) = (VERSION.spec_version, VERSION.transaction_version);
    let version = (name, "assay-node", 1u32, spec, 1u32, apis, transaction, 1u8).encode();
    format!("0x{}", hex::encode(version))
}

/// Adds what the runtime answers to `Core_version`.
pub(super) fn with_version(mut module: RpcModule<()>, name: &str, apis: &[([u8; 8], u32)]) -> RpcModule<()> {
    let answer = version(name, apis);
    module
        .register_method("state_call", move |_, _, _| answer.clone())
        .unwrap();
    module
}

/// A header as JSON; its parent is that of the number before.
pub(super) fn header(number: u32) -> Value {
    let zero = Hash::zero();
    let parent = number.checked_sub(1).map_or(zero, hash_of);
    json!({
        "parentHash": parent, "number": format!("{number:#x}"), "stateRoot": zero, "extrinsicsRoot": zero,
        "digest": { "logs": [] },
    })
}

/// The hash of that header.
pub(super) fn hash_of(number: u32) -> Hash {
    let header: super::Header = serde_json::from_value(header(number)).unwrap();
    super::hash_of(&header.encode())
}

/// The runtime's metadata, as clients choose it: of the highest version that is stable.
pub(super) fn metadata() -> (u32, Vec<u8>) {
    // Constants that a vote can change are read from storage.
    sp_io::TestExternalities::default().execute_with(|| {
        let versions = Runtime::metadata_versions().into_iter();
        let version = versions.filter(|version| *version != u32::MAX).max().unwrap();
        (version, Runtime::metadata_at_version(version).unwrap().to_vec())
    })
}
