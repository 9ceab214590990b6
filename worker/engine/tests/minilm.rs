//! all-MiniLM-L6-v2 itself against vectors that another program computed
//! (`tests/vectors/minilm.py`).

#![allow(clippy::unwrap_used)]

use assay_engine::{import, Model, Package, Tokenizer};
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Reference {
    max_sequence: u32,
    dimensions: u32,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    text: String,
    ids: Vec<u32>,
    embedding: Vec<f32>,
}

fn reference() -> Reference {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/minilm.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The model's folder, where `models/fetch minilm` puts it.
fn folder() -> PathBuf {
    let models = std::env::var_os("ASSAY_MODELS").map(PathBuf::from).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").expect("HOME or ASSAY_MODELS must be set");
        Path::new(&home).join(".cache/assay/models")
    });
    let folder = models.join("minilm");
    assert!(
        folder.join("model.safetensors").is_file(),
        "{}: expected the files of all-MiniLM-L6-v2, got none; `cargo xtask test` fetches them, or set ASSAY_MODELS",
        folder.display()
    );
    folder
}

fn package(reference: &Reference) -> Package {
    let folder = folder();
    let imported = import(&folder, "all-MiniLM-L6-v2").unwrap();
    let profile = imported.manifest.profile();
    assert_eq!(
        (profile.max_sequence, profile.dimensions),
        (reference.max_sequence, reference.dimensions)
    );
    Package::load(imported.manifest, |file| folder.join(&file.name)).unwrap()
}

#[test]
fn minilm_should_agree_with_reference_vectors() {
    let reference = reference();
    let package = package(&reference);
    let texts: Vec<&str> = reference.vectors.iter().map(|vector| vector.text.as_str()).collect();
    let ids = Tokenizer::load(&package).unwrap().encode(&texts).unwrap();
    for (ids, vector) in ids.iter().zip(&reference.vectors) {
        assert_eq!(ids, &vector.ids, "token ids of {:?}", vector.text);
    }

    let output = Model::load(&package).unwrap().embed(&ids).unwrap();
    for (got, vector) in output.chunks(reference.dimensions as usize).zip(&reference.vectors) {
        // Both have length one, so that the dot product is the cosine.
        let cosine: f64 = got
            .iter()
            .zip(&vector.embedding)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum();
        let worst = got
            .iter()
            .zip(&vector.embedding)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(cosine > 0.999_999, "{:?}: cosine {cosine}", vector.text);
        assert!(worst < 1e-5, "{:?}: worst difference {worst}", vector.text);
    }
}
