//! Sets parameters when a chain begins.
//!
//! `pallet-parameters` has no genesis configuration; a chain that wants other values than the
//! compiled defaults from its first block on gives them here.

pub use pallet::*;

/// Sets parameters when a chain begins. It has neither calls nor storage.
#[frame_support::pallet]
pub mod pallet {
    use crate::{
        parameters::{governance_day_entry, market_entries, RuntimeParameters},
        BlockNumber,
    };
    use assay_types::JobParameters;
    use frame_support::pallet_prelude::*;
    use frame_system::RawOrigin;

    /// What the pallet needs: the parameters.
    #[pallet::config]
    pub trait Config: frame_system::Config + pallet_parameters::Config<RuntimeParameters = RuntimeParameters> {}

    /// The pallet.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// Parameters that are not to have their defaults.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Those of the market.
        pub market: Option<JobParameters<BlockNumber>>,
        /// Length of a governance day, in blocks.
        pub governance_day: Option<BlockNumber>,
        /// Nothing.
        #[serde(skip)]
        pub _config: core::marker::PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            let market = self.market.iter().flat_map(market_entries);
            let governance = self.governance_day.map(governance_day_entry);
            for entry in market.chain(governance) {
                pallet_parameters::Pallet::<T>::set_parameter(RawOrigin::Root.into(), entry)
                    .expect("Root may set every parameter; qed");
            }
        }
    }
}
