//! Openings: proofs that bytes belong to a blob of which only the BLAKE3 hash is known.
//!
//! Whoever verifies must know the blob's length by itself, from the shape of the tensor or the number of digests
//! in a list; a hash does not tell it. Under a wrong length an opening is refused wherever the tree between the
//! root and what is opened has another form. It may hold where the form is the same (the first chunk of four can
//! be opened as that of three), but then too the bytes are those that the blob has at these offsets, because each
//! chunk is hashed with its number. An opening of the last chunk proves the length as well.
//!
//! - [`Opening`]: some chunks and what else it takes to compute the root.
//! - [`ChunkTree`]: built once for a blob, so that many openings can be cut without hashing it again.
//! - [`SubtreeLayout`]: how a tensor is divided in a dispute, its chaining values posted and one subtree shown.
//! - [`HashMode`]: plain or keyed; private jobs use a key.
//!
//! The tree is that of the BLAKE3 paper, section 2.1. `docs/exact/traces.md` describes it and the encodings.

mod cut;
mod digest;
mod error;
mod opened;
mod proof;
mod shape;
mod subtrees;
mod tree;

#[cfg(test)]
mod tests;

pub use blake3::hazmat::ChainingValue;
pub use digest::{Digest, HashMode};
pub use error::{CutError, OpeningError, SubtreeError};
pub use opened::{Opened, OpenedTensor};
pub use proof::{Opening, MAX_CHUNKS, MAX_SIBLINGS};
pub use shape::{chunk_count, ChunkRun, CHUNK_LEN};
pub use subtrees::{SubtreeLayout, MAX_SUBTREES};
pub use tree::{ChunkTree, ChunkTreeBuilder};
