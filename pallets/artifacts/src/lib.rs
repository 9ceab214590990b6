#![cfg_attr(not(feature = "std"), no_std)]
//! # Artifacts pallet
//!
//! Who contributed which model, on what terms, and what it has earned.
//!
//! ## Pallet API
//!
//! See the [`pallet`] module for storage, events, errors and calls, [`Config`] for what a runtime
//! supplies. Other pallets know this one as [`assay_types::traits::Models`]; runtime APIs are
//! answered by [`Pallet::info`] and [`Pallet::by_package`].
//!
//! ## Overview
//!
//! A model lies off chain as a *package*: a manifest that names its other blobs by content hash.
//! Its publisher registers the manifest's hash here, with a description, what the model computes
//! and costs, and a price for each use. From then on it has an id, jobs can name it, and the price
//! of each settled job goes to its owner.
//!
//! * [`Call::register_model`] holds a deposit and gives an id. The first registration of a package
//!   wins; whoever comes later gets [`Error::AlreadyRegistered`].
//! * [`Call::set_terms`] changes the price.
//! * [`Call::retire`] ends it: a retired model takes no new jobs. That cannot be undone.
//!
//! A record is never removed. Jobs and the history of payments name it, and its package must not
//! become free for somebody else to claim. So the deposit is for good: it pays for storage that
//! stays, and retiring does not give it back. It also keeps the owner's account alive, so that there
//! is always an account to pay.
//!
//! What a publisher declares is not believed for longer than it takes to run the model: a package
//! that cannot be run as declared makes its jobs fail, which costs the submitter nothing but time
//! and the publisher every use.
//!
//! Known limit: a registration can be seen before it is in a block and its package's hash be
//! registered by somebody faster.
//!
//! ## Low level
//!
//! Ids count up from 0 without gaps, and [`NextId`] is also the number of records. Prices are 0 or
//! at least the existential deposit: an account holding a deposit may, in rare cases (a second
//! provider reference), have no free balance, and a payment below the existential deposit to
//! such an account would fail, which would leave the market with a settled job that it cannot pay.
//! For the same reason an owner cannot be given away: there is no transfer of ownership in this form.

extern crate alloc;

pub use pallet::*;
pub use types::{Artifact, ArtifactOf, BalanceOf};
pub use weights::WeightInfo;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
#[cfg(test)]
mod mock;
mod models;
#[cfg(test)]
mod tests;
mod try_state;
mod types;
pub mod weights;

