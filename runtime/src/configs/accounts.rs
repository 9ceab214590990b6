//! Ways to use accounts: batches, multisigs, proxies.

use crate::{
    constants::currency::deposit, Balance, Balances, OriginCaller, Runtime, RuntimeCall, RuntimeEvent, System,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    parameter_types,
    traits::{ConstU32, InstanceFilter},
};
use scale_info::TypeInfo;
use sp_runtime::traits::BlakeTwo256;

impl pallet_utility::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type PalletsOrigin = OriginCaller;
    type WeightInfo = pallet_utility::weights::SubstrateWeight<Runtime>;
}

parameter_types! {
    /// On deposit for an operation that waits for signatures: key 32 bytes, value 56 bytes.
    pub const MultisigDepositBase: Balance = deposit(1, 88);
    /// On deposit for each signatory of it.
    pub const MultisigDepositFactor: Balance = deposit(0, 32);
}

impl pallet_multisig::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    type DepositBase = MultisigDepositBase;
    type DepositFactor = MultisigDepositFactor;
    type MaxSignatories = ConstU32<100>;
    type WeightInfo = pallet_multisig::weights::SubstrateWeight<Runtime>;
    type BlockNumberProvider = System;
}

/// What a proxy may do for its principal.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum ProxyType {
    /// Everything.
    #[default]
    Any,
    /// Everything by which no money leaves the account at the proxy's will.
    NonTransfer,
    /// Votes, referenda, and the treasury's payments.
    Governance,
    /// Bonding, nominating, validating, session keys.
    Staking,
    /// Artifacts, workers and jobs. Jobs cost money, bonds put it at risk.
    Compute,
}

impl InstanceFilter<RuntimeCall> for ProxyType {
    fn filter(&self, call: &RuntimeCall) -> bool {
        match self {
            Self::Any => true,
            Self::NonTransfer => {
                Self::Governance.filter(call)
                    || Self::Staking.filter(call)
                    || matches!(
                        call,
                        RuntimeCall::System(..)
                            | RuntimeCall::Timestamp(..)
                            | RuntimeCall::Babe(..)
                            | RuntimeCall::Grandpa(..)
                            | RuntimeCall::Utility(..)
                            | RuntimeCall::Multisig(..)
                    )
            }
            Self::Governance => matches!(
                call,
                RuntimeCall::ConvictionVoting(..)
                    | RuntimeCall::Referenda(..)
                    | RuntimeCall::Preimage(..)
                    | RuntimeCall::Treasury(..)
                    | RuntimeCall::Utility(..)
            ),
            Self::Staking => matches!(
                call,
                RuntimeCall::Staking(..)
                    | RuntimeCall::Session(..)
                    | RuntimeCall::VoterList(..)
                    | RuntimeCall::Utility(..)
            ),
            Self::Compute => matches!(
                call,
                RuntimeCall::Artifacts(..)
                    | RuntimeCall::Workers(..)
                    | RuntimeCall::ComputeMarket(..)
                    | RuntimeCall::Utility(..)
            ),
        }
    }

    fn is_superset(&self, other: &Self) -> bool {
        match (self, other) {
            (left, right) if left == right => true,
            (Self::Any, _) => true,
            (_, Self::Any) => false,
            (Self::NonTransfer, Self::Governance | Self::Staking) => true,
            _ => false,
        }
    }
}

parameter_types! {
    /// On deposit for an account's list of proxies.
    pub const ProxyDepositBase: Balance = deposit(1, 8);
    /// On deposit for each proxy in it.
    pub const ProxyDepositFactor: Balance = deposit(0, 33);
    /// On deposit for an account's list of announcements.
    pub const AnnouncementDepositBase: Balance = deposit(1, 16);
    /// On deposit for each announcement in it.
    pub const AnnouncementDepositFactor: Balance = deposit(0, 68);
}

impl pallet_proxy::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    type ProxyType = ProxyType;
    type ProxyDepositBase = ProxyDepositBase;
    type ProxyDepositFactor = ProxyDepositFactor;
    type MaxProxies = ConstU32<32>;
    type WeightInfo = pallet_proxy::weights::SubstrateWeight<Runtime>;
    type MaxPending = ConstU32<32>;
    type CallHasher = BlakeTwo256;
    type AnnouncementDepositBase = AnnouncementDepositBase;
    type AnnouncementDepositFactor = AnnouncementDepositFactor;
    type BlockNumberProvider = System;
}
