//! Referenda, votes, and what carries them out.

use crate::{
    constants::currency::{deposit, ASY},
    genesis_parameters,
    governance::{
        origins::{self, SlashCanceller},
        slash_review,
        tracks::TracksInfo,
    },
    parameters::{GovernanceDay, ParameterAdmin, RuntimeParameters},
    AccountId, Balance, Balances, BlockNumber, OriginCaller, Preimage, Referenda, Runtime, RuntimeCall, RuntimeEvent,
    RuntimeHoldReason, RuntimeOrigin, Scheduler, System, Treasury,
};
use frame_support::{
    parameter_types,
    traits::{
        fungible::HoldConsideration, tokens::currency::ActiveIssuanceOf, AsEnsureOriginWithArg, ConstU32,
        EitherOfDiverse, EqualPrivilegeOnly, Get, LinearStoragePrice,
    },
    weights::Weight,
};
use frame_system::{EnsureRoot, EnsureSigned};
use sp_runtime::Perbill;

/// A number of governance days, in blocks.
pub struct GovernanceDays<const DAYS: BlockNumber>;

impl<const DAYS: BlockNumber> Get<BlockNumber> for GovernanceDays<DAYS> {
    fn get() -> BlockNumber {
        GovernanceDay::get().saturating_mul(DAYS)
    }
}

parameter_types! {
    /// On deposit for each preimage.
    pub const PreimageBaseDeposit: Balance = deposit(2, 64);
    /// On deposit for each byte of a preimage.
    pub const PreimageByteDeposit: Balance = deposit(0, 1);
    /// Names the deposit.
    pub const PreimageHoldReason: RuntimeHoldReason =
        RuntimeHoldReason::Preimage(pallet_preimage::HoldReason::Preimage);
}

impl pallet_preimage::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_preimage::weights::SubstrateWeight<Runtime>;
    type Currency = Balances;
    type ManagerOrigin = EnsureRoot<AccountId>;
    type Consideration = HoldConsideration<
        AccountId,
        Balances,
        PreimageHoldReason,
        LinearStoragePrice<PreimageBaseDeposit, PreimageByteDeposit, Balance>,
    >;
}

parameter_types! {
    /// Most weight that scheduled calls may use in a block.
    pub MaximumSchedulerWeight: Weight =
        Perbill::from_percent(80) * <Runtime as frame_system::Config>::BlockWeights::get().max_block;
}

impl pallet_scheduler::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeOrigin = RuntimeOrigin;
    type PalletsOrigin = OriginCaller;
    type RuntimeCall = RuntimeCall;
    type MaximumWeight = MaximumSchedulerWeight;
    type ScheduleOrigin = EnsureRoot<AccountId>;
    type OriginPrivilegeCmp = EqualPrivilegeOnly;
    type MaxScheduledPerBlock = ConstU32<50>;
    type WeightInfo = pallet_scheduler::weights::SubstrateWeight<Runtime>;
    type Preimages = Preimage;
    type BlockNumberProvider = System;
}

impl pallet_conviction_voting::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_conviction_voting::weights::SubstrateWeight<Runtime>;
    type Currency = Balances;
    type Polls = Referenda;
    type MaxTurnout = ActiveIssuanceOf<Balances, AccountId>;
    type MaxVotes = ConstU32<512>;
    type VoteLockingPeriod = GovernanceDays<7>;
    type BlockNumberProvider = System;
    type VotingHooks = ();
}

parameter_types! {
    /// On deposit for a referendum.
    pub const SubmissionDeposit: Balance = ASY;
}

impl pallet_referenda::Config for Runtime {
    type RuntimeCall = RuntimeCall;
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_referenda::weights::SubstrateWeight<Runtime>;
    type Scheduler = Scheduler;
    type Currency = Balances;
    type SubmitOrigin = AsEnsureOriginWithArg<EnsureSigned<AccountId>>;
    type CancelOrigin = EnsureRoot<AccountId>;
    type KillOrigin = EnsureRoot<AccountId>;
    type Slash = Treasury;
    type Votes = pallet_conviction_voting::VotesOf<Runtime>;
    type Tally = pallet_conviction_voting::TallyOf<Runtime>;
    type SubmissionDeposit = SubmissionDeposit;
    type MaxQueued = ConstU32<100>;
    type UndecidingTimeout = GovernanceDays<14>;
    type AlarmInterval = ConstU32<1>;
    type Tracks = TracksInfo;
    type Preimages = Preimage;
    type BlockNumberProvider = System;
}

impl origins::Config for Runtime {}

impl slash_review::Config for Runtime {
    type CancelOrigin = EitherOfDiverse<EnsureRoot<AccountId>, SlashCanceller>;
}

impl pallet_parameters::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeParameters = RuntimeParameters;
    type AdminOrigin = ParameterAdmin;
    type WeightInfo = ParameterWeights;
}

/// What it costs to set a parameter. Upstream's measurement, which cannot be named from outside with
/// another database than RocksDB.
pub struct ParameterWeights;

impl pallet_parameters::WeightInfo for ParameterWeights {
    fn set_parameter() -> Weight {
        Weight::from_parts(6_204_000, 14_787)
            .saturating_add(<Runtime as frame_system::Config>::DbWeight::get().reads_writes(1, 1))
    }
}

impl genesis_parameters::Config for Runtime {}

#[cfg(test)]
mod tests {
    use super::*;
    use frame_support::weights::constants::RocksDbWeight;
    use pallet_parameters::WeightInfo;

    #[test]
    fn weight_of_a_parameter_should_be_that_upstream_apart_from_the_database() {
        let database = <Runtime as frame_system::Config>::DbWeight::get();
        assert_eq!(
            ParameterWeights::set_parameter() + RocksDbWeight::get().reads_writes(1, 1),
            <()>::set_parameter() + database.reads_writes(1, 1)
        );
    }
}
