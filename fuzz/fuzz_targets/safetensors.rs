//! Files of safetensors.

#![no_main]

use assay_fuzz::weights::read_all;
use assay_models::Safetensors;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match Safetensors::from_bytes(data.to_vec()) {
        Ok(source) => read_all(&source),
        Err(error) => drop(error.to_string()),
    }
});
