//! What others ask of this pallet: the market through [`Models`], runtime APIs through queries.

use crate::{types::BalanceOf, Artifacts, ByPackage, Config, Event, Pallet};
use assay_types::{traits::Models, ArtifactId, ArtifactInfo, ModelTerms};
use frame_support::defensive;
use frame_system::pallet_prelude::BlockNumberFor;
use sp_core::H256;
use sp_runtime::Saturating;

impl<T: Config> Pallet<T> {
    /// The artifact with this id.
    pub fn info(id: ArtifactId) -> Option<ArtifactInfo<T::AccountId, BalanceOf<T>, BlockNumberFor<T>>> {
        Artifacts::<T>::get(id).map(|artifact| artifact.into_info(id))
    }

    /// The artifact whose package's manifest has this hash.
    pub fn by_package(hash: H256) -> Option<ArtifactId> {
        ByPackage::<T>::get(hash)
    }
}

impl<T: Config> Models<T::AccountId, BalanceOf<T>> for Pallet<T> {
    fn terms(id: ArtifactId) -> Option<ModelTerms<T::AccountId, BalanceOf<T>>> {
        Artifacts::<T>::get(id).map(|artifact| artifact.into_terms())
    }

    fn note_use(id: ArtifactId, earned: BalanceOf<T>) {
        Artifacts::<T>::mutate(id, |record| {
            let Some(artifact) = record else {
                // Jobs are only taken for models there are, and records are never removed.
                defensive!("a settled job used a model that is not registered");
                return;
            };
            artifact.uses.saturating_inc();
            artifact.earned.saturating_accrue(earned);
            Self::deposit_event(Event::Used { id, earned });
        });
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn create_for_benchmark(owner: &T::AccountId) -> ArtifactId {
        crate::benchmarking::create_model::<T>(owner)
    }
}
