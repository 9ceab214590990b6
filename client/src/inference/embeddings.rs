//! The output of an embedding job: f32, little-endian, row-major [sequences, dimensions].

/// Why bytes are not the embeddings that a job asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputError {
    /// Another number of vectors, or of other length.
    #[error("expected {sequences} vectors of {dimensions} f32 ({expected} bytes), got {got} bytes")]
    Size {
        /// Vectors asked for.
        sequences: u32,
        /// Length of each.
        dimensions: u32,
        /// Bytes they take.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// A number that is none.
    #[error("expected finite numbers, got {got} in vector {sequence}")]
    NotFinite {
        /// Which vector.
        sequence: usize,
        /// Infinite or not a number.
        got: String,
    },
}

/// One vector for each sequence of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// The vectors, all of one length.
    pub vectors: Vec<Vec<f32>>,
}

impl Embeddings {
    /// Reads an output blob.
    pub fn decode(bytes: &[u8], sequences: u32, dimensions: u32) -> Result<Self, OutputError> {
        let (got, expected) = (bytes.len() as u64, 4 * u64::from(sequences) * u64::from(dimensions));
        if got != expected || dimensions == 0 {
            return Err(OutputError::Size {
                sequences,
                dimensions,
                expected,
                got,
            });
        }
        let vectors: Vec<Vec<f32>> = bytes
            .chunks_exact(4 * dimensions as usize)
            .map(|row| {
                row.chunks_exact(4)
                    .map(|f| f32::from_le_bytes([f[0], f[1], f[2], f[3]]))
                    .collect()
            })
            .collect();
        for (sequence, vector) in vectors.iter().enumerate() {
            if let Some(number) = vector.iter().find(|number| !number.is_finite()) {
                return Err(OutputError::NotFinite {
                    sequence,
                    got: number.to_string(),
                });
            }
        }
        Ok(Self { vectors })
    }

    /// Euclidean length of each vector.
    pub fn norms(&self) -> Vec<f64> {
        self.vectors.iter().map(|vector| dot(vector, vector).sqrt()).collect()
    }

    /// Cosine of the angle between each two vectors; 0 where one of them is zero.
    pub fn similarities(&self) -> Vec<Vec<f64>> {
        let norms = self.norms();
        let cosine = |a: usize, b: usize| {
            let scale = norms[a] * norms[b];
            if scale == 0.0 {
                0.0
            } else {
                dot(&self.vectors[a], &self.vectors[b]) / scale
            }
        };
        let all = 0..self.vectors.len();
        all.clone()
            .map(|a| all.clone().map(|b| cosine(a, b)).collect())
            .collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn bytes(numbers: &[f32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    #[test]
    fn rows_should_be_vectors_when_decoded() {
        let embeddings = Embeddings::decode(&bytes(&[3.0, 4.0, -4.0, 3.0, 0.0, 0.0]), 3, 2).unwrap();
        assert_eq!(embeddings.vectors, [[3.0, 4.0], [-4.0, 3.0], [0.0, 0.0]]);
        assert_eq!(embeddings.norms(), [5.0, 5.0, 0.0]);
        let similarities = embeddings.similarities();
        assert_eq!(similarities[0], [1.0, 0.0, 0.0]);
        assert_eq!(similarities[2], [0.0, 0.0, 0.0]);
    }

    #[test]
    fn output_should_be_refused_when_size_or_numbers_are_wrong() {
        let size = OutputError::Size {
            sequences: 2,
            dimensions: 2,
            expected: 16,
            got: 12,
        };
        assert_eq!(Embeddings::decode(&bytes(&[0.0; 3]), 2, 2), Err(size));
        assert!(Embeddings::decode(&[], 0, 0).is_err());
        for number in [f32::NAN, f32::INFINITY] {
            let error = Embeddings::decode(&bytes(&[0.0, number]), 1, 2).unwrap_err();
            assert!(matches!(error, OutputError::NotFinite { sequence: 0, .. }), "{error}");
        }
    }
}
