//! The market: artifacts, workers, jobs.

use super::money::TreasuryAccount;
use crate::{
    constants::currency::{deposit, ASY, MILLI_ASY},
    parameters::MarketParameters,
    randomness::AuthorVrf,
    weights, Artifacts, Balance, Balances, Runtime, RuntimeHoldReason, Workers,
};
use frame_support::{
    parameter_types,
    traits::{ConstU32, ConstU64},
};

parameter_types! {
    /// On hold for an artifact, which is never removed.
    pub const RegistrationDeposit: Balance = 10 * ASY;
    /// The least bond of a worker that takes jobs.
    pub const MinWorkerBond: Balance = 100 * ASY;
    /// On hold for a job's record, whatever its size.
    pub const JobDepositBase: Balance = deposit(2, 0);
    /// On hold for each byte of a job's record.
    pub const JobDepositPerByte: Balance = deposit(0, 1);
    /// For who tidies up a job when the hooks have fallen behind: about what the call costs, twice.
    pub const ExpireTip: Balance = 10 * MILLI_ASY;
    /// For a worker that was called out for an input that cannot be had: about what its calls cost.
    pub const CallOutFee: Balance = 10 * MILLI_ASY;
}

impl pallet_artifacts::Config for Runtime {
    type WeightInfo = weights::pallet_artifacts::WeightInfo<Runtime>;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RegistrationDeposit = RegistrationDeposit;
    // A manifest names files; a megabyte is thousands of them.
    type MaxPackageSize = ConstU64<{ 1024 * 1024 }>;
    type MaxSequence = ConstU32<{ 128 * 1024 }>;
    type MaxDimensions = ConstU32<{ 64 * 1024 }>;
}

impl pallet_workers::Config for Runtime {
    type WeightInfo = weights::pallet_workers::WeightInfo<Runtime>;
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Models = Artifacts;
    type MinBond = MinWorkerBond;
    type MaxEndpointLength = ConstU32<256>;
    type MaxReadyPerWorker = ConstU32<64>;
    type MaxReadyPerArtifact = ConstU32<256>;
    type MaxJobsPerWorker = ConstU32<16>;
    type MaxMissedInRow = ConstU32<3>;
}

impl pallet_compute_market::Config for Runtime {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Models = Artifacts;
    type Workers = Workers;
    type Randomness = AuthorVrf;
    type Parameters = MarketParameters;
    type Treasury = TreasuryAccount;
    type DepositBase = JobDepositBase;
    type DepositPerByte = JobDepositPerByte;
    type ExpireTip = ExpireTip;
    type CallOutFee = CallOutFee;
    // A million tokens.
    type MaxInputSize = ConstU64<{ 4 * 1024 * 1024 }>;
    type MaxSequences = ConstU32<4_096>;
    type MaxAttempts = ConstU32<3>;
    type MaxDuePerBlock = ConstU32<256>;
    type WeightInfo = weights::pallet_compute_market::WeightInfo<Runtime>;
}
