//! A blob's chaining values, computed once, from which openings are cut.

use super::{
    cut::Plan,
    shape::{chunk_count, Node},
    subtrees::SubtreeLayout,
    ChainingValue, CutError, Digest, HashMode, Opening, CHUNK_LEN,
};
use alloc::vec::Vec;
use core::ops::Range;

/// Chunks of a group, the smallest subtree whose chaining value is kept: as many as the widest vectors hash at a
/// time. What lies below is hashed again when it is needed, at most 16 KiB for each opened chunk.
pub(super) const GROUP_CHUNKS: u64 = 16;

/// Bytes of a group.
const GROUP_LEN: usize = (GROUP_CHUNKS * CHUNK_LEN) as usize;

/// The chaining values of a blob's tree, down to groups of 16 KiB. Takes 4 bytes for each KiB of the blob, which
/// itself it does not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkTree {
    mode: HashMode,
    length: u64,
    root: Digest,
    /// From the groups up to the two below the root; each level has the values of pairs of the one before, and
    /// its last one by itself if that has no partner. Empty if the blob is no more than a group.
    levels: Vec<Vec<ChainingValue>>,
}

impl ChunkTree {
    /// Of a blob in memory.
    pub fn new(blob: &[u8], mode: HashMode) -> Self {
        let mut builder = ChunkTreeBuilder::new(mode);
        builder.update(blob);
        builder.finish()
    }

    /// Of everything that `reader` gives.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    #[cfg(feature = "std")]
    pub fn from_reader(mut reader: impl std::io::Read, mode: HashMode) -> std::io::Result<Self> {
        let mut builder = ChunkTreeBuilder::new(mode);
        let mut buffer = alloc::vec![0; 4 * GROUP_LEN];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(builder.finish()),
                Ok(length) => builder.update(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
    }

    /// Digest of the blob.
    pub fn root(&self) -> Digest {
        self.root
    }

    /// Length of the blob in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Opens the chunks that cover `ranges` of the blob, of which `blob` is a copy.
    ///
    /// # Errors
    ///
    /// As [`Opening::create`]; and `Changed` if the copy is not the blob that the tree was built of.
    pub fn open(&self, blob: &[u8], ranges: &[Range<u64>]) -> Result<Opening, CutError> {
        self.open_with(ranges, |range, out| {
            let shorter = CutError::Range {
                start: range.start,
                end: range.end,
                length: blob.len() as u64,
            };
            // A range of more than the memory can hold is not in the copy either
            let start = usize::try_from(range.start).map_err(|_| shorter)?;
            let end = usize::try_from(range.end).map_err(|_| shorter)?;
            out.copy_from_slice(blob.get(start..end).ok_or(shorter)?);
            Ok(())
        })
    }

    /// As [`open`](Self::open), for a blob that is not in memory: `read` gets ranges of bytes, none above 64 KiB,
    /// and fills the slice, which is as long as the range.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and those of `read`.
    pub fn open_with<E: From<CutError>>(
        &self,
        ranges: &[Range<u64>],
        mut read: impl FnMut(Range<u64>, &mut [u8]) -> Result<(), E>,
    ) -> Result<Opening, E> {
        let mut part = |range: Range<u64>| {
            let mut bytes = alloc::vec![0; (range.end - range.start) as usize];
            read(range, &mut bytes).map(|()| bytes)
        };
        let Plan { runs, closed } = Plan::new(ranges, self.length)?;
        let mut bytes = Vec::new();
        for run in &runs {
            bytes.extend(part(run.bytes(self.length))?);
        }
        let mut siblings = Vec::with_capacity(closed.len());
        for node in &closed {
            siblings.push(match self.kept(node) {
                Some(value) => *value,
                None => self.mode.chaining_value(node.first, &part(node.bytes(self.length))?),
            });
        }
        let opening = Opening { runs, bytes, siblings };
        // A blob that was changed on a disk must not become a lost dispute
        match opening.verify(&self.root, self.length, &self.mode) {
            Ok(_) => Ok(opening),
            Err(error) => Err(CutError::Changed(error).into()),
        }
    }

    /// The chaining values of the subtrees into which a dispute divides a tensor with these bytes; see
    /// [`SubtreeLayout`].
    pub fn subtrees(&self) -> Vec<ChainingValue> {
        let layout = SubtreeLayout::of(self.length);
        if layout.count() == 1 {
            return alloc::vec![self.root.0];
        }
        (0..layout.count())
            .map(|index| {
                *self
                    .kept(&layout.node(index))
                    .expect("a layout with several subtrees divides at groups; qed")
            })
            .collect()
    }

    /// The chaining value of a node that is not the root, if it is made of whole groups.
    fn kept(&self, node: &Node) -> Option<&ChainingValue> {
        let whole = node.end.is_multiple_of(GROUP_CHUNKS) || node.end == chunk_count(self.length);
        if !node.first.is_multiple_of(GROUP_CHUNKS) || !whole {
            return None;
        }
        let level = node.count().div_ceil(GROUP_CHUNKS).next_power_of_two().ilog2();
        let index = (node.first / GROUP_CHUNKS) >> level;
        self.levels.get(level as usize)?.get(index as usize)
    }
}

/// Builds a [`ChunkTree`] from a blob that comes in parts. Holds back at most one group of bytes.
#[derive(Clone, Debug)]
pub struct ChunkTreeBuilder {
    mode: HashMode,
    groups: Vec<ChainingValue>,
    /// The end of what has come, never empty after the first byte: the last group is hashed in another way if it
    /// turns out to be the only one.
    rest: Vec<u8>,
}

impl ChunkTreeBuilder {
    /// For a blob of which nothing has come yet.
    pub fn new(mode: HashMode) -> Self {
        Self {
            mode,
            groups: Vec::new(),
            rest: Vec::with_capacity(GROUP_LEN),
        }
    }

