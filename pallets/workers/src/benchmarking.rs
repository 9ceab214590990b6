//! Benchmarks of the calls, and workers for the benchmarks of other pallets.

use crate::*;
use alloc::{vec, vec::Vec};
use assay_types::{traits::Models, ArtifactId, JobId};
use core::iter;
use frame_benchmarking::v2::*;
use frame_support::{
    assert_ok,
    traits::{
        fungible::{Inspect, Mutate},
        Get,
    },
    BoundedVec,
};
use frame_system::RawOrigin;

/// Bond of benchmarked workers in `MinBond`s: much, so that jobs of other pallets' benchmarks do not exceed it.
const BOND_MULTIPLE: Balance = 1_000;

/// What benchmarked workers ask. Little, so that a job's fee stays within any sensible limit.
fn ask<T: Config>() -> Balance {
    T::Currency::minimum_balance().max(1)
}

/// Gives `account` enough for `amount` to be put on hold.
fn fund<T: Config>(account: &T::AccountId, amount: Balance) {
    assert_ok!(T::Currency::mint_into(
        account,
        amount.saturating_add(T::Currency::minimum_balance())
    ));
}

/// An endpoint of `length` bytes.
fn endpoint<T: Config>(length: u32) -> BoundedVec<u8, T::MaxEndpointLength> {
    vec![b'a'; length as usize]
        .try_into()
        .expect("no longer than the bound; qed")
}

/// `count` models that there are.
fn models<T: Config>(count: u32) -> ReadyOf<T> {
    let owner: T::AccountId = account("owner", 0, 0);
    let models: Vec<ArtifactId> = (0..count).map(|_| T::Models::create_for_benchmark(&owner)).collect();
    models.try_into().expect("no more than the bound; qed")
}

/// Registers worker number `index` with hot key and the longest endpoint, and has it declare `ready`.
pub(crate) fn create_worker<T: Config>(index: u32, ready: &[ArtifactId]) -> (T::AccountId, T::AccountId) {
    let worker: T::AccountId = account("worker", index, 0);
    let hot_key: T::AccountId = account("hot", index, 0);
    let bond = T::MinBond::get().saturating_mul(BOND_MULTIPLE);
    fund::<T>(&worker, bond);
    let endpoint = endpoint::<T>(T::MaxEndpointLength::get());
    assert_ok!(Pallet::<T>::register(
        RawOrigin::Signed(worker.clone()).into(),
        hot_key.clone(),
        endpoint,
        bond,
        ask::<T>(),
    ));
    let ready: ReadyOf<T> = ready.to_vec().try_into().expect("no more than the bound; qed");
    assert_ok!(Pallet::<T>::validate_artifacts(
        RawOrigin::Signed(hot_key.clone()).into(),
        ready
    ));
    (worker, hot_key)
}

/// Registers worker number `index` with the largest records that one can have which is still free for a
/// job: as many models as possible, `artifact` among them, and all but one of its jobs.
pub(crate) fn create_busy_worker<T: Config>(index: u32, artifact: ArtifactId) -> (T::AccountId, T::AccountId) {
    let (worker, hot_key) = create_worker::<T>(index, &[artifact]);
    // The other models and jobs stand in the worker's own records alone: nothing else is read of them.
    Workers::<T>::mutate(&worker, |record| {
        let record = record.as_mut().expect("it was registered above; qed");
        let others = ArtifactId::MAX - ArtifactId::from(T::MaxReadyPerWorker::get());
        let ready = iter::once(artifact)
            .chain(others..)
            .take(T::MaxReadyPerWorker::get() as usize);
        record.ready = ready
            .collect::<Vec<_>>()
            .try_into()
            .expect("no more than the bound; qed");
    });
    let jobs = T::MaxJobsPerWorker::get().saturating_sub(1);
    let locks: Vec<(JobId, Balance)> = (0..jobs).map(|job| (JobId::MAX - JobId::from(job), 1)).collect();
    Locks::<T>::insert(&worker, BoundedVec::truncate_from(locks));
    (worker, hot_key)
}

