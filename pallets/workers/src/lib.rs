#![cfg_attr(not(feature = "std"), no_std)]
//! # Workers pallet
//!
//! Who computes: bond, price, which models are ready, and how well deadlines are kept.
//!
//! ## Pallet API
//!
//! See the [`pallet`] module for storage, events, errors and calls, [`Config`] for what a runtime
//! supplies. The market knows this pallet as [`assay_types::traits::Workers`]; runtime APIs are answered by
//! [`Pallet::info`] and [`Pallet::infos`].
//!
//! ## Overview
//!
//! A worker is an account (the *cold* account) that has put a bond on hold, with a *hot key* that
//! signs for it while it works. The cold account registers, decides about money and keys, and is paid.
//! The hot key lives on the machine that computes; it can answer jobs, declare models ready, chill and
//! resume, but never touch the bond. Whoever steals it can make the worker fail jobs, not empty it.
//!
//! * [`Call::register`], [`Call::bond_extra`], [`Call::set_ask`], [`Call::set_hot_key`],
//!   [`Call::set_endpoint`] and [`Call::deregister`] are for the cold account.
//! * [`Call::validate_artifacts`], [`Call::chill`] and [`Call::resume`] are for either.
//!
//! **Who may be a hot key.** An account is the cold account of a worker, the hot key of a worker, both of
//! the *same* worker (one machine, one key), or neither. So every account leads to at most one
//! worker, whichever of its two it is. A hot key does not have to agree to be named; somebody whose key has been
//! taken by another worker must use a different one.
//!
//! **Bond and collateral.** The bond is one hold. Each job in progress locks a part of it as
//! collateral; the locks are bookkeeping of this pallet, the hold does not change. What the market
//! declares forfeit is taken off the hold: part goes to whom it says, the rest is burned. A worker
//! whose bond has fallen below `MinBond` is chilled, and can resume only after [`Call::bond_extra`]. The
//! bond comes back by [`Call::deregister`], once no job is in progress.
//!
//! **Eligibility.** A worker can take a job if it is not chilled, has declared the model ready, its
//! fee is within the submitter's limit, its free bond covers the collateral, it has fewer than
//! `MaxJobsPerWorker` jobs, and its ask is not under a quarter of the median ask of those that have the model
//! ready and are not chilled. See the `eligibility` module.
//!
//! **Liveness.** `MaxMissedInRow` missed deadlines in a row chill a worker by themselves: then its operator has to
//! look after it, and the market does not go on offering it jobs.
//!
//! ## Low level
//!
//! [`Ready`] indexes workers by the models they declare, chilled ones too, so that chilling and resuming cost the
//! same however many models there are. It holds at most `MaxReadyPerArtifact` workers a model: that bounds a draw,
//! which reads one record and one list of locks for each. When it is full, [`Call::validate_artifacts`] says so and
//! changes nothing. Known limit: a place is kept by whoever has it, at the price of a bond.
//!
//! Locks are stored apart from the record, which is written far less often. Deregistering forgets a worker's
//! record of settled and missed jobs, good and bad.

extern crate alloc;

pub use pallet::*;
pub use types::{Balance, ChillReason, LocksOf, ReadyOf, Worker, WorkerOf};
pub use weights::WeightInfo;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod eligibility;
#[cfg(test)]
mod mock;
mod queries;
mod registry;
#[cfg(test)]
mod tests;
mod try_state;
mod types;
pub mod weights;

