//! A runtime of this pallet, System and Balances, for tests.

use crate::{self as pallet_artifacts, BalanceOf, Event, HoldReason};
use assay_types::{ArtifactId, BlobRef, ModelProfile};
use frame_support::{
    derive_impl, parameter_types,
    traits::{fungible::InspectHold, ConstU128, ConstU32, ConstU64},
};
use sp_core::H256;
use sp_runtime::{BuildStorage, DispatchResult};

pub(crate) type AccountId = u64;
pub(crate) type Balance = u128;
type Block = frame_system::mocking::MockBlock<Test>;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Artifacts: pallet_artifacts,
    }
);

/// Existential deposit.
pub(crate) const ED: Balance = 10;
/// Hold for a registration, at the start.
pub(crate) const DEPOSIT: Balance = 100;
/// The largest manifest, in bytes.
pub(crate) const MAX_PACKAGE_SIZE: u64 = 1_024;
/// The longest sequence, in tokens.
pub(crate) const MAX_SEQUENCE: u32 = 512;
/// The longest output vector, in elements.
pub(crate) const MAX_DIMENSIONS: u32 = 1_024;

/// Has [`FUNDS`].
pub(crate) const ALICE: AccountId = 1;
/// Has [`FUNDS`].
pub(crate) const BOB: AccountId = 2;
/// Has nothing.
pub(crate) const PAUPER: AccountId = 99;
/// What those who have something start with.
pub(crate) const FUNDS: Balance = 1_000;

parameter_types! {
    /// Changes between registrations in one test.
    pub static RegistrationDeposit: Balance = DEPOSIT;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = Balance;
    type ExistentialDeposit = ConstU128<ED>;
    type AccountStore = System;
}

impl pallet_artifacts::Config for Test {
    type WeightInfo = ();
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RegistrationDeposit = RegistrationDeposit;
    type MaxPackageSize = ConstU64<MAX_PACKAGE_SIZE>;
    type MaxSequence = ConstU32<MAX_SEQUENCE>;
    type MaxDimensions = ConstU32<MAX_DIMENSIONS>;
}

/// Builds externalities in which Alice and Bob have funds.
pub(crate) struct ExtBuilder;

impl ExtBuilder {
    pub(crate) fn build(self) -> sp_io::TestExternalities {
        let storage = RuntimeGenesisConfig {
            balances: pallet_balances::GenesisConfig {
                balances: vec![(ALICE, FUNDS), (BOB, FUNDS)],
                ..Default::default()
            },
            ..Default::default()
        }
        .build_storage()
        .expect("the genesis is well-formed");
        let mut ext = sp_io::TestExternalities::from(storage);
        // No events are kept in block 0.
        ext.execute_with(|| System::set_block_number(1));
        ext
    }

    /// Runs `test`, then checks every invariant.
    pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
        self.build().execute_with(|| {
            test();
            Artifacts::do_try_state().expect("the invariants hold after a test");
        });
    }
}

/// A package of its own for each `seed`.
pub(crate) fn package(seed: u8) -> BlobRef {
    BlobRef {
        hash: H256::repeat_byte(seed),
        size: 1,
    }
}

/// A profile within the limits.
pub(crate) fn profile() -> ModelProfile {
    ModelProfile {
        units_per_token: 1,
        max_sequence: MAX_SEQUENCE,
        dimensions: MAX_DIMENSIONS,
    }
}

/// Registers package `seed` for `owner` and returns the result.
pub(crate) fn register(owner: AccountId, seed: u8, price: BalanceOf<Test>) -> DispatchResult {
    Artifacts::register_model(
        RuntimeOrigin::signed(owner),
        package(seed),
        H256::zero(),
        profile(),
        price,
    )
}

/// Registers package `seed` for Alice at `price` and returns its id.
pub(crate) fn registered(seed: u8, price: Balance) -> ArtifactId {
    register(ALICE, seed, price).expect("Alice can register");
    Artifacts::by_package(package(seed).hash).expect("registered")
}

/// What is on hold from `owner` for its artifacts.
pub(crate) fn held(owner: AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Registration.into(), &owner)
}

/// This pallet's events so far.
pub(crate) fn events() -> Vec<Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Artifacts(event) => Some(event),
            _ => None,
        })
        .collect()
}
