//! A runtime of the market with the real registries of models and workers, for tests.

use crate::{self as pallet_compute_market, Balance, Event, HoldReason, Job, Jobs, ParametersOf, TIP_GRACE};
use assay_types::{
    commitment, traits::DrawRandomness, BlobRef, JobId, JobParameters, JobSpec, ModelProfile, Outcome, Phase, Status,
    UnavailableBlob, ASK_UNITS,
};
use frame_support::{
    assert_ok, derive_impl, parameter_types,
    traits::{fungible::InspectHold, ConstU128, ConstU32, ConstU64, Hooks},
    weights::Weight,
};
use sp_core::H256;
use sp_io::hashing::blake2_256;
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage, DispatchResult, Permill};

pub(crate) type AccountId = AccountId32;
type Block = frame_system::mocking::MockBlockU32<Test>;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Balances: pallet_balances,
        Artifacts: pallet_artifacts,
        Workers: pallet_workers,
        Market: pallet_compute_market,
    }
);

/// Existential deposit.
pub(crate) const ED: Balance = 10;
/// Owns [`MODEL`].
pub(crate) const OWNER: AccountId = account(1);
/// Submits jobs.
pub(crate) const ALICE: AccountId = account(2);
/// Submits jobs too.
pub(crate) const BOB: AccountId = account(3);
/// Takes no part.
pub(crate) const CAROL: AccountId = account(4);
/// Has nothing.
pub(crate) const PAUPER: AccountId = account(5);
/// The treasury.
pub(crate) const TREASURY: AccountId = account(6);
/// Cold accounts of workers.
pub(crate) const WORKERS: [AccountId; 4] = [account(11), account(12), account(13), account(14)];
/// What those who have something start with.
pub(crate) const FUNDS: Balance = 1_000_000;
/// Bond of a worker.
pub(crate) const BOND: Balance = 100_000;
/// Price of a use of [`MODEL`].
pub(crate) const PRICE: Balance = 100;
/// What workers ask, if nothing else is said: so much a token.
pub(crate) const ASK: Balance = 50;
/// The model there is.
pub(crate) const MODEL: u32 = 0;
/// Most tokens of [`spec`].
pub(crate) const MAX_TOKENS: u32 = 10;
/// Tokens that the input of [`spec`] has.
pub(crate) const TOKENS: u32 = 8;
/// What [`submit`] offers; more than any of [`WORKERS`] may be paid.
pub(crate) const MAX_FEE: Balance = 2_000;
/// Fee of a worker for all of [`MAX_TOKENS`] at [`ASK`].
pub(crate) const FEE: Balance = ASK * MAX_TOKENS as Balance;
/// Bond locked for a job at [`ASK`].
pub(crate) const COLLATERAL: Balance = FEE * 4;
/// Tip of a job.
pub(crate) const TIP: Balance = 20;
/// Call-out fee.
pub(crate) const CALL_OUT: Balance = 60;
/// Jobs listed under one block.
pub(crate) const MAX_DUE: u32 = 4;

/// Account number `n`.
pub(crate) const fn account(n: u8) -> AccountId {
    AccountId32::new([n; 32])
}

/// The hot key of a worker.
pub(crate) fn hot(worker: &AccountId) -> AccountId {
    let mut bytes: [u8; 32] = worker.clone().into();
    bytes[31] = 0xff;
    bytes.into()
}

/// Parameters that are easy to reckon with.
pub(crate) const fn default_parameters() -> JobParameters<u32> {
    JobParameters {
        assign_period: 10,
        acknowledge_period: 5,
        compute_period: 10,
        units_per_block: 4 * ASK_UNITS,
        reveal_delay: 3,
        reveal_period: 8,
        challenge_period: 12,
        retention_period: 40,
        collateral_multiple: 4,
        treasury_cut: Permill::from_percent(10),
        burn_cut: Permill::from_percent(20),
    }
}

parameter_types! {
    /// The parameters in force.
    pub static Parameters: JobParameters<u32> = default_parameters();
    /// What draws are made from, with block and subject; `None` while the chain has no randomness.
    pub static Seed: Option<u64> = Some(0);
    /// What is left for the hook in each block.
    pub static IdleWeight: Weight = Weight::MAX;
    /// See [`TREASURY`].
    pub TreasuryAccount: AccountId = TREASURY;
}

/// Another draw for every block, subject and [`Seed`].
pub struct BlockRandomness;

