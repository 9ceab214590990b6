//! The Assay node: keeps the chain, authors and finalizes blocks, answers JSON-RPC.

mod blobs;
mod chain_spec;
mod cli;
mod command;
mod rpc;
mod service;

fn main() -> sc_cli::Result<()> {
    command::run()
}
