//! Functions of the exact arithmetic over many inputs, as this runtime's WASM computes them. For tests: only in builds
//! with checks.

sp_api::decl_runtime_apis! {
    /// What tests compare with native code.
    pub trait SweepApi {
        /// See `assay_exact::sweep::fingerprint`.
        fn fingerprint(function: u32, first: u32, step: u32, count: u64) -> Option<u64>;
    }
}
