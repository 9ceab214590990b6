//! A folder of blobs, each in a file named by its hash.
//!
//! A blob is written to a temporary file beside its place, flushed to disk and then renamed, so
//! that a file with a blob's name is complete whenever the process or the machine dies. Several
//! processes may use one folder at the same time: a writer holds a lock on its temporary file, and
//! only what nobody holds a lock on is cleaned up as a dead process's leftover.

use crate::id::{BlobHash, BlobId};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::NamedTempFile;

/// How temporary files' names begin; the rest is random.
const PARTIAL: &str = ".partial-";

/// Bytes read or copied at a time.
const CHUNK: usize = 256 * 1024;

/// Why the folder could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot {action} {}: {error}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Written content is not the blob that was announced.
    #[error("expected blob {expected}, got {got}")]
    Mismatch {
        /// The blob that was announced.
        expected: BlobId,
        /// The blob that it is.
        got: BlobId,
    },
    /// A file of the folder was changed after it was written.
    #[error("blob {expected} in {} was changed on disk: its content is now {got}; delete that file", path.display())]
    Corrupt {
        /// What the file should be.
        expected: BlobId,
        /// What it is.
        got: BlobId,
        /// The file.
        path: PathBuf,
    },
}

impl StoreError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { action, path, error }
    }
}

/// A blob now in the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: BlobId,
    /// Whether it was not there before.
    pub new: bool,
}

/// A folder of blobs. Clones share it. All methods block on the file system.
#[derive(Clone, Debug)]
pub struct FolderStore {
    dir: Arc<Path>,
}

impl FolderStore {
    /// Opens the folder `dir`, makes it if it is not there, and removes what a process that died
    /// while writing left behind.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(StoreError::io("create the blob folder", &dir))?;
        let store = Self { dir: dir.into() };
        store.remove_leftovers()?;
        Ok(store)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stores `content`.
    pub fn put(&self, content: &[u8]) -> Result<Stored, StoreError> {
        let mut writer = self.writer()?;
        writer.append(content)?;
        writer.finish()
    }

    /// Stores a copy of the file at `path`, of whatever size.
    pub fn put_file(&self, path: &Path) -> Result<Stored, StoreError> {
        let mut file = File::open(path).map_err(StoreError::io("open", path))?;
        let mut writer = self.writer()?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = read_some(&mut file, &mut chunk).map_err(StoreError::io("read", path))?;
            if length == 0 {
                return writer.finish();
            }
            writer.append(&chunk[..length])?;
        }
    }

    /// Starts a blob whose content comes piece by piece.
    pub fn writer(&self) -> Result<BlobWriter, StoreError> {
        loop {
            let file = tempfile::Builder::new()
                .prefix(PARTIAL)
                .tempfile_in(&self.dir)
                .map_err(StoreError::io("create a file in", &self.dir))?;
            file.as_file().lock().map_err(StoreError::io("lock", file.path()))?;
            // Between creation and lock someone may have taken it for a leftover.
            if file.path().exists() {
                return Ok(BlobWriter {
                    store: self.clone(),
                    file,
                    hasher: blake3::Hasher::new(),
                    size: 0,
                });
            }
        }
    }

    /// Where the blob is, if it is here. Its content was checked when it was written; to check it
    /// again use [`Self::verify`].
    pub fn get(&self, hash: &BlobHash) -> Option<PathBuf> {
        let path = self.path(hash);
        path.is_file().then_some(path)
    }

    /// Whether the blob is here.
    pub fn contains(&self, hash: &BlobHash) -> bool {
        self.get(hash).is_some()
    }

    /// The content of a blob, if it is here, checked against its hash and length.
    pub fn read(&self, id: &BlobId) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(&id.hash);
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        self.check(id, BlobId::of(&content))?;
        Ok(Some(content))
    }

    /// Where the blob is, if it is here, after checking all of its content.
    pub fn verify(&self, id: &BlobId) -> Result<Option<PathBuf>, StoreError> {
        let path = self.path(&id.hash);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("open", &path)(error)),
        };
        let mut hasher = blake3::Hasher::new();
        let mut size = 0;
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = read_some(&mut file, &mut chunk).map_err(StoreError::io("read", &path))?;
            if length == 0 {
                break;
            }
            hasher.update(&chunk[..length]);
            size += length as u64;
        }
        self.check(id, BlobId::new(*hasher.finalize().as_bytes(), size))?;
        Ok(Some(path))
    }

    /// Deletes a blob; says whether it was here.
    pub fn remove(&self, hash: &BlobHash) -> Result<bool, StoreError> {
        let path = self.path(hash);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("delete", &path)(error)),
        }
    }

    /// Bytes that all blobs take together.
    pub fn total_size(&self) -> Result<u64, StoreError> {
        let mut total = 0;
        for path in self.entries()? {
            let is_blob = path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(is_blob_name);
            if is_blob {
                // One may be deleted meanwhile.
                total += fs::metadata(&path).map(|metadata| metadata.len()).unwrap_or(0);
            }
        }
        Ok(total)
    }

    fn path(&self, hash: &BlobHash) -> PathBuf {
        self.dir.join(hash.to_string())
    }

    /// A blob's name is its hash: content with another hash means a broken file, content with that
    /// hash and another length means that `expected` never existed.
    fn check(&self, expected: &BlobId, got: BlobId) -> Result<(), StoreError> {
        if got == *expected {
            Ok(())
        } else if got.hash == expected.hash {
            Err(StoreError::Mismatch {
                expected: *expected,
                got,
            })
        } else {
            Err(StoreError::Corrupt {
                expected: *expected,
                got,
                path: self.path(&expected.hash),
            })
        }
    }

    fn entries(&self) -> Result<Vec<PathBuf>, StoreError> {
        fs::read_dir(&self.dir)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(StoreError::io("list", &self.dir))
    }

    fn remove_leftovers(&self) -> Result<(), StoreError> {
        for path in self.entries()? {
            let is_partial = path
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(PARTIAL));
            // Another process may finish its file at any moment; then there is nothing to do.
            let Some(file) = is_partial.then(|| File::open(&path).ok()).flatten() else {
                continue;
            };
            match file.try_lock() {
                Ok(()) => {
                    tracing::info!(target: "blobs", path = %path.display(), "removing an unfinished blob");
                    let _ = fs::remove_file(&path);
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(StoreError::io("lock", &path)(error)),
            }
        }
        Ok(())
    }
}

