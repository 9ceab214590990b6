//! What must outlive the process: outcome, salt and commitment of each attempt, on disk before the
//! commitment goes on chain.
//!
//! One file an attempt, `<state>/<genesis>/<job>-<attempt>-<spec>.json`, written once and never
//! changed, so that an attempt has one commitment whatever happens. A file comes into being whole (written
//! under another name, flushed, then linked), and is deleted once the chain has finalized the
//! attempt's end. The folder is named by the genesis block, so that the jobs of a chain that was
//! wiped are not taken for those of the new one.

use assay_client::{AccountId, Job};
use assay_types::{commitment, JobId, JobSpec, Outcome};
use codec::Encode;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sp_core::H256;
use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Held by the one process that works with a state folder.
const LOCK: &str = "lock";

/// Ends the names of entries.
const ENTRY: &str = "json";

/// Ends the names of files that are being written.
const UNFINISHED: &str = "tmp";

/// Ends the names of entries that could not be read.
const BROKEN: &str = "broken";

/// An attempt at a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    /// The job.
    pub(crate) job: JobId,
    /// Which attempt at it.
    pub(crate) attempt: u32,
    /// Digest of what is asked. After a reorganisation an id may be that of another job, whose
    /// result is another one.
    pub(crate) spec: H256,
}

impl Key {
    /// The attempt that `job` is in.
    pub(crate) fn of(job: &Job) -> Self {
        Self {
            job: job.id,
            attempt: job.attempt,
            spec: digest(&job.spec),
        }
    }
}

/// Digest of what a job asks.
pub(crate) fn digest(spec: &JobSpec) -> H256 {
    H256(blake3::hash(&spec.encode()).into())
}

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// The disk refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it.
    #[error("{folder}: expected to be the only worker with this state_dir, but another process holds its lock; \
         stop that one, or set another state_dir", folder = folder.display())]
    Locked {
        /// The state folder.
        folder: PathBuf,
    },
}

/// An attempt's result and what opens its commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The attempt.
    #[serde(flatten)]
    pub(crate) key: Key,
    /// Cold account the commitment is bound to.
    pub(crate) worker: AccountId,
    /// What will be revealed.
    pub(crate) outcome: Outcome,
    /// What opens the commitment.
    pub(crate) salt: H256,
    /// What goes on chain first.
    pub(crate) commitment: H256,
}

/// The journal of one worker on one chain.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    genesis: H256,
    worker: AccountId,
    /// Unlocked by the system when the process ends, however it ends.
    _lock: File,
}

impl Journal {
    /// Opens the journal in `state` for `worker` on the chain with this genesis block.
    pub(crate) fn open(state: &Path, genesis: H256, worker: AccountId) -> Result<Self, JournalError> {
        let folder = state.join(hex::encode(genesis));
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let lock = lock(state)?;
        sync_folder(state)?;
        for path in files(&folder, UNFINISHED)? {
            fs::remove_file(&path).map_err(at(&path))?;
        }
        Ok(Self {
            folder,
            genesis,
            worker,
            _lock: lock,
        })
    }

    /// The entry for the attempt: made from `outcome` and a fresh salt unless there is one already,
    /// which is then returned as it is. On disk when this returns.
    pub(crate) fn record(&self, key: Key, outcome: Outcome) -> Result<Entry, JournalError> {
        if let Some(entry) = self.read(&self.path(key))? {
            return Ok(entry);
        }
        let mut salt = H256::zero();
        rand::rngs::OsRng.fill_bytes(salt.as_bytes_mut());
        let worker = self.worker.clone();
        let commitment = commitment(&self.genesis, key.job, key.attempt, worker.as_ref(), &outcome, &salt.0);
        let entry = Entry {
            key,
            worker,
            outcome,
            salt,
            commitment,
        };

        let path = self.path(key);
        let unfinished = path.with_extension(UNFINISHED);
        let content = serde_json::to_vec(&entry).expect("numbers, names and hex have a JSON form; qed");
        let mut file = File::create(&unfinished).map_err(at(&unfinished))?;
        file.write_all(&content)
            .and_then(|()| file.sync_all())
            .map_err(at(&unfinished))?;
        // Unlike a rename, a link never replaces what is there.
        fs::hard_link(&unfinished, &path).map_err(at(&path))?;
        fs::remove_file(&unfinished).map_err(at(&unfinished))?;
        sync_folder(&self.folder)?;
        Ok(entry)
    }

    /// All entries. One that is damaged is put aside under another name and reported in the log:
    /// its attempt is lost, the others are not.
    pub(crate) fn load(&self) -> Result<Vec<Entry>, JournalError> {
        let mut entries = Vec::new();
        for path in files(&self.folder, ENTRY)? {
            entries.extend(self.read(&path)?);
        }
        entries.sort_by_key(|entry| entry.key);
        Ok(entries)
    }

    /// Forgets the attempt.
    pub(crate) fn remove(&self, key: Key) -> Result<(), JournalError> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
            _ => Ok(()),
        }
    }

    fn path(&self, key: Key) -> PathBuf {
        let Key { job, attempt, spec } = key;
        self.folder
            .join(format!("{job}-{attempt}-{}.{ENTRY}", hex::encode(&spec[..8])))
    }

    fn read(&self, path: &Path) -> Result<Option<Entry>, JournalError> {
        let content = match fs::read(path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(path)(error)),
        };
        let problem = match serde_json::from_slice::<Entry>(&content) {
            Ok(entry) if self.path(entry.key) != path => "it is about another attempt than its name says".into(),
            Ok(entry) if !self.opens(&entry) => "outcome and salt do not give a commitment of this worker".into(),
            Ok(entry) => return Ok(Some(entry)),
            Err(error) => error.to_string(),
        };
        let aside = path.with_extension(BROKEN);
        fs::rename(path, &aside).map_err(at(path))?;
        tracing::error!(target: "worker::journal", path = %aside.display(), %problem, "put a damaged entry aside");
        Ok(None)
    }

    fn opens(&self, entry: &Entry) -> bool {
        let Entry {
            key,
            worker,
            outcome,
            salt,
            commitment: expected,
        } = entry;
        *worker == self.worker
            && commitment(&self.genesis, key.job, key.attempt, worker.as_ref(), outcome, &salt.0) == *expected
    }
}

/// Whether a process works with this state folder.
pub(crate) fn is_locked(state: &Path) -> Result<bool, JournalError> {
    match lock(state) {
        Ok(_) => Ok(false),
        Err(JournalError::Locked { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

fn lock(state: &Path) -> Result<File, JournalError> {
    let path = state.join(LOCK);
    let lock = File::create(&path).map_err(at(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { folder: state.into() }),
        Err(TryLockError::Error(source)) => Err(JournalError::Io { path, source }),
    }
}

/// Turns an error of the system into one that names the path.
fn at(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    |source| JournalError::Io { path, source }
}

/// Files of `folder` with this extension.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, JournalError> {
    let paths =
        fs::read_dir(folder).and_then(|files| files.map(|file| Ok(file?.path())).collect::<io::Result<Vec<_>>>());
    let mut paths = paths.map_err(at(folder))?;
    paths.retain(|path| path.extension().is_some_and(|is| is == extension));
    Ok(paths)
}

/// Makes the folder's names durable.
fn sync_folder(folder: &Path) -> Result<(), JournalError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(at(folder))
}

#[cfg(test)]
mod tests;
