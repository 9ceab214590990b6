//! Reading what an opening has proved.

use super::{ChunkRun, OpeningError};
use crate::tensor::{from_bytes, DType, Element, Missing, Source};
use alloc::{borrow::Cow, vec::Vec};
use core::ops::Range;

/// Bytes of a blob that belong to it for certain. Comes from [`Opening::verify`](super::Opening::verify) alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// Where each run begins in the blob, and its bytes.
    runs: Vec<(u64, &'a [u8])>,
    length: u64,
}

impl<'a> Opened<'a> {
    /// For runs in order within the blob, and as many bytes as they have.
    pub(super) fn new(runs: &[ChunkRun], mut bytes: &'a [u8], length: u64) -> Self {
        let runs = runs
            .iter()
            .map(|run| {
                let range = run.bytes(length);
                let (own, rest) = bytes.split_at((range.end - range.start) as usize);
                bytes = rest;
                (range.start, own)
            })
            .collect();
        Self { runs, length }
    }

    /// Nothing of a blob of this length.
    pub fn nothing(length: u64) -> Self {
        Self {
            runs: Vec::new(),
            length,
        }
    }

    /// Length of the blob in bytes, as far as it was known when the opening was verified.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The bytes `range` of the blob. It may go over several chunks.
    ///
    /// # Errors
    ///
    /// `End` if the blob is shorter, `Closed` if not all of these bytes were opened. An empty range within the blob
    /// can always be read.
    pub fn read(&self, range: Range<u64>) -> Result<&'a [u8], OpeningError> {
        let Range { start, end } = range;
        if end > self.length {
            return Err(OpeningError::End {
                end,
                length: self.length,
            });
        }
        if start == end {
            return Ok(&[]);
        }
        let after = self.runs.partition_point(|(first, _)| *first <= start);
        let own = after.checked_sub(1).and_then(|run| {
            let (first, bytes) = self.runs.get(run)?;
            // No more than a blob in memory has, or there is no such part of `bytes`
            let start = usize::try_from(start - first).ok()?;
            let end = usize::try_from(end.checked_sub(*first)?).ok()?;
            bytes.get(start..end)
        });
        own.ok_or(OpeningError::Closed { start, end })
    }

    /// The elements `range` of the tensor that the blob is. The bits of f32 are read as `u32` where they may be
    /// those of a NaN.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn elements<T: Element>(&self, range: Range<u64>) -> Result<Vec<T>, OpeningError> {
        self.read(self.bytes_of::<T>(range)?).map(from_bytes)
    }

    /// Element `index` of the tensor that the blob is.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn element<T: Element>(&self, index: u64) -> Result<T, OpeningError> {
        let next = index.checked_add(1).ok_or(self.beyond())?;
        self.read(self.bytes_of::<T>(index..next)?).map(T::from_le)
    }

    fn bytes_of<T: Element>(&self, elements: Range<u64>) -> Result<Range<u64>, OpeningError> {
        let size = T::DTYPE.size();
        let start = elements.start.checked_mul(size).ok_or(self.beyond())?;
        let end = elements.end.checked_mul(size).ok_or(self.beyond())?;
        Ok(start..end)
    }

    /// The error of a read that ends where no blob does.
    fn beyond(&self) -> OpeningError {
        OpeningError::End {
            end: u64::MAX,
            length: self.length,
        }
    }
}

/// An operator's input as far as it is opened, and what its elements are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedTensor<'a> {
    /// Its elements, as the program says.
    pub dtype: DType,
    /// Its bytes.
    pub opened: Opened<'a>,
}

/// An operator's inputs in their order. What is not opened is missing.
impl Source for [OpenedTensor<'_>] {
    fn read<T: Element>(&self, input: usize, range: Range<u64>) -> Result<Cow<'_, [T]>, Missing> {
        let missing = Missing {
            input,
            start: range.start,
            count: range.end.saturating_sub(range.start),
        };
        let tensor = self
            .get(input)
            .filter(|tensor| tensor.dtype == T::DTYPE)
            .ok_or(missing)?;
        tensor.opened.elements(range).map(Cow::Owned).map_err(|_| missing)
    }
}