/// A blob being written. Dropped before [`BlobWriter::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct BlobWriter {
    store: FolderStore,
    file: NamedTempFile,
    hasher: blake3::Hasher,
    size: u64,
}

impl BlobWriter {
    /// Adds `content` at the end.
    pub fn append(&mut self, content: &[u8]) -> Result<(), StoreError> {
        self.file
            .as_file_mut()
            .write_all(content)
            .map_err(StoreError::io("write", self.file.path()))?;
        self.hasher.update(content);
        self.size += content.len() as u64;
        Ok(())
    }

    /// Id of what was written so far.
    pub fn id(&self) -> BlobId {
        BlobId::new(*self.hasher.finalize().as_bytes(), self.size)
    }

    /// Puts the blob in its place, whatever it turned out to be.
    pub fn finish(self) -> Result<Stored, StoreError> {
        let id = self.id();
        let path = self.store.path(&id.hash);
        // Anything there of another length was damaged from outside: replace it.
        let new = !fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == id.size);
        if new {
            let temporary = self.file.path().to_owned();
            make_readable(self.file.as_file()).map_err(StoreError::io("set the permissions of", &temporary))?;
            self.file
                .as_file()
                .sync_all()
                .map_err(StoreError::io("flush", &temporary))?;
            self.file
                .persist(&path)
                .map_err(|failed| StoreError::io("rename a file to", &path)(failed.error))?;
            sync_folder(&self.store.dir).map_err(StoreError::io("flush", &self.store.dir))?;
        }
        Ok(Stored { id, new })
    }

    /// Puts the blob in its place if it is `expected`; otherwise nothing is kept.
    pub fn finish_as(self, expected: &BlobId) -> Result<Stored, StoreError> {
        let got = self.id();
        if got != *expected {
            return Err(StoreError::Mismatch {
                expected: *expected,
                got,
            });
        }
        self.finish()
    }
}

/// Reads up to `buffer.len()` bytes; 0 at the end of the file.
fn read_some(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn is_blob_name(name: &str) -> bool {
    name.parse::<BlobHash>().is_ok()
}

/// Temporary files are private; blobs are public, so that a static file server may serve them.
#[cfg(unix)]
fn make_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &File) -> io::Result<()> {
    Ok(())
}

