//! The command line.

use sc_cli::{
    BuildSpecCmd, ChainInfoCmd, CheckBlockCmd, ExportBlocksCmd, ExportChainSpecCmd, ExportStateCmd, ImportBlocksCmd,
    KeySubcommand, PurgeChainCmd, RevertCmd, RunCmd,
};
use std::{net::SocketAddr, path::PathBuf};

/// Bytes that input blobs may take together, unless told otherwise.
const DEFAULT_BLOB_QUOTA: u64 = 10 * 1024 * 1024 * 1024;

/// Everything that can be given on the command line.
// No pallet has an offchain worker: what upstream starts on validators by default would only run
// in vain after each block.
#[derive(Debug, clap::Parser)]
#[command(mut_arg("enabled", |arg| arg.default_value("never")))]
pub(crate) struct Cli {
    /// What to do instead of running a node.
    #[command(subcommand)]
    pub(crate) subcommand: Option<Subcommand>,

    /// How to run a node.
    #[command(flatten)]
    pub(crate) run: RunCmd,

    /// Where the inputs of jobs are kept.
    #[command(flatten)]
    pub(crate) blobs: BlobParams,
}

/// Where the inputs of jobs are kept that are submitted through this node.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Blobs")]
pub(crate) struct BlobParams {
    /// Folder for the input blobs of jobs submitted through this node.
    ///
    /// Default: `blobs` in the chain's folder under the base path.
    #[arg(long = "blob-dir", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// Hand out that folder's blobs on this address, by HTTP GET of `/<BLAKE3 hash in hex>`.
    ///
    /// Off unless given. Workers must be able to reach it, here or behind another name.
    #[arg(long = "blob-listen", value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,

    /// Bytes that the folder's blobs may take together.
    ///
    /// When they do, inputs are refused until some are deleted. Blobs that no job needs any more
    /// may be deleted at any time.
    #[arg(long = "blob-quota", value_name = "BYTES", default_value_t = DEFAULT_BLOB_QUOTA)]
    pub(crate) quota: u64,
}

/// What else than running a node can be done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Subcommand {
    /// Make, show and store keys.
    #[command(subcommand)]
    Key(KeySubcommand),

    /// Print a chain specification with this node as bootnode.
    BuildSpec(BuildSpecCmd),

    /// Write a chain specification as JSON.
    #[command(visible_alias = "export-chain-spec")]
    ChainSpec(ExportChainSpecCmd),

    /// Import blocks again that are in the database, to check them.
    CheckBlock(CheckBlockCmd),

    /// Write blocks to a file.
    ExportBlocks(ExportBlocksCmd),

    /// Write the state at a block as a chain specification.
    ExportState(ExportStateCmd),

    /// Import blocks from a file.
    ImportBlocks(ImportBlocksCmd),

    /// Remove the chain's database.
    PurgeChain(PurgeChainCmd),

    /// Go back some blocks, at most to the last finalized one.
    Revert(RevertCmd),

    /// Show best and finalized block of the database.
    ChainInfo(ChainInfoCmd),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use clap::{CommandFactory, Parser};
    use sc_cli::{CliConfiguration, Role};

    #[test]
    fn command_line_should_be_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn offchain_workers_should_be_off_unless_asked_for() {
        let enabled = |args: &[&str]| {
            let cli = Cli::try_parse_from(args).unwrap();
            cli.run.offchain_worker(&Role::Authority).unwrap().enabled
        };
        assert!(!enabled(&["assay-node"]));
        assert!(!enabled(&["assay-node", "--dev"]));
        assert!(enabled(&["assay-node", "--offchain-worker", "always"]));
    }

    #[test]
    fn blob_flags_should_have_defaults_and_be_read() {
        let cli = Cli::try_parse_from(["assay-node"]).unwrap();
        assert_eq!(
            (cli.blobs.dir, cli.blobs.listen, cli.blobs.quota),
            (None, None, DEFAULT_BLOB_QUOTA)
        );
        let args = [
            "assay-node",
            "--blob-dir",
            "b",
            "--blob-listen",
            "127.0.0.1:8000",
            "--blob-quota",
            "7",
        ];
        let cli = Cli::try_parse_from(args).unwrap();
        assert_eq!(cli.blobs.dir, Some(PathBuf::from("b")));
        assert_eq!(cli.blobs.listen, Some(SocketAddr::from(([127, 0, 0, 1], 8000))));
        assert_eq!(cli.blobs.quota, 7);
    }

    #[test]
    fn chain_spec_should_have_its_names() {
        for name in ["chain-spec", "export-chain-spec"] {
            let cli = Cli::try_parse_from(["assay-node", name, "--chain", "dev", "--raw"]).unwrap();
            assert!(matches!(cli.subcommand, Some(Subcommand::ChainSpec(spec)) if spec.raw && spec.chain == "dev"));
        }
        let cli = Cli::try_parse_from(["assay-node", "build-spec", "--chain", "local_testnet"]).unwrap();
        assert!(matches!(cli.subcommand, Some(Subcommand::BuildSpec(_))));
    }
}