/// Fills the index of each model up to one place, before whoever is there already.
fn crowd<T: Config>(models: &[ArtifactId]) {
    for artifact in models {
        Ready::<T>::mutate(artifact, |index| {
            let others = T::MaxReadyPerArtifact::get().saturating_sub(1);
            let mut crowd: Vec<T::AccountId> = (0..others).map(|other| account("other", other, 0)).collect();
            crowd.extend(core::mem::take(index));
            *index = crowd.try_into().expect("at most one was there; qed");
        });
    }
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn register(e: Linear<0, { T::MaxEndpointLength::get() }>) {
        let caller: T::AccountId = whitelisted_caller();
        let hot_key: T::AccountId = account("hot", 0, 0);
        let bond = T::MinBond::get();
        fund::<T>(&caller, bond);
        let endpoint = endpoint::<T>(e);

        #[extrinsic_call]
        _(RawOrigin::Signed(caller.clone()), hot_key, endpoint, bond, ask::<T>());

        assert!(Workers::<T>::contains_key(&caller));
    }

    #[benchmark]
    fn bond_extra() {
        let (worker, _) = create_worker::<T>(0, &[]);
        let amount = T::MinBond::get();
        fund::<T>(&worker, amount);
        let bond = Workers::<T>::get(&worker).map(|record| record.bond);

        #[extrinsic_call]
        _(RawOrigin::Signed(worker.clone()), amount);

        assert_eq!(
            Workers::<T>::get(&worker).map(|record| record.bond),
            bond.map(|bond| bond + amount)
        );
    }

    #[benchmark]
    fn set_ask() {
        let (worker, _) = create_worker::<T>(0, &models::<T>(T::MaxReadyPerWorker::get()));
        let ask = ask::<T>() + 1;

        #[extrinsic_call]
        _(RawOrigin::Signed(worker.clone()), ask);

        assert_eq!(Workers::<T>::get(&worker).map(|record| record.ask), Some(ask));
    }

    #[benchmark]
    fn set_hot_key() {
        let (worker, _) = create_worker::<T>(0, &models::<T>(T::MaxReadyPerWorker::get()));
        let hot_key: T::AccountId = account("new", 0, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(worker.clone()), hot_key.clone());

        assert_eq!(HotKeys::<T>::get(&hot_key), Some(worker));
    }

    #[benchmark]
    fn set_endpoint(e: Linear<0, { T::MaxEndpointLength::get() }>) {
        let (worker, _) = create_worker::<T>(0, &models::<T>(T::MaxReadyPerWorker::get()));
        let endpoint = endpoint::<T>(e);

        #[extrinsic_call]
        _(RawOrigin::Signed(worker.clone()), endpoint.clone());

        assert_eq!(Workers::<T>::get(&worker).map(|record| record.endpoint), Some(endpoint));
    }

    // Worst case: no model of the old list is in the new one, and every index is crowded.
    #[benchmark]
    fn validate_artifacts(
        n: Linear<0, { T::MaxReadyPerWorker::get() }>,
        o: Linear<0, { T::MaxReadyPerWorker::get() }>,
    ) {
        let old = models::<T>(o);
        let (worker, hot_key) = create_worker::<T>(0, &old);
        let new = models::<T>(n);
        crowd::<T>(&old);
        crowd::<T>(&new);

        #[extrinsic_call]
        _(RawOrigin::Signed(hot_key), new.clone());

        assert_eq!(Workers::<T>::get(&worker).map(|record| record.ready), Some(new));
    }

    #[benchmark]
    fn chill() {
        let (worker, hot_key) = create_worker::<T>(0, &models::<T>(T::MaxReadyPerWorker::get()));

        #[extrinsic_call]
        _(RawOrigin::Signed(hot_key));

        assert_eq!(Workers::<T>::get(&worker).map(|record| record.chilled), Some(true));
    }

    #[benchmark]
    fn resume() {
        let (worker, hot_key) = create_worker::<T>(0, &models::<T>(T::MaxReadyPerWorker::get()));
        assert_ok!(Pallet::<T>::chill(RawOrigin::Signed(hot_key.clone()).into()));

        #[extrinsic_call]
        _(RawOrigin::Signed(hot_key));

        assert_eq!(Workers::<T>::get(&worker).map(|record| record.chilled), Some(false));
    }

    #[benchmark]
    fn deregister(o: Linear<0, { T::MaxReadyPerWorker::get() }>) {
        let ready = models::<T>(o);
        let (worker, _) = create_worker::<T>(0, &ready);
        crowd::<T>(&ready);

        #[extrinsic_call]
        _(RawOrigin::Signed(worker.clone()));

        assert!(!Workers::<T>::contains_key(&worker));
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::ExtBuilder::default().build(), crate::mock::Test);
}
