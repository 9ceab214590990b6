//! Training: a program's steps over the samples of a data set, with checkpoints.
//!
//! Everything that the outcome depends on is in the program, the parameters' beginning, the data, and a seed that gives the
//! order of samples: two who train the same get the same bits, also if one of them stops in between and goes on.

use crate::executor::{Buffer, Executor, Failure, Given, InputError, LoadError, Session, Settings, WeightSource};
use assay_exact::{operator::Fault, program::Place, random::Draw, tensor::to_bytes};
use assay_programs::training::{Training, BINDINGS};
use std::{collections::HashMap, convert::Infallible};

/// The use of a seed that orders samples; programs number theirs from 0, and parameters begin by `u32::MAX`.
const ORDER: u32 = u32::MAX - 1;

/// First bytes of a checkpoint.
const MAGIC: &[u8; 16] = b"assay/training/1";

/// Why a training cannot go on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// The batch is none that the program takes.
    #[error(transparent)]
    Input(#[from] InputError),
    /// An operator failed: this is a result.
    #[error("step {step}: {at} failed: {fault}")]
    Failed {
        /// The step, counted from 0.
        step: u32,
        /// The operator.
        at: Place,
        /// What is wrong.
        fault: Fault,
    },
}

/// Why bytes are not a checkpoint of a training.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a checkpoint at all.
    #[error("expected a checkpoint, got {got} bytes that begin in another way")]
    Magic {
        /// Bytes there are.
        got: usize,
    },
    /// Of another program.
    #[error("expected a checkpoint of the program {expected}, got one of {got}")]
    Program {
        /// The program that trains.
        expected: String,
        /// The program whose checkpoint it is.
        got: String,
    },
    /// Cut short, or longer than its states.
    #[error("expected a checkpoint of {expected} bytes, got {got}")]
    Length {
        /// What the program's states take.
        expected: usize,
        /// Bytes there are.
        got: usize,
    },
    /// The bytes are not those that were written.
    #[error("expected the checkpoint's own hash at its end, got another: it is damaged")]
    Damaged,
}

/// What a step found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The mean loss of the batch, before the update.
    pub loss: f32,
    /// The norm of the gradient, before it was clipped.
    pub norm: f32,
}

/// A training under way.
#[derive(Debug)]
pub struct Trainer {
    executor: Executor,
    session: Session,
    step: u32,
    losses: Vec<f32>,
    /// The states that are parameters, by name.
    parameters: HashMap<String, usize>,
}

/// Weights by name.
struct Named<'a> {
    names: Vec<String>,
    weights: &'a HashMap<String, Vec<u8>>,
}

impl WeightSource for Named<'_> {
    type Error = Infallible;

    fn read(&self, weight: usize) -> Result<Vec<u8>, Infallible> {
        Ok(self.weights.get(&self.names[weight]).cloned().unwrap_or_default())
    }
}

impl Trainer {
    /// Begins a training. Parameters begin as the weights of their names, given as bytes, row-major and little-endian; so do
    /// the weights that are not trained.
    ///
    /// # Errors
    ///
    /// If a weight is missing or has another size than the program declares.
    pub fn new(
        training: Training,
        weights: &HashMap<String, Vec<u8>>,
        settings: Settings,
    ) -> Result<Self, LoadError<Infallible>> {
        let names = training
            .program
            .weights
            .iter()
            .map(|weight| weight.name.clone())
            .collect();
        let states = training
            .program
            .states
            .iter()
            .map(|state| state.declaration.name.clone());
        let states: HashMap<_, _> = states.zip(0..).collect();
        let parameters = training
            .parameters
            .iter()
            .filter_map(|spec| Some((spec.name.clone(), *states.get(&spec.name)?)))
            .collect();
        let executor = Executor::load(training.program, &Named { names, weights }, settings)?;
        Ok(Self {
            session: executor.session(),
            executor,
            step: 0,
            losses: Vec::new(),
            parameters,
        })
    }

    /// Steps so far.
    pub fn steps(&self) -> u32 {
        self.step
    }

    /// The loss of every step so far.
    pub fn losses(&self) -> &[f32] {
        &self.losses
    }

    /// The loss curve as a blob: f32, little-endian.
    pub fn loss_curve(&self) -> Vec<u8> {
        to_bytes(&self.losses)
    }

    /// A parameter as it is now, row-major; none before the first step, or if there is no such parameter.
    pub fn parameter(&self, name: &str) -> Option<&[f32]> {
        let state = *self.parameters.get(name).filter(|_| self.step > 0)?;
        self.session.state(state).map(|slice| match slice {
            crate::executor::Slice::F32(x) => x,
            _ => &[],
        })
    }

