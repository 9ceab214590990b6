//! Embeddings that another program computed, in `tests/vectors`, and how near ours must be.

use anyhow::{ensure, Context, Result};
use serde_json::Value;
use std::fs;
use xtask::workspace;

/// Largest difference in one place of a vector of length one, or between two cosines: the weights have eight bits, the
/// reference's are floats. The engine's own test, `worker/engine/tests/minilm.rs`, looks at cosines, and `bits.rs` at every bit.
const LARGEST_DIFFERENCE: f64 = 0.01;

/// Sentences and their embeddings, of length one.
#[derive(Debug)]
pub struct Reference {
    sentences: Vec<(String, Vec<f64>)>,
}

impl Reference {
    /// The first `take` of those that all-MiniLM-L6-v2 was asked for.
    pub fn minilm(take: usize) -> Result<Self> {
        let file = workspace::root().join("tests/vectors/minilm.json");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let reference: Value = serde_json::from_str(&text)?;
        let vectors = reference["vectors"].as_array().context("no vectors")?;
        let sentence = |vector: &Value| {
            let text = vector["text"].as_str().context("no text")?.to_string();
            anyhow::Ok((text, numbers(&vector["embedding"])?))
        };
        let sentences = vectors.iter().take(take).map(sentence).collect::<Result<_>>()?;
        Ok(Self { sentences })
    }

    /// The sentences.
    pub fn texts(&self) -> Vec<&str> {
        self.sentences.iter().map(|(text, _)| text.as_str()).collect()
    }

    /// An error unless `printed`, which `assay embed --json` printed, has these embeddings and their similarities.
    pub fn check(&self, printed: &Value) -> Result<()> {
        let vectors = rows(&printed["embeddings"])?;
        let expected: Vec<_> = self.sentences.iter().map(|(_, vector)| vector.clone()).collect();
        compare(&vectors, &expected).context("embeddings")?;
        let cosine = |a: &Vec<f64>, b: &Vec<f64>| a.iter().zip(b).map(|(a, b)| a * b).sum();
        let cosines = expected.iter().map(|a| expected.iter().map(|b| cosine(a, b)).collect());
        compare(&rows(&printed["similarities"])?, &cosines.collect::<Vec<_>>()).context("similarities")
    }
}

fn compare(got: &[Vec<f64>], expected: &[Vec<f64>]) -> Result<()> {
    let lengths = |rows: &[Vec<f64>]| rows.iter().map(Vec::len).collect::<Vec<_>>();
    let (rows, expected_rows) = (lengths(got), lengths(expected));
    ensure!(
        rows == expected_rows,
        "expected rows of these lengths: {expected_rows:?}, got {rows:?}"
    );
    for (row, (got, expected)) in got.iter().zip(expected).enumerate() {
        let differences = got.iter().zip(expected).map(|(a, b)| (a - b).abs());
        let largest = differences.fold(0.0, f64::max);
        ensure!(
            largest < LARGEST_DIFFERENCE,
            "row {row} differs by {largest} from the reference"
        );
    }
    Ok(())
}

fn rows(value: &Value) -> Result<Vec<Vec<f64>>> {
    value.as_array().context("no rows")?.iter().map(numbers).collect()
}

fn numbers(value: &Value) -> Result<Vec<f64>> {
    let all = value.as_array().context("no numbers")?.iter().map(Value::as_f64);
    all.collect::<Option<_>>().context("not only numbers")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn reference() -> Reference {
        let sentences = vec![("a".into(), vec![1.0, 0.0]), ("b".into(), vec![0.6, 0.8])];
        Reference { sentences }
    }

    #[test]
    fn embeddings_should_be_taken_when_they_are_near_and_refused_otherwise() {
        let printed = |number: f64, cosine: f64, size: usize| {
            let row = &[number, 0.8][..size];
            json!({ "embeddings": [[1.0, 0.0], row], "similarities": [[1.0, 0.6], [cosine, 1.0]] })
        };
        let (near, far) = (0.6 + 0.9 * LARGEST_DIFFERENCE, 0.6 + 1.1 * LARGEST_DIFFERENCE);
        reference().check(&printed(near, near, 2)).unwrap();
        for wrong in [printed(far, 0.6, 2), printed(0.6, far, 2), printed(0.6, 0.6, 1)] {
            assert!(reference().check(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reference_should_have_sentences_and_vectors() {
        let reference = Reference::minilm(3).unwrap();
        assert_eq!(reference.texts().len(), 3);
        assert!(reference
            .texts()
            .iter()
            .all(|text| !text.is_empty() && !text.contains('\n')));
    }
}
