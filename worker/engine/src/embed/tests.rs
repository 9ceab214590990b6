//! The encoder against a plain implementation of the same equations, on a small random model.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{Fixture, HIDDEN, MAX_SEQUENCE, VOCABULARY};

/// BERT's equations (Devlin et al. 2018, arXiv:1810.04805) in f64, one sequence, loop by loop.
mod reference {
    use crate::testing::{Fixture, HEADS, HIDDEN, LAYERS};

    type Matrix = Vec<Vec<f64>>;

    fn linear(fixture: &Fixture, name: &str, input: &Matrix) -> Matrix {
        let weight = fixture.matrix(&format!("{name}.weight"));
        let bias = fixture.vector(&format!("{name}.bias"));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        input
            .iter()
            .map(|x| weight.iter().zip(&bias).map(|(row, bias)| dot(row, x) + bias).collect())
            .collect()
    }

    fn layer_norm(fixture: &Fixture, name: &str, input: &Matrix) -> Matrix {
        let weight = fixture.vector(&format!("{name}.weight"));
        let bias = fixture.vector(&format!("{name}.bias"));
        let normalise = |x: &Vec<f64>| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
            let scale = 1.0 / (variance + 1e-12).sqrt();
            x.iter()
                .zip(weight.iter().zip(&bias))
                .map(|(x, (w, b))| (x - mean) * scale * w + b)
                .collect()
        };
        input.iter().map(normalise).collect()
    }

    fn add(a: &Matrix, b: &Matrix) -> Matrix {
        a.iter()
            .zip(b)
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect())
            .collect()
    }

    /// The error function by its Maclaurin series, good to f64 precision for the small arguments here.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    fn attention(q: &Matrix, k: &Matrix, v: &Matrix) -> Matrix {
        let size = HIDDEN / HEADS;
        let mut output = vec![vec![0.0; HIDDEN]; q.len()];
        for head in (0..HIDDEN).step_by(size) {
            for (i, q) in q.iter().enumerate() {
                let score = |k: &Vec<f64>| (head..head + size).map(|c| q[c] * k[c]).sum::<f64>() / (size as f64).sqrt();
                let weights: Vec<f64> = k.iter().map(|k| score(k).exp()).collect();
                let total: f64 = weights.iter().sum();
                for (weight, v) in weights.iter().zip(v) {
                    for c in head..head + size {
                        output[i][c] += weight / total * v[c];
                    }
                }
            }
        }
        output
    }

    pub(super) fn embed(fixture: &Fixture, ids: &[u32]) -> Vec<f64> {
        let words = fixture.matrix("embeddings.word_embeddings.weight");
        let positions = fixture.matrix("embeddings.position_embeddings.weight");
        let kinds = fixture.matrix("embeddings.token_type_embeddings.weight");
        let sum = |(position, id): (usize, &u32)| {
            (0..HIDDEN)
                .map(|c| words[*id as usize][c] + positions[position][c] + kinds[0][c])
                .collect()
        };
        let mut x = layer_norm(
            fixture,
            "embeddings.LayerNorm",
            &ids.iter().enumerate().map(sum).collect(),
        );
        for layer in 0..LAYERS {
            let name = |part: &str| format!("encoder.layer.{layer}.{part}");
            let [q, k, v] =
                ["query", "key", "value"].map(|part| linear(fixture, &name(&format!("attention.self.{part}")), &x));
            let attended = linear(fixture, &name("attention.output.dense"), &attention(&q, &k, &v));
            x = layer_norm(fixture, &name("attention.output.LayerNorm"), &add(&attended, &x));
            let mut wide = linear(fixture, &name("intermediate.dense"), &x);
            for element in wide.iter_mut().flatten() {
                *element *= 0.5 * (1.0 + erf(*element / 2f64.sqrt()));
            }
            x = layer_norm(
                fixture,
                &name("output.LayerNorm"),
                &add(&linear(fixture, &name("output.dense"), &wide), &x),
            );
        }
        let mean: Vec<f64> = (0..HIDDEN)
            .map(|c| x.iter().map(|x| x[c]).sum::<f64>() / x.len() as f64)
            .collect();
        let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
        mean.into_iter().map(|x| x / length).collect()
    }
}

