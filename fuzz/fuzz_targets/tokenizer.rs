//! `tokenizer.json`.

#![no_main]

use assay_fuzz::{panics, texts::encode_all};
use assay_models::Tokenizer;
use libfuzzer_sys::fuzz_target;

/// Vocabulary and longest sequence of the model.
const MODEL: (u32, usize) = (1_000, 64);

fn run(data: &[u8]) {
    match Tokenizer::from_json(data, MODEL.0, MODEL.1) {
        Ok(tokenizer) => encode_all(&tokenizer, MODEL.0),
        Err(error) => drop(error.to_string()),
    }
}

fuzz_target!(init: panics::allow_caught(), |data: &[u8]| panics::run(|| run(data)));
