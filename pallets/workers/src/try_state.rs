//! What must hold of this pallet's storage after every block.
#![cfg(any(feature = "try-runtime", feature = "std"))]

use crate::{Config, HoldReason, HotKeys, Locks, Pallet, Ready, WorkerOf, Workers};
use alloc::collections::btree_set::BTreeSet;
use frame_support::{
    ensure,
    traits::{fungible::hold::Inspect, Get},
};
use sp_runtime::TryRuntimeError;

impl<T: Config> Pallet<T> {
    /// Checks the invariants. Also there outside `try-runtime`, for the mocks of other pallets.
    ///
    /// ## Invariants
    ///
    /// * [`Workers`] has as many entries as its counter says.
    /// * Of every account, what is on hold for [`HoldReason::Bond`] is the bond of the worker whose cold
    ///   account it is: nothing, if it is none.
    /// * [`Locks`] has entries of workers only, no empty one, at most one lock a job, and the locks of
    ///   a worker do not exceed its bond.
    /// * [`HotKeys`] is the inverse of the workers' hot keys, and no hot key is the cold account
    ///   of another worker.
    /// * [`Ready`] is the inverse of the workers' lists, which are in ascending order; neither has
    ///   duplicates, and the index has no empty entry.
    /// * A worker that is not chilled has a bond of at least `MinBond`, and has not missed
    ///   `MaxMissedInRow` deadlines in a row. Every ask is at least 1.
    pub fn do_try_state() -> Result<(), TryRuntimeError> {
        let mut count: u32 = 0;
        for (worker, record) in Workers::<T>::iter() {
            count = count.saturating_add(1);
            Self::try_state_worker(&worker, &record)?;
        }
        ensure!(
            count == Workers::<T>::count(),
            "there are not as many workers as the counter says"
        );
        ensure!(
            HotKeys::<T>::iter_keys().count() == count as usize,
            "a hot key leads to no worker"
        );
        for account in frame_system::Account::<T>::iter_keys().filter(|account| !Workers::<T>::contains_key(account)) {
            ensure!(
                T::Currency::balance_on_hold(&HoldReason::Bond.into(), &account) == 0,
                "a bond is on hold from somebody who is not a worker"
            );
        }
        Self::try_state_locks()?;
        Self::try_state_ready()
    }

    fn try_state_worker(worker: &T::AccountId, record: &WorkerOf<T>) -> Result<(), TryRuntimeError> {
        ensure!(
            T::Currency::balance_on_hold(&HoldReason::Bond.into(), worker) == record.bond,
            "what is on hold from a worker is not its bond"
        );
        ensure!(
            Self::locked(worker).0 <= record.bond,
            "more is locked of a worker's bond than there is"
        );
        ensure!(
            HotKeys::<T>::get(&record.hot_key).as_ref() == Some(worker),
            "a worker's hot key does not lead to it"
        );
        ensure!(
            record.hot_key == *worker || !Workers::<T>::contains_key(&record.hot_key),
            "a hot key is the cold account of another worker"
        );
        ensure!(
            record.ready.windows(2).all(|pair| pair[0] < pair[1]),
            "a worker's models are not in ascending order"
        );
        for artifact in &record.ready {
            ensure!(
                Ready::<T>::get(artifact).contains(worker),
                "a worker is missing from the index of a ready model"
            );
        }
        ensure!(record.ask > 0, "a worker's ask is 0");
        ensure!(
            record.chilled || record.bond >= T::MinBond::get(),
            "a worker with too low a bond is not chilled"
        );
        ensure!(
            record.chilled || record.missed_in_row < T::MaxMissedInRow::get(),
            "a worker that missed too many deadlines is not chilled"
        );
        Ok(())
    }

    fn try_state_locks() -> Result<(), TryRuntimeError> {
        for (worker, locks) in Locks::<T>::iter() {
            ensure!(
                Workers::<T>::contains_key(&worker),
                "bond is locked of somebody who is not a worker"
            );
            ensure!(!locks.is_empty(), "an empty list of locks is stored");
            let jobs: BTreeSet<_> = locks.iter().map(|(job, _)| job).collect();
            ensure!(jobs.len() == locks.len(), "bond is locked twice for one job");
        }
        Ok(())
    }

    fn try_state_ready() -> Result<(), TryRuntimeError> {
        for (artifact, workers) in Ready::<T>::iter() {
            ensure!(!workers.is_empty(), "an empty entry of the index is stored");
            let distinct: BTreeSet<_> = workers.iter().collect();
            ensure!(
                distinct.len() == workers.len(),
                "a worker is twice in the index of a model"
            );
            for worker in &workers {
                let record = Workers::<T>::get(worker).ok_or("the index names somebody who is not a worker")?;
                ensure!(
                    record.ready.contains(&artifact),
                    "the index names a worker that has not the model ready"
                );
            }
        }
        Ok(())
    }
}
