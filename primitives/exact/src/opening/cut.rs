//! What an opening consists of, before bytes and chaining values are there.

use super::{
    shape::{covering, Cursor, Node},
    ChunkRun, CutError, MAX_CHUNKS, MAX_SIBLINGS,
};
use alloc::vec::Vec;
use core::ops::Range;

/// The chunks to open and the nodes beside them, both from left to right.
pub(super) struct Plan {
    pub(super) runs: Vec<ChunkRun>,
    pub(super) closed: Vec<Node>,
}

impl Plan {
    /// That of the opening of `ranges` of a blob of `length` bytes.
    pub(super) fn new(ranges: &[Range<u64>], length: u64) -> Result<Self, CutError> {
        let runs = covering(ranges, length)?;
        let chunks = runs.iter().map(|run| run.count).sum();
        let mut closed = Vec::new();
        Cursor::new(&runs).closed(Node::root(length), &mut |node| closed.push(node));
        let siblings = closed.len() as u64;
        if chunks > MAX_CHUNKS || siblings > MAX_SIBLINGS {
            return Err(CutError::TooLarge { chunks, siblings });
        }
        Ok(Self { runs, closed })
    }
}