    /// Takes the next part of the blob.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.rest.len() == GROUP_LEN {
                let value = self.mode.chaining_value(self.next_chunk(), &self.rest);
                self.groups.push(value);
                self.rest.clear();
            }
            if self.rest.is_empty() && bytes.len() > GROUP_LEN {
                let (group, after) = bytes.split_at(GROUP_LEN);
                let value = self.mode.chaining_value(self.next_chunk(), group);
                self.groups.push(value);
                bytes = after;
                continue;
            }
            let (part, after) = bytes.split_at(bytes.len().min(GROUP_LEN - self.rest.len()));
            self.rest.extend_from_slice(part);
            bytes = after;
        }
    }

    /// The tree of everything that has come.
    pub fn finish(mut self) -> ChunkTree {
        let length = self.groups.len() as u64 * GROUP_LEN as u64 + self.rest.len() as u64;
        if self.groups.is_empty() {
            return ChunkTree {
                mode: self.mode,
                length,
                root: self.mode.digest(&self.rest),
                levels: Vec::new(),
            };
        }
        let value = self.mode.chaining_value(self.next_chunk(), &self.rest);
        self.groups.push(value);
        let mut levels = Vec::new();
        let mut level = self.groups;
        while level.len() > 2 {
            let above = level_above(&level, &self.mode);
            levels.push(level);
            level = above;
        }
        let root = self.mode.root(&level[0], &level[1]);
        levels.push(level);
        ChunkTree {
            mode: self.mode,
            length,
            root,
            levels,
        }
    }

    fn next_chunk(&self) -> u64 {
        self.groups.len() as u64 * GROUP_CHUNKS
    }
}

/// The next level of a tree: pairs are joined, and one without a partner goes up by itself.
pub(super) fn level_above(level: &[ChainingValue], mode: &HashMode) -> Vec<ChainingValue> {
    level
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => mode.parent(left, right),
            _ => pair[0],
        })
        .collect()
}
