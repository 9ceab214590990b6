//! Embeds token sequences with a BERT encoder, in f32 on the CPU.
//!
//! As sentence-transformers does it (Reimers and Gurevych 2019, arXiv:1908.10084): the mean of the
//! last hidden states over a sequence's tokens, scaled to length one.

use crate::package::{Package, WEIGHTS};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;
use std::collections::BTreeMap;

/// Most tokens that are run at once, to bound memory; a longer sequence runs alone.
const BATCH_TOKENS: usize = 2048;

/// Length below which a vector is not scaled up, as in sentence-transformers.
const MIN_LENGTH: f64 = 1e-12;

/// Why sequences cannot be embedded.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The weights are broken, or not those of the configured model.
    #[error("{WEIGHTS}: expected the tensors of the BERT encoder in config.json, got: {0}")]
    Weights(candle_core::Error),
    /// The input is not one that the model takes.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The weights give something that is no number.
    #[error("sequence {sequence}: expected finite numbers, got {got}; the model's weights are unusable")]
    NotFinite {
        /// The sequence.
        sequence: usize,
        /// The first such element.
        got: f32,
    },
    /// The run itself failed.
    #[error("running the model: {0}")]
    Run(candle_core::Error),
}

/// Why sequences are not input of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// No sequence.
    #[error("input: expected at least one sequence, got none")]
    NoSequence,
    /// A sequence has no tokens, or too many.
    #[error("sequence {sequence}: expected 1 to {max} tokens, got {got}")]
    Length {
        /// The sequence.
        sequence: usize,
        /// The most tokens a sequence may have.
        max: u32,
        /// Tokens it has.
        got: usize,
    },
    /// A token that the model does not know.
    #[error("sequence {sequence}, token {position}: expected an id below {vocabulary}, got {got}")]
    Token {
        /// The sequence.
        sequence: usize,
        /// Where in it.
        position: usize,
        /// The size of the model's vocabulary.
        vocabulary: u32,
        /// The id.
        got: u32,
    },
}

/// A model in memory, ready to run. Runs may be made from several threads at once.
pub struct Model {
    bert: BertModel,
    vocabulary: u32,
    max_sequence: u32,
    dimensions: usize,
}

impl Model {
    /// Loads a package's weights, whatever float type they are stored in, as f32.
    pub fn load(package: &Package) -> Result<Self, EmbedError> {
        let load = || {
            let weights = VarBuilder::from_slice_safetensors(package.weights(), DType::F32, &Device::Cpu)?;
            BertModel::load(weights, package.architecture().candle())
        };
        let profile = package.profile();
        Ok(Self {
            bert: load().map_err(EmbedError::Weights)?,
            vocabulary: package.architecture().vocabulary,
            max_sequence: profile.max_sequence,
            dimensions: profile.dimensions as usize,
        })
    }

    /// Length of an embedding.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Whether `sequences` are input of this model.
    pub fn check(&self, sequences: &[Vec<u32>]) -> Result<(), InputError> {
        if sequences.is_empty() {
            return Err(InputError::NoSequence);
        }
        for (index, sequence) in sequences.iter().enumerate() {
            if sequence.is_empty() || sequence.len() > self.max_sequence as usize {
                return Err(InputError::Length {
                    sequence: index,
                    max: self.max_sequence,
                    got: sequence.len(),
                });
            }
            if let Some(position) = sequence.iter().position(|id| *id >= self.vocabulary) {
                return Err(InputError::Token {
                    sequence: index,
                    position,
                    vocabulary: self.vocabulary,
                    got: sequence[position],
                });
            }
        }
        Ok(())
    }

    /// Embeddings of `sequences`, row-major `[sequences, dimensions]`, each of length one.
    ///
    /// Only sequences of equal length are run together, so that there is no padding whose
    /// masking could touch a result.
    pub fn embed(&self, sequences: &[Vec<u32>]) -> Result<Vec<f32>, EmbedError> {
        self.check(sequences)?;
        let mut by_length = BTreeMap::<usize, Vec<usize>>::new();
        for (index, sequence) in sequences.iter().enumerate() {
            by_length.entry(sequence.len()).or_default().push(index);
        }
        let mut output = vec![0.0; sequences.len() * self.dimensions];
        for (length, indices) in by_length {
            for batch in indices.chunks((BATCH_TOKENS / length).max(1)) {
                let ids = batch.iter().flat_map(|index| &sequences[*index]).copied().collect();
                let means = self.means(ids, batch.len(), length).map_err(EmbedError::Run)?;
                for (index, mean) in batch.iter().zip(means) {
                    if let Some(got) = mean.iter().copied().find(|element| !element.is_finite()) {
                        return Err(EmbedError::NotFinite { sequence: *index, got });
                    }
                    output[index * self.dimensions..][..self.dimensions].copy_from_slice(&normalised(mean));
                }
            }
        }
        Ok(output)
    }

    /// Mean hidden state of each of `count` sequences of `length` tokens.
    fn means(&self, ids: Vec<u32>, count: usize, length: usize) -> candle_core::Result<Vec<Vec<f32>>> {
        let ids = Tensor::from_vec(ids, (count, length), &Device::Cpu)?;
        let hidden = self.bert.forward(&ids, &ids.zeros_like()?, None)?;
        hidden.mean(1)?.to_vec2()
    }
}

/// `vector` scaled to length one.
fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let squares: f64 = vector.iter().map(|element| f64::from(*element).powi(2)).sum();
    let length = squares.sqrt().max(MIN_LENGTH);
    for element in &mut vector {
        *element = (f64::from(*element) / length) as f32;
    }
    vector
}

/// Embeddings as an output blob: f32, little-endian, row-major.
pub fn to_bytes(embeddings: &[f32]) -> Vec<u8> {
    embeddings.iter().flat_map(|element| element.to_le_bytes()).collect()
}

/// An output blob's embeddings, one a sequence; `None` if it is not `sequences` vectors of
/// `dimensions` elements.
pub fn from_bytes(blob: &[u8], sequences: usize, dimensions: usize) -> Option<Vec<Vec<f32>>> {
    let expected = sequences.checked_mul(dimensions)?.checked_mul(size_of::<f32>())?;
    if blob.len() != expected || dimensions == 0 {
        return None;
    }
    let element = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("chunks of four bytes; qed"));
    let row = |row: &[u8]| row.chunks_exact(size_of::<f32>()).map(element).collect();
    Some(blob.chunks_exact(dimensions * size_of::<f32>()).map(row).collect())
}

#[cfg(test)]
mod tests;
