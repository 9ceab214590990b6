//! Which pallets' weights can be measured on this runtime.

use crate::{AllPalletsWithSystem, Runtime};
use alloc::{string::String, vec::Vec};
use frame_benchmarking::{define_benchmarks, BenchmarkBatch, BenchmarkConfig, BenchmarkList, Benchmarking};
use frame_support::traits::{StorageInfo, StorageInfoTrait, WhitelistedStorageKeys};
use frame_system_benchmarking::{extensions::Pallet as SystemExtensions, Pallet as SystemPallet};

define_benchmarks!(
    [frame_system, SystemPallet::<Runtime>]
    [frame_system_extensions, SystemExtensions::<Runtime>]
    [pallet_balances, crate::Balances]
    [pallet_timestamp, crate::Timestamp]
    [pallet_parameters, crate::Parameters]
    [pallet_treasury, crate::Treasury]
    [pallet_preimage, crate::Preimage]
    [pallet_scheduler, crate::Scheduler]
    [pallet_utility, crate::Utility]
    [pallet_multisig, crate::Multisig]
    [pallet_proxy, crate::Proxy]
    [pallet_artifacts, crate::Artifacts]
    [pallet_workers, crate::Workers]
    [pallet_compute_market, crate::ComputeMarket]
);

impl frame_system_benchmarking::Config for Runtime {}

/// The benchmarks there are, and the storage they touch.
pub(crate) fn metadata(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
    use frame_benchmarking::list_benchmark;

    let mut list = Vec::<BenchmarkList>::new();
    list_benchmarks!(list, extra);
    (list, AllPalletsWithSystem::storage_info())
}

/// Runs the benchmark that `config` names.
pub(crate) fn dispatch(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
    use frame_benchmarking::add_benchmark;

    let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
    let mut batches = Vec::<BenchmarkBatch>::new();
    let params = (&config, &whitelist);
    add_benchmarks!(params, batches);
    Ok(batches)
}
