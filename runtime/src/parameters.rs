//! What a vote can change without a new runtime, and within which bounds.
//!
//! `pallet-parameters` stores whatever its administrator sets. So the bounds are applied where a
//! value is read: one outside of them has the effect of the nearest one inside, and no origin can
//! get past them without a new runtime.

use crate::{
    constants::time::{DAYS, HOURS, MINUTES},
    governance::origins::MarketAdmin,
    AccountId, BlockNumber, Runtime, RuntimeOrigin,
};
use assay_types::{JobParameters, WorkUnits};
use frame_support::{
    dynamic_params::{dynamic_pallet_params, dynamic_params},
    traits::{EitherOfDiverse, EnsureOrigin, EnsureOriginWithArg, Get},
};
use frame_system::EnsureRoot;
use sp_runtime::Permill;

pub use dynamic::*;

/// The market's defaults.
pub const DEFAULT_MARKET: JobParameters<BlockNumber> = JobParameters {
    assign_period: 10 * MINUTES,
    acknowledge_period: 2 * MINUTES,
    // Enough to fetch a model.
    compute_period: 10 * MINUTES,
    // About a tenth of what a core does.
    units_per_block: 1_000_000_000,
    reveal_delay: 10,
    reveal_period: 30 * MINUTES,
    challenge_period: HOURS,
    retention_period: DAYS,
    collateral_multiple: 76,
    treasury_cut: Permill::from_percent(5),
    burn_cut: Permill::from_percent(5),
};

/// The parameters with their defaults. Their indices are part of the state and of transactions.
#[dynamic_params(RuntimeParameters, pallet_parameters::Parameters::<Runtime>)]
#[allow(missing_docs)]
pub mod dynamic {
    use super::*;

    /// The market's: see [`JobParameters`].
    #[dynamic_pallet_params]
    #[codec(index = 0)]
    pub mod market {
        /// How long a job may wait for a worker.
        #[codec(index = 0)]
        pub static AssignPeriod: BlockNumber = DEFAULT_MARKET.assign_period;
        /// From assignment to acknowledgement.
        #[codec(index = 1)]
        pub static AcknowledgePeriod: BlockNumber = DEFAULT_MARKET.acknowledge_period;
        /// From acknowledgement to commitment, beside what the work itself takes.
        #[codec(index = 2)]
        pub static ComputePeriod: BlockNumber = DEFAULT_MARKET.compute_period;
        /// Work units that a worker must do in a block, at the least.
        #[codec(index = 3)]
        pub static UnitsPerBlock: WorkUnits = DEFAULT_MARKET.units_per_block;
        /// From commitment to the opening of reveals.
        #[codec(index = 4)]
        pub static RevealDelay: BlockNumber = DEFAULT_MARKET.reveal_delay;
        /// How long reveals stay open.
        #[codec(index = 5)]
        pub static RevealPeriod: BlockNumber = DEFAULT_MARKET.reveal_period;
        /// From reveal to settlement.
        #[codec(index = 6)]
        pub static ChallengePeriod: BlockNumber = DEFAULT_MARKET.challenge_period;
        /// How long the record of an ended job is kept.
        #[codec(index = 7)]
        pub static RetentionPeriod: BlockNumber = DEFAULT_MARKET.retention_period;
        /// Bond locked for a job, as a multiple of the worker's fee.
        #[codec(index = 8)]
        pub static CollateralMultiple: u32 = DEFAULT_MARKET.collateral_multiple;
        /// Part of the worker's fee that goes to the treasury.
        #[codec(index = 9)]
        pub static TreasuryCut: Permill = DEFAULT_MARKET.treasury_cut;
        /// Part of the worker's fee that is burned.
        #[codec(index = 10)]
        pub static BurnCut: Permill = DEFAULT_MARKET.burn_cut;
    }

