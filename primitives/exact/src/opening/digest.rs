//! Digests, and the two ways in which blobs are hashed.

use super::{ChainingValue, CHUNK_LEN};
use blake3::{
    hazmat::{merge_subtrees_non_root, merge_subtrees_root, HasherExt, Mode},
    Hasher, KEY_LEN, OUT_LEN,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;

/// Derives the key of a private job; never used for anything else.
const PRIVATE_JOB: &str = "assay/private-job/2: key of the digests";

/// The BLAKE3 hash of a whole blob: of a tensor's bytes, of a list of digests, of a trace.
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen,
)]
pub struct Digest(pub [u8; OUT_LEN]);

impl Digest {
    /// Bytes of a digest.
    pub const LEN: usize = OUT_LEN;

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; Self::LEN]> for Digest {
    fn from(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }
}

impl From<Digest> for [u8; Digest::LEN] {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(hash.into())
    }
}

/// How a job's blobs are hashed.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen)]
pub enum HashMode {
    /// BLAKE3's `hash`.
    Plain,
    /// BLAKE3's `keyed_hash`, under this key: who does not know it cannot check a guess of what was hashed.
    Keyed([u8; KEY_LEN]),
}

impl fmt::Debug for HashMode {
    /// Does not show the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Keyed(_) => "Keyed(…)",
        })
    }
}

impl HashMode {
    /// That of a private job, from the 32 random bytes with which its input begins. The key can be shown to the
    /// chain in a dispute: those bytes do not follow from it.
    pub fn private(secret: &[u8; 32]) -> Self {
        Self::Keyed(blake3::derive_key(PRIVATE_JOB, secret))
    }

    /// A hasher for a blob that comes in parts; `hasher().update(…).finalize().into()` is its [`Digest`].
    pub fn hasher(&self) -> Hasher {
        match self {
            Self::Plain => Hasher::new(),
            Self::Keyed(key) => Hasher::new_keyed(key),
        }
    }

    /// The digest of a blob. That of a tensor is the digest of its row-major little-endian bytes.
    pub fn digest(&self, bytes: &[u8]) -> Digest {
        match self {
            Self::Plain => blake3::hash(bytes).into(),
            Self::Keyed(key) => blake3::keyed_hash(key, bytes).into(),
        }
    }

    /// Chaining value of a subtree that is not the whole tree, from its bytes and the number of its first chunk.
    /// `bytes` must not be empty and must be a subtree of some tree that is cut at chunk `first_chunk`.
    pub(super) fn chaining_value(&self, first_chunk: u64, bytes: &[u8]) -> ChainingValue {
        self.hasher()
            .set_input_offset(first_chunk * CHUNK_LEN)
            .update(bytes)
            .finalize_non_root()
    }

    /// Chaining value of the node above two subtrees, where that is not the root.
    pub(super) fn parent(&self, left: &ChainingValue, right: &ChainingValue) -> ChainingValue {
        merge_subtrees_non_root(left, right, self.mode())
    }

    /// The digest of a blob from the two subtrees under its root.
    pub(super) fn root(&self, left: &ChainingValue, right: &ChainingValue) -> Digest {
        merge_subtrees_root(left, right, self.mode()).into()
    }

    fn mode(&self) -> Mode<'_> {
        match self {
            Self::Plain => Mode::Hash,
            Self::Keyed(key) => Mode::KeyedHash(key),
        }
    }
}