impl DrawRandomness for BlockRandomness {
    fn draw(subject: &[u8]) -> Option<[u8; 32]> {
        let seed = Seed::get()?;
        Some(blake2_256(&codec::Encode::encode(&(
            seed,
            System::block_number(),
            subject,
        ))))
    }
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountId = AccountId;
    type Lookup = IdentityLookup<AccountId>;
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
    type RegistrationDeposit = ConstU128<100>;
    type MaxPackageSize = ConstU64<65_536>;
    type MaxSequence = ConstU32<512>;
    type MaxDimensions = ConstU32<1_024>;
}

impl pallet_workers::Config for Test {
    type WeightInfo = ();
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Models = Artifacts;
    type MinBond = ConstU128<1_000>;
    type MaxEndpointLength = ConstU32<32>;
    type MaxReadyPerWorker = ConstU32<4>;
    type MaxReadyPerArtifact = ConstU32<8>;
    type MaxJobsPerWorker = ConstU32<3>;
    type MaxMissedInRow = ConstU32<3>;
}

impl pallet_compute_market::Config for Test {
    type Currency = Balances;
    type RuntimeHoldReason = RuntimeHoldReason;
    type Models = Artifacts;
    type Workers = Workers;
    type Randomness = BlockRandomness;
    type Parameters = Parameters;
    type Treasury = TreasuryAccount;
    type DepositBase = ConstU128<500>;
    type DepositPerByte = ConstU128<1>;
    type ExpireTip = ConstU128<TIP>;
    type CallOutFee = ConstU128<CALL_OUT>;
    type MaxInputSize = ConstU64<4_096>;
    type MaxSequences = ConstU32<32>;
    type MaxAttempts = ConstU32<3>;
    type MaxDuePerBlock = ConstU32<MAX_DUE>;
    type WeightInfo = ();
}

/// Builds externalities with [`MODEL`] and workers that have it ready.
pub(crate) struct ExtBuilder {
    asks: Vec<Balance>,
    bond: Balance,
}

impl Default for ExtBuilder {
    fn default() -> Self {
        Self {
            asks: vec![ASK],
            bond: BOND,
        }
    }
}

impl ExtBuilder {
    /// One of [`WORKERS`] for each ask.
    pub(crate) fn asks(mut self, asks: &[Balance]) -> Self {
        self.asks = asks.to_vec();
        self
    }

    /// The bond of each worker.
    pub(crate) fn bond(mut self, bond: Balance) -> Self {
        self.bond = bond;
        self
    }

    pub(crate) fn build(self) -> sp_io::TestExternalities {
        // Threads run one test after the other.
        Parameters::set(default_parameters());
        Seed::set(Some(0));
        IdleWeight::set(Weight::MAX);
        let funded = [OWNER, ALICE, BOB, CAROL, TREASURY].into_iter().chain(WORKERS);
        let storage = RuntimeGenesisConfig {
            balances: pallet_balances::GenesisConfig {
                balances: funded.map(|account| (account, FUNDS)).collect(),
                ..Default::default()
            },
            ..Default::default()
        }
        .build_storage()
        .expect("the genesis is well-formed");
        let mut ext = sp_io::TestExternalities::from(storage);
        ext.execute_with(|| {
            let profile = ModelProfile {
                units_per_token: ASK_UNITS,
                max_sequence: 16,
                dimensions: 6,
            };
            let package = BlobRef {
                hash: H256::repeat_byte(1),
                size: 100,
            };
            assert_ok!(Artifacts::register_model(
                RuntimeOrigin::signed(OWNER),
                package,
                H256::repeat_byte(2),
                profile,
                PRICE
            ));
            for (worker, ask) in WORKERS.iter().zip(self.asks) {
                register(worker, self.bond, ask);
            }
            System::set_block_number(1);
            System::reset_events();
        });
        ext
    }

    /// Runs `test`, then checks every invariant of all pallets.
    pub(crate) fn build_and_execute(self, test: impl FnOnce()) {
        self.build().execute_with(|| {
            test();
            check_invariants();
        });
    }
}

/// Every invariant of every pallet, and that accounts add up to what has been issued.
pub(crate) fn check_invariants() {
    Market::do_try_state().expect("the market's invariants hold");
    Workers::do_try_state().expect("the workers' invariants hold");
    Artifacts::do_try_state().expect("the artifacts' invariants hold");
    let sum: Balance = frame_system::Account::<Test>::iter_values()
        .map(|info| info.data.free + info.data.reserved)
        .sum();
    assert_eq!(
        sum,
        Balances::total_issuance(),
        "accounts add up to what has been issued"
    );
}

