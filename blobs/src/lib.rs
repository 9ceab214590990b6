//! Content-addressed blobs: a folder of them, places to fetch them from, and an HTTP server for
//! them.
//!
//! A blob is known by the BLAKE3 hash and the length of its content ([`BlobId`]). In a folder its
//! file is named by the hash in lowercase hex; over HTTP it is `GET <base>/<hash>`, so any static
//! file server over such a folder will do. Whatever comes from elsewhere is hashed as it streams
//! in, and nothing is kept whose hash or length is not the one asked for.
//!
//! - [`FolderStore`]: the local folder; a blob in it is complete, whenever the process dies.
//! - [`BlobSource`]: where else to ask; [`Folder`] and [`Http`] for now.
//! - [`Resolver`]: looks in the store, then asks each source in turn.
//! - [`server`]: hands the store's blobs to others.

mod id;
mod resolver;
pub mod server;
mod source;
mod store;

pub use id::{BlobHash, BlobId, InvalidHash};
pub use resolver::{FetchError, Resolver, SourceFailure};
pub use source::{source, BlobSource, ByteStream, Folder, Http, SourceError};
pub use store::{BlobWriter, FolderStore, StoreError, Stored};
