//! Nominated proof of stake: who validates, what it pays, what it costs to misbehave.

use super::money::TreasuryAccount;
use crate::{
    constants::currency::EXISTENTIAL_DEPOSIT, governance::origins::StakingAdmin, AccountId, Balance, Balances, Runtime,
    RuntimeEvent, RuntimeHoldReason, Session, Staking, Timestamp, VoterList,
};
use frame_election_provider_support::{
    bounds::{ElectionBounds, ElectionBoundsBuilder},
    onchain, SequentialPhragmen, VoteWeight,
};
use frame_support::{
    parameter_types,
    traits::{tokens::imbalance::ResolveTo, ConstBool, ConstU32, EitherOfDiverse, Nothing},
};
use frame_system::EnsureRoot;
use pallet_bags_list::Instance1;
use sp_runtime::{curve::PiecewiseLinear, Perbill};
use sp_staking::{EraIndex, SessionIndex};

/// Validators that one nominator may name.
const MAX_NOMINATIONS: u32 = 16;

/// Bags into which voters are sorted by stake.
const BAGS: usize = 200;

/// Upper bounds of the bags. Each is an eighth above the one before, from the existential deposit
/// up to where 200 of them nearly reach the greatest stake that can be expressed; the last takes
/// whatever is above.
static BAG_THRESHOLDS: [VoteWeight; BAGS] = bag_thresholds();

const fn bag_thresholds() -> [VoteWeight; BAGS] {
    let mut thresholds = [0; BAGS];
    let mut next = EXISTENTIAL_DEPOSIT;
    let mut index = 0;
    while index < BAGS {
        thresholds[index] = next as VoteWeight;
        next += next / 8;
        index += 1;
    }
    thresholds[BAGS - 1] = VoteWeight::MAX;
    thresholds
}

// New tokens in a year, as a part of all, by the part that is staked: most when half is, so
// that there is reason neither to leave the chain unsafe nor to stake everything.
pallet_staking_reward_curve::build! {
    const REWARD_CURVE: PiecewiseLinear<'static> = curve!(
        min_inflation: 0_025_000,
        max_inflation: 0_100_000,
        ideal_stake: 0_500_000,
        falloff: 0_050_000,
        max_piece_count: 40,
        test_precision: 0_005_000,
    );
}

parameter_types! {
    /// Sessions in an era: six hours.
    pub const SessionsPerEra: SessionIndex = 6;
    /// Eras that a stake stays after it was unbonded: a week.
    pub const BondingDuration: EraIndex = 28;
    /// Whole eras from an offence to its slash, in which the slash can be cancelled. The slash is taken
    /// when the next era begins, and what was unbonded in the era of the offence can be withdrawn in
    /// the last session before the era `BondingDuration` later. So this is two less, or the stake
    /// might be gone.
    pub const SlashDeferDuration: EraIndex = BondingDuration::get() - 2;
    /// Eras for which rewards can be claimed.
    pub const HistoryDepth: u32 = 84;
    /// Rewards in a year.
    pub const RewardCurve: &'static PiecewiseLinear<'static> = &REWARD_CURVE;
    /// Nominators paid by one call.
    pub const MaxExposurePageSize: u32 = 64;
    /// Validators at a time.
    pub const MaxActiveValidators: u32 = 100;
    /// Candidates that take part in an election.
    pub const MaxElectableTargets: u32 = 200;
    /// Voters that take part in an election, the largest stakes first.
    pub const MaxElectingVoters: u32 = 1_000;
    /// What an election may read: it runs within one block, so this is what keeps it short.
    pub ElectionsBounds: ElectionBounds = ElectionBoundsBuilder::default()
        .voters_count(MaxElectingVoters::get().into())
        .targets_count(MaxElectableTargets::get().into())
        .build();
    /// Upper bounds of the bags.
    pub const BagThresholds: &'static [VoteWeight] = &BAG_THRESHOLDS;
    /// Voters moved to their right bag in a block with time to spare.
    pub const MaxAutoRebagPerBlock: u32 = 5;
}

/// Elections by sequential Phragmén, at once and on chain.
pub struct OnChainElection;

impl onchain::Config for OnChainElection {
    type Sort = ConstBool<true>;
    type System = Runtime;
    type Solver = SequentialPhragmen<AccountId, Perbill>;
    type MaxBackersPerWinner = MaxElectingVoters;
    type MaxWinnersPerPage = MaxActiveValidators;
    type DataProvider = Staking;
    type WeightInfo = frame_election_provider_support::weights::SubstrateWeight<Runtime>;
    type Bounds = ElectionsBounds;
}

/// Sizes for the benchmarks of staking.
pub struct StakingBenchmarkingConfig;

impl pallet_staking::BenchmarkingConfig for StakingBenchmarkingConfig {
    type MaxNominators = ConstU32<1_000>;
    type MaxValidators = ConstU32<100>;
}

impl pallet_staking::Config for Runtime {
    type OldCurrency = Balances;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type CurrencyBalance = Balance;
    type UnixTime = Timestamp;
    type CurrencyToVote = sp_staking::currency_to_vote::U128CurrencyToVote;
    type ElectionProvider = onchain::OnChainExecution<OnChainElection>;
    type GenesisElectionProvider = onchain::OnChainExecution<OnChainElection>;
    type NominationsQuota = pallet_staking::FixedNominationsQuota<MAX_NOMINATIONS>;
    type HistoryDepth = HistoryDepth;
    type RewardRemainder = ResolveTo<TreasuryAccount, Balances>;
    type RuntimeEvent = RuntimeEvent;
    type Slash = ResolveTo<TreasuryAccount, Balances>;
    // Rewards are new tokens.
    type Reward = ();
    type SessionsPerEra = SessionsPerEra;
    type BondingDuration = BondingDuration;
    type SlashDeferDuration = SlashDeferDuration;
    type AdminOrigin = EitherOfDiverse<EnsureRoot<AccountId>, StakingAdmin>;
    type SessionInterface = Self;
    type EraPayout = pallet_staking::ConvertCurve<RewardCurve>;
    type NextNewSession = Session;
    type MaxExposurePageSize = MaxExposurePageSize;
    type MaxValidatorSet = MaxActiveValidators;
    type VoterList = VoterList;
    type TargetList = pallet_staking::UseValidatorsMap<Self>;
    type MaxUnlockingChunks = ConstU32<32>;
    type MaxControllersInDeprecationBatch = ConstU32<1_000>;
    type EventListeners = ();
    type Filter = Nothing;
    type BenchmarkingConfig = StakingBenchmarkingConfig;
    type WeightInfo = pallet_staking::weights::SubstrateWeight<Runtime>;
}

impl pallet_bags_list::Config<Instance1> for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_bags_list::weights::SubstrateWeight<Runtime>;
    type ScoreProvider = Staking;
    type BagThresholds = BagThresholds;
    type MaxAutoRebagPerBlock = MaxAutoRebagPerBlock;
    type Score = VoteWeight;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bag_thresholds_should_rise_up_to_the_largest_stake() {
        assert!(BAG_THRESHOLDS.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(u128::from(BAG_THRESHOLDS[0]), EXISTENTIAL_DEPOSIT);
        assert!(BAG_THRESHOLDS[BAGS - 2] > VoteWeight::MAX / 2);
    }
}
