//! The real runtime, as WASM: its pallets' invariants, its benchmarks, and the weights made of them.

#![allow(clippy::unwrap_used)]

use assay_runtime::RuntimeCall;
use assay_system_tests::checked_runtime::CheckedRuntime;
use frame_benchmarking::{BenchmarkMetadata, BenchmarkParameter};
use frame_support::traits::GetCallMetadata;
use std::{collections::BTreeSet, fs};
use xtask::weights;

/// The chains that can be started by name.
const PRESETS: [&str; 2] = ["development", "local_testnet"];

/// A pallet's name in the runtime, by its crate.
fn name_in_runtime(pallet: &str) -> &'static str {
    match pallet {
        "pallet_artifacts" => "Artifacts",
        "pallet_workers" => "Workers",
        "pallet_compute_market" => "ComputeMarket",
        other => panic!("{other} is not one of ours"),
    }
}

/// The components at which a benchmark is run: all at their lowest, all at their highest.
fn corners(benchmark: &BenchmarkMetadata) -> BTreeSet<Vec<(String, u32)>> {
    let corner = |highest: bool| {
        let at = |(parameter, low, high): &(BenchmarkParameter, u32, u32)| {
            (parameter.to_string(), if highest { *high } else { *low })
        };
        benchmark.components.iter().map(at).collect()
    };
    BTreeSet::from([corner(false), corner(true)])
}

#[test]
fn try_state_should_hold_when_a_chain_begins() {
    let runtime = CheckedRuntime::new().unwrap();
    for preset in PRESETS {
        let genesis = runtime.genesis(preset).unwrap();
        runtime
            .try_state(&genesis)
            .unwrap_or_else(|error| panic!("{preset}: {error:#}"));
    }
}

#[test]
fn benchmarks_should_pass_at_their_lowest_and_highest_components() {
    let runtime = CheckedRuntime::new().unwrap();
    let genesis = runtime.genesis("development").unwrap();
    let lists = runtime.benchmarks(&genesis).unwrap();
    let mut failed = Vec::new();
    for (_, pallet) in weights::PALLETS {
        let list = lists.iter().find(|list| list.pallet == pallet.as_bytes());
        let list = list.unwrap_or_else(|| panic!("the runtime has no benchmarks of {pallet}"));
        for benchmark in &list.benchmarks {
            let name = String::from_utf8_lossy(&benchmark.name);
            for corner in corners(benchmark) {
                let values = benchmark.components.iter().zip(&corner);
                let components = values
                    .map(|((parameter, ..), (_, value))| (*parameter, *value))
                    .collect();
                if let Err(error) = runtime.run_benchmark(&genesis, list, benchmark, components) {
                    failed.push(format!("{pallet}::{name} {corner:?}: {error:#}"));
                }
            }
        }
    }
    assert!(failed.is_empty(), "benchmarks failed:\n{}", failed.join("\n"));
}

#[test]
fn calls_should_each_have_a_benchmark() {
    let runtime = CheckedRuntime::new().unwrap();
    let lists = runtime.benchmarks(&runtime.genesis("development").unwrap()).unwrap();
    for (_, pallet) in weights::PALLETS {
        let list = lists.iter().find(|list| list.pallet == pallet.as_bytes()).unwrap();
        for call in RuntimeCall::get_call_names(name_in_runtime(pallet)) {
            // A call that does different things has a benchmark for each: `call_what`
            let variant = format!("{call}_");
            let benched = list
                .benchmarks
                .iter()
                .any(|benchmark| benchmark.name == call.as_bytes() || benchmark.name.starts_with(variant.as_bytes()));
            assert!(benched, "{pallet}::{call} has no benchmark");
        }
    }
}

#[test]
fn weights_should_be_those_of_the_present_code() {
    let runtime = CheckedRuntime::new().unwrap();
    let lists = runtime.benchmarks(&runtime.genesis("development").unwrap()).unwrap();
    let mend = "`cargo xtask weights` measures them anew";
    for (folder, pallet) in weights::PALLETS {
        let file = weights::file(pallet);
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}; {mend}", file.display()));
        let list = lists.iter().find(|list| list.pallet == pallet.as_bytes()).unwrap();
        for benchmark in &list.benchmarks {
            let name = String::from_utf8_lossy(&benchmark.name);
            assert!(
                text.contains(&format!("fn {name}(")),
                "{}: no weight of {name}; {mend}",
                file.display()
            );
        }
        let now = weights::code_digest(folder).unwrap();
        let measured = weights::recorded_digest(&text).unwrap_or("none");
        assert_eq!(
            measured, now,
            "pallets/{folder} has changed since its weights were measured; {mend}"
        );
    }
}
