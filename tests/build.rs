//! Builds the runtime a second time, with benchmarks and try-state checks in it.

use std::path::Path;
use substrate_wasm_builder::WasmBuilder;

fn main() {
    // Asked for by what `runtime_interface` expands to
    println!("cargo::rustc-check-cfg=cfg(substrate_runtime)");
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = tests
        .parent()
        .expect("this folder lies in the repository; qed")
        .join("runtime/Cargo.toml");
    // This comes after the build of the plain runtime, whose folder it shares: the `links` key in
    // the runtime's manifest makes cargo wait for that.
    WasmBuilder::new()
        .with_project(manifest)
        .expect("the runtime's manifest is there; qed")
        .import_memory()
        .export_heap_base()
        .enable_feature("runtime-benchmarks")
        .enable_feature("try-runtime")
        .set_file_name("checked_runtime")
        .build();
}