/// The pallet itself.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use assay_types::{ArtifactId, BlobRef, ModelProfile};
    use frame_support::{
        pallet_prelude::*,
        traits::fungible::{self, hold::Mutate as _, Inspect as _},
    };
    use frame_system::pallet_prelude::*;
    use sp_core::H256;
    use sp_runtime::traits::Zero;

    /// Version of the storage layout that this code reads and writes.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// Weights of the calls.
        type WeightInfo: WeightInfo;

        /// Money: deposits are put on hold with it.
        type Currency: fungible::Mutate<Self::AccountId>
            + fungible::hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason>;

        /// The runtime's reasons for a hold.
        type RuntimeHoldReason: From<HoldReason>;

        /// Held for good from the owner of an artifact, for its record.
        #[pallet::constant]
        type RegistrationDeposit: Get<BalanceOf<Self>>;

        /// The largest package manifest, in bytes.
        #[pallet::constant]
        type MaxPackageSize: Get<u64>;

        /// The most tokens that a model may take in one sequence.
        #[pallet::constant]
        type MaxSequence: Get<u32>;

        /// The most elements that an output vector may have.
        #[pallet::constant]
        type MaxDimensions: Get<u32>;
    }

    /// Why this pallet holds funds.
    #[pallet::composite_enum]
    pub enum HoldReason {
        /// Deposit for the record of a registered artifact.
        Registration,
    }

    /// Id of the next artifact, and so the number of those there are.
    #[pallet::storage]
    pub type NextId<T: Config> = StorageValue<_, ArtifactId, ValueQuery>;

    /// Everything that has been registered.
    #[pallet::storage]
    pub type Artifacts<T: Config> = StorageMap<_, Twox64Concat, ArtifactId, ArtifactOf<T>>;

    /// The artifact with a package, by the hash of its manifest. The hash is chosen by whoever registers, so the
    /// key is hashed with a cryptographic hash.
    #[pallet::storage]
    pub type ByPackage<T: Config> = StorageMap<_, Blake2_128Concat, H256, ArtifactId>;

    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A model was registered.
        ModelRegistered {
            /// Its id.
            id: ArtifactId,
            /// Who registered it and is paid for its use.
            owner: T::AccountId,
            /// Its package's manifest.
            package: BlobRef,
            /// Paid to the owner for each settled job.
            price_per_use: BalanceOf<T>,
            /// What was put on hold.
            deposit: BalanceOf<T>,
        },
        /// An owner changed the price of an artifact.
        TermsSet {
            /// The artifact.
            id: ArtifactId,
            /// Paid to the owner for each settled job.
            price_per_use: BalanceOf<T>,
        },
        /// An artifact takes no new jobs any more.
        Retired {
            /// The artifact.
            id: ArtifactId,
        },
        /// A settled job used an artifact.
        Used {
            /// The artifact.
            id: ArtifactId,
            /// What the job paid to its owner.
            earned: BalanceOf<T>,
        },
    }

    #[pallet::error]
    pub enum Error<T> {
        /// The package is already registered: look up its id and use that.
        AlreadyRegistered,
        /// There is no artifact with this id.
        UnknownArtifact,
        /// Only the artifact's owner may do this.
        NotOwner,
        /// The artifact is retired, and that is final.
        AlreadyRetired,
        /// The package's size is 0: give the length of its manifest in bytes.
        EmptyPackage,
        /// The package's manifest is larger than `MaxPackageSize` bytes.
        PackageTooLarge,
        /// The profile says that a token takes no work: `units_per_token` must be at least 1.
        ZeroUnitsPerToken,
        /// `max_sequence` must be from 1 to `MaxSequence` tokens.
        InvalidMaxSequence,
        /// `dimensions` must be from 1 to `MaxDimensions` elements.
        InvalidDimensions,
        /// The price per use must be 0 or at least the existential deposit.
        PriceTooLow,
        /// Every id has been given out.
        IdsExhausted,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            assert!(
                T::MaxPackageSize::get() > 0,
                "MaxPackageSize of 0 bytes refuses every model"
            );
            assert!(T::MaxSequence::get() > 0, "MaxSequence of 0 tokens refuses every model");
            assert!(
                T::MaxDimensions::get() > 0,
                "MaxDimensions of 0 elements refuses every model"
            );
            assert!(
                !T::RegistrationDeposit::get().is_zero(),
                "RegistrationDeposit of 0 lets anyone fill storage that is never freed"
            );
        }

        #[cfg(feature = "try-runtime")]
        fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
            Self::do_try_state()
        }
    }

    #[pallet::call(weight = T::WeightInfo)]
    impl<T: Config> Pallet<T> {
        /// Register a model.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by whoever is to own it.
        ///
        /// ## Details
        ///
        /// `package` is the package's manifest, `metadata` the BLAKE3 hash of a description kept off
        /// chain, `profile` what the model computes, `price_per_use` what each settled job pays to
        /// the owner (0, or at least the existential deposit). `RegistrationDeposit` is put on hold
        /// for good.
        ///
        /// ## Errors
        ///
        /// [`Error::EmptyPackage`], [`Error::PackageTooLarge`], [`Error::ZeroUnitsPerToken`],
        /// [`Error::InvalidMaxSequence`], [`Error::InvalidDimensions`], [`Error::PriceTooLow`] if an
        /// argument is out of range, [`Error::AlreadyRegistered`] if the package is, and those of the
        /// currency if the deposit cannot be held.
        ///
        /// ## Events
        ///
        /// [`Event::ModelRegistered`]
        #[pallet::call_index(0)]
        pub fn register_model(
            origin: OriginFor<T>,
            package: BlobRef,
            metadata: H256,
            profile: ModelProfile,
            price_per_use: BalanceOf<T>,
        ) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::ensure_valid_package(&package)?;
            Self::ensure_valid_profile(&profile)?;
            Self::ensure_valid_price(price_per_use)?;
            ensure!(
                !ByPackage::<T>::contains_key(package.hash),
                Error::<T>::AlreadyRegistered
            );

            let id = NextId::<T>::get();
            let next = id.checked_add(1).ok_or(Error::<T>::IdsExhausted)?;
            let deposit = T::RegistrationDeposit::get();
            T::Currency::hold(&HoldReason::Registration.into(), &owner, deposit)?;

            NextId::<T>::put(next);
            ByPackage::<T>::insert(package.hash, id);
            Artifacts::<T>::insert(
                id,
                Artifact {
                    owner: owner.clone(),
                    package,
                    metadata,
                    profile,
                    price_per_use,
                    retired: false,
                    registered_at: frame_system::Pallet::<T>::block_number(),
                    uses: 0,
                    earned: Zero::zero(),
                    deposit,
                },
            );
            Self::deposit_event(Event::ModelRegistered {
                id,
                owner,
                package,
                price_per_use,
                deposit,
            });
            Ok(())
        }

        /// Change what a use of an artifact costs.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by the artifact's owner.
        ///
        /// ## Details
        ///
        /// `price_per_use` is 0, or at least the existential deposit.
        ///
        /// ## Errors
        ///
        /// [`Error::UnknownArtifact`], [`Error::NotOwner`], [`Error::AlreadyRetired`],
        /// [`Error::PriceTooLow`]
        ///
        /// ## Events
        ///
        /// [`Event::TermsSet`]
        #[pallet::call_index(1)]
        pub fn set_terms(origin: OriginFor<T>, id: ArtifactId, price_per_use: BalanceOf<T>) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::ensure_valid_price(price_per_use)?;
            Self::try_mutate_owned(id, &owner, |artifact| artifact.price_per_use = price_per_use)?;
            Self::deposit_event(Event::TermsSet { id, price_per_use });
            Ok(())
        }

        /// Let an artifact take no new jobs any more. Final.
        ///
        /// ## Dispatch origin
        ///
        /// Signed by the artifact's owner.
        ///
        /// ## Details
        ///
        /// Jobs already submitted run on and are paid. The record and its deposit stay.
        ///
        /// ## Errors
        ///
        /// [`Error::UnknownArtifact`], [`Error::NotOwner`], [`Error::AlreadyRetired`]
        ///
        /// ## Events
        ///
        /// [`Event::Retired`]
        #[pallet::call_index(2)]
        pub fn retire(origin: OriginFor<T>, id: ArtifactId) -> DispatchResult {
            let owner = ensure_signed(origin)?;
            Self::try_mutate_owned(id, &owner, |artifact| artifact.retired = true)?;
            Self::deposit_event(Event::Retired { id });
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// Changes an artifact that `owner` owns and that is not retired.
        fn try_mutate_owned(
            id: ArtifactId,
            owner: &T::AccountId,
            change: impl FnOnce(&mut ArtifactOf<T>),
        ) -> DispatchResult {
            Artifacts::<T>::try_mutate(id, |record| {
                let artifact = record.as_mut().ok_or(Error::<T>::UnknownArtifact)?;
                ensure!(artifact.owner == *owner, Error::<T>::NotOwner);
                ensure!(!artifact.retired, Error::<T>::AlreadyRetired);
                change(artifact);
                Ok(())
            })
        }

        fn ensure_valid_package(package: &BlobRef) -> DispatchResult {
            ensure!(package.size > 0, Error::<T>::EmptyPackage);
            ensure!(package.size <= T::MaxPackageSize::get(), Error::<T>::PackageTooLarge);
            Ok(())
        }

        fn ensure_valid_profile(profile: &ModelProfile) -> DispatchResult {
            ensure!(profile.units_per_token > 0, Error::<T>::ZeroUnitsPerToken);
            ensure!(
                (1..=T::MaxSequence::get()).contains(&profile.max_sequence),
                Error::<T>::InvalidMaxSequence
            );
            ensure!(
                (1..=T::MaxDimensions::get()).contains(&profile.dimensions),
                Error::<T>::InvalidDimensions
            );
            Ok(())
        }

        fn ensure_valid_price(price: BalanceOf<T>) -> DispatchResult {
            ensure!(
                price.is_zero() || price >= T::Currency::minimum_balance(),
                Error::<T>::PriceTooLow
            );
            Ok(())
        }
    }
}
