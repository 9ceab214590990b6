//! Gets a blob from the store or, failing that, from the first source that has it.

use crate::{
    id::{BlobHash, BlobId},
    source::{BlobSource, ByteStream, SourceError},
    store::{BlobWriter, FolderStore, StoreError},
};
use bytes::Bytes;
use futures::StreamExt;
use std::{
    collections::HashMap,
    fmt,
    future::Future,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use tokio::{sync::mpsc, task, time};

/// How long a source may send nothing.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// What a blob of any length may take in all, before its length is counted.
const BASE_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes a second that a source must manage over the whole blob, so that none can hold a fetch for
/// ever by a trickle.
const MIN_RATE: u64 = 64 * 1024;

/// Pieces that may wait to be written to disk.
const PENDING_CHUNKS: usize = 16;

/// Why a blob cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No source gave it.
    #[error("no source gave blob {id}: {}", Tried(tried))]
    Unavailable {
        /// The blob.
        id: BlobId,
        /// Each source asked, in order, and what came of it.
        tried: Vec<SourceFailure>,
    },
    /// There is a blob with this hash, but its length is another, so what was asked for cannot
    /// exist.
    #[error("blob {expected} does not exist: content with that hash has {got} bytes")]
    SizeMismatch {
        /// What was asked for.
        expected: BlobId,
        /// The true length.
        got: u64,
    },
    /// The local folder failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FetchError {
    /// Whether asking the same sources again is pointless: each answered, and none has the blob.
    pub fn is_definite(&self) -> bool {
        match self {
            Self::Unavailable { tried, .. } => tried.iter().all(|failure| failure.error.is_definite()),
            Self::SizeMismatch { .. } => true,
            Self::Store(_) => false,
        }
    }
}

/// What came of asking one source.
#[derive(Debug)]
pub struct SourceFailure {
    /// The source's name.
    pub source: String,
    /// Why it did not give the blob.
    pub error: SourceError,
}

struct Tried<'a>(&'a [SourceFailure]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("it is not in the local folder, and no source is set");
        }
        for (index, failure) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", failure.source, failure.error)?;
        }
        Ok(())
    }
}

/// Looks in a store, then asks sources in turn; what they give ends up in the store, once every
/// byte is checked. Clones share the store and their running fetches.
#[derive(Clone, Debug)]
pub struct Resolver {
    store: FolderStore,
    sources: Vec<Arc<dyn BlobSource>>,
    running: Arc<Running>,
}

/// One lock a blob being fetched, so that it is fetched once.
type Running = Mutex<HashMap<BlobHash, Weak<tokio::sync::Mutex<()>>>>;

impl Resolver {
    /// Looks in `store`, then in `sources`, in this order.
    pub fn new(store: FolderStore, sources: Vec<Arc<dyn BlobSource>>) -> Self {
        Self {
            store,
            sources,
            running: Arc::default(),
        }
    }

    /// The same, with `extra` asked last.
    pub fn with_source(&self, extra: Arc<dyn BlobSource>) -> Self {
        let mut resolver = self.clone();
        resolver.sources.push(extra);
        resolver
    }

    /// The store.
    pub fn store(&self) -> &FolderStore {
        &self.store
    }

    /// The path of the blob's file, whose whole content has just been checked.
    pub async fn fetch(&self, id: &BlobId) -> Result<PathBuf, FetchError> {
        let lock = self.lock(&id.hash);
        let _one_at_a_time = lock.lock().await;
        if let Some(path) = self.stored(id).await? {
            return Ok(path);
        }
        let mut tried = Vec::new();
        for source in &self.sources {
            match self.fetch_from(source.as_ref(), id).await? {
                Ok(path) => {
                    tracing::debug!(target: "blobs", %id, source = source.name(), "fetched");
                    return Ok(path);
                }
                Err(error) => {
                    tracing::debug!(target: "blobs", %id, source = source.name(), %error, "not fetched");
                    tried.push(SourceFailure {
                        source: source.name(),
                        error,
                    });
                }
            }
        }
        Err(FetchError::Unavailable { id: *id, tried })
    }

    /// The blob's content, checked.
    pub async fn fetch_bytes(&self, id: &BlobId) -> Result<Vec<u8>, FetchError> {
        self.fetch(id).await?;
        let (store, id) = (self.store.clone(), *id);
        let content = blocking(move || store.read(&id)).await?;
        // Only if someone deleted it in this very moment.
        content.ok_or(FetchError::Unavailable { id, tried: Vec::new() })
    }

