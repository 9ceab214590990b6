//! Lists of digests, which are hashed in turn.

use super::TraceError;
use crate::opening::{CutError, Digest, HashMode, Opening, OpeningError};
use alloc::vec::Vec;
use core::ops::Range;

/// Bytes of what the list is, at its beginning; zeros behind the name.
const NAME_LEN: usize = 24;

/// Bytes before the first digest: the name and the number of digests. As long as a digest, so that no digest
/// lies across the border of two chunks.
const PREFIX_LEN: usize = NAME_LEN + size_of::<u64>();

/// What a list of digests is. Each kind begins with a name of its own, so that none can be taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestList {
    /// What a run begins with; its digest is record 0.
    Origin,
    /// The weights of a package, in the order of its program.
    Weights,
    /// The segments of a record.
    Record,
    /// The tensors that a segment hands on, in the order of the program.
    Segment,
    /// The outputs of all operators of a segment, handed on or not. No trace has it: it is posted in a dispute,
    /// and its digest is what the chain keeps of it.
    Outputs,
}

impl DigestList {
    /// The blob that is hashed: name, number of digests as u64, and the digests.
    pub fn to_bytes(self, digests: &[Digest]) -> Vec<u8> {
        let name: &[u8] = match self {
            Self::Origin => b"assay/origin/2",
            Self::Weights => b"assay/weights/2",
            Self::Record => b"assay/record/2",
            Self::Segment => b"assay/segment/2",
            Self::Outputs => b"assay/outputs/2",
        };
        let mut bytes = Vec::with_capacity(PREFIX_LEN + digests.len() * Digest::LEN);
        bytes.extend_from_slice(name);
        bytes.resize(NAME_LEN, 0);
        bytes.extend_from_slice(&(digests.len() as u64).to_le_bytes());
        digests
            .iter()
            .for_each(|digest| bytes.extend_from_slice(digest.as_bytes()));
        bytes
    }

    /// The digest of the list.
    pub fn digest(self, digests: &[Digest], mode: &HashMode) -> Digest {
        mode.digest(&self.to_bytes(digests))
    }

    /// Shows digest `index` of the list.
    ///
    /// # Errors
    ///
    /// `Range` if the list is shorter.
    pub fn open(self, digests: &[Digest], index: u64, mode: &HashMode) -> Result<Opening, CutError> {
        Opening::create(&self.to_bytes(digests), &[entry(PREFIX_LEN, index)], mode)
    }
}

/// Bytes of a list of `count` digests; `u64::MAX` if there can be no such list.
pub fn list_length(count: u64) -> u64 {
    count
        .saturating_mul(Digest::LEN as u64)
        .saturating_add(PREFIX_LEN as u64)
}

/// Digest `index` of the list of `count` digests that has digest `root`, shown by an opening of its chunk alone.
pub(super) fn read_list(
    opening: &Opening,
    root: &Digest,
    count: u64,
    index: u64,
    mode: &HashMode,
) -> Result<Digest, TraceError> {
    read_entry(opening, root, list_length(count), entry(PREFIX_LEN, index), mode)
}

/// The digest at `range` of a blob of `length` bytes, shown by an opening of its chunk alone.
pub(super) fn read_entry(
    opening: &Opening,
    root: &Digest,
    length: u64,
    range: Range<u64>,
    mode: &HashMode,
) -> Result<Digest, TraceError> {
    let digest = opening.verify(root, length, mode)?.read(range.clone())?;
    if !opening.opens_exactly(&[range], length) {
        return Err(TraceError::Superfluous);
    }
    // In a list that ends where no blob does, the last entry is cut short
    let beyond = OpeningError::End { end: u64::MAX, length };
    digest.try_into().map(Digest).map_err(|_| beyond.into())
}

/// The bytes of digest `index` after `prefix` bytes.
pub(super) fn entry(prefix: usize, index: u64) -> Range<u64> {
    let size = Digest::LEN as u64;
    let start = index.saturating_mul(size).saturating_add(prefix as u64);
    start..start.saturating_add(size)
}

/// Everything that a run begins with. Its state begins as zeros, of shapes that the program tells: that needs no
/// digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Hash of the program's encoding.
    pub program: Digest,
    /// Root of the package with the weights.
    pub package: Digest,
    /// Digest of the encoding of whatever else the outcome depends on: the version of the arithmetic,
    /// dimensions, most steps, seed, settings. Who defines the job's type defines this encoding.
    pub parameters: Digest,
    /// Digests of the job's input tensors, in the program's order.
    pub inputs: &'a [Digest],
}

impl Origin<'_> {
    /// Record 0: the digest of the list program, package, parameters, inputs.
    pub fn record(&self, mode: &HashMode) -> Digest {
        let mut digests = alloc::vec![self.program, self.package, self.parameters];
        digests.extend_from_slice(self.inputs);
        DigestList::Origin.digest(&digests, mode)
    }
}
