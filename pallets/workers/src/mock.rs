//! A runtime of this pallet, System and Balances, for tests. Models are a list.

use crate::{self as pallet_workers, Event, HoldReason, WorkerOf};
use assay_types::{
    traits::{Models, Requirement, Workers as _},
    ArtifactId, JobId, ModelProfile, ModelTerms, ASK_UNITS,
};
use frame_support::{
    assert_ok, derive_impl, parameter_types,
    traits::{fungible::InspectHold, ConstU128, ConstU32},
};
use sp_runtime::BuildStorage;

pub(crate) type AccountId = u64;
pub(crate) type Balance = u128;
type Block = frame_system::mocking::MockBlock<Test>;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Workers: pallet_workers,
    }
);

/// Existential deposit.
pub(crate) const ED: Balance = 10;
/// The least bond.
pub(crate) const MIN_BOND: Balance = 100;
/// What tests ask where it does not matter.
pub(crate) const ASK: Balance = 40;
/// The longest endpoint, in bytes.
pub(crate) const MAX_ENDPOINT_LENGTH: u32 = 32;
/// Models a worker may have ready.
pub(crate) const MAX_READY_PER_WORKER: u32 = 4;
/// Workers that may have a model ready.
pub(crate) const MAX_READY_PER_ARTIFACT: u32 = 5;
/// Jobs a worker may have.
pub(crate) const MAX_JOBS: u32 = 3;
/// Missed deadlines in a row that chill.
pub(crate) const MAX_MISSED_IN_ROW: u32 = 3;

/// Ids of the models there are: those below this.
pub(crate) const MODELS: ArtifactId = 8;
/// A model there is.
pub(crate) const MODEL: ArtifactId = 0;

/// Cold accounts that have [`FUNDS`] are those up to this, from 1.
pub(crate) const FUNDED: AccountId = 6;
/// Has [`FUNDS`].
pub(crate) const ALICE: AccountId = 1;
/// Has [`FUNDS`].
pub(crate) const BOB: AccountId = 2;
/// Has [`FUNDS`].
pub(crate) const CAROL: AccountId = 3;
/// Has nothing.
pub(crate) const PAUPER: AccountId = 99;
/// What those who have something start with.
pub(crate) const FUNDS: Balance = 10_000;

parameter_types! {
    /// Models beyond those below [`MODELS`], made by benchmarks.
    pub static MoreModels: ArtifactId = 0;
}

/// The models there are.
pub struct ModelList;

impl Models<AccountId, Balance> for ModelList {
    fn terms(id: ArtifactId) -> Option<ModelTerms<AccountId, Balance>> {
        (id < MODELS + MoreModels::get()).then_some(ModelTerms {
            owner: ALICE,
            price_per_use: 0,
            profile: ModelProfile {
                units_per_token: 1,
                max_sequence: 1,
                dimensions: 1,
            },
            retired: false,
        })
    }

    fn note_use(_id: ArtifactId, _earned: Balance) {}

    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(_owner: &AccountId) -> ArtifactId {
        let more = MoreModels::get();
        MoreModels::set(more + 1);
        MODELS + more
    }
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

impl pallet_workers::Config for Test {
    type WeightInfo = ();
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Models = ModelList;
    type MinBond = ConstU128<MIN_BOND>;
    type MaxEndpointLength = ConstU32<MAX_ENDPOINT_LENGTH>;
    type MaxReadyPerWorker = ConstU32<MAX_READY_PER_WORKER>;
    type MaxReadyPerArtifact = ConstU32<MAX_READY_PER_ARTIFACT>;
    type MaxJobsPerWorker = ConstU32<MAX_JOBS>;
    type MaxMissedInRow = ConstU32<MAX_MISSED_IN_ROW>;
}

/// Builds externalities, with workers if asked for.
#[derive(Default)]
pub(crate) struct ExtBuilder {
    workers: Vec<(AccountId, Balance, Balance)>,
}

impl ExtBuilder {
    /// Registers `worker` with the least bond at [`ASK`], and has it declare [`MODEL`] ready.
    pub(crate) fn worker(self, worker: AccountId) -> Self {
        self.worker_with(worker, MIN_BOND, ASK)
    }

    /// The same with a bond and an ask.
    pub(crate) fn worker_with(mut self, worker: AccountId, bond: Balance, ask: Balance) -> Self {
        self.workers.push((worker, bond, ask));
        self
    }

    pub(crate) fn build(self) -> sp_io::TestExternalities {
        let storage = RuntimeGenesisConfig {
            balances: pallet_balances::GenesisConfig {
                balances: (1..=FUNDED).map(|account| (account, FUNDS)).collect(),
                ..Default::default()
            },
            ..Default::default()
        }
        .build_storage()
        .expect("the genesis is well-formed");
        let mut ext = sp_io::TestExternalities::from(storage);
        ext.execute_with(|| {
            for (worker, bond, ask) in self.workers {
                assert_ok!(register(worker, bond, ask));
                assert_ok!(declare(worker, &[MODEL]));
            }
            // No events are kept in block 0, so tests see only their own.
            System::set_block_number(1);
        });
        ext
    }

    /// Runs `test`, then checks every invariant.
    pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
        self.build().execute_with(|| {
            test();
            Workers::do_try_state().expect("the invariants hold after a test");
        });
    }
}

/// The hot key of a worker registered by [`register`].
pub(crate) fn hot(worker: AccountId) -> AccountId {
    worker + 1_000
}

/// An endpoint.
pub(crate) fn endpoint(url: &str) -> frame_support::BoundedVec<u8, ConstU32<MAX_ENDPOINT_LENGTH>> {
    url.as_bytes().to_vec().try_into().expect("short enough")
}

/// Registers a worker with its [`hot`] key.
pub(crate) fn register(worker: AccountId, bond: Balance, ask: Balance) -> sp_runtime::DispatchResult {
    Workers::register(
        RuntimeOrigin::signed(worker),
        hot(worker),
        endpoint("http://worker"),
        bond,
        ask,
    )
}

/// Has `signer` declare models ready.
pub(crate) fn declare(signer: AccountId, ready: &[ArtifactId]) -> sp_runtime::DispatchResult {
    let ready = ready.to_vec().try_into().expect("few enough");
    Workers::validate_artifacts(RuntimeOrigin::signed(signer), ready)
        .map(|_| ())
        .map_err(|failed| failed.error)
}

/// The record of a worker.
pub(crate) fn record(worker: AccountId) -> WorkerOf<Test> {
    crate::Workers::<Test>::get(worker).expect("registered")
}

/// What is on hold as the bond of `worker`.
pub(crate) fn held(worker: AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Bond.into(), &worker)
}

/// Locks `collateral` for `job`.
pub(crate) fn lock(worker: AccountId, job: JobId, collateral: Balance) {
    assert_ok!(Workers::reserve(&worker, job, collateral));
}

/// A job for [`MODEL`] that costs each worker's ask and locks the same.
pub(crate) fn requirement() -> Requirement<Balance> {
    Requirement {
        artifact: MODEL,
        units: ASK_UNITS,
        max_fee: Balance::MAX,
        collateral_multiple: 1,
    }
}

/// This pallet's events so far.
pub(crate) fn events() -> Vec<Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Workers(event) => Some(event),
            _ => None,
        })
        .collect()
}
