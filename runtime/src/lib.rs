//! The Assay runtime: the state transition function of the chain.
//!
//! Consensus is BABE and GRANDPA with nominated proof of stake; Root is reached through referenda
//! alone. What is ours are the pallets [`Artifacts`], [`Workers`] and [`ComputeMarket`]; everything
//! else is stock and keeps its stock name, so that wallets know it.
//!
//! - [`configs`]: how each pallet is set up, one file a concern
//! - [`apis`]: what clients can ask
//! - [`parameters`]: what a vote can change, and within which bounds
//! - [`governance`]: origins and tracks
//! - [`genesis_config_presets`]: the chains that can be started

#![cfg_attr(not(feature = "std"), no_std)]
#![recursion_limit = "512"]
// The macro that puts the pallets together makes items without documentation, here in the root.
// The modules have theirs checked.
#![allow(missing_docs)]

extern crate alloc;

#[cfg(feature = "std")]
mod wasm {
    include!(concat!(env!("OUT_DIR"), "/wasm_binary.rs"));
}
#[cfg(feature = "std")]
pub use wasm::*;

pub mod apis;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarks;
#[warn(missing_docs)]
pub mod configs;
#[warn(missing_docs)]
pub mod constants;
#[warn(missing_docs)]
pub mod extrinsics;
#[warn(missing_docs)]
pub mod genesis_config_presets;
#[warn(missing_docs)]
pub mod genesis_parameters;
#[warn(missing_docs)]
pub mod governance;
#[warn(missing_docs)]
pub mod parameters;
#[warn(missing_docs)]
pub mod randomness;
#[cfg(feature = "try-runtime")]
pub mod sweep;
#[cfg(test)]
mod tests;
#[warn(missing_docs)]
pub mod weights;

pub use apis::RuntimeApi;
pub use parameters::RuntimeParameters;

use alloc::{borrow::Cow, vec::Vec};
use sp_runtime::{
    generic, impl_opaque_keys,
    traits::{BlakeTwo256, IdentifyAccount, Verify},
    MultiAddress, MultiSignature,
};
use sp_version::RuntimeVersion;

/// Signature of a transaction.
pub type Signature = MultiSignature;
/// Identifies an account: its public key, or the hash of it.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// How transactions name accounts.
pub type Address = MultiAddress<AccountId, ()>;
/// An amount of money, in plancks.
pub type Balance = u128;
/// Transactions sent by an account.
pub type Nonce = u32;
/// A hash, as the chain uses it.
pub type Hash = sp_core::H256;
/// Number of a block.
pub type BlockNumber = u32;
/// Header of a block.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// A block with its signature and its origin's justifications.
pub type SignedBlock = generic::SignedBlock<Block>;
/// Names a block by number or hash.
pub type BlockId = generic::BlockId<Block>;

/// What is signed beside the call. The order is part of the transaction format, and each is known
/// to the usual wallets.
pub type TxExtension = (
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckEra<Runtime>,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
    frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
    frame_system::WeightReclaim<Runtime>,
);

/// A transaction as it comes over the network.
pub type UncheckedExtrinsic = generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// What a transaction's signature covers.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;

/// Executes blocks.
pub type Executive =
    frame_executive::Executive<Runtime, Block, frame_system::ChainContext<Runtime>, Runtime, AllPalletsWithSystem>;

/// Types for a node that does not look into transactions, and so goes on when their format changes.
pub mod opaque {
    use super::{BlakeTwo256, BlockNumber};
    use sp_runtime::generic;
    pub use sp_runtime::OpaqueExtrinsic as UncheckedExtrinsic;

    /// Header of a block.
    pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
    /// A block whose transactions are only bytes.
    pub type Block = generic::Block<Header, UncheckedExtrinsic>;
    /// Names a block by number or hash.
    pub type BlockId = generic::BlockId<Block>;
}

impl_opaque_keys! {
    /// The keys with which a validator's node signs for it. The order is that of the session
    /// handlers, and part of the state.
    pub struct SessionKeys {
        /// Authors blocks.
        pub babe: Babe,
        /// Votes on finality.
        pub grandpa: Grandpa,
        /// Signs the addresses at which the node can be found.
        pub authority_discovery: AuthorityDiscovery,
    }
}

