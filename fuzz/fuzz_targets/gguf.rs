//! GGUF files: weights, configuration, tokenizer, program.

#![no_main]

use assay_exact::program::Program;
use assay_fuzz::{panics, texts::encode_all, weights::read_all};
use assay_models::{family, tokenizer::Imported, Config, Gguf, Source, Tokenizer};
use assay_programs::family::{decoder::Purpose, Precision};
use libfuzzer_sys::fuzz_target;

fn run(data: &[u8]) {
    let gguf = match Gguf::from_bytes(data.to_vec()) {
        Ok(gguf) => gguf,
        Err(error) => return drop(error.to_string()),
    };
    read_all(&gguf);
    let source = Source::Gguf(gguf);
    let config = match Config::of(&source) {
        Ok(config) => config,
        Err(error) => return drop(error.to_string()),
    };
    match family::program(&config, Precision::W8A16, Purpose::Generate) {
        Ok(program) => assert_eq!(Program::from_bytes(&program.to_bytes()), Ok(program)),
        Err(error) => drop(error.to_string()),
    }
    let imported = match Imported::of(&source, &config) {
        Ok(imported) => imported,
        Err(error) => return drop(error.to_string()),
    };
    match Tokenizer::from_json(&imported.json, config.vocabulary(), 64) {
        Ok(tokenizer) => encode_all(&tokenizer, config.vocabulary()),
        Err(error) => drop(error.to_string()),
    }
}

fuzz_target!(init: panics::allow_caught(), |data: &[u8]| panics::run(|| run(data)));
