//! What can be wrong with an opening, with a request for one, and with a list of subtrees.

use super::{Digest, MAX_CHUNKS, MAX_SIBLINGS};
use core::fmt;

/// Why an opening proves nothing, or not what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpeningError {
    /// No chunk is opened.
    Nothing,
    /// A run is empty, or does not begin after a gap behind the run before.
    Order {
        /// Which run.
        run: usize,
    },
    /// A run ends beyond the blob.
    Outside {
        /// Which run.
        run: usize,
        /// Chunks of the blob.
        chunks: u64,
    },
    /// The runs have another number of bytes.
    Bytes {
        /// Bytes that the chunks have in a blob of this length.
        expected: u64,
        /// Bytes given.
        got: u64,
    },
    /// The tree has another number of nodes beside what is opened.
    Siblings {
        /// Chaining values needed.
        expected: u64,
        /// Chaining values given.
        got: u64,
    },
    /// Another blob, another key, another length, or something was changed.
    Root {
        /// The blob's digest.
        expected: Digest,
        /// What the opening gives.
        got: Digest,
    },
    /// A read beyond the end of the blob.
    End {
        /// Where the read ends; `u64::MAX` if beyond that.
        end: u64,
        /// Length of the blob.
        length: u64,
    },
    /// A read of bytes that the opening does not open.
    Closed {
        /// First byte wanted.
        start: u64,
        /// The byte after the last one wanted.
        end: u64,
    },
}

impl fmt::Display for OpeningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("an opening must open at least one chunk, this one opens none"),
            Self::Order { run } => {
                write!(
                    f,
                    "run {run} must hold a chunk and begin after a gap behind the run before: join adjacent runs"
                )
            }
            Self::Outside { run, chunks } => write!(f, "run {run} ends beyond the blob's {chunks} chunks"),
            Self::Bytes { expected, got } => write!(f, "the opened chunks have {expected} bytes, got {got}"),
            Self::Siblings { expected, got } => {
                write!(
                    f,
                    "there are {expected} subtrees beside the opened chunks, got {got} chaining values"
                )
            }
            Self::Root { expected, got } => {
                write!(
                    f,
                    "the opening belongs to a blob with digest {got}, not {expected}: check blob, length and key"
                )
            }
            Self::End { end, length } => write!(f, "the read ends at byte {end} of a blob of {length}"),
            Self::Closed { start, end } => write!(f, "bytes {start} to {end} are not all opened: open their chunks"),
        }
    }
}

impl core::error::Error for OpeningError {}

/// Why no opening can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutError {
    /// A range is not in the blob.
    Range {
        /// First byte of the range.
        start: u64,
        /// The byte after its last one.
        end: u64,
        /// Length of the blob.
        length: u64,
    },
    /// No range holds a byte.
    Nothing,
    /// The opening would be larger than can be decoded.
    TooLarge {
        /// Chunks it would open.
        chunks: u64,
        /// Chaining values it would carry.
        siblings: u64,
    },
    /// The bytes are not those of which the tree was built: the blob was changed or mixed up.
    Changed(OpeningError),
}

impl fmt::Display for CutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { start, end, length } => {
                write!(f, "bytes {start} to {end} are no range of a blob of {length}")
            }
            Self::Nothing => f.write_str("there is nothing to open: no range holds a byte"),
            Self::TooLarge { chunks, siblings } => write!(
                f,
                "an opening holds at most {MAX_CHUNKS} chunks and {MAX_SIBLINGS} chaining values, this one would have \
                 {chunks} and {siblings}: open less at a time"
            ),
            Self::Changed(error) => write!(f, "the blob is not the one that the tree was built of: {error}"),
        }
    }
}

impl core::error::Error for CutError {}

#[cfg(feature = "std")]
impl From<CutError> for std::io::Error {
    fn from(error: CutError) -> Self {
        let kind = match error {
            CutError::Changed(_) => std::io::ErrorKind::InvalidData,
            _ => std::io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

/// Why a list of subtrees, or the bytes of one, are not those of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubtreeError {
    /// There is no such subtree.
    Index {
        /// The one wanted, counted from 0.
        index: u64,
        /// How many there are.
        count: u64,
    },
    /// Another number of chaining values.
    Count {
        /// Subtrees of the tensor.
        expected: u64,
        /// Chaining values given.
        got: u64,
    },
    /// Another number of bytes.
    Bytes {
        /// Bytes of the subtree.
        expected: u64,
        /// Bytes given.
        got: u64,
    },
    /// The chaining values give another tensor's digest.
    Root {
        /// The tensor's digest.
        expected: Digest,
        /// What they give.
        got: Digest,
    },
    /// The bytes are not those of the subtree.
    Value {
        /// The subtree, counted from 0.
        index: u64,
    },
}

impl fmt::Display for SubtreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index { index, count } => write!(f, "there is no subtree {index} of {count}"),
            Self::Count { expected, got } => write!(f, "the tensor has {expected} subtrees, got {got} chaining values"),
            Self::Bytes { expected, got } => write!(f, "the subtree has {expected} bytes, got {got}"),
            Self::Root { expected, got } => {
                write!(
                    f,
                    "the chaining values belong to a tensor with digest {got}, not {expected}"
                )
            }
            Self::Value { index } => write!(f, "the bytes do not have the chaining value posted for subtree {index}"),
        }
    }
}

impl core::error::Error for SubtreeError {}
