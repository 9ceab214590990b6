//! Lets an origin cancel slashes and do nothing else to staking.
//!
//! Staking has one administrator, who may also slash by hand. Whoever reviews slashes should not
//! be able to make new ones, so this pallet stands between.

pub use pallet::*;

/// Cancels slashes.
#[frame_support::pallet]
pub mod pallet {
    use alloc::vec::Vec;
    use frame_support::pallet_prelude::*;
    use frame_system::{pallet_prelude::*, RawOrigin};
    use pallet_staking::WeightInfo;
    use sp_staking::EraIndex;

    /// What the pallet needs.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> + pallet_staking::Config {
        /// Who may cancel slashes.
        type CancelOrigin: EnsureOrigin<Self::RuntimeOrigin>;
    }

    /// The pallet.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What happened.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// Slashes will not be applied.
        SlashesCancelled {
            /// Era in which they would have been applied.
            era: EraIndex,
            /// How many.
            count: u32,
        },
    }

    /// The pallet's calls.
    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Cancels deferred slashes.
        ///
        /// # Origin
        /// [`Config::CancelOrigin`].
        ///
        /// # Details
        /// `slash_indices` are positions in `Staking::UnappliedSlashes` of `era`, rising and
        /// without repetition.
        ///
        /// # Errors
        /// Those of `Staking::cancel_deferred_slash`: `EmptyTargets`, `NotSortedAndUnique`,
        /// `InvalidSlashIndex`.
        ///
        /// # Events
        /// [`Event::SlashesCancelled`].
        #[pallet::call_index(0)]
        #[pallet::weight(<T as pallet_staking::Config>::WeightInfo::cancel_deferred_slash(slash_indices.len() as u32))]
        pub fn cancel(origin: OriginFor<T>, era: EraIndex, slash_indices: Vec<u32>) -> DispatchResult {
            T::CancelOrigin::ensure_origin(origin)?;
            let count = slash_indices.len() as u32;
            pallet_staking::Pallet::<T>::cancel_deferred_slash(RawOrigin::Root.into(), era, slash_indices)?;
            Self::deposit_event(Event::SlashesCancelled { era, count });
            Ok(())
        }
    }
}
