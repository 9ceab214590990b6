//! Sequences of token ids to vectors.

use crate::{
    backend::{Backend, Given},
    executor::{Buffer, Executor, Failure, Settings},
    ModelError,
};
use assay_exact::{
    opening::{Digest, HashMode},
    operator::{Bindings, Fault},
    program::{Place, Plan, PlanError},
    trace::{RecordSpan, Trace, TraceBuilder, TraceError},
};
use assay_models::{Package, Profile};
use std::collections::HashSet;

/// Tokens that are run together at most, to bound memory; a longer sequence runs alone.
const BATCH_TOKENS: usize = 4_096;

/// Why sequences cannot be embedded.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The input is not one that the model takes.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A run fails, and would fail everywhere: this is a result.
    #[error("sequence {sequence}: {at} failed: {fault}; the model's weights are unusable for it")]
    Failed {
        /// The first such sequence.
        sequence: usize,
        /// The operator.
        at: Place,
        /// What is wrong.
        fault: Fault,
    },
    /// The model's program cannot take a sequence of this length, though it takes the longest: this is a result.
    #[error("sequence {sequence}: {error}; the model is unusable for it")]
    Plan {
        /// The first such sequence.
        sequence: usize,
        /// What is wrong.
        error: PlanError,
    },
    /// There are more sequences than a trace can have steps.
    #[error(transparent)]
    Trace(#[from] TraceError),
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

/// Checks one sequence, the `sequence`-th.
pub(crate) fn check_sequence(sequence: usize, tokens: &[u32], max: u32, vocabulary: u32) -> Result<(), InputError> {
    if tokens.is_empty() || tokens.len() > max as usize {
        let got = tokens.len();
        return Err(InputError::Length { sequence, max, got });
    }
    match tokens.iter().position(|id| *id >= vocabulary) {
        Some(position) => Err(InputError::Token {
            sequence,
            position,
            vocabulary,
            got: tokens[position],
        }),
        None => Ok(()),
    }
}

/// Tokens that a program knows: the rows of the table that it begins with.
pub(crate) fn vocabulary(package: &Package) -> u32 {
    let table = package.program().weights.first().and_then(|table| table.shape.first());
    table.map_or(0, |rows| rows.constant.unsigned_abs())
}

/// A model in memory that embeds. Runs may be made from several threads at once.
#[derive(Debug)]
pub struct Embedder {
    executor: Backend,
    profile: Profile,
    vocabulary: u32,
}

impl Embedder {
    /// Loads a package's weights.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or no run could succeed with them.
    pub fn load(package: &Package, settings: Settings) -> Result<Self, ModelError> {
        let executor = Executor::load(package.program().clone(), package, settings)?;
        Ok(Self::with(package, Backend::Cpu(executor)))
    }

    /// Loads a package's weights onto a device. Whoever calls this model's functions panics if the device fails: that is
    /// no result.
    ///
    /// # Errors
    ///
    /// If they cannot be read, if no run could succeed with them, or if the device has no room.
    #[cfg(feature = "device")]
    pub fn load_on(
        package: &Package,
        device: std::sync::Arc<dyn assay_cuda::device::Device>,
    ) -> Result<Self, crate::DeviceModelError> {
        let read = |weight| package.weight(weight).map_err(Box::new);
        let executor = assay_cuda::Executor::load(package.program().clone(), device, read)?;
        Ok(Self::with(package, Backend::Device(executor)))
    }

    fn with(package: &Package, executor: Backend) -> Self {
        Self {
            executor,
            profile: package.manifest().profile(),
            vocabulary: vocabulary(package),
        }
    }

    /// Length of an embedding.
    pub fn dimensions(&self) -> usize {
        self.profile.dimensions as usize
    }

    /// Whether `sequences` are input of this model.
    pub fn check(&self, sequences: &[Vec<u32>]) -> Result<(), InputError> {
        if sequences.is_empty() {
            return Err(InputError::NoSequence);
        }
        let limits = (self.profile.max_sequence, self.vocabulary);
        sequences
            .iter()
            .enumerate()
            .try_for_each(|(at, tokens)| check_sequence(at, tokens, limits.0, limits.1))
    }

    /// Whether the program can take sequences of these lengths. A package promises the shortest and the longest only.
    fn plan(&self, sequences: &[Vec<u32>]) -> Result<(), EmbedError> {
        let mut planned = HashSet::new();
        for (sequence, tokens) in sequences.iter().enumerate() {
            let length = tokens.len() as u32;
            if planned.insert(length) {
                Plan::new(self.executor.program(), Bindings { length, position: 0 })
                    .map_err(|error| EmbedError::Plan { sequence, error })?;
            }
        }
        Ok(())
    }

    /// Embeddings of `sequences`, row-major `[sequences, dimensions]`, each of length one.
    pub fn embed(&self, sequences: &[Vec<u32>]) -> Result<Vec<f32>, EmbedError> {
        self.check(sequences)?;
        self.plan(sequences)?;
        let mut embeddings = Vec::with_capacity(sequences.len() * self.dimensions());
        let mut failed = None;
        self.run(sequences, None, |sequence, result| match result {
            Ok((embedding, _)) => embeddings.extend(embedding),
            Err((at, fault, _)) => failed = failed.or(Some((sequence, at, fault))),
        });
        match failed {
            Some((sequence, at, fault)) => Err(EmbedError::Failed { sequence, at, fault }),
            None => Ok(embeddings),
        }
    }

    /// The same, with the trace of the run that begins with `origin`: a step is a sequence. A run that fails has a trace,
    /// too.
    ///
    /// The result of the run is all embeddings, one after the other.
    pub fn embed_traced(
        &self,
        sequences: &[Vec<u32>],
        origin: Digest,
        mode: HashMode,
    ) -> Result<(Result<Vec<f32>, EmbedError>, Trace), EmbedError> {
        self.check(sequences)?;
        self.plan(sequences)?;
        let segments = self.executor.program().segments.len() as u32;
        let steps = u32::try_from(sequences.len()).unwrap_or(u32::MAX);
        let mut builder = TraceBuilder::new(RecordSpan::new(steps, segments)?, origin, mode);
        let mut embeddings = Vec::with_capacity(sequences.len() * self.dimensions());
        let mut failed = None;
        let mut recorded = Ok(());
        self.run(sequences, Some(&mode), |sequence, result| {
            if failed.is_some() {
                return;
            }
            let segments = match result {
                Ok((embedding, segments)) => {
                    embeddings.extend(embedding);
                    segments
                }
                Err((at, fault, segments)) => {
                    failed = Some((sequence, at, fault));
                    segments
                }
            };
            for tensors in segments {
                recorded = recorded.and(builder.segment(&tensors).map(drop));
            }
        });
        recorded?;
        match failed {
            Some((sequence, at, fault)) => {
                let trace = builder.fail(at.operator as u32)?;
                Ok((Err(EmbedError::Failed { sequence, at, fault }), trace))
            }
            None => {
                let trace = builder.complete(mode.digest(&to_bytes(&embeddings)))?;
                Ok((Ok(embeddings), trace))
            }
        }
    }

    /// Runs all sequences, as many together as fit, and hands each one's outcome on, in order.
    fn run(
        &self,
        sequences: &[Vec<u32>],
        record: Option<&HashMode>,
        mut take: impl FnMut(usize, Result<(Vec<f32>, Vec<Vec<Digest>>), (Place, Fault, Vec<Vec<Digest>>)>),
    ) {
        let mut start = 0;
        while start < sequences.len() {
            let mut tokens = 0;
            let fitting = sequences[start..].iter().take_while(|sequence| {
                tokens += sequence.len();
                tokens <= BATCH_TOKENS
            });
            let end = start + fitting.count().max(1);
            let batch = &sequences[start..end];
            let mut runs: Vec<_> = batch.iter().map(|_| self.executor.start()).collect();
            let given = runs.iter_mut().zip(batch).map(|(run, tokens)| Given {
                run,
                length: tokens.len() as u32,
                inputs: vec![Buffer::U32(tokens.clone())],
            });
            let outcomes = self.executor.step(given.collect(), record);
            for (sequence, outcome) in (start..end).zip(outcomes) {
                take(
                    sequence,
                    match outcome {
                        Ok(output) => {
                            let embedding = output.results.into_iter().next();
                            let Some((_, Buffer::F32(embedding))) = embedding else {
                                unreachable!("a package for embedding has one vector as its result")
                            };
                            Ok((embedding, output.recorded))
                        }
                        Err(Failure::Operator { at, fault, recorded }) => Err((at, fault, recorded)),
                        Err(Failure::Input(error)) => {
                            unreachable!("sequences were checked and steps of their lengths planned: {error}")
                        }
                    },
                );
            }
            start = end;
        }
    }
}

/// Embeddings as an output blob: f32, little-endian, row-major.
pub fn to_bytes(embeddings: &[f32]) -> Vec<u8> {
    assay_exact::tensor::to_bytes(embeddings)
}

/// An output blob's embeddings, one a sequence; `None` if it is not `sequences` vectors of
/// `dimensions` elements.
pub fn from_bytes(blob: &[u8], sequences: usize, dimensions: usize) -> Option<Vec<Vec<f32>>> {
    let expected = sequences.checked_mul(dimensions)?.checked_mul(size_of::<f32>())?;
    if blob.len() != expected || dimensions == 0 {
        return None;
    }
    let row = |row: &[u8]| assay_exact::tensor::from_bytes(row);
    Some(blob.chunks_exact(dimensions * size_of::<f32>()).map(row).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use assay_exact::{
        operator::{Dim, Operator},
        tensor::DType,
    };
    use assay_programs::{
        builder::{along, fixed, Builder},
        formula::Formula,
    };

    struct Nothing;

    impl crate::executor::WeightSource for Nothing {
        type Error = std::convert::Infallible;

        fn read(&self, _: usize) -> Result<Vec<u8>, Self::Error> {
            Ok(Vec::new())
        }
    }

    /// A model of sequences of one token or eight: the ids added to eight numbers, which is no addition in between.
    fn embedder() -> Embedder {
        let mut builder = Builder::new();
        let tokens = builder.input("tokens", DType::U32, &[Dim::LENGTH]);
        let shape = vec![fixed(8)];
        let coordinates = vec![along(0)];
        let eight = builder.push(Operator::View { shape, coordinates }, &[tokens]);
        let sum = builder.map(Formula::input(0) + Formula::input(1), &[tokens, eight]);
        builder.result(sum);
        let program = builder.finish().unwrap();
        Embedder {
            executor: Backend::Cpu(Executor::load(program, &Nothing, Settings::default()).unwrap()),
            profile: Profile {
                units_per_token: 1,
                max_sequence: 8,
                dimensions: 8,
            },
            vocabulary: 5,
        }
    }

    #[test]
    fn token_should_be_named_when_it_is_out_of_vocabulary() {
        let error = embedder().embed(&[vec![4], vec![1, 5]]).unwrap_err();
        let token = InputError::Token {
            sequence: 1,
            position: 1,
            vocabulary: 5,
            got: 5,
        };
        assert!(matches!(error, EmbedError::Input(got) if got == token), "{error}");
    }

    #[test]
    fn sequence_should_be_named_when_the_program_cannot_take_its_length() {
        let embedder = embedder();
        assert_eq!(embedder.embed(&[vec![1], vec![2; 8]]).unwrap()[..3], [2.0, 1.0, 1.0]);
        let error = embedder.embed(&[vec![1], vec![1, 2, 3]]).unwrap_err();
        assert!(matches!(error, EmbedError::Plan { sequence: 1, .. }), "{error}");
    }
}
