//! BABE and GRANDPA, sessions, and what happens to those who equivocate.

pub mod weights;

use super::staking::{BondingDuration, MaxActiveValidators, MaxElectingVoters, SessionsPerEra};
use crate::{
    constants::{
        currency::deposit,
        time::{EPOCH_DURATION, SLOT_DURATION},
    },
    AccountId, Babe, Balance, Balances, Historical, Offences, Runtime, RuntimeEvent, Session, SessionKeys, Staking,
};
use frame_support::parameter_types;
use sp_consensus_babe::{AllowedSlots, BabeEpochConfiguration};
use sp_runtime::traits::{ConvertInto, OpaqueKeys};

/// A quarter of the slots are won by lot; in the others an author is named, so that each slot has
/// one. Both kinds carry a VRF output, from which jobs are drawn.
pub const BABE_GENESIS_EPOCH_CONFIG: BabeEpochConfiguration = BabeEpochConfiguration {
    c: (1, 4),
    allowed_slots: AllowedSlots::PrimaryAndSecondaryVRFSlots,
};

parameter_types! {
    /// Length of an epoch in slots.
    pub const EpochDuration: u64 = EPOCH_DURATION;
    /// Length of a slot in milliseconds.
    pub const ExpectedBlockTime: u64 = SLOT_DURATION;
    /// For how many slots a report of equivocation is worth sending: as long as the stake is there.
    pub const ReportLongevity: u64 =
        BondingDuration::get() as u64 * SessionsPerEra::get() as u64 * EpochDuration::get();
    /// Finality's authority sets that can be told apart: as long as the stake is there.
    pub const MaxSetIdSessionEntries: u64 = BondingDuration::get() as u64 * SessionsPerEra::get() as u64;
    /// On hold for the session keys that a validator has set.
    pub const KeyDeposit: Balance = deposit(4, 192);
}

impl pallet_babe::Config for Runtime {
    type EpochDuration = EpochDuration;
    type ExpectedBlockTime = ExpectedBlockTime;
    type EpochChangeTrigger = pallet_babe::ExternalTrigger;
    type DisabledValidators = Session;
    type WeightInfo = weights::ParityDbEstimates;
    type MaxAuthorities = MaxActiveValidators;
    type MaxNominators = MaxElectingVoters;
    type KeyOwnerProof = sp_session::MembershipProof;
    type EquivocationReportSystem = pallet_babe::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
}

impl pallet_grandpa::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = weights::ParityDbEstimates;
    type MaxAuthorities = MaxActiveValidators;
    type MaxNominators = MaxElectingVoters;
    type MaxSetIdSessionEntries = MaxSetIdSessionEntries;
    type KeyOwnerProof = sp_session::MembershipProof;
    type EquivocationReportSystem =
        pallet_grandpa::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
}

impl pallet_authorship::Config for Runtime {
    type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Babe>;
    type EventHandler = Staking;
}

impl pallet_session::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type ValidatorId = AccountId;
    type ValidatorIdOf = ConvertInto;
    type ShouldEndSession = Babe;
    type NextSessionRotation = Babe;
    type SessionManager = pallet_session::historical::NoteHistoricalRoot<Self, Staking>;
    type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
    type Keys = SessionKeys;
    type DisablingStrategy = pallet_session::disabling::UpToLimitWithReEnablingDisablingStrategy;
    type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
    type Currency = Balances;
    type KeyDeposit = KeyDeposit;
}

impl pallet_session::historical::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type FullIdentification = ();
    type FullIdentificationOf = pallet_staking::UnitIdentificationOf<Self>;
}

impl pallet_offences::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type IdentificationTuple = pallet_session::historical::IdentificationTuple<Self>;
    type OnOffenceHandler = Staking;
}

impl pallet_authority_discovery::Config for Runtime {
    type MaxAuthorities = MaxActiveValidators;
}
