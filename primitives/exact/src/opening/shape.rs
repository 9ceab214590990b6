//! The form of a blob's tree: chunks, nodes, and runs of chunks.

use super::CutError;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::ops::Range;

/// Bytes of a chunk, the leaf of the tree and the least that can be opened. Only the last one may be shorter.
pub const CHUNK_LEN: u64 = blake3::CHUNK_LEN as u64;

/// Number of chunks in a blob of `length` bytes. The empty blob has one, which is empty.
pub const fn chunk_count(length: u64) -> u64 {
    let chunks = length.div_ceil(CHUNK_LEN);
    if chunks == 0 {
        1
    } else {
        chunks
    }
}

/// Consecutive chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct ChunkRun {
    /// The first one, counted from 0.
    #[codec(compact)]
    pub first: u64,
    /// How many there are.
    #[codec(compact)]
    pub count: u64,
}

impl ChunkRun {
    /// The chunk after the last one, unless there can be none of that number.
    pub const fn end(&self) -> Option<u64> {
        self.first.checked_add(self.count)
    }

    /// The bytes of these chunks in a blob of `length` bytes, in which they must be.
    pub(super) fn bytes(&self, length: u64) -> Range<u64> {
        bytes_of(self.first, self.first.saturating_add(self.count), length)
    }
}

fn bytes_of(first: u64, end: u64, length: u64) -> Range<u64> {
    first.saturating_mul(CHUNK_LEN).min(length)..end.saturating_mul(CHUNK_LEN).min(length)
}

/// A node of the tree: the subtree over the chunks from `first` up to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) first: u64,
    pub(super) end: u64,
}

impl Node {
    /// The root of a blob of `length` bytes.
    pub(super) fn root(length: u64) -> Self {
        Self {
            first: 0,
            end: chunk_count(length),
        }
    }

    /// Number of chunks.
    pub(super) fn count(&self) -> u64 {
        self.end - self.first
    }

    /// The nodes below one of two chunks or more: on the left as many chunks as make the largest power of two
    /// that leaves one for the right.
    pub(super) fn children(&self) -> (Self, Self) {
        let middle = self.first + (1 << (self.count() - 1).ilog2());
        (Self { end: middle, ..*self }, Self { first: middle, ..*self })
    }

    /// Its bytes in a blob of `length` bytes.
    pub(super) fn bytes(&self, length: u64) -> Range<u64> {
        bytes_of(self.first, self.end, length)
    }
}

/// How much of a node is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing: its chaining value is given.
    Closed,
    /// All its chunks.
    Open,
    /// Some of its chunks, so there are several.
    Mixed,
}

/// Tells the state of nodes that are asked for from left to right.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    runs: &'a [ChunkRun],
}

impl<'a> Cursor<'a> {
    /// For runs in order, within the blob.
    pub(super) fn new(runs: &'a [ChunkRun]) -> Self {
        Self { runs }
    }

    pub(super) fn state(&mut self, node: &Node) -> State {
        while let Some((run, rest)) = self.runs.split_first() {
            if run.first + run.count > node.first {
                break;
            }
            self.runs = rest;
        }
        match self.runs.first() {
            Some(run) if run.first <= node.first && run.first + run.count >= node.end => State::Open,
            Some(run) if run.first < node.end => State::Mixed,
            _ => State::Closed,
        }
    }

    /// The closed nodes from `node` down whose parent is not closed, from left to right.
    pub(super) fn closed(&mut self, node: Node, visit: &mut impl FnMut(Node)) {
        match self.state(&node) {
            State::Open => (),
            State::Closed => visit(node),
            State::Mixed => {
                let (left, right) = node.children();
                self.closed(left, visit);
                self.closed(right, visit);
            }
        }
    }
}

/// The least set of chunks that covers these byte ranges of a blob of `length` bytes, as the runs of which it
/// consists, in order. An empty range covers nothing; of the empty blob there is only its one chunk to open.
pub(super) fn covering(ranges: &[Range<u64>], length: u64) -> Result<Vec<ChunkRun>, CutError> {
    if let Some(range) = ranges
        .iter()
        .find(|range| range.start > range.end || range.end > length)
    {
        return Err(CutError::Range {
            start: range.start,
            end: range.end,
            length,
        });
    }
    if length == 0 {
        return Ok(alloc::vec![ChunkRun { first: 0, count: 1 }]);
    }
    let mut chunks: Vec<Range<u64>> = ranges
        .iter()
        .filter(|range| !range.is_empty())
        .map(|range| range.start / CHUNK_LEN..range.end.div_ceil(CHUNK_LEN))
        .collect();
    chunks.sort_unstable_by_key(|range| range.start);
    chunks.dedup_by(|next, range| {
        let joined = next.start <= range.end;
        if joined {
            range.end = range.end.max(next.end);
        }
        joined
    });
    if chunks.is_empty() {
        return Err(CutError::Nothing);
    }
    Ok(chunks
        .iter()
        .map(|range| ChunkRun {
            first: range.start,
            count: range.end - range.start,
        })
        .collect())
}
