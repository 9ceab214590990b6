//! Balances, fees, and the treasury.

use crate::{
    constants::{
        currency::{EXISTENTIAL_DEPOSIT, MICRO_ASY},
        time::DAYS,
    },
    governance::origins::Spender,
    AccountId, Authorship, Balance, Balances, BlockNumber, Runtime, RuntimeEvent, RuntimeFreezeReason,
    RuntimeHoldReason, System, Treasury,
};
use frame_support::{
    parameter_types,
    traits::{
        fungible::{Balanced, Credit},
        tokens::{imbalance::ResolveTo, PayFromAccount, UnityAssetBalanceConversion},
        ConstU32, ConstU8, Imbalance, OnUnbalanced, VariantCountOf,
    },
    weights::{ConstantMultiplier, Weight},
    PalletId,
};
use frame_system::EnsureRoot;
use pallet_transaction_payment::{FungibleAdapter, Multiplier, TargetedFeeAdjustment};
use sp_runtime::{traits::One, FixedPointNumber, Permill, Perquintill};

/// Fee for a picosecond of execution, in plancks. A block filled with work costs 10 ASY, and the
/// base weight of a transaction, about 0.1 ms, costs 0.001 ASY.
const FEE_PER_PICOSECOND: Balance = 10;

/// Part of each fee that goes to the treasury; the rest, and all of the tip, goes to the author.
const TREASURY_FEE_PERCENT: u32 = 80;

parameter_types! {
    /// The least an account may hold.
    pub const ExistentialDeposit: Balance = EXISTENTIAL_DEPOSIT;
}

impl pallet_balances::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type WeightInfo = pallet_balances::weights::SubstrateWeight<Runtime>;
    type Balance = Balance;
    type DustRemoval = ResolveTo<TreasuryAccount, Balances>;
    type ExistentialDeposit = ExistentialDeposit;
    type AccountStore = System;
    type ReserveIdentifier = [u8; 8];
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ConstU32<50>;
    type MaxFreezes = VariantCountOf<RuntimeFreezeReason>;
    type DoneSlashHandler = ();
}

/// What execution costs: so much for each picosecond.
pub struct WeightToFee;

impl frame_support::weights::WeightToFee for WeightToFee {
    type Balance = Balance;

    fn weight_to_fee(weight: &Weight) -> Balance {
        Balance::from(weight.ref_time()).saturating_mul(FEE_PER_PICOSECOND)
    }
}

/// Divides fees between treasury and author.
pub struct DealWithFees;

impl OnUnbalanced<Credit<AccountId, Balances>> for DealWithFees {
    fn on_unbalanceds(mut fees_then_tips: impl Iterator<Item = Credit<AccountId, Balances>>) {
        let Some(fee) = fees_then_tips.next() else { return };
        let (to_treasury, mut to_author) = fee.ration(TREASURY_FEE_PERCENT, 100 - TREASURY_FEE_PERCENT);
        if let Some(tip) = fees_then_tips.next() {
            tip.merge_into(&mut to_author);
        }
        ResolveTo::<TreasuryAccount, Balances>::on_unbalanced(to_treasury);
        // A block without a known author, and an author whose account cannot take so little, leave
        // their part to the treasury.
        let left = match Authorship::author() {
            Some(author) => Balances::resolve(&author, to_author).err(),
            None => Some(to_author),
        };
        if let Some(left) = left {
            ResolveTo::<TreasuryAccount, Balances>::on_unbalanced(left);
        }
    }
}

parameter_types! {
    /// What a byte of a transaction costs. 128 KiB cost 1.3 ASY.
    pub const TransactionByteFee: Balance = 10 * MICRO_ASY;
    /// How full blocks should be on average: above this, fees rise.
    pub const TargetBlockFullness: Perquintill = Perquintill::from_percent(25);
    /// How fast fees change: by a quarter or so in a day of full blocks.
    pub AdjustmentVariable: Multiplier = Multiplier::saturating_from_rational(1, 100_000);
    /// Fees never fall under the ones compiled in: an empty chain is not a free one.
    pub MinimumMultiplier: Multiplier = Multiplier::one();
    /// Nor do they rise over this many times those.
    pub MaximumMultiplier: Multiplier = Multiplier::saturating_from_integer(1_000);
}

impl pallet_transaction_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnChargeTransaction = FungibleAdapter<Balances, DealWithFees>;
    type WeightToFee = WeightToFee;
    type LengthToFee = ConstantMultiplier<Balance, TransactionByteFee>;
    type FeeMultiplierUpdate =
        TargetedFeeAdjustment<Self, TargetBlockFullness, AdjustmentVariable, MinimumMultiplier, MaximumMultiplier>;
    type OperationalFeeMultiplier = ConstU8<5>;
    type WeightInfo = pallet_transaction_payment::weights::SubstrateWeight<Runtime>;
}

parameter_types! {
    /// How often the treasury does its books.
    pub const SpendPeriod: BlockNumber = 6 * DAYS;
    /// The treasury keeps what is not spent.
    pub const Burn: Permill = Permill::zero();
    /// Names the treasury's account.
    pub const TreasuryPalletId: PalletId = PalletId(*b"py/trsry");
    /// How long an approved payment can be collected.
    pub const PayoutPeriod: BlockNumber = 30 * DAYS;
    /// The treasury's account: fees, slashes, dust and the market's cut go here.
    pub TreasuryAccount: AccountId = Treasury::account_id();
}

impl pallet_treasury::Config for Runtime {
    type Currency = Balances;
    type RejectOrigin = EnsureRoot<AccountId>;
    type RuntimeEvent = RuntimeEvent;
    type SpendPeriod = SpendPeriod;
    type Burn = Burn;
    type PalletId = TreasuryPalletId;
    type BurnDestination = ();
    type WeightInfo = pallet_treasury::weights::SubstrateWeight<Runtime>;
    type SpendFunds = ();
    type MaxApprovals = ConstU32<100>;
    type SpendOrigin = Spender;
    // The treasury holds ASY and nothing else.
    type AssetKind = ();
    type Beneficiary = AccountId;
    type BeneficiaryLookup = <Runtime as frame_system::Config>::Lookup;
    type Paymaster = PayFromAccount<Balances, TreasuryAccount>;
    type BalanceConverter = UnityAssetBalanceConversion;
    type PayoutPeriod = PayoutPeriod;
    type BlockNumberProvider = System;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = ();
}
