//! The Assay node: keeps the chain, authors and finalizes blocks, answers JSON-RPC.

// The SDK's own errors are large; they end the process, so what they weigh does not matter.
#![allow(clippy::result_large_err)]

mod blobs;
mod chain_spec;
mod cli;
mod command;
mod rpc;
mod service;

fn main() -> sc_cli::Result<()> {
    command::run()
}