/// Version of this runtime. `spec_version` goes up with each release that changes behaviour,
/// `transaction_version` with each that changes the encoding of calls or extensions.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: Cow::Borrowed("assay"),
    impl_name: Cow::Borrowed("assay-node"),
    authoring_version: 1,
    spec_version: 100,
    impl_version: 1,
    apis: apis::RUNTIME_API_VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

/// The pallets. Order matters: hooks and genesis run in it. So BABE knows the slot before anyone
/// draws from its randomness, money exists before stakes, stakes before the first session, and the
/// market comes last.
#[frame_support::runtime]
mod runtime {
    /// The runtime.
    #[runtime::runtime]
    #[runtime::derive(
        RuntimeCall,
        RuntimeEvent,
        RuntimeError,
        RuntimeOrigin,
        RuntimeFreezeReason,
        RuntimeHoldReason,
        RuntimeSlashReason,
        RuntimeLockId,
        RuntimeTask,
        RuntimeViewFunction
    )]
    pub struct Runtime;

    /// Accounts, blocks, events.
    #[runtime::pallet_index(0)]
    pub type System = frame_system;
    /// What time it is.
    #[runtime::pallet_index(1)]
    pub type Timestamp = pallet_timestamp;
    /// Who authors blocks.
    #[runtime::pallet_index(2)]
    pub type Babe = pallet_babe;
    /// Who authored this block. Before `Session`, which may change the authors.
    #[runtime::pallet_index(3)]
    pub type Authorship = pallet_authorship;
    /// Money.
    #[runtime::pallet_index(4)]
    pub type Balances = pallet_balances;
    /// Fees.
    #[runtime::pallet_index(5)]
    pub type TransactionPayment = pallet_transaction_payment;
    /// What a vote can change without a new runtime.
    #[runtime::pallet_index(6)]
    pub type Parameters = pallet_parameters;
    /// Sets parameters when a chain begins.
    #[runtime::pallet_index(7)]
    pub type GenesisParameters = crate::genesis_parameters;

    /// Validators and nominators.
    #[runtime::pallet_index(10)]
    pub type Staking = pallet_staking;
    /// Reports of misbehaviour.
    #[runtime::pallet_index(11)]
    pub type Offences = pallet_offences;
    /// Who was a validator in which session.
    #[runtime::pallet_index(12)]
    pub type Historical = pallet_session::historical;
    /// Keys of validators.
    #[runtime::pallet_index(13)]
    pub type Session = pallet_session;
    /// Finality.
    #[runtime::pallet_index(14)]
    pub type Grandpa = pallet_grandpa;
    /// Where validators can be found.
    #[runtime::pallet_index(15)]
    pub type AuthorityDiscovery = pallet_authority_discovery;
    /// Voters in rough order of their stake.
    #[runtime::pallet_index(16)]
    pub type VoterList = pallet_bags_list<Instance1>;

    /// Common money.
    #[runtime::pallet_index(20)]
    pub type Treasury = pallet_treasury;
    /// Calls by their hash.
    #[runtime::pallet_index(21)]
    pub type Preimage = pallet_preimage;
    /// Calls at a later block.
    #[runtime::pallet_index(22)]
    pub type Scheduler = pallet_scheduler;
    /// Votes with conviction.
    #[runtime::pallet_index(23)]
    pub type ConvictionVoting = pallet_conviction_voting;
    /// Referenda.
    #[runtime::pallet_index(24)]
    pub type Referenda = pallet_referenda;
    /// As whom a referendum can act.
    #[runtime::pallet_index(25)]
    pub type Origins = crate::governance::origins;
    /// Cancels slashes that were wrong.
    #[runtime::pallet_index(26)]
    pub type SlashReview = crate::governance::slash_review;

    /// Batches.
    #[runtime::pallet_index(30)]
    pub type Utility = pallet_utility;
    /// Accounts of several people.
    #[runtime::pallet_index(31)]
    pub type Multisig = pallet_multisig;
    /// Accounts that act for others.
    #[runtime::pallet_index(32)]
    pub type Proxy = pallet_proxy;

    /// Models and who contributed them.
    #[runtime::pallet_index(40)]
    pub type Artifacts = pallet_artifacts;
    /// Who computes.
    #[runtime::pallet_index(41)]
    pub type Workers = pallet_workers;
    /// Jobs.
    #[runtime::pallet_index(42)]
    pub type ComputeMarket = pallet_compute_market;
}