/// The pallet itself.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use assay_types::{traits::Models, ArtifactId, JobId, WorkUnits};
    use frame_support::{
        pallet_prelude::*,
        traits::{
            fungible::{self, hold::Mutate as _, Inspect as _},
            tokens::Precision,
        },
    };
    use frame_system::pallet_prelude::*;
    use sp_runtime::ArithmeticError;

    /// Version of the storage layout that this code reads and writes.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// Weights of the calls.
        type WeightInfo: WeightInfo;

        /// Money: bonds are put on hold with it.
        type Currency: fungible::Mutate<Self::AccountId>
            + fungible::hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason, Balance = Balance>;

        /// The runtime's reasons for a hold.
        type RuntimeHoldReason: From<HoldReason>;

        /// The registry of models, to know which there are.
        type Models: Models<Self::AccountId, Balance>;

        /// The least bond of a worker that takes jobs. At least the existential deposit.
        #[pallet::constant]
        type MinBond: Get<Balance>;

        /// The longest endpoint, in bytes.
        #[pallet::constant]
        type MaxEndpointLength: Get<u32>;

        /// How many models a worker may declare ready.
        #[pallet::constant]
        type MaxReadyPerWorker: Get<u32>;

        /// How many workers may declare one model ready; bounds the candidates of a draw. At most
        /// [`MAX_RESULTS`].
        #[pallet::constant]
        type MaxReadyPerArtifact: Get<u32>;

        /// How many jobs a worker may have at once.
        #[pallet::constant]
        type MaxJobsPerWorker: Get<u32>;

        /// A worker that misses so many deadlines in a row is chilled.
        #[pallet::constant]
        type MaxMissedInRow: Get<u32>;
    }

    /// Bounds what a query returns.
    pub const MAX_RESULTS: u32 = 1_000;

    /// Why this pallet holds funds.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// A worker's bond.
        Bond,
    }

    /// The workers, by cold account.
    #[pallet::storage]
    pub type Workers<T: Config> = CountedStorageMap<_, Blake2_128Concat, T::AccountId, WorkerOf<T>>;

    /// Cold accounts by hot key.
    #[pallet::storage]
    pub type HotKeys<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, T::AccountId>;

    /// Cold accounts of the workers that have declared a model ready.
    #[pallet::storage]
    pub type Ready<T: Config> =
        StorageMap<_, Twox64Concat, ArtifactId, BoundedVec<T::AccountId, T::MaxReadyPerArtifact>, ValueQuery>;

    /// Collateral locked for each job in progress, by the worker's cold account.
    #[pallet::storage]
    pub type Locks<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, LocksOf<T>, ValueQuery>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A worker registered.
        Registered {
            /// Its cold account.
            worker: T::AccountId,
            /// The key that signs for it.
            hot_key: T::AccountId,
            /// What was put on hold.
            bond: Balance,
            /// Price per [`assay_types::ASK_UNITS`] work units.
            ask: Balance,
        },
        /// A worker added to its bond.
        BondIncreased {
            /// Its cold account.
            worker: T::AccountId,
            /// What was added.
            amount: Balance,
            /// The bond now.
            bond: Balance,
        },
        /// A worker changed its price.
        AskSet {
            /// Its cold account.
            worker: T::AccountId,
            /// Price per [`assay_types::ASK_UNITS`] work units.
            ask: Balance,
        },
        /// A worker changed the key that signs for it.
        HotKeySet {
            /// Its cold account.
            worker: T::AccountId,
            /// The new key.
            hot_key: T::AccountId,
        },
        /// A worker changed where it serves output blobs.
        EndpointSet {
            /// Its cold account.
            worker: T::AccountId,
            /// The new base URL.
            endpoint: BoundedVec<u8, T::MaxEndpointLength>,
        },
        /// A worker declared which models it has ready.
        ReadySet {
            /// Its cold account.
            worker: T::AccountId,
            /// All of them, in ascending order.
            ready: ReadyOf<T>,
        },
        /// A worker takes no new jobs any more.
        Chilled {
            /// Its cold account.
            worker: T::AccountId,
            /// Why.
            reason: ChillReason,
        },
        /// A worker takes jobs again.
        Resumed {
            /// Its cold account.
            worker: T::AccountId,
        },
        /// A worker left and has its bond back.
        Deregistered {
            /// Its cold account.
            worker: T::AccountId,
            /// What was released.
            bond: Balance,
        },
        /// A part of a worker's bond was locked for a job.
        CollateralLocked {
            /// Its cold account.
            worker: T::AccountId,
            /// The job.
            job: JobId,
            /// What was locked.
            collateral: Balance,
        },
        /// What had been locked for a job is free again.
        CollateralReleased {
            /// Its cold account.
            worker: T::AccountId,
            /// The job.
            job: JobId,
            /// What was locked.
            collateral: Balance,
        },
        /// A worker lost a part of its bond.
        Forfeited {
            /// Its cold account.
            worker: T::AccountId,
            /// The job for which it had been locked.
            job: JobId,
            /// Who was paid `paid`.
            beneficiary: T::AccountId,
            /// What the beneficiary was paid.
            paid: Balance,
            /// What was burned.
            burned: Balance,
        },
        /// A job of a worker settled.
        JobSettled {
            /// Its cold account.
            worker: T::AccountId,
            /// Work units delivered.
            units: WorkUnits,
        },
        /// A worker missed a deadline.
        DeadlineMissed {
            /// Its cold account.
            worker: T::AccountId,
            /// How many it has missed in a row.
            in_row: u32,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// This account is a worker's cold account already.
        AlreadyRegistered,
        /// This account is the hot key of another worker: register with a different cold account.
        AccountIsHotKey,
        /// That hot key belongs to another worker, as its hot key or as its cold account: use a
        /// different one.
        HotKeyTaken,
        /// This account is not the cold account of a worker.
        NotRegistered,
        /// This account is neither the cold account nor the hot key of a worker.
        NotWorker,
        /// The bond is less than `MinBond`: bond more.
        BondTooLow,
        /// The amount must be at least 1.
        ZeroAmount,
        /// The ask must be at least 1.
        ZeroAsk,
        /// The endpoint must be of printable ASCII characters without spaces, as a URL is.
        InvalidEndpoint,
        /// A model is listed twice.
        DuplicateArtifact,
        /// A listed model is not registered.
        UnknownArtifact,
        /// As many workers as may have declared a listed model ready: leave it out.
        ReadyFull,
        /// The worker takes no new jobs already.
        AlreadyChilled,
        /// The worker is not chilled.
        NotChilled,
        /// Jobs are in progress: chill, and wait until they have ended.
        JobsInProgress,
        /// The part of the bond that is not locked does not cover the collateral.
        CollateralTooHigh,
        /// The worker has as many jobs as it may have.
        TooManyJobs,
        /// Collateral is already locked for this job.
        AlreadyLocked,
        /// No collateral of the worker is locked for this job.
        NotLocked,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::MinBond::get() >= T::Currency::minimum_balance(),
                "MinBond must be at least the existential deposit, or a bond may be too small to be released"
            );
            assert!(
                T::MaxJobsPerWorker::get() > 0,
                "MaxJobsPerWorker of 0 lets nobody take a job"
            );
            assert!(
                T::MaxReadyPerWorker::get() > 0,
                "MaxReadyPerWorker of 0 lets nobody take a job"
            );
            assert!(
                (1..=MAX_RESULTS).contains(&T::MaxReadyPerArtifact::get()),
                "MaxReadyPerArtifact must be from 1 to MAX_RESULTS, or a survey leaves out candidates"
            );
            assert!(
                T::MaxMissedInRow::get() > 0,
                "MaxMissedInRow of 0 has no meaning: use 1 to chill at once"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight = T::WeightInfo)]
    impl<T: Config> Pallet<T> {
        /// Become a worker.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by the account that is to hold the bond and be paid: the cold account.
        ///
        /// ## Details
        ///
        /// `bond` (at least `MinBond`) is put on hold. `hot_key` is the key that signs while working; it
        /// may be the cold account itself. `endpoint` is the base URL under which output blobs are
        /// served, or empty. `ask` is the price per [`assay_types::ASK_UNITS`] work units. The worker gets jobs as soon
        /// as it has declared a model ready.
        ///
        /// ## Errors
        ///
        /// [`Error::AlreadyRegistered`], [`Error::AccountIsHotKey`], [`Error::HotKeyTaken`],
        /// [`Error::InvalidEndpoint`], [`Error::BondTooLow`], [`Error::ZeroAsk`], and those of the currency if
        /// the bond cannot be held.
        ///
        /// ## Events
        ///
        /// [`Event::Registered`]
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::register(endpoint.len() as u32))]
        pub fn register(
            origin: OriginFor<T>,
            hot_key: T::AccountId,
            endpoint: BoundedVec<u8, T::MaxEndpointLength>,
            bond: Balance,
            ask: Balance,
        ) -> DispatchResult {
            let worker = ensure_signed(origin)?;
            ensure!(!Workers::<T>::contains_key(&worker), Error::<T>::AlreadyRegistered);
            ensure!(!HotKeys::<T>::contains_key(&worker), Error::<T>::AccountIsHotKey);
            Self::ensure_hot_key_is_free(&hot_key, &worker)?;
            Self::ensure_valid_endpoint(&endpoint)?;
            ensure!(bond >= T::MinBond::get(), Error::<T>::BondTooLow);
            ensure!(ask > 0, Error::<T>::ZeroAsk);

            T::Currency::hold(&HoldReason::Bond.into(), &worker, bond)?;
            HotKeys::<T>::insert(&hot_key, &worker);
            Workers::<T>::insert(
                &worker,
                Worker {
                    hot_key: hot_key.clone(),
                    endpoint,
                    bond,
                    ask,
                    chilled: false,
                    ready: Default::default(),
                    settled: 0,
                    delivered_units: 0,
                    missed: 0,
                    missed_in_row: 0,
                },
            );
            Self::deposit_event(Event::Registered {
                worker,
                hot_key,
                bond,
                ask,
            });
            Ok(())
        }

        /// Add to the bond.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by the worker's cold account.
        ///
        /// ## Details
        ///
        /// A worker that was chilled because its bond had become too low stays chilled until [`Call::resume`].
        ///
        /// ## Errors
        ///
        /// [`Error::NotRegistered`], [`Error::ZeroAmount`], and those of the currency if the amount cannot
        /// be held.
        ///
        /// ## Events
        ///
        /// [`Event::BondIncreased`]
        #[pallet::call_index(1)]
        pub fn bond_extra(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
            let worker = ensure_signed(origin)?;
            ensure!(amount > 0, Error::<T>::ZeroAmount);
            let bond = Self::try_mutate_worker(&worker, |record| {
                T::Currency::hold(&HoldReason::Bond.into(), &worker, amount)?;
                record.bond = record.bond.checked_add(amount).ok_or(ArithmeticError::Overflow)?;
                Ok(record.bond)
            })?;
            Self::deposit_event(Event::BondIncreased { worker, amount, bond });
            Ok(())
        }

        /// Change the price. Jobs already assigned keep theirs.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by the worker's cold account.
        ///
        /// ## Errors
        ///
        /// [`Error::NotRegistered`], [`Error::ZeroAsk`]
        ///
        /// ## Events
        ///
        /// [`Event::AskSet`]
        #[pallet::call_index(2)]
        pub fn set_ask(origin: OriginFor<T>, ask: Balance) -> DispatchResult {
            let worker = ensure_signed(origin)?;
            ensure!(ask > 0, Error::<T>::ZeroAsk);
            Self::try_mutate_worker(&worker, |record| {
                record.ask = ask;
                Ok(())
            })?;
            Self::deposit_event(Event::AskSet { worker, ask });
            Ok(())
        }

        /// Change the key that signs while working. The old one can do nothing for this worker any
        /// more, not even for jobs in progress.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by the worker's cold account.
        ///
        /// ## Errors
        ///
        /// [`Error::NotRegistered`], [`Error::HotKeyTaken`]
        ///
        /// ## Events
        ///
        /// [`Event::HotKeySet`]
        #[pallet::call_index(3)]
        pub fn set_hot_key(origin: OriginFor<T>, hot_key: T::AccountId) -> DispatchResult {
            let worker = ensure_signed(origin)?;
            Self::try_mutate_worker(&worker, |record| {
                Self::ensure_hot_key_is_free(&hot_key, &worker)?;
                HotKeys::<T>::remove(&record.hot_key);
                HotKeys::<T>::insert(&hot_key, &worker);
                record.hot_key = hot_key.clone();
                Ok(())
            })?;
            Self::deposit_event(Event::HotKeySet { worker, hot_key });
            Ok(())
        }

        /// Change where output blobs are served.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by the worker's cold account.
        ///
        /// ## Errors
        ///
        /// [`Error::NotRegistered`], [`Error::InvalidEndpoint`]
        ///
        /// ## Events
        ///
        /// [`Event::EndpointSet`]
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::set_endpoint(endpoint.len() as u32))]
        pub fn set_endpoint(origin: OriginFor<T>, endpoint: BoundedVec<u8, T::MaxEndpointLength>) -> DispatchResult {
            let worker = ensure_signed(origin)?;
            Self::ensure_valid_endpoint(&endpoint)?;
            Self::try_mutate_worker(&worker, |record| {
                record.endpoint = endpoint.clone();
                Ok(())
            })?;
            Self::deposit_event(Event::EndpointSet { worker, endpoint });
            Ok(())
        }

        /// Declare which models are ready. Replaces what was declared before; an empty list takes all
        /// of it back.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by the worker's cold account or hot key.
        ///
        /// ## Details
        ///
        /// Ready means: package fetched and checked, so that a job can begin at once. The order of
        /// `ready` does not matter. Retired models may be listed; no job will ask for them.
        ///
        /// ## Errors
        ///
        /// [`Error::NotWorker`], [`Error::DuplicateArtifact`], [`Error::UnknownArtifact`],
        /// [`Error::ReadyFull`]
        ///
        /// ## Events
        ///
        /// [`Event::ReadySet`]
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::validate_artifacts(ready.len() as u32, T::MaxReadyPerWorker::get()))]
        pub fn validate_artifacts(origin: OriginFor<T>, ready: ReadyOf<T>) -> DispatchResultWithPostInfo {
            let worker = Self::ensure_worker(origin)?;
            let (declared, mut ready) = (ready.len() as u32, ready);
            ready.sort();
            let dropped = Self::try_mutate_worker(&worker, |record| {
                Self::replace_ready(&worker, &record.ready, &ready)?;
                let before = core::mem::replace(&mut record.ready, ready.clone());
                Ok(before.len() as u32)
            })?;
            Self::deposit_event(Event::ReadySet { worker, ready });
            Ok(Some(T::WeightInfo::validate_artifacts(declared, dropped)).into())
        }

        /// Take no new jobs. Those in progress must still be done.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by the worker's cold account or hot key.
        ///
        /// ## Errors
        ///
        /// [`Error::NotWorker`], [`Error::AlreadyChilled`]
        ///
        /// ## Events
        ///
        /// [`Event::Chilled`]
        #[pallet::call_index(6)]
        pub fn chill(origin: OriginFor<T>) -> DispatchResult {
            let worker = Self::ensure_worker(origin)?;
            Self::try_mutate_worker(&worker, |record| {
                ensure!(!record.chilled, Error::<T>::AlreadyChilled);
                record.chilled = true;
                Ok(())
            })?;
            Self::deposit_event(Event::Chilled {
                worker,
                reason: ChillReason::Requested,
            });
            Ok(())
        }

        /// Take jobs again, with no deadline missed so far.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by the worker's cold account or hot key.
        ///
        /// ## Errors
        ///
        /// [`Error::NotWorker`], [`Error::NotChilled`], [`Error::BondTooLow`]
        ///
        /// ## Events
        ///
        /// [`Event::Resumed`]
        #[pallet::call_index(7)]
        pub fn resume(origin: OriginFor<T>) -> DispatchResult {
            let worker = Self::ensure_worker(origin)?;
            Self::try_mutate_worker(&worker, |record| {
                ensure!(record.chilled, Error::<T>::NotChilled);
                ensure!(record.bond >= T::MinBond::get(), Error::<T>::BondTooLow);
                record.chilled = false;
                record.missed_in_row = 0;
                Ok(())
            })?;
            Self::deposit_event(Event::Resumed { worker });
            Ok(())
        }

        /// Stop being a worker. Releases the bond and forgets the record.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by the worker's cold account.
        ///
        /// ## Details
        ///
        /// Not while a job is in progress: [`Call::chill`] first and wait until the last one has ended.
        ///
        /// ## Errors
        ///
        /// [`Error::NotRegistered`], [`Error::JobsInProgress`]
        ///
        /// ## Events
        ///
        /// [`Event::Deregistered`]
        #[pallet::call_index(8)]
        #[pallet::weight(T::WeightInfo::deregister(T::MaxReadyPerWorker::get()))]
        pub fn deregister(origin: OriginFor<T>) -> DispatchResultWithPostInfo {
            let worker = ensure_signed(origin)?;
            let record = Workers::<T>::get(&worker).ok_or(Error::<T>::NotRegistered)?;
            ensure!(
                Locks::<T>::decode_len(&worker).unwrap_or_default() == 0,
                Error::<T>::JobsInProgress
            );

            T::Currency::release(&HoldReason::Bond.into(), &worker, record.bond, Precision::Exact)?;
            Self::replace_ready(&worker, &record.ready, &[])?;
            HotKeys::<T>::remove(&record.hot_key);
            Workers::<T>::remove(&worker);
            Self::deposit_event(Event::Deregistered {
                worker,
                bond: record.bond,
            });
            Ok(Some(T::WeightInfo::deregister(record.ready.len() as u32)).into())
        }
    }
}