/// Registers a worker that has [`MODEL`] ready.
pub(crate) fn register(worker: &AccountId, bond: Balance, ask: Balance) {
    let signed = RuntimeOrigin::signed(worker.clone());
    assert_ok!(Workers::register(
        signed.clone(),
        hot(worker),
        Default::default(),
        bond,
        ask
    ));
    assert_ok!(Workers::validate_artifacts(
        signed,
        vec![MODEL].try_into().expect("one fits")
    ));
}

/// Ends the current block, with its hook, and begins the next, until `block` has begun.
pub(crate) fn run_to(block: u32) {
    while System::block_number() < block {
        let now = System::block_number();
        let available = IdleWeight::get();
        let used = Market::on_idle(now, available);
        assert!(used.all_lte(available), "the hook used {used} of {available}");
        System::set_block_number(now + 1);
    }
}

/// Ends `count` blocks.
pub(crate) fn run(count: u32) {
    run_to(System::block_number() + count);
}

/// Registers a model whose units cannot be counted for a job of more than two tokens, and returns its
/// id.
pub(crate) fn endless_model() -> u32 {
    let profile = ModelProfile {
        units_per_token: u64::MAX / 2,
        max_sequence: 16,
        dimensions: 6,
    };
    let package = BlobRef {
        hash: H256::repeat_byte(8),
        size: 100,
    };
    let signed = RuntimeOrigin::signed(OWNER);
    assert_ok!(Artifacts::register_model(signed, package, H256::zero(), profile, 0));
    Artifacts::by_package(package.hash).expect("registered")
}

/// A job that every worker here can do.
pub(crate) fn spec() -> JobSpec {
    let sequences = 2;
    let words = 1 + sequences + TOKENS;
    JobSpec {
        artifact: MODEL,
        input: BlobRef {
            hash: H256::repeat_byte(7),
            size: 4 * u64::from(words),
        },
        sequences,
        max_tokens: MAX_TOKENS,
    }
}

/// What a job holds beside its fee.
pub(crate) fn deposit() -> Balance {
    Market::record_deposit() + TIP
}

/// Has `who` submit [`spec`].
pub(crate) fn submit_by(who: &AccountId, max_fee: Balance) -> JobId {
    let id = crate::NextJobId::<Test>::get();
    assert_ok!(Market::submit(RuntimeOrigin::signed(who.clone()), spec(), max_fee));
    id
}

/// Has [`ALICE`] submit [`spec`] for [`MAX_FEE`].
pub(crate) fn submit() -> JobId {
    submit_by(&ALICE, MAX_FEE)
}

/// A job that has just been assigned, and its worker.
pub(crate) fn assigned() -> (JobId, AccountId) {
    let id = submit();
    run(2);
    (id, worker_of(id))
}

/// A job that has just been acknowledged, and its worker.
pub(crate) fn running() -> (JobId, AccountId) {
    let (id, worker) = assigned();
    assert_ok!(acknowledge(&worker, id));
    (id, worker)
}

/// A job whose result has just been committed, and its worker.
pub(crate) fn committed(outcome: &Outcome) -> (JobId, AccountId) {
    let (id, worker) = running();
    assert_ok!(commit(&worker, id, outcome));
    (id, worker)
}

/// A job whose result has just been revealed, and its worker.
pub(crate) fn revealed(outcome: &Outcome) -> (JobId, AccountId) {
    let (id, worker) = committed(outcome);
    run(Parameters::get().reveal_delay);
    assert_ok!(reveal(&CAROL, id, outcome));
    (id, worker)
}

/// A job that has just settled, and its worker.
pub(crate) fn settled() -> (JobId, AccountId) {
    let (id, worker) = revealed(&outcome());
    run(Parameters::get().challenge_period + 2);
    assert!(matches!(job(id).phase, Phase::Settled { .. }));
    (id, worker)
}

/// The salt that workers use here.
pub(crate) const SALT: [u8; 32] = [9; 32];

/// The trace that goes with `outcome`.
pub(crate) fn traced(outcome: Outcome) -> Outcome {
    Outcome {
        trace: H256(*blake3::hash(&outcome.trace_header()).as_bytes()),
        ..outcome
    }
}