    /// The blob's file if it is in the store and whole. A damaged one is deleted, to be fetched
    /// anew.
    async fn stored(&self, id: &BlobId) -> Result<Option<PathBuf>, FetchError> {
        let (store, id) = (self.store.clone(), *id);
        blocking(move || match store.verify(&id) {
            Ok(found) => Ok(found),
            Err(StoreError::Mismatch { expected, got }) => Err(FetchError::SizeMismatch {
                expected,
                got: got.size,
            }),
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::warn!(target: "blobs", %error, "deleting a damaged blob");
                store.remove(&id.hash)?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// The outer error is ours, the inner one the source's.
    async fn fetch_from(
        &self,
        source: &dyn BlobSource,
        id: &BlobId,
    ) -> Result<Result<PathBuf, SourceError>, StoreError> {
        let limit = BASE_TIMEOUT + Duration::from_secs(id.size / MIN_RATE);
        let received = async {
            let content = stall(source.fetch(id)).await??;
            self.receive(id, content).await
        };
        match time::timeout(limit, received).await {
            Err(_) => Ok(Err(SourceError::TooSlow(limit))),
            Ok(Err(Received::Source(error))) => Ok(Err(error)),
            Ok(Err(Received::Store(error))) => Err(error),
            Ok(Ok(path)) => Ok(Ok(path)),
        }
    }

    /// Writes what comes to the store, up to the blob's length, and checks it.
    async fn receive(&self, id: &BlobId, content: ByteStream) -> Result<PathBuf, Received> {
        let (chunks, pending) = mpsc::channel(PENDING_CHUNKS);
        let store = self.store.clone();
        // Ends by itself when `chunks` is dropped, also if this future is.
        let writing = task::spawn_blocking(move || write(&store, pending));
        let forwarded = forward(id, content, chunks).await;
        let writer = joined(writing.await).map_err(Received::Store)?;
        forwarded?;
        let got = writer.id();
        if got.size < id.size {
            return Err(SourceError::Truncated {
                expected: id.size,
                got: got.size,
            }
            .into());
        }
        if got.hash != id.hash {
            return Err(SourceError::HashMismatch {
                expected: id.hash,
                got: got.hash,
            }
            .into());
        }
        let expected = *id;
        let stored = blocking(move || writer.finish_as(&expected))
            .await
            .map_err(Received::Store)?;
        Ok(self.store.dir().join(stored.id.hash.to_string()))
    }

    fn lock(&self, hash: &BlobHash) -> Arc<tokio::sync::Mutex<()>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = running.get(hash).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        running.insert(*hash, Arc::downgrade(&lock));
        lock
    }
}

/// Whose fault it is that nothing came of a source.
enum Received {
    Source(SourceError),
    Store(StoreError),
}

impl From<SourceError> for Received {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

/// Waits for the next sign of life.
async fn stall<T>(next: impl Future<Output = T>) -> Result<T, SourceError> {
    time::timeout(STALL_TIMEOUT, next)
        .await
        .map_err(|_| SourceError::Stalled(STALL_TIMEOUT))
}

/// Passes pieces on, up to the blob's length.
async fn forward(id: &BlobId, mut content: ByteStream, chunks: mpsc::Sender<Bytes>) -> Result<(), SourceError> {
    let mut size = 0;
    while let Some(chunk) = stall(content.next()).await? {
        let chunk = chunk?;
        size += chunk.len() as u64;
        if size > id.size {
            return Err(SourceError::TooLarge { expected: id.size });
        }
        if chunks.send(chunk).await.is_err() {
            // Only if the writer failed; it says why.
            break;
        }
    }
    Ok(())
}

fn write(store: &FolderStore, mut chunks: mpsc::Receiver<Bytes>) -> Result<BlobWriter, StoreError> {
    let mut writer = store.writer()?;
    while let Some(chunk) = chunks.blocking_recv() {
        writer.append(&chunk)?;
    }
    Ok(writer)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    joined(task::spawn_blocking(work).await)
}

/// A blocking task is never cancelled, so all that can go wrong is that it panicked.
fn joined<T>(result: Result<T, task::JoinError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
