//! The runtime with benchmarks and try-state checks compiled in, called as a node would call it.

use anyhow::{anyhow, Context, Result};
use assay_exact::{
    referee::{Answer, Request},
    sweep::Patterns,
};
use codec::{Decode, Encode};
use frame_benchmarking::{BenchmarkBatch, BenchmarkConfig, BenchmarkList, BenchmarkMetadata, BenchmarkParameter};
use sc_chain_spec::GenesisConfigBuilderRuntimeCaller;
use sc_executor::WasmExecutor;
use sp_core::{
    storage::Storage,
    traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode},
};
use sp_io::SubstrateHostFunctions;
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::TestExternalities;
use std::time::{Duration, Instant};

mod built {
    #![allow(dead_code, missing_docs, unreachable_pub)]
    include!(concat!(env!("OUT_DIR"), "/checked_runtime"));
}

/// What benchmarks ask of their host. Nothing is measured here, and each call begins with fresh
/// state, so that most of it has nothing to do. Names and arguments are those of
/// `frame_benchmarking::benchmarking`.
mod host {
    // Of what `runtime_interface` expands to
    #![allow(dead_code, missing_docs, unreachable_pub)]

    use sp_runtime_interface::{
        pass_by::{AllocateAndReturnByCodec, AllocateAndReturnPointer, PassFatPointerAndRead},
        runtime_interface,
    };

    #[runtime_interface]
    trait Benchmarking {
        fn current_time() -> AllocateAndReturnPointer<[u8; 16], 16> {
            [0; 16]
        }

        fn wipe_db(&mut self) {}

        fn commit_db(&mut self) {}

        fn read_write_count(&self) -> AllocateAndReturnByCodec<(u32, u32, u32, u32)> {
            (0, 0, 0, 0)
        }

        fn reset_read_write_count(&mut self) {}

        fn get_whitelist(&self) -> AllocateAndReturnByCodec<Vec<(Vec<u8>, u32, u32, bool, Option<Vec<u8>>)>> {
            Vec::new()
        }

        fn set_whitelist(&mut self, _new: PassFatPointerAndRead<&[u8]>) {}

        fn add_to_whitelist(&mut self, _add: PassFatPointerAndRead<&[u8]>) {}

        fn remove_from_whitelist(&mut self, _remove: PassFatPointerAndRead<&[u8]>) {}

        fn get_read_and_written_keys(&self) -> AllocateAndReturnByCodec<Vec<(Vec<u8>, u32, u32, bool)>> {
            Vec::new()
        }

        fn proof_size(&self) -> AllocateAndReturnByCodec<Option<u32>> {
            None
        }
    }

    pub(super) use benchmarking::HostFunctions;
}

/// The runtime and an executor that has compiled it.
pub struct CheckedRuntime {
    code: &'static [u8],
    hash: Vec<u8>,
    executor: WasmExecutor<(SubstrateHostFunctions, host::HostFunctions)>,
}

impl CheckedRuntime {
    /// The runtime that was built with these tests.
    pub fn new() -> Result<Self> {
        let code = built::WASM_BINARY.context(
            "the runtime with benchmarks was not built (SKIP_WASM_BUILD is set?): `cargo xtask test` builds it",
        )?;
        Ok(Self {
            code,
            hash: sp_io::hashing::blake2_256(code).to_vec(),
            executor: WasmExecutor::builder().build(),
        })
    }

    /// State of the first block of the chain that the runtime calls `preset`.
    pub fn genesis(&self, preset: &str) -> Result<Storage> {
        GenesisConfigBuilderRuntimeCaller::<host::HostFunctions>::new(self.code)
            .get_storage_for_named_preset(Some(&preset.to_string()))
            .map_err(|error| anyhow!("preset {preset}: {error}"))
    }

    /// Calls the runtime's function `method` in `state`, and drops what it changes.
    pub fn call<R: Decode>(&self, state: &Storage, method: &str, arguments: &[u8]) -> Result<R> {
        self.call_timed(state, method, arguments).map(|(answer, _)| answer)
    }

    /// The same, with how long the executor took. The first call compiles the code.
    pub fn call_timed<R: Decode>(&self, state: &Storage, method: &str, arguments: &[u8]) -> Result<(R, Duration)> {
        let fetcher = WrappedRuntimeCode(self.code.into());
        let code = RuntimeCode {
            code_fetcher: &fetcher,
            heap_pages: None,
            hash: self.hash.clone(),
        };
        let mut externalities = TestExternalities::<BlakeTwo256>::new(state.clone());
        let mut ext = externalities.ext();
        let start = Instant::now();
        let (answer, _) = self
            .executor
            .call(&mut ext, &code, method, arguments, CallContext::Offchain);
        let took = start.elapsed();
        let answer = answer.map_err(|error| anyhow!("{method}: {error}"))?;
        // What follows the part that is asked for is of no interest
        let answer = R::decode(&mut &answer[..]).with_context(|| format!("answer of {method}"))?;
        Ok((answer, took))
    }

    /// What this runtime's WASM answers to a request, and how long that took.
    pub fn recompute(&self, request: &Request) -> Result<(Result<Answer, String>, Duration)> {
        self.recompute_bytes(request.encode())
    }

    /// The same, of bytes that need not be a request.
    pub fn recompute_bytes(&self, request: Vec<u8>) -> Result<(Result<Answer, String>, Duration)> {
        self.call_timed(&Storage::default(), "RefereeApi_recompute", &request.encode())
    }

    /// The fingerprint of a function's results in this runtime's WASM.
    pub fn fingerprint(&self, function: usize, patterns: Patterns) -> Result<u64> {
        let Patterns { first, step, count } = patterns;
        let arguments = (function as u32, first, step, count).encode();
        let fingerprint: Option<u64> = self.call(&Storage::default(), "SweepApi_fingerprint", &arguments)?;
        fingerprint.with_context(|| format!("the runtime has no function {function}"))
    }

    /// Runs the migrations and then the `try_state` checks of all pallets; an error says which
    /// invariant does not hold.
    pub fn try_state(&self, state: &Storage) -> Result<()> {
        // `frame_support::traits::UpgradeCheckSelect::All`, which exists with try-runtime only
        const ALL_CHECKS: u8 = 1;
        self.call::<()>(state, "TryRuntime_on_runtime_upgrade", &ALL_CHECKS.encode())
    }

    /// The benchmarks there are, by pallet.
    pub fn benchmarks(&self, state: &Storage) -> Result<Vec<BenchmarkList>> {
        let extra = false;
        self.call(state, "Benchmark_benchmark_metadata", &extra.encode())
    }

    /// Runs a benchmark once, with what it verifies afterwards.
    pub fn run_benchmark(
        &self,
        state: &Storage,
        list: &BenchmarkList,
        benchmark: &BenchmarkMetadata,
        components: Vec<(BenchmarkParameter, u32)>,
    ) -> Result<()> {
        let config = BenchmarkConfig {
            pallet: list.pallet.clone(),
            instance: list.instance.clone(),
            benchmark: benchmark.name.clone(),
            selected_components: components,
            verify: true,
            internal_repeats: 1,
        };
        let ran: Result<Vec<BenchmarkBatch>, String> =
            self.call(state, "Benchmark_dispatch_benchmark", &config.encode())?;
        ran.map(|_| ()).map_err(|error| anyhow!(error))
    }
}
