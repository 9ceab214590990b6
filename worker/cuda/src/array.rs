//! Tensors on a device.

use crate::device::{Device, DeviceError, Memory};
use assay_exact::{
    operator::TensorType,
    tensor::{DType, MAX_RANK},
};
use std::{ops::Range, sync::Arc};

/// What a tensor is, of one run or of several whose rows follow one another: unlike a shape it may be larger than any
/// tensor of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its elements.
    pub dtype: DType,
    dims: [u32; MAX_RANK],
    rank: usize,
}

impl Kind {
    /// A tensor of these dimensions, at most [`MAX_RANK`].
    pub fn new(dtype: DType, own: &[u32]) -> Self {
        let mut dims = [0; MAX_RANK];
        dims[..own.len()].copy_from_slice(own);
        Self {
            dtype,
            dims,
            rank: own.len(),
        }
    }

    /// The same with another first dimension.
    pub fn with_rows(mut self, rows: u32) -> Self {
        self.dims[0] = rows;
        self
    }

    /// Dimensions, outermost first.
    pub fn dims(&self) -> &[u32] {
        &self.dims[..self.rank]
    }

    /// How many dimensions there are.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Number of elements.
    pub fn len(&self) -> u64 {
        self.dims().iter().map(|dim| u64::from(*dim)).product()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length of a row.
    pub fn row(&self) -> u32 {
        self.dims().last().copied().unwrap_or(1)
    }

    /// Number of rows.
    pub fn rows(&self) -> u32 {
        let outer = &self.dims[..self.rank.saturating_sub(1)];
        outer.iter().product()
    }

    /// Bytes of an element.
    pub fn size(&self) -> u32 {
        self.dtype.size() as u32
    }

    /// Bytes of all elements.
    pub fn bytes(&self) -> usize {
        self.len() as usize * self.size() as usize
    }
}

impl From<&TensorType> for Kind {
    fn from(kind: &TensorType) -> Self {
        Self::new(kind.dtype, kind.shape.dims())
    }
}

/// Elements in a device's memory.
#[derive(Clone, Debug)]
pub struct Array {
    memory: Arc<Memory>,
    start: usize,
    bytes: usize,
}

impl Array {
    /// Room for this many bytes, which hold anything.
    ///
    /// # Errors
    ///
    /// If the device has no room.
    pub fn new(device: &Arc<dyn Device>, bytes: usize) -> Result<Self, DeviceError> {
        Ok(Self {
            memory: Arc::new(Memory::new(device, bytes)?),
            start: 0,
            bytes,
        })
    }

    /// These bytes on the device.
    ///
    /// # Errors
    ///
    /// If the device has no room.
    pub fn from_bytes(device: &Arc<dyn Device>, bytes: &[u8]) -> Result<Self, DeviceError> {
        let array = Self::new(device, bytes.len())?;
        if !bytes.is_empty() {
            device.upload(array.address(), bytes)?;
        }
        Ok(array)
    }

    /// A copy of the bytes.
    ///
    /// # Errors
    ///
    /// If what was told to the device before has failed.
    pub fn to_bytes(&self, device: &Arc<dyn Device>) -> Result<Vec<u8>, DeviceError> {
        let mut bytes = vec![0; self.bytes];
        if !bytes.is_empty() {
            device.download(self.address(), &mut bytes)?;
        }
        Ok(bytes)
    }

    /// Where they are.
    pub fn address(&self) -> u64 {
        self.memory.address() + self.start as u64
    }

    /// How many bytes they are.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nobody else has a part of the memory.
    pub(crate) fn is_only(&self) -> bool {
        Arc::strong_count(&self.memory) == 1
    }

    /// Some of the bytes.
    pub fn part(&self, range: Range<usize>) -> Self {
        debug_assert!(
            range.start <= range.end && range.end <= self.bytes,
            "{range:?} of {}",
            self.bytes
        );
        Self {
            memory: self.memory.clone(),
            start: self.start + range.start,
            bytes: range.end - range.start,
        }
    }
}