/// A result of [`spec`].
pub(crate) fn outcome() -> Outcome {
    traced(Outcome {
        status: Status::Completed,
        tokens: TOKENS,
        result: H256::repeat_byte(3),
        trace: H256::zero(),
        delivered: H256::repeat_byte(3),
        delivered_size: 2 * 6 * 4,
    })
}

/// A failure to run [`spec`].
pub(crate) fn failure(status: Status) -> Outcome {
    let nothing = H256(*blake3::hash(&[]).as_bytes());
    traced(Outcome {
        status,
        tokens: 0,
        result: nothing,
        trace: nothing,
        delivered: nothing,
        delivered_size: 0,
    })
}

/// The commitment of `worker` to `outcome`.
pub(crate) fn commitment_of(worker: &AccountId, id: JobId, outcome: &Outcome) -> H256 {
    commitment(
        &Market::genesis(),
        id,
        attempt_of(id),
        &worker.clone().into(),
        outcome,
        &SALT,
    )
}

pub(crate) fn acknowledge(worker: &AccountId, id: JobId) -> DispatchResult {
    Market::acknowledge(RuntimeOrigin::signed(hot(worker)), id)
}

pub(crate) fn commit(worker: &AccountId, id: JobId, outcome: &Outcome) -> DispatchResult {
    let commitment = commitment_of(worker, id, outcome);
    Market::commit(RuntimeOrigin::signed(hot(worker)), id, attempt_of(id), commitment)
}

pub(crate) fn reveal(who: &AccountId, id: JobId, outcome: &Outcome) -> DispatchResult {
    Market::reveal(RuntimeOrigin::signed(who.clone()), id, attempt_of(id), *outcome, SALT)
}

pub(crate) fn report(worker: &AccountId, id: JobId, blob: UnavailableBlob) -> DispatchResult {
    Market::report_unavailable(RuntimeOrigin::signed(hot(worker)), id, attempt_of(id), blob)
}

pub(crate) fn cancel(who: &AccountId, id: JobId) -> DispatchResult {
    Market::cancel(RuntimeOrigin::signed(who.clone()), id)
}

pub(crate) fn expire(who: &AccountId, id: JobId) -> DispatchResult {
    Market::expire(RuntimeOrigin::signed(who.clone()), id)
        .map(|_| ())
        .map_err(|failed| failed.error)
}

/// Stops the hook, as full blocks would.
pub(crate) fn stop_hook() {
    IdleWeight::set(Weight::zero());
}

/// Begins the first block in which `expire` of this job earns the tip.
pub(crate) fn run_past_grace(id: JobId) {
    run_to(job(id).until().expect("the job has a deadline") + TIP_GRACE + 1);
}

/// The record of a job.
pub(crate) fn job(id: JobId) -> Job<Test> {
    Jobs::<Test>::get(id).expect("the record is kept")
}

/// The worker that holds a job.
pub(crate) fn worker_of(id: JobId) -> AccountId {
    job(id).phase.worker().cloned().expect("a worker is assigned")
}

/// The attempt that a job is at.
pub(crate) fn attempt_of(id: JobId) -> u32 {
    Jobs::<Test>::get(id).map_or(0, |job| job.attempt())
}

/// What is on hold from `who` for fees.
pub(crate) fn fee_on_hold(who: &AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Fee.into(), who)
}

/// What is on hold from `who` for records.
pub(crate) fn deposit_on_hold(who: &AccountId) -> Balance {
    Balances::balance_on_hold(&HoldReason::Deposit.into(), who)
}

/// What `who` can spend, and what brings the account over the existential deposit.
pub(crate) fn free(who: &AccountId) -> Balance {
    Balances::free_balance(who)
}

/// What `worker` has locked for jobs.
pub(crate) fn locked(worker: &AccountId) -> Balance {
    Workers::info(worker).expect("registered").locked
}

/// The bond of `worker`.
pub(crate) fn bond(worker: &AccountId) -> Balance {
    Workers::info(worker).expect("registered").bond
}

/// The market's events so far.
pub(crate) fn events() -> Vec<Event<Test>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::Market(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// The market's last event.
pub(crate) fn last_event() -> Event<Test> {
    events().pop().expect("there is an event")
}

/// Changes the parameters for jobs submitted from now on.
pub(crate) fn set_parameters(change: impl FnOnce(&mut ParametersOf<Test>)) {
    Parameters::mutate(change);
}
