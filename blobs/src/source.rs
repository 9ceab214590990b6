//! Where blobs are fetched from when they are not in the store.

mod folder;
mod http;

pub(crate) use folder::open as open_file;
pub use folder::Folder;
pub use http::Http;

use crate::id::{BlobHash, BlobId};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::{fmt::Debug, io, sync::Arc, time::Duration};

/// A blob's content as it arrives, in pieces of any length.
pub type ByteStream = BoxStream<'static, Result<Bytes, SourceError>>;

/// A place that may have blobs. Sources are not trusted: whoever reads the stream checks every
/// byte, as [`crate::Resolver`] does.
#[async_trait]
pub trait BlobSource: Debug + Send + Sync {
    /// What to call it in messages.
    fn name(&self) -> String;

    /// Starts to fetch the blob. [`SourceError::NotFound`] if the source answers that it does not
    /// have it.
    async fn fetch(&self, id: &BlobId) -> Result<ByteStream, SourceError>;
}

/// Why a source did not give a blob.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It does not have the blob.
    #[error("not found")]
    NotFound,
    /// What it sent has the right length and another hash.
    #[error("expected content with hash {expected}, got {got}")]
    HashMismatch {
        /// The hash asked for.
        expected: BlobHash,
        /// The hash of what came.
        got: BlobHash,
    },
    /// It has, or sent, more than the blob's length.
    #[error("expected {expected} bytes, got more")]
    TooLarge {
        /// The blob's length.
        expected: u64,
    },
    /// What it sent ended early.
    #[error("expected {expected} bytes, got {got}")]
    Truncated {
        /// The blob's length.
        expected: u64,
        /// The length of what came.
        got: u64,
    },
    /// An HTTP server answered with this status instead of content.
    #[error("HTTP status {status}")]
    Status {
        /// The status code.
        status: u16,
    },
    /// No connection to the server.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection broke.
    #[error("connection lost: {0}")]
    Transport(String),
    /// Nothing came for this long.
    #[error("nothing received for {} s", .0.as_secs())]
    Stalled(Duration),
    /// It did not all come in this time.
    #[error("not complete after {} s", .0.as_secs())]
    TooSlow(Duration),
    /// A file could not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not an address that blobs can be fetched from.
    #[error("expected http://HOST/PATH, https://HOST/PATH or a folder, got {got:?}: {reason}")]
    InvalidAddress {
        /// What was given.
        got: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl SourceError {
    /// Whether asking the same source again is pointless: it answered, and does not have the blob.
    pub fn is_definite(&self) -> bool {
        match self {
            Self::NotFound | Self::HashMismatch { .. } | Self::TooLarge { .. } => true,
            Self::Status { status } => (400..500).contains(status) && !matches!(status, 408 | 425 | 429),
            Self::Truncated { .. }
            | Self::Connect(_)
            | Self::Transport(_)
            | Self::Stalled(_)
            | Self::TooSlow(_)
            | Self::Io(_)
            | Self::InvalidAddress { .. } => false,
        }
    }
}

/// The source at `address`: an HTTP server for `http://…` and `https://…`, otherwise a folder.
pub fn source(address: &str) -> Result<Arc<dyn BlobSource>, SourceError> {
    if address.starts_with("http://") || address.starts_with("https://") {
        Ok(Arc::new(Http::new(address)?))
    } else if address.contains("://") || address.is_empty() {
        Err(SourceError::InvalidAddress {
            got: address.into(),
            reason: "this kind of address is not known".into(),
        })
    } else {
        Ok(Arc::new(Folder::new(address)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn source_should_be_chosen_by_its_address() {
        assert_eq!(
            source("http://localhost:1/blobs/").unwrap().name(),
            "http://localhost:1/blobs"
        );
        assert_eq!(source("https://localhost").unwrap().name(), "https://localhost");
        assert_eq!(source("/var/blobs").unwrap().name(), "/var/blobs");
        for address in ["", "ftp://host/x", "http://", "http://h:x"] {
            assert!(
                matches!(source(address), Err(SourceError::InvalidAddress { .. })),
                "{address}"
            );
        }
    }
}
