//! Which pallets' weights can be measured on this runtime.

use crate::{
    AllPalletsWithSystem, Artifacts, Balances, ComputeMarket, Multisig, Parameters, Preimage, Proxy, Runtime,
    Scheduler, Timestamp, Treasury, Utility, Workers,
};
use alloc::{string::String, vec::Vec};
use frame_benchmarking::{define_benchmarks, BenchmarkBatch, BenchmarkConfig, BenchmarkList};
use frame_support::traits::{StorageInfo, StorageInfoTrait, WhitelistedStorageKeys};
use frame_system_benchmarking::{extensions::Pallet as SystemExtensions, Pallet as SystemPallet};

define_benchmarks!(
    [frame_system, SystemPallet::<Runtime>]
    [frame_system_extensions, SystemExtensions::<Runtime>]
    [pallet_balances, Balances]
    [pallet_timestamp, Timestamp]
    [pallet_parameters, Parameters]
    [pallet_treasury, Treasury]
    [pallet_preimage, Preimage]
    [pallet_scheduler, Scheduler]
    [pallet_utility, Utility]
    [pallet_multisig, Multisig]
    [pallet_proxy, Proxy]
    [pallet_artifacts, Artifacts]
    [pallet_workers, Workers]
    [pallet_compute_market, ComputeMarket]
);

impl frame_system_benchmarking::Config for Runtime {}

/// The benchmarks there are, and the storage they touch.
pub(crate) fn metadata(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
    let mut list = Vec::<BenchmarkList>::new();
    list_benchmarks!(list, extra);
    (list, AllPalletsWithSystem::storage_info())
}

/// Runs the benchmark that `config` names.
pub(crate) fn dispatch(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
    let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
    let mut batches = Vec::<BenchmarkBatch>::new();
    let params = (&config, &whitelist);
    add_benchmarks!(params, batches);
    Ok(batches)
}