    /// Governance's own.
    #[dynamic_pallet_params]
    #[codec(index = 1)]
    pub mod governance {
        /// Length of a day of governance, in blocks.
        #[codec(index = 0)]
        pub static Day: BlockNumber = DAYS;
    }
}

/// For benchmarks, which set this parameter.
#[cfg(feature = "runtime-benchmarks")]
impl Default for RuntimeParameters {
    fn default() -> Self {
        Self::Market(market::Parameters::AssignPeriod(
            market::AssignPeriod,
            Some(DEFAULT_MARKET.assign_period),
        ))
    }
}

/// The bounds of a parameter.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<Value> {
    /// The least that has effect.
    pub min: Value,
    /// The most that has effect.
    pub max: Value,
}

impl<Value: Ord + Copy> Bounds<Value> {
    /// The nearest value inside.
    pub fn clamp(self, value: Value) -> Value {
        value.clamp(self.min, self.max)
    }
}

/// Bounds of the market's parameters. Lower bounds of durations are short enough for a development
/// chain; one that holds value is protected by the majority that a vote needs.
pub mod bounds {
    use super::*;

    /// Of [`market::AssignPeriod`].
    pub const ASSIGN_PERIOD: Bounds<BlockNumber> = Bounds { min: 2, max: DAYS };
    /// Of [`market::AcknowledgePeriod`].
    pub const ACKNOWLEDGE_PERIOD: Bounds<BlockNumber> = Bounds { min: 2, max: HOURS };
    /// Of [`market::ComputePeriod`].
    pub const COMPUTE_PERIOD: Bounds<BlockNumber> = Bounds { min: 2, max: DAYS };
    /// Of [`market::UnitsPerBlock`]. Without the lower one a worker could hold a job for ever.
    pub const UNITS_PER_BLOCK: Bounds<WorkUnits> = Bounds {
        min: 1_000_000,
        max: 1_000_000_000_000_000,
    };
    /// Of [`market::RevealDelay`]. One block is what keeps the reveal out of the commitment's block.
    pub const REVEAL_DELAY: Bounds<BlockNumber> = Bounds { min: 1, max: HOURS };
    /// Of [`market::RevealPeriod`].
    pub const REVEAL_PERIOD: Bounds<BlockNumber> = Bounds { min: 10, max: DAYS };
    /// Of [`market::ChallengePeriod`].
    pub const CHALLENGE_PERIOD: Bounds<BlockNumber> = Bounds { min: 2, max: 7 * DAYS };
    /// Of [`market::RetentionPeriod`].
    pub const RETENTION_PERIOD: Bounds<BlockNumber> = Bounds {
        min: 10,
        max: 90 * DAYS,
    };
    /// Of [`market::CollateralMultiple`]. Without any, a worker would have nothing to lose.
    pub const COLLATERAL_MULTIPLE: Bounds<u32> = Bounds { min: 1, max: 10_000 };
    /// Of [`market::BurnCut`]. The lower one is what makes it a loss to pay oneself.
    pub const BURN_CUT: Bounds<Permill> = Bounds {
        min: Permill::from_percent(5),
        max: MAX_CUTS,
    };
    /// The most that [`market::BurnCut`] and [`market::TreasuryCut`] take together; the treasury
    /// gives way.
    pub const MAX_CUTS: Permill = Permill::from_percent(50);
    /// Of [`governance::Day`].
    pub const GOVERNANCE_DAY: Bounds<BlockNumber> = Bounds { min: 10, max: 7 * DAYS };
}

/// The market's parameters as they have effect.
pub struct MarketParameters;

