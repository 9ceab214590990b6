//! all-MiniLM-L6-v2 itself against vectors that another program computed in floats
//! (`tests/vectors/minilm.py`).

#![allow(clippy::unwrap_used)]

mod golden;

use assay_engine::{Embedder, Settings};
use assay_models::{package, Tokenizer};
use assay_programs::family::Precision;
use serde::Deserialize;

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
    serde_json::from_slice(&std::fs::read(golden::vectors("minilm.json")).unwrap()).unwrap()
}

fn ids(reference: &Reference) -> Vec<Vec<u32>> {
    reference.vectors.iter().map(|vector| vector.ids.clone()).collect()
}

#[test]
fn token_ids_should_be_those_of_the_reference() {
    let reference = reference();
    let json = std::fs::read(golden::folder("minilm", package::TOKENIZER).join(package::TOKENIZER)).unwrap();
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
        let (_files, package) = golden::package("minilm", precision);
        let profile = package.manifest().profile();
        assert_eq!(
            (profile.max_sequence, profile.dimensions),
            (reference.max_sequence, reference.dimensions)
        );
        let output = Embedder::load(&package, Settings::default())
            .unwrap()
            .embed(&ids(&reference))
            .unwrap();
        for (got, vector) in output.chunks(reference.dimensions as usize).zip(&reference.vectors) {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            let length = dot(got, got).sqrt();
            assert!((length - 1.0).abs() < 1e-6, "length {length}");
            // Both have length one, so that the dot product is the cosine
            let cosine = dot(got, &vector.embedding);
            println!(
                "{precision}: {} tokens, 1 - cosine = {:.2e}",
                vector.ids.len(),
                1.0 - cosine
            );
            // The empty text and one of a word over and over say little: their vectors are differences of large numbers
            let is_usual = (3..=256).contains(&vector.ids.len());
            let least = if is_usual { least } else { 1.0 - 6.0 * (1.0 - least) };
            assert!(cosine >= least, "{precision}, {:?}: cosine {cosine}", vector.text);
        }
    }
}
