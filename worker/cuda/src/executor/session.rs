//! A run's states on a device, from step to step.

use crate::{
    array::{Array, Kind},
    device::{Device, DeviceError},
};
use assay_exact::operator::TensorType;
use std::sync::Arc;

/// The states of one run, and how far it has come. A copy goes on by itself.
#[derive(Clone, Debug)]
pub struct Session {
    position: u32,
    states: Vec<Held>,
}

/// A state: some bytes of an array, behind which there may be room.
#[derive(Clone, Debug)]
struct Held {
    array: Array,
    bytes: usize,
    /// Bytes at the beginning of the step: what is there if it fails.
    before: usize,
}

impl Session {
    /// The states before the first step, of these types, all zero.
    pub(super) fn new(device: &Arc<dyn Device>, types: &[TensorType]) -> Result<Self, DeviceError> {
        let mut states = Vec::with_capacity(types.len());
        for kind in types {
            let bytes = Kind::from(kind).bytes();
            let array = Array::new(device, bytes)?;
            if bytes > 0 {
                device.fill(array.address(), 0, bytes)?;
            }
            states.push(Held {
                array,
                bytes,
                before: bytes,
            });
        }
        Ok(Self { position: 0, states })
    }

    /// Tokens taken in so far.
    pub fn position(&self) -> u32 {
        self.position
    }

    /// Goes on behind so many tokens: of a checkpoint, or where states do not tell.
    pub fn set_position(&mut self, position: u32) {
        self.position = position;
    }

    /// Bytes of all states.
    pub fn bytes(&self) -> usize {
        self.states.iter().map(|held| held.bytes).sum()
    }

    /// Number of states.
    pub fn states(&self) -> usize {
        self.states.len()
    }

    /// A copy of a state, by its number in the program: row-major and little-endian.
    ///
    /// # Errors
    ///
    /// If the device has failed.
    ///
    /// # Panics
    ///
    /// If there is no such state.
    pub fn state(&self, device: &Arc<dyn Device>, state: usize) -> Result<Vec<u8>, DeviceError> {
        self.array(state).to_bytes(device)
    }

    /// Replaces a state by as many bytes: what a run that goes on from a checkpoint begins with.
    ///
    /// # Errors
    ///
    /// If the device has no room.
    ///
    /// # Panics
    ///
    /// If there is no such state, or it has another size.
    pub fn set_state(&mut self, device: &Arc<dyn Device>, state: usize, bytes: &[u8]) -> Result<(), DeviceError> {
        let held = &mut self.states[state];
        assert_eq!(held.bytes, bytes.len(), "state {state} has another size");
        held.array = Array::from_bytes(device, bytes)?;
        Ok(())
    }

    pub(super) fn array(&self, state: usize) -> Array {
        let held = &self.states[state];
        held.array.part(0..held.bytes)
    }

    /// Begins a step.
    pub(super) fn begin(&mut self) {
        for held in &mut self.states {
            held.before = held.bytes;
        }
    }

    /// Takes back what a step has appended.
    pub(super) fn undo(&mut self) {
        for held in &mut self.states {
            held.bytes = held.before;
        }
    }

    /// Writes rows behind a state, which moves if there is no room behind it, or if the memory is not its own.
    pub(super) fn append(&mut self, device: &Arc<dyn Device>, state: usize, rows: &Array) -> Result<(), DeviceError> {
        let held = &mut self.states[state];
        let needed = held.bytes + rows.bytes();
        if needed > held.array.bytes() || !held.array.is_only() {
            // Twice as much as is needed, so that moving takes little time altogether
            let moved = Array::new(device, 2 * needed)?;
            if held.bytes > 0 {
                device.copy(held.array.address(), moved.address(), held.bytes)?;
            }
            held.array = moved;
        }
        if rows.bytes() > 0 {
            let end = held.array.address() + held.bytes as u64;
            device.copy(rows.address(), end, rows.bytes())?;
        }
        held.bytes = needed;
        Ok(())
    }

    /// Ends a step of `length` tokens: states that were not appended to become others.
    pub(super) fn end(&mut self, length: u32, next: Vec<Option<Array>>) {
        for (held, next) in self.states.iter_mut().zip(next) {
            if let Some(array) = next {
                held.bytes = array.bytes();
                held.array = array;
            }
        }
        self.position += length;
    }
}
