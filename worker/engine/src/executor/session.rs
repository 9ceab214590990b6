//! A run's states, from step to step.

use crate::executor::buffer::{Buffer, Slice};
use assay_exact::{
    opening::{Digest, HashMode},
    operator::TensorType,
};

/// The states of one run, and how far it has come.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) position: u32,
    pub(crate) states: Vec<Held>,
}

/// A state in memory.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) buffer: Buffer,
    /// Elements at the beginning of the step: what is there if it fails.
    before: usize,
    /// The hash so far of a state that only grows, and how many elements it covers.
    hashed: Option<(blake3::Hasher, usize)>,
}

impl Session {
    /// The states before the first step, of these types, all zero.
    pub(crate) fn new(types: &[TensorType]) -> Self {
        let states = types
            .iter()
            .map(|kind| Held {
                buffer: Buffer::zeros(kind.dtype, kind.shape.len() as usize),
                before: kind.shape.len() as usize,
                hashed: None,
            })
            .collect();
        Self { position: 0, states }
    }

    /// Tokens taken in so far.
    pub fn position(&self) -> u32 {
        self.position
    }

    /// A state, by its number in the program: row-major elements.
    pub fn state(&self, state: usize) -> Option<Slice<'_>> {
        self.states.get(state).map(|held| held.buffer.all())
    }

    /// Replaces a state: what a run that goes on from a checkpoint begins with.
    ///
    /// # Errors
    ///
    /// The number of elements expected, if there are others, or of another type.
    pub fn set_state(&mut self, state: usize, buffer: Buffer) -> Result<(), usize> {
        let expected = self.states.get(state).map_or(0, |held| held.buffer.len());
        match self.states.get_mut(state) {
            Some(held) if held.buffer.len() == buffer.len() && held.buffer.dtype() == buffer.dtype() => {
                held.buffer = buffer;
                held.hashed = None;
                Ok(())
            }
            _ => Err(expected),
        }
    }

    /// Bytes of all states.
    pub fn bytes(&self) -> usize {
        self.states.iter().map(|held| held.buffer.all().bytes().len()).sum()
    }

    /// Begins a step.
    pub(crate) fn begin(&mut self) {
        for held in &mut self.states {
            held.before = held.buffer.len();
        }
    }

    /// Takes back what a step has appended.
    pub(crate) fn undo(&mut self) {
        for held in &mut self.states {
            held.buffer.resize(held.before);
            if held
                .hashed
                .as_ref()
                .is_some_and(|(_, elements)| *elements > held.before)
            {
                held.hashed = None;
            }
        }
    }
}

impl Held {
    /// Replaces it for the next step.
    pub(crate) fn replace(&mut self, buffer: Buffer) {
        self.buffer = buffer;
        self.hashed = None;
    }

    /// The digest of a state that only grows: only what is new is hashed.
    pub(crate) fn digest(&mut self, mode: &HashMode) -> Digest {
        let (hasher, elements) = self.hashed.get_or_insert_with(|| (mode.hasher(), 0));
        hasher.update(self.buffer.all().part(*elements..self.buffer.len()).bytes());
        *elements = self.buffer.len();
        hasher.finalize().into()
    }
}
