//! Openings: some chunks of a blob and the chaining values beside them.

use super::{
    cut::Plan,
    shape::{covering, Cursor, Node, State},
    ChainingValue, ChunkRun, CutError, Digest, HashMode, Opened, OpeningError, CHUNK_LEN,
};
use alloc::vec::Vec;
use codec::{decode_vec_with_len, Compact, Decode, DecodeWithMemTracking, Encode, Error, Input};
use core::ops::Range;

/// Most chunks that an opening may hold: 64 KiB.
pub const MAX_CHUNKS: u64 = 64;

/// Most chaining values that an opening may hold: 32 KiB, enough for any [`MAX_CHUNKS`] chunks of a blob of up to
/// 4 GiB (each then has a path of 22, of which the highest 6 levels are shared).
pub const MAX_SIBLINGS: u64 = 1_024;

/// Proves some chunks of a blob against its digest.
///
/// For a blob, a key and a set of chunks there is one opening and one encoding: runs of chunks in order, with a
/// gap between them; the bytes of these chunks; and from left to right the chaining values of the largest subtrees
/// that hold no opened chunk. Anything else is refused, here or when it is decoded.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub struct Opening {
    pub(super) runs: Vec<ChunkRun>,
    pub(super) bytes: Vec<u8>,
    pub(super) siblings: Vec<ChainingValue>,
}

/// A list of at most `limit` items; refused before anything is allocated for a longer one.
fn decode_list<T: Decode, I: Input>(input: &mut I, limit: u64, error: &'static str) -> Result<Vec<T>, Error> {
    let Compact(length) = Compact::<u32>::decode(input)?;
    if u64::from(length) > limit {
        return Err(error.into());
    }
    decode_vec_with_len(input, length as usize)
}

impl Decode for Opening {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        Ok(Self {
            runs: decode_list(input, MAX_CHUNKS, "Opening: more than MAX_CHUNKS runs")?,
            bytes: decode_list(
                input,
                MAX_CHUNKS * CHUNK_LEN,
                "Opening: more bytes than MAX_CHUNKS have",
            )?,
            siblings: decode_list(input, MAX_SIBLINGS, "Opening: more than MAX_SIBLINGS chaining values")?,
        })
    }
}

// Its lists report what they allocate
impl DecodeWithMemTracking for Opening {}

impl Opening {
    /// Opens the chunks that cover `ranges` of `blob`. Hashes the whole blob: to open a large one more than once,
    /// build a [`ChunkTree`](super::ChunkTree).
    ///
    /// # Errors
    ///
    /// A range that is not in the blob, no byte in any range of a blob that has some, or more than [`MAX_CHUNKS`]
    /// or [`MAX_SIBLINGS`].
    pub fn create(blob: &[u8], ranges: &[Range<u64>], mode: &HashMode) -> Result<Self, CutError> {
        let length = blob.len() as u64;
        let part = |range: Range<u64>| &blob[range.start as usize..range.end as usize];
        let Plan { runs, closed } = Plan::new(ranges, length)?;
        let bytes = runs
            .iter()
            .map(|run| part(run.bytes(length)))
            .collect::<Vec<_>>()
            .concat();
        let siblings = closed
            .iter()
            .map(|node| mode.chaining_value(node.first, part(node.bytes(length))))
            .collect();
        Ok(Self { runs, bytes, siblings })
    }

    /// Checks the opening against the digest and the length of its blob, both of which the caller must know by
    /// itself. Takes time in proportion to the opening's size.
    ///
    /// # Errors
    ///
    /// Whatever is not exactly the opening of these chunks of that blob; see [`OpeningError`].
    pub fn verify(&self, root: &Digest, length: u64, mode: &HashMode) -> Result<Opened<'_>, OpeningError> {
        let opened = self.check_form(length)?;
        let mut fold = Fold {
            cursor: Cursor::new(&self.runs),
            bytes: &self.bytes,
            siblings: &self.siblings,
            length,
            mode,
        };
        let whole = Node::root(length);
        let got = if fold.cursor.state(&whole) == State::Open {
            mode.digest(&self.bytes)
        } else {
            let (left, right) = whole.children();
            mode.root(&fold.chaining_value(left), &fold.chaining_value(right))
        };
        if got == *root {
            Ok(opened)
        } else {
            Err(OpeningError::Root { expected: *root, got })
        }
    }

    /// Whether it opens exactly the chunks that cover `ranges` of a blob of `length` bytes and no other.
    pub fn opens_exactly(&self, ranges: &[Range<u64>], length: u64) -> bool {
        covering(ranges, length).is_ok_and(|runs| runs == self.runs)
    }

    /// The chunks it opens.
    pub fn runs(&self) -> &[ChunkRun] {
        &self.runs
    }

    /// The bytes of these chunks, one after the other. Nothing is known about them before
    /// [`verify`](Self::verify).
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The chaining values beside them, from left to right.
    pub fn siblings(&self) -> &[ChainingValue] {
        &self.siblings
    }

    /// Everything that can be checked without hashing.
    fn check_form(&self, length: u64) -> Result<Opened<'_>, OpeningError> {
        let whole = Node::root(length);
        // Where the next run may begin
        let mut least = 0;
        let mut expected = 0;
        for (run, chunks) in self.runs.iter().enumerate() {
            if chunks.count == 0 || chunks.first < least {
                return Err(OpeningError::Order { run });
            }
            let outside = OpeningError::Outside { run, chunks: whole.end };
            let end = chunks.end().filter(|end| *end <= whole.end).ok_or(outside)?;
            let bytes = chunks.bytes(length);
            expected += bytes.end - bytes.start;
            least = end + 1;
        }
        if self.runs.is_empty() {
            return Err(OpeningError::Nothing);
        }
        let got = self.bytes.len() as u64;
        if got != expected {
            return Err(OpeningError::Bytes { expected, got });
        }
        let mut expected = 0;
        Cursor::new(&self.runs).closed(whole, &mut |_| expected += 1);
        let got = self.siblings.len() as u64;
        if got != expected {
            return Err(OpeningError::Siblings { expected, got });
        }
        Ok(Opened::new(&self.runs, &self.bytes, length))
    }
}

/// Computes chaining values from left to right, out of an opening whose form was checked.
struct Fold<'a> {
    cursor: Cursor<'a>,
    bytes: &'a [u8],
    siblings: &'a [ChainingValue],
    length: u64,
    mode: &'a HashMode,
}

impl Fold<'_> {
    fn chaining_value(&mut self, node: Node) -> ChainingValue {
        match self.cursor.state(&node) {
            State::Closed => {
                let (value, rest) = self
                    .siblings
                    .split_first()
                    .expect("check_form counted the closed nodes; qed");
                self.siblings = rest;
                *value
            }
            State::Open => {
                let range = node.bytes(self.length);
                let (bytes, rest) = self.bytes.split_at((range.end - range.start) as usize);
                self.bytes = rest;
                self.mode.chaining_value(node.first, bytes)
            }
            State::Mixed => {
                let (left, right) = node.children();
                let left = self.chaining_value(left);
                let right = self.chaining_value(right);
                self.mode.parent(&left, &right)
            }
        }
    }
}