    /// Takes a step. `inputs` are the program's: the batch, then the hyperparameters.
    ///
    /// # Errors
    ///
    /// If the program does not take them, or an operator fails; the training is as it was before then.
    pub fn step(&mut self, inputs: Vec<Buffer>) -> Result<Progress, TrainError> {
        let given = Given {
            session: &mut self.session,
            length: BINDINGS.length,
            inputs,
        };
        match self.executor.step(vec![given], None).remove(0) {
            Ok(output) => {
                let scalar = |at: usize| match output.results.get(at) {
                    Some((_, Buffer::F32(x))) => x[0],
                    other => unreachable!("a training gives loss and norm, got {other:?}"),
                };
                let progress = Progress {
                    loss: scalar(0),
                    norm: scalar(1),
                };
                self.step += 1;
                self.losses.push(progress.loss);
                Ok(progress)
            }
            Err(Failure::Input(error)) => Err(error.into()),
            Err(Failure::Operator { at, fault, .. }) => Err(TrainError::Failed {
                step: self.step,
                at,
                fault,
            }),
        }
    }

    /// Everything that the training needs to go on: parameters, moments, steps, losses.
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.executor.program().id());
        bytes.extend(self.step.to_le_bytes());
        bytes.extend(self.loss_curve());
        for state in 0..self.executor.program().states.len() {
            let state = self.session.state(state).expect("a session has all states; qed");
            bytes.extend_from_slice(state.bytes());
        }
        let hash = blake3::hash(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        bytes
    }

    /// Goes on from a checkpoint of the same program.
    ///
    /// # Errors
    ///
    /// If it is none; nothing changes then.
    pub fn resume(&mut self, checkpoint: &[u8]) -> Result<(), CheckpointError> {
        let got = checkpoint.len();
        let rest = checkpoint.strip_prefix(MAGIC).ok_or(CheckpointError::Magic { got })?;
        let states: usize = self.session.bytes();
        let short = |expected: usize| CheckpointError::Length { expected, got };
        let least = MAGIC.len() + 32 + 4 + states + 32;
        let (id, rest) = rest.split_first_chunk::<32>().ok_or(short(least))?;
        let program = self.executor.program().id();
        if *id != program {
            let hex = |id: &[u8; 32]| assay_exact::opening::Digest(*id).to_string();
            return Err(CheckpointError::Program {
                expected: hex(&program),
                got: hex(id),
            });
        }
        let (step, rest) = rest.split_first_chunk::<4>().ok_or(short(least))?;
        let step = u32::from_le_bytes(*step);
        let expected = least.saturating_add((step as usize).saturating_mul(4));
        if got != expected {
            return Err(CheckpointError::Length { expected, got });
        }
        let (content, hash) = checkpoint.split_at(got - 32);
        if blake3::hash(content).as_bytes() != hash {
            return Err(CheckpointError::Damaged);
        }
        let (losses, mut rest) = rest.split_at(4 * step as usize);
        for state in 0..self.executor.program().states.len() {
            let slice = self.session.state(state).expect("a session has all states; qed");
            let (bytes, others) = rest.split_at(slice.bytes().len());
            let buffer = Buffer::from_bytes(slice.dtype(), bytes);
            self.session
                .set_state(state, buffer)
                .expect("it is as long as the state; qed");
            rest = others;
        }
        self.step = step;
        self.losses = assay_exact::tensor::from_bytes(losses);
        Ok(())
    }
}

/// The order in which samples are taken: each epoch has all of them, shuffled anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Seed of the shuffling.
    pub seed: u64,
    /// Samples there are.
    pub samples: u32,
    /// Samples of a step.
    pub batch: u32,
}

impl Order {
    /// Whole batches of an epoch; samples that are left over are not taken in it.
    pub fn steps_per_epoch(&self) -> u32 {
        self.samples / self.batch.max(1)
    }

    /// All samples in the order of an epoch.
    pub fn epoch(&self, epoch: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.samples).collect();
        // Fisher and Yates, from the end: every place draws by its own number
        for last in (1..self.samples).rev() {
            let draw = Draw::new(self.seed, epoch, last, ORDER).integer();
            let other = ((u128::from(draw) * u128::from(last + 1)) >> 64) as usize;
            order.swap(last as usize, other);
        }
        order
    }
}

#[cfg(test)]
mod tests;