impl Get<JobParameters<BlockNumber>> for MarketParameters {
    fn get() -> JobParameters<BlockNumber> {
        let burn_cut = bounds::BURN_CUT.clamp(market::BurnCut::get());
        JobParameters {
            assign_period: bounds::ASSIGN_PERIOD.clamp(market::AssignPeriod::get()),
            acknowledge_period: bounds::ACKNOWLEDGE_PERIOD.clamp(market::AcknowledgePeriod::get()),
            compute_period: bounds::COMPUTE_PERIOD.clamp(market::ComputePeriod::get()),
            units_per_block: bounds::UNITS_PER_BLOCK.clamp(market::UnitsPerBlock::get()),
            reveal_delay: bounds::REVEAL_DELAY.clamp(market::RevealDelay::get()),
            reveal_period: bounds::REVEAL_PERIOD.clamp(market::RevealPeriod::get()),
            challenge_period: bounds::CHALLENGE_PERIOD.clamp(market::ChallengePeriod::get()),
            retention_period: bounds::RETENTION_PERIOD.clamp(market::RetentionPeriod::get()),
            collateral_multiple: bounds::COLLATERAL_MULTIPLE.clamp(market::CollateralMultiple::get()),
            treasury_cut: market::TreasuryCut::get().min(bounds::MAX_CUTS - burn_cut),
            burn_cut,
        }
    }
}

/// Length of a day of governance in blocks, as it has effect.
pub struct GovernanceDay;

impl Get<BlockNumber> for GovernanceDay {
    fn get() -> BlockNumber {
        bounds::GOVERNANCE_DAY.clamp(governance::Day::get())
    }
}

/// The entries that make `parameters` those of the market.
pub fn market_entries(parameters: &JobParameters<BlockNumber>) -> [RuntimeParameters; 11] {
    use market::*;
    [
        Parameters::AssignPeriod(AssignPeriod, Some(parameters.assign_period)),
        Parameters::AcknowledgePeriod(AcknowledgePeriod, Some(parameters.acknowledge_period)),
        Parameters::ComputePeriod(ComputePeriod, Some(parameters.compute_period)),
        Parameters::UnitsPerBlock(UnitsPerBlock, Some(parameters.units_per_block)),
        Parameters::RevealDelay(RevealDelay, Some(parameters.reveal_delay)),
        Parameters::RevealPeriod(RevealPeriod, Some(parameters.reveal_period)),
        Parameters::ChallengePeriod(ChallengePeriod, Some(parameters.challenge_period)),
        Parameters::RetentionPeriod(RetentionPeriod, Some(parameters.retention_period)),
        Parameters::CollateralMultiple(CollateralMultiple, Some(parameters.collateral_multiple)),
        Parameters::TreasuryCut(TreasuryCut, Some(parameters.treasury_cut)),
        Parameters::BurnCut(BurnCut, Some(parameters.burn_cut)),
    ]
    .map(RuntimeParameters::Market)
}

/// The entry that makes a governance day `blocks` long.
pub fn governance_day_entry(blocks: BlockNumber) -> RuntimeParameters {
    RuntimeParameters::Governance(governance::Parameters::Day(governance::Day, Some(blocks)))
}

/// Whether `origin` passes `Check`; what more it says does not matter.
fn ensure<Check: EnsureOrigin<RuntimeOrigin>>(origin: RuntimeOrigin) -> Result<(), RuntimeOrigin> {
    Check::try_origin(origin).map(|_| ())
}

/// Who may set which parameter: Root all, [`MarketAdmin`] those of the market.
pub struct ParameterAdmin;

impl EnsureOriginWithArg<RuntimeOrigin, RuntimeParametersKey> for ParameterAdmin {
    type Success = ();

    fn try_origin(origin: RuntimeOrigin, key: &RuntimeParametersKey) -> Result<(), RuntimeOrigin> {
        match key {
            RuntimeParametersKey::Market(_) => ensure::<EitherOfDiverse<EnsureRoot<AccountId>, MarketAdmin>>(origin),
            RuntimeParametersKey::Governance(_) => ensure::<EnsureRoot<AccountId>>(origin),
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn try_successful_origin(_: &RuntimeParametersKey) -> Result<RuntimeOrigin, ()> {
        Ok(RuntimeOrigin::root())
    }
}
