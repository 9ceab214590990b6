//! Inputs of jobs that are submitted through this node: a folder with a quota, and its HTTP server.

use assay_blobs::{BlobHash, BlobId, FolderStore, StoreError};
use sc_service::SpawnTaskHandle;
use std::{
    collections::{hash_map::Entry, HashMap},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const LOG_TARGET: &str = "blobs";

/// Why an input blob is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    /// It would not fit.
    #[error(
        "the input has {size} bytes, and blobs already take {used} of the {quota} bytes that this node keeps: try \
         again later or with another node, or serve the input yourself and submit the job without it"
    )]
    QuotaExceeded {
        /// Bytes of the blob.
        size: u64,
        /// Bytes of all blobs there are.
        used: u64,
        /// Bytes there may be.
        quota: u64,
    },
    /// The folder cannot be used.
    #[error("the node cannot keep the input: {0}")]
    Store(#[from] StoreError),
}

/// The folder of input blobs. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct InputBlobs {
    store: FolderStore,
    quota: u64,
    held: Arc<Mutex<HashMap<BlobHash, Hold>>>,
}

/// Why a blob is here, while submissions that brought it are under way.
#[derive(Debug)]
struct Hold {
    /// Submissions under way.
    holders: usize,
    /// Whether nobody wanted it before them or because of them.
    unwanted: bool,
}

impl InputBlobs {
    /// Opens the folder and makes it if it is not there. `quota` counts all blobs in it.
    pub(crate) fn open(dir: PathBuf, quota: u64) -> Result<Self, StoreError> {
        Ok(Self {
            store: FolderStore::open(dir)?,
            quota,
            held: Arc::default(),
        })
    }

    /// Stores `content` and holds it. Blocks on the file system.
    pub(crate) fn hold(&self, content: &[u8]) -> Result<HeldBlob, BlobError> {
        let id = BlobId::of(content);
        // One at a time, so that two cannot fill the same rest of the quota.
        let mut held = self.held();
        if !self.store.contains(&id.hash) {
            let used = self.store.total_size()?;
            if used.saturating_add(id.size) > self.quota {
                return Err(BlobError::QuotaExceeded {
                    size: id.size,
                    used,
                    quota: self.quota,
                });
            }
        }
        // Also mends a blob that was damaged on disk.
        let new = self.store.put(content)?.new;
        held.entry(id.hash)
            .or_insert(Hold {
                holders: 0,
                unwanted: new,
            })
            .holders += 1;
        Ok(HeldBlob {
            blobs: self.clone(),
            hash: id.hash,
            wanted: false,
        })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<BlobHash, Hold>> {
        // Nothing that can panic runs under the lock while an entry is half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out the folder's blobs on `address` until the node stops.
    pub(crate) fn serve(&self, address: SocketAddr, spawner: &SpawnTaskHandle) -> Result<(), sc_service::Error> {
        let listener = TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| {
                format!("cannot listen on {address} to hand out blobs: {error}; give another address by --blob-listen")
            })
            .map_err(sc_service::Error::Other)?;
        let store = self.store.clone();
        let dir = store.dir().display().to_string();
        log::info!(target: LOG_TARGET, "📦 Handing out the blobs of {dir} on http://{address}");
        spawner.spawn("blob-server", None, async move {
            let served = match tokio::net::TcpListener::from_std(listener) {
                // The task is dropped when the node stops.
                Ok(listener) => assay_blobs::server::serve(listener, store, std::future::pending()).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                log::error!(target: LOG_TARGET, "Blobs are no longer handed out on {address}: {error}");
            }
        });
        Ok(())
    }
}

/// A blob that a submission brought. When dropped, the blob is deleted, unless it was there before,
/// another submission holds it, or someone who held it wants it.
#[derive(Debug)]
pub(crate) struct HeldBlob {
    blobs: InputBlobs,
    hash: BlobHash,
    wanted: bool,
}

impl HeldBlob {
    /// Says whether the blob is to stay when this is dropped. At first it is not.
    pub(crate) fn set_wanted(&mut self, wanted: bool) {
        self.wanted = wanted;
    }
}

impl Drop for HeldBlob {
    fn drop(&mut self) {
        let mut held = self.blobs.held();
        let Entry::Occupied(mut entry) = held.entry(self.hash) else {
            return;
        };
        let hold = entry.get_mut();
        hold.holders -= 1;
        hold.unwanted &= !self.wanted;
        if hold.holders > 0 {
            return;
        }
        if entry.remove().unwanted {
            if let Err(error) = self.blobs.store.remove(&self.hash) {
                log::warn!(target: LOG_TARGET, "A rejected job's input stays on disk: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn blobs(quota: u64) -> (tempfile::TempDir, InputBlobs) {
        let dir = tempfile::tempdir().unwrap();
        let blobs = InputBlobs::open(dir.path().join("blobs"), quota).unwrap();
        (dir, blobs)
    }

    fn is_here(blobs: &InputBlobs, content: &[u8]) -> bool {
        blobs.store.contains(&BlobHash::of(content))
    }

    #[test]
    fn blob_should_be_deleted_when_dropped_unwanted() {
        let (_dir, blobs) = blobs(100);
        let held = blobs.hold(b"input").unwrap();
        assert!(is_here(&blobs, b"input"));
        drop(held);
        assert!(!is_here(&blobs, b"input"));
        assert!(blobs.held().is_empty());
    }

    #[test]
    fn blob_should_stay_when_wanted() {
        let (_dir, blobs) = blobs(100);
        let mut held = blobs.hold(b"input").unwrap();
        held.set_wanted(true);
        drop(held);
        assert!(is_here(&blobs, b"input"));
    }

    #[test]
    fn blob_should_stay_when_it_was_there_before() {
        let (_dir, blobs) = blobs(100);
        blobs.store.put(b"input").unwrap();
        drop(blobs.hold(b"input").unwrap());
        assert!(is_here(&blobs, b"input"));
    }

    #[test]
    fn blob_should_stay_until_its_last_holder_is_dropped() {
        let (_dir, blobs) = blobs(100);
        let (first, second) = (blobs.hold(b"input").unwrap(), blobs.hold(b"input").unwrap());
        drop(first);
        assert!(is_here(&blobs, b"input"));
        drop(second);
        assert!(!is_here(&blobs, b"input"));
    }

    #[test]
    fn blob_should_stay_when_one_of_two_holders_wants_it() {
        let (_dir, blobs) = blobs(100);
        let (mut first, second) = (blobs.hold(b"input").unwrap(), blobs.hold(b"input").unwrap());
        first.set_wanted(true);
        drop(first);
        drop(second);
        assert!(is_here(&blobs, b"input"));
    }

    #[test]
    fn blob_should_be_refused_when_over_the_quota() {
        let (_dir, blobs) = blobs(8);
        let _held = blobs.hold(b"12345").unwrap();
        let error = blobs.hold(b"6789").unwrap_err();
        assert!(
            matches!(
                error,
                BlobError::QuotaExceeded {
                    size: 4,
                    used: 5,
                    quota: 8
                }
            ),
            "{error}"
        );
        assert!(!is_here(&blobs, b"6789"));
        assert!(blobs.hold(b"678").is_ok());
    }

    #[test]
    fn blob_should_be_taken_over_the_quota_when_it_is_here_already() {
        let (_dir, blobs) = blobs(5);
        let _first = blobs.hold(b"12345").unwrap();
        assert!(blobs.hold(b"12345").is_ok());
    }
}
