//! What a blob is called: hash and length of its content.

use std::{fmt, str::FromStr};

/// BLAKE3 hash of a blob. Written as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobHash(pub [u8; 32]);

impl BlobHash {
    /// The hash of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }
}

impl From<[u8; 32]> for BlobHash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<BlobHash> for [u8; 32] {
    fn from(hash: BlobHash) -> Self {
        hash.0
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not the name of a blob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a BLAKE3 hash as 64 lowercase hexadecimal digits, got {0:?}")]
pub struct InvalidHash(pub String);

impl FromStr for BlobHash {
    type Err = InvalidHash;

    /// Takes lowercase only: a blob has one name.
    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let invalid = || InvalidHash(text.chars().take(80).collect());
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| invalid())?;
        Ok(Self(bytes))
    }
}

/// A blob by its content: with these 40 bytes any copy of it can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId {
    /// BLAKE3 hash of the whole content.
    pub hash: BlobHash,
    /// Length of the content in bytes.
    pub size: u64,
}

impl BlobId {
    /// The blob with this hash and this many bytes.
    pub fn new(hash: impl Into<BlobHash>, size: u64) -> Self {
        Self {
            hash: hash.into(),
            size,
        }
    }

    /// The id of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self {
            hash: BlobHash::of(content),
            size: content.len() as u64,
        }
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.hash, self.size)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    // The BLAKE3 hash of nothing, from the algorithm's published test vectors.
    const EMPTY: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

    #[test]
    fn hash_should_be_blake3_in_lowercase_hex() {
        assert_eq!(BlobHash::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse::<BlobHash>().unwrap(), BlobHash::of(b""));
    }

    #[test]
    fn hash_should_be_refused_when_not_64_lowercase_digits() {
        for text in [
            "",
            "af13",
            &EMPTY.to_uppercase(),
            &EMPTY[1..],
            &format!("{EMPTY}0"),
            &EMPTY.replace('a', "/"),
        ] {
            assert_eq!(text.parse::<BlobHash>(), Err(InvalidHash(text.to_string())));
        }
    }
}
