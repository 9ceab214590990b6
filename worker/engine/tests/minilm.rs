//! all-MiniLM-L6-v2 itself against vectors that another program computed in floats
//! (`tests/vectors/minilm.py`), and its bits against those that were committed.

#![allow(clippy::unwrap_used)]

use assay_engine::{embed, Embedder, Settings};
use assay_exact::opening::{Digest, HashMode};
use assay_kernels::Isa;
use assay_models::{import, package, Imported, Package, Tokenizer};
use assay_programs::family::Precision;
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

/// What the bits are, whatever computes them: hashes of package, embeddings and trace.
#[derive(Deserialize)]
struct Golden {
    precision: String,
    package: String,
    embeddings: String,
    trace: String,
}

fn vectors(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(name);
    std::fs::read(path).unwrap()
}

fn reference() -> Reference {
    serde_json::from_slice(&vectors("minilm.json")).unwrap()
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

/// The package, whose files lie in a folder that lasts as long.
fn package(precision: Precision) -> (tempfile::TempDir, Package) {
    let to = tempfile::tempdir().unwrap();
    let Imported { manifest, .. } = import(&folder(), "all-MiniLM-L6-v2", precision, to.path()).unwrap();
    let package = Package::load(manifest, |file| to.path().join(&file.name)).unwrap();
    (to, package)
}

fn ids(reference: &Reference) -> Vec<Vec<u32>> {
    reference.vectors.iter().map(|vector| vector.ids.clone()).collect()
}

#[test]
fn token_ids_should_be_those_of_the_reference() {
    let reference = reference();
    let json = std::fs::read(folder().join(package::TOKENIZER)).unwrap();
    let tokenizer = Tokenizer::from_json(&json, 30_522, reference.max_sequence as usize).unwrap();
    for vector in &reference.vectors {
        let Ok(ids) = tokenizer.encode(&vector.text, true) else {
            // The reference cuts off what is too long; here that is an error
            assert_eq!(vector.ids.len(), reference.max_sequence as usize);
            continue;
        };
        assert_eq!(ids, vector.ids, "token ids of {:?}", vector.text);
    }
}

#[test]
fn embeddings_should_be_near_the_reference_s() {
    let reference = reference();
    for (precision, least) in [
        (Precision::W8A16, 0.999),
        (Precision::W8A8, 0.995),
        (Precision::W16A16, 0.999_9),
        (Precision::W16A24, 0.999_99),
    ] {
        let (_files, package) = package(precision);
        let profile = package.manifest().profile();
        assert_eq!(
            (profile.max_sequence, profile.dimensions),
            (reference.max_sequence, reference.dimensions)
        );
        let output = Embedder::load(&package, Settings::default()).unwrap().embed(&ids(&reference)).unwrap();
        for (got, vector) in output.chunks(reference.dimensions as usize).zip(&reference.vectors) {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            let length = dot(got, got).sqrt();
            assert!((length - 1.0).abs() < 1e-6, "length {length}");
            // Both have length one, so that the dot product is the cosine
            let cosine = dot(got, &vector.embedding);
            println!("{precision}: {} tokens, 1 - cosine = {:.2e}", vector.ids.len(), 1.0 - cosine);
            // The empty text and one of a word over and over say little: their vectors are differences of large numbers
            let is_usual = (3..=256).contains(&vector.ids.len());
            let least = if is_usual { least } else { 1.0 - 6.0 * (1.0 - least) };
            assert!(cosine >= least, "{precision}, {:?}: cosine {cosine}", vector.text);
        }
    }
}

#[test]
fn bits_should_be_the_committed_ones_with_every_instruction_set_and_number_of_threads() {
    let ids = ids(&reference());
    let golden: Vec<Golden> = serde_json::from_slice(&vectors("golden.json")).unwrap();
    assert_eq!(golden.len(), Precision::ALL.len());
    for expected in golden {
        let (_files, package) = package(expected.precision.parse().unwrap());
        let root = package.manifest().content().hash;
        assert_eq!(root.to_string(), expected.package, "package of {}", expected.precision);
        for isa in Isa::available() {
            for threads in [1, 2] {
                let embedder = Embedder::load(&package, Settings { isa, threads }).unwrap();
                let origin = Digest(*blake3::hash(b"golden").as_bytes());
                let (embeddings, trace) = embedder.embed_traced(&ids, origin, HashMode::Plain).unwrap();
                let bytes = embed::to_bytes(&embeddings.unwrap());
                let got = [HashMode::Plain.digest(&bytes), trace.digest(&HashMode::Plain)].map(|digest| digest.to_string());
                assert_eq!(got, [expected.embeddings.as_str(), &expected.trace], "{} {isa} {threads}", expected.precision);
            }
        }
    }
}