/// Makes a rename in the folder survive a power cut.
#[cfg(unix)]
fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn store() -> (tempfile::TempDir, FolderStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = FolderStore::open(dir.path().join("blobs")).unwrap();
        (dir, store)
    }

    fn names(store: &FolderStore) -> Vec<String> {
        let mut names: Vec<_> = store
            .entries()
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn blob_should_be_in_a_file_named_by_its_hash_when_put() {
        let (_dir, store) = store();
        let stored = store.put(b"hello").unwrap();
        assert_eq!(
            stored,
            Stored {
                id: BlobId::of(b"hello"),
                new: true
            }
        );
        assert_eq!(names(&store), [stored.id.hash.to_string()]);
        assert_eq!(fs::read(store.get(&stored.id.hash).unwrap()).unwrap(), b"hello");
        assert_eq!(store.read(&stored.id).unwrap().unwrap(), b"hello");
        assert_eq!(store.verify(&stored.id).unwrap(), store.get(&stored.id.hash));
        assert_eq!(store.total_size().unwrap(), 5);
    }

    #[test]
    fn put_should_say_that_a_blob_is_not_new_when_it_is_there() {
        let (_dir, store) = store();
        assert!(store.put(b"same").unwrap().new);
        assert!(!store.put(b"same").unwrap().new);
        assert_eq!(names(&store).len(), 1);
    }

    #[test]
    fn put_file_should_store_the_same_blob_as_put() {
        let (dir, store) = store();
        let content: Vec<u8> = (0..3 * CHUNK + 17).map(|index| index as u8).collect();
        let path = dir.path().join("file");
        fs::write(&path, &content).unwrap();
        assert_eq!(
            store.put_file(&path).unwrap(),
            Stored {
                id: BlobId::of(&content),
                new: true
            }
        );
        assert!(!store.put(&content).unwrap().new);
    }

    #[test]
    fn blob_should_be_gone_when_removed() {
        let (_dir, store) = store();
        let id = store.put(b"x").unwrap().id;
        assert!(store.remove(&id.hash).unwrap());
        assert!(!store.remove(&id.hash).unwrap());
        assert!(!store.contains(&id.hash));
        assert_eq!(store.read(&id).unwrap(), None);
        assert_eq!(store.verify(&id).unwrap(), None);
    }

    #[test]
    fn nothing_should_be_kept_when_a_writer_is_dropped_or_the_content_is_another() {
        let (_dir, store) = store();
        let mut dropped = store.writer().unwrap();
        dropped.append(b"half").unwrap();
        drop(dropped);
        let mut other = store.writer().unwrap();
        other.append(b"other").unwrap();
        let expected = BlobId::of(b"this");
        let error = other.finish_as(&expected).unwrap_err();
        assert!(
            matches!(error, StoreError::Mismatch { got, .. } if got == BlobId::of(b"other")),
            "{error}"
        );
        assert!(names(&store).is_empty());
    }

    #[test]
    fn leftovers_of_a_dead_writer_should_be_removed_when_opened_but_not_those_of_a_living_one() {
        let (_dir, store) = store();
        fs::write(store.dir().join(format!("{PARTIAL}dead")), b"half").unwrap();
        fs::write(store.dir().join("README"), b"not ours").unwrap();
        let mut living = store.writer().unwrap();
        living.append(b"alive").unwrap();
        FolderStore::open(store.dir()).unwrap();
        let stored = living.finish().unwrap();
        let mut expected = ["README".to_string(), stored.id.hash.to_string()];
        expected.sort();
        assert_eq!(names(&store), expected);
        assert_eq!(store.total_size().unwrap(), 5);
    }

    #[test]
    fn damage_should_be_found_when_a_file_was_changed() {
        let (_dir, store) = store();
        let id = store.put(b"right").unwrap().id;
        let path = store.get(&id.hash).unwrap();
        fs::write(&path, b"wrong").unwrap();
        assert!(matches!(store.read(&id), Err(StoreError::Corrupt { .. })));
        assert!(matches!(store.verify(&id), Err(StoreError::Corrupt { .. })));
        fs::write(&path, b"righ").unwrap();
        assert!(
            store.put(b"right").unwrap().new,
            "a file of the wrong length is replaced"
        );
        assert_eq!(store.read(&id).unwrap().unwrap(), b"right");
    }

    #[test]
    fn read_should_tell_when_the_length_asked_for_is_wrong() {
        let (_dir, store) = store();
        let id = store.put(b"right").unwrap().id;
        let error = store.read(&BlobId { size: 4, ..id }).unwrap_err();
        assert!(matches!(error, StoreError::Mismatch { .. }), "{error}");
    }
}
