//! How a tensor is divided in a dispute: the chaining values of its subtrees are posted, then one is shown.

use super::{
    shape::{chunk_count, Node},
    tree::{level_above, GROUP_CHUNKS},
    ChainingValue, Digest, HashMode, SubtreeError, CHUNK_LEN, MAX_CHUNKS,
};
use alloc::vec::Vec;
use core::ops::Range;

/// Most subtrees of a tensor: their chaining values are 128 KiB.
pub const MAX_SUBTREES: u64 = 4_096;

/// Into which subtrees the tensors of one length are divided.
///
/// A tensor of up to 64 KiB is one subtree, whose value is the tensor's digest, so there is nothing to post. Others
/// are divided into subtrees of 16, 32 or 64 KiB: the smallest of these whose chaining values, all together, are no
/// longer than one subtree, else 64 KiB. Tensors above 256 MiB would have more than [`MAX_SUBTREES`] of those and get
/// the smallest ones, in powers of two, that are not too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubtreeLayout {
    length: u64,
    /// Chunks of every subtree but the last one, which may be smaller. A power of two.
    chunks: u64,
}

impl SubtreeLayout {
    /// That of tensors of `length` bytes.
    pub fn of(length: u64) -> Self {
        let all = chunk_count(length);
        let mut chunks = if all <= MAX_CHUNKS { MAX_CHUNKS } else { GROUP_CHUNKS };
        loop {
            let count = all.div_ceil(chunks);
            let balanced = count * Digest::LEN as u64 <= chunks * CHUNK_LEN;
            if count <= MAX_SUBTREES && (balanced || chunks >= MAX_CHUNKS) {
                return Self { length, chunks };
            }
            chunks *= 2;
        }
    }

    /// Number of subtrees.
    pub fn count(&self) -> u64 {
        chunk_count(self.length).div_ceil(self.chunks)
    }

    /// The subtree that holds the byte at `offset`, if the tensor has such a byte.
    pub fn index_of(&self, offset: u64) -> Option<u64> {
        (offset < self.length).then_some(offset / (self.chunks * CHUNK_LEN))
    }

    /// The bytes of subtree `index`.
    ///
    /// # Errors
    ///
    /// `Index` if there is none.
    pub fn range(&self, index: u64) -> Result<Range<u64>, SubtreeError> {
        let count = self.count();
        if index >= count {
            return Err(SubtreeError::Index { index, count });
        }
        Ok(self.node(index).bytes(self.length))
    }

    /// The value of a subtree with these bytes: its chaining value, or the digest of a tensor that is but one.
    ///
    /// # Errors
    ///
    /// `Index` if there is no such subtree, `Bytes` if it has another length.
    pub fn value(&self, index: u64, bytes: &[u8], mode: &HashMode) -> Result<ChainingValue, SubtreeError> {
        let range = self.range(index)?;
        let (expected, got) = (range.end - range.start, bytes.len() as u64);
        if got != expected {
            return Err(SubtreeError::Bytes { expected, got });
        }
        Ok(if self.count() == 1 {
            mode.digest(bytes).0
        } else {
            mode.chaining_value(self.node(index).first, bytes)
        })
    }

    /// The values of all subtrees of a tensor in memory. [`ChunkTree`](super::ChunkTree) gives them without hashing
    /// again.
    ///
    /// # Errors
    ///
    /// `Bytes` if the tensor has another length.
    pub fn values(&self, tensor: &[u8], mode: &HashMode) -> Result<Vec<ChainingValue>, SubtreeError> {
        let got = tensor.len() as u64;
        if got != self.length {
            let expected = self.length;
            return Err(SubtreeError::Bytes { expected, got });
        }
        (0..self.count())
            .map(|index| {
                let range = self.range(index)?;
                self.value(index, &tensor[range.start as usize..range.end as usize], mode)
            })
            .collect()
    }

    /// The digest of the tensor whose subtrees have these values.
    ///
    /// # Errors
    ///
    /// `Count` if there are more or fewer.
    pub fn merge(&self, values: &[ChainingValue], mode: &HashMode) -> Result<Digest, SubtreeError> {
        let (expected, got) = (self.count(), values.len() as u64);
        if got != expected {
            return Err(SubtreeError::Count { expected, got });
        }
        if let [digest] = values {
            return Ok(Digest(*digest));
        }
        let mut level = values.to_vec();
        while level.len() > 2 {
            level = level_above(&level, mode);
        }
        Ok(mode.root(&level[0], &level[1]))
    }

    /// Whether posted values are those of the tensor with digest `root`.
    ///
    /// # Errors
    ///
    /// `Count` or `Root` if not.
    pub fn check_values(&self, values: &[ChainingValue], root: &Digest, mode: &HashMode) -> Result<(), SubtreeError> {
        let got = self.merge(values, mode)?;
        if got == *root {
            Ok(())
        } else {
            Err(SubtreeError::Root { expected: *root, got })
        }
    }

    /// Whether `bytes` are those of subtree `index`, whose posted value is `value`.
    ///
    /// # Errors
    ///
    /// `Index`, `Bytes` or `Value` if not.
    pub fn check_bytes(
        &self,
        index: u64,
        bytes: &[u8],
        value: &ChainingValue,
        mode: &HashMode,
    ) -> Result<(), SubtreeError> {
        if self.value(index, bytes, mode)? == *value {
            Ok(())
        } else {
            Err(SubtreeError::Value { index })
        }
    }

    /// The node of subtree `index`, which must be one.
    pub(super) fn node(&self, index: u64) -> Node {
        let first = index * self.chunks;
        Node {
            first,
            end: (first + self.chunks).min(chunk_count(self.length)),
        }
    }
}
