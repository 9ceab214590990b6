//! References to content-addressed blobs.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::H256;

/// A blob by its content: whoever has these 40 bytes can check any copy of it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
pub struct BlobRef {
    /// BLAKE3 hash of the whole content.
    pub hash: H256,
    /// Length of the content in bytes.
    pub size: u64,
}
