//! Benchmarks of the calls, and models for the benchmarks of other pallets.

use crate::{Artifacts, BalanceOf, Call, Config, Event, NextId, Pallet};
use assay_types::{ArtifactId, BlobRef, ModelProfile};
use frame_benchmarking::v2::*;
use frame_support::{
    assert_ok,
    traits::{
        fungible::{Inspect, Mutate},
        Get,
    },
};
use frame_system::RawOrigin;
use sp_core::H256;
use sp_runtime::traits::{BlakeTwo256, Hash};

/// Deposits that an owner of benchmarked models is given at once.
const FUNDED_DEPOSITS: u32 = 2;

/// Gives `owner` what a registration puts on hold, and enough to live on.
fn fund<T: Config>(owner: &T::AccountId) {
    let amount = (T::RegistrationDeposit::get() + T::Currency::minimum_balance()) * FUNDED_DEPOSITS.into();
    assert_ok!(T::Currency::mint_into(owner, amount));
}

/// A package like no other's yet.
fn package<T: Config>() -> BlobRef {
    let hash = BlakeTwo256::hash_of(&NextId::<T>::get());
    BlobRef {
        hash,
        size: T::MaxPackageSize::get(),
    }
}

/// The size of a small embedding model, as far as the runtime's limits allow.
fn profile<T: Config>() -> ModelProfile {
    ModelProfile {
        units_per_token: 22_000_000,
        max_sequence: T::MaxSequence::get().min(512),
        dimensions: T::MaxDimensions::get().min(384),
    }
}

/// The lowest price that is a price.
fn price<T: Config>() -> BalanceOf<T> {
    T::Currency::minimum_balance()
}

/// Registers a model of `owner`.
pub(crate) fn create_model<T: Config>(owner: &T::AccountId) -> ArtifactId {
    let id = NextId::<T>::get();
    fund::<T>(owner);
    assert_ok!(Pallet::<T>::register_model(
        RawOrigin::Signed(owner.clone()).into(),
        package::<T>(),
        H256::repeat_byte(1),
        profile::<T>(),
        price::<T>(),
    ));
    id
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn register_model() {
        let caller: T::AccountId = whitelisted_caller();
        // A second one, so that the hold is there already and is increased.
        let first = create_model::<T>(&caller);
        fund::<T>(&caller);
        let package = package::<T>();

        #[extrinsic_call]
        _(
            RawOrigin::Signed(caller),
            package,
            H256::repeat_byte(1),
            profile::<T>(),
            price::<T>(),
        );

        assert_eq!(Pallet::<T>::by_package(package.hash), Some(first + 1));
    }

    #[benchmark]
    fn set_terms() {
        let caller: T::AccountId = whitelisted_caller();
        let id = create_model::<T>(&caller);
        let price_per_use = price::<T>() + price::<T>();

        #[extrinsic_call]
        _(RawOrigin::Signed(caller), id, price_per_use);

        assert_eq!(
            Artifacts::<T>::get(id).map(|artifact| artifact.price_per_use),
            Some(price_per_use)
        );
    }

    #[benchmark]
    fn retire() {
        let caller: T::AccountId = whitelisted_caller();
        let id = create_model::<T>(&caller);

        #[extrinsic_call]
        _(RawOrigin::Signed(caller), id);

        frame_system::Pallet::<T>::assert_last_event(Event::<T>::Retired { id }.into());
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::ExtBuilder.build(), crate::mock::Test);
}
