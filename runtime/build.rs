//! Builds the runtime's WASM blob, with the hash of its metadata inside.

fn main() {
    #[cfg(feature = "std")]
    substrate_wasm_builder::WasmBuilder::init_with_defaults()
        .enable_metadata_hash("ASY", 12)
        .build();
}
