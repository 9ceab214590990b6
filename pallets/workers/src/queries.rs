//! Questions about workers, for runtime APIs. Not to be asked by calls: nothing here is weighed.

use crate::{Balance, Config, Pallet, Ready, WorkerOf, Workers, MAX_RESULTS};
use alloc::vec::Vec;
use assay_types::{ArtifactId, WorkerInfo};

impl<T: Config> Pallet<T> {
    /// The worker with this cold account or hot key.
    pub fn info(account: &T::AccountId) -> Option<WorkerInfo<T::AccountId, Balance>> {
        let worker = Self::worker_of(account)?;
        let record = Workers::<T>::get(&worker)?;
        Some(Self::to_info(worker, record))
    }

    /// All workers, or those that have `artifact` ready; at most [`MAX_RESULTS`].
    pub fn infos(artifact: Option<ArtifactId>) -> Vec<WorkerInfo<T::AccountId, Balance>> {
        let limit = MAX_RESULTS as usize;
        match artifact {
            Some(artifact) => Ready::<T>::get(artifact)
                .iter()
                .filter_map(Self::info)
                .take(limit)
                .collect(),
            None => Workers::<T>::iter()
                .take(limit)
                .map(|(worker, record)| Self::to_info(worker, record))
                .collect(),
        }
    }

    fn to_info(account: T::AccountId, record: WorkerOf<T>) -> WorkerInfo<T::AccountId, Balance> {
        let (locked, active_jobs) = Self::locked(&account);
        WorkerInfo {
            account,
            hot_key: record.hot_key,
            endpoint: record.endpoint.into_inner(),
            bond: record.bond,
            locked,
            ask: record.ask,
            chilled: record.chilled,
            ready: record.ready.into_inner(),
            active_jobs,
            settled: record.settled,
            delivered_units: record.delivered_units,
            missed: record.missed,
        }
    }
}
