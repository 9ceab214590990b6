//! Folders of models: all files that import reads, and data as the header of the weights says.

#![no_main]

use assay_fuzz::{folder::Folder, panics, parts::parts};
use assay_models::{import, Manifest, Package};
use assay_programs::family::Precision;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::LazyLock;

/// The files, in the order of the input's parts. The last is the header of the weights, in JSON.
const FILES: [&str; 8] = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "1_Pooling/config.json",
    "chat_template.jinja",
    "sentence_bert_config.json",
    "model.safetensors",
];

/// Most bytes of weights.
const MOST: u64 = 1 << 16;

static MODEL: LazyLock<Folder> = LazyLock::new(|| Folder::new("model"));
static PACKAGE: LazyLock<Folder> = LazyLock::new(|| Folder::new("imported"));

/// A file with this header, and the data that it speaks of as far as they are few.
fn safetensors(header: &[u8]) -> Vec<u8> {
    let entries = serde_json::from_slice::<serde_json::Map<String, Value>>(header).unwrap_or_default();
    let ends = entries.values().filter_map(|entry| entry["data_offsets"][1].as_u64());
    let length = ends.max().unwrap_or_default().min(MOST);
    let data = (0..length / 4 + 1).flat_map(|at| ((at * 37 % 41) as f32 / 20.0 - 1.0).to_le_bytes());
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data.take(length as usize));
    file
}

fn run(data: &[u8]) {
    let parts: [&[u8]; FILES.len()] = parts(data);
    for (name, content) in FILES.into_iter().zip(parts) {
        if name == "model.safetensors" {
            MODEL.put(name, Some(&safetensors(content)));
        } else {
            MODEL.put(name, (!content.is_empty()).then_some(content));
        }
    }
    let precision = if data.len() % 2 == 0 {
        Precision::W8A16
    } else {
        Precision::W16A24
    };
    match import(MODEL.path(), "model", precision, PACKAGE.path()) {
        Ok(imported) => {
            let bytes = imported.manifest.to_bytes();
            let manifest = Manifest::from_bytes(&bytes).expect("import gives manifests that are read; qed");
            let package = Package::load(manifest, |file| PACKAGE.path().join(&file.name));
            package.expect("import gives packages that are loaded; qed");
        }
        Err(error) => drop(error.to_string()),
    }
}

fuzz_target!(init: panics::allow_caught(), |data: &[u8]| panics::run(|| run(data)));