fn model(fixture: &Fixture) -> Model {
    Model::load(&fixture.package()).unwrap()
}

fn assert_close(got: &[f32], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!(
            (f64::from(*got) - expected).abs() < 1e-5,
            "expected {expected}, got {got}"
        );
    }
}

#[test]
fn embed_should_agree_with_the_equations() {
    let fixture = Fixture::new();
    let sequences = [
        vec![1, 4, 5, 2],
        vec![1, 2],
        vec![0, 7, 7, 9],
        (0..MAX_SEQUENCE).map(|i| i % VOCABULARY).collect(),
    ];
    let output = model(&fixture).embed(&sequences).unwrap();
    for (row, sequence) in output.chunks(HIDDEN).zip(&sequences) {
        assert_close(row, &reference::embed(&fixture, sequence));
    }
}

#[test]
fn embed_should_not_depend_on_neighbours() {
    let model = model(&Fixture::new());
    let sequences: Vec<Vec<u32>> = (0..300)
        .map(|i| {
            (0..1 + i % MAX_SEQUENCE)
                .map(|j| (i * 7 + j * 3) % VOCABULARY)
                .collect()
        })
        .collect();
    let together = model.embed(&sequences).unwrap();
    for (row, sequence) in together.chunks(HIDDEN).zip(&sequences) {
        let alone = model.embed(std::slice::from_ref(sequence)).unwrap();
        assert_close(row, &alone.iter().copied().map(f64::from).collect::<Vec<_>>());
    }
}

#[test]
fn embed_should_name_the_fault_when_input_is_not_the_models() {
    let model = model(&Fixture::new());
    let too_long = vec![1; MAX_SEQUENCE as usize + 1];
    let cases = [
        (vec![], InputError::NoSequence),
        (
            vec![vec![1], vec![]],
            InputError::Length {
                sequence: 1,
                max: MAX_SEQUENCE,
                got: 0,
            },
        ),
        (
            vec![too_long],
            InputError::Length {
                sequence: 0,
                max: MAX_SEQUENCE,
                got: MAX_SEQUENCE as usize + 1,
            },
        ),
        (
            vec![vec![1, 2], vec![1, VOCABULARY]],
            InputError::Token {
                sequence: 1,
                position: 1,
                vocabulary: VOCABULARY,
                got: VOCABULARY,
            },
        ),
    ];
    for (sequences, expected) in cases {
        match model.embed(&sequences) {
            Err(EmbedError::Input(error)) => assert_eq!(error, expected),
            other => panic!("expected {expected:?}, got {other:?}"),
        }
    }
}

#[test]
fn embed_should_fail_when_weights_are_not_numbers() {
    let mut fixture = Fixture::new();
    fixture.set("embeddings.LayerNorm.bias", f32::NAN);
    assert!(matches!(
        model(&fixture).embed(&[vec![1]]),
        Err(EmbedError::NotFinite { sequence: 0, .. })
    ));
}

#[test]
fn load_should_fail_when_a_tensor_is_missing_or_misshapen() {
    let mut missing = Fixture::new();
    missing.remove("encoder.layer.1.output.dense.bias");
    let mut misshapen = Fixture::new();
    misshapen.config["intermediate_size"] = 13.into();
    for fixture in [missing, misshapen] {
        assert!(matches!(Model::load(&fixture.package()), Err(EmbedError::Weights(_))));
    }
}

#[test]
fn output_blob_should_round_trip() {
    let embeddings = [0.5, -1.0, 0.25, 2.0];
    let blob = to_bytes(&embeddings);
    assert_eq!(blob[..4], 0.5f32.to_le_bytes());
    assert_eq!(from_bytes(&blob, 2, 2), Some(vec![vec![0.5, -1.0], vec![0.25, 2.0]]));
    assert_eq!(from_bytes(&blob, 2, 3), None);
    assert_eq!(from_bytes(&[], 2, 0), None);
    assert_eq!(from_bytes(&blob, usize::MAX, 4), None);
}
