//! Puts the node together.

mod full;
mod inherents;
mod partial;

pub(crate) use full::new_full;
pub(crate) use partial::{new_partial, revert_consensus};

use assay_runtime::{opaque::Block, RuntimeApi};
use inherents::SlotInherents;
use sc_consensus_grandpa::{GrandpaBlockImport, LinkHalf};

/// Runs the runtime.
pub(crate) type Executor = sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>;

/// The client: blocks, state, runtime calls.
pub(crate) type FullClient = sc_service::TFullClient<Block, RuntimeApi, Executor>;

/// The database.
pub(crate) type FullBackend = sc_service::TFullBackend<Block>;

/// Says which chain is the best one: the longest that contains all that is final.
pub(crate) type FullSelectChain = sc_consensus::LongestChain<FullBackend, Block>;

/// The transaction pool.
pub(crate) type FullPool = sc_transaction_pool::TransactionPoolHandle<Block, FullClient>;

/// Imports finality proofs and blocks.
type FullGrandpaBlockImport = GrandpaBlockImport<FullBackend, Block, FullClient, FullSelectChain>;

/// What the GRANDPA voter needs of block import.
type FullGrandpaLink = LinkHalf<Block, FullClient, FullSelectChain>;

/// Imports blocks, checks their authorship, and reports authors of two blocks in one slot.
type FullBabeBlockImport =
    sc_consensus_babe::BabeBlockImport<Block, FullClient, FullGrandpaBlockImport, SlotInherents, FullSelectChain>;

/// Blocks after which a node asks for, and makes, a proof of finality to keep.
const JUSTIFICATION_PERIOD: u32 = 512;
