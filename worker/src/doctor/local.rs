//! What is looked at on this machine: folders, disk, clock.

use super::Finding;
use crate::journal::is_locked;
use assay_client::chain::BlockAt;
use std::{
    io,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use subxt::{dynamic, OnlineClient, SubstrateConfig};

/// With less free space than this, in bytes, packages and outputs may soon not fit.
const LOW_SPACE: u64 = 2 << 30;

/// With less free space than this, in bytes, a worker should not run.
const NO_SPACE: u64 = 128 << 20;

/// The most that this machine's clock may differ from a block's that has just come: two slots.
const CLOCK_DRIFT: Duration = Duration::from_secs(6);

/// Whether the journal can be written.
pub(super) fn state_dir(folder: &Path) -> Finding {
    const WHAT: &str = "state_dir";
    let shown = folder.display();
    if let Err(error) = try_writing(folder) {
        return Finding::failure(
            WHAT,
            format!("{shown}: {error}"),
            "make it writable for this user, or set another `state_dir`",
        );
    }
    match is_locked(folder) {
        Ok(true) => Finding::ok(WHAT, format!("{shown}, in use by a running worker")),
        Ok(false) => Finding::warning(
            WHAT,
            format!("{shown}, no worker is running with it"),
            "start `assay-worker run`",
        ),
        Err(error) => Finding::failure(
            WHAT,
            error,
            "make it writable for this user, or set another `state_dir`",
        ),
    }
}

/// Whether blobs can be stored.
pub(super) fn blob_dir(folder: &Path) -> Finding {
    const WHAT: &str = "blob_dir";
    let shown = folder.display();
    let free = try_writing(folder).and_then(|()| Ok(rustix::fs::statvfs(folder)?));
    let free = match free {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => {
            return Finding::failure(
                WHAT,
                format!("{shown}: {error}"),
                "make it writable for this user, or set another `blob_dir`",
            )
        }
    };
    let found = format!("{shown}, {} MiB free", free >> 20);
    let mend = "free some space, or set `blob_dir` to a larger disk";
    match free {
        none if none < NO_SPACE => Finding::failure(WHAT, found, mend),
        low if low < LOW_SPACE => Finding::warning(WHAT, found, mend),
        _ => Finding::ok(WHAT, found),
    }
}

/// Whether this machine's clock agrees with that of `block`, which has just come.
pub(super) async fn clock(block: &BlockAt) -> Finding {
    const WHAT: &str = "clock";
    let chains = match timestamp(block).await {
        Ok(milliseconds) => UNIX_EPOCH + Duration::from_millis(milliseconds),
        Err(error) => {
            return Finding::failure(
                WHAT,
                format!("the chain's time cannot be read: {error:#}"),
                "look at the node's log",
            )
        }
    };
    judge_clock(SystemTime::now(), chains)
}

fn judge_clock(ours: SystemTime, chains: SystemTime) -> Finding {
    const WHAT: &str = "clock";
    let (drift, direction) = match ours.duration_since(chains) {
        Ok(drift) => (drift, "ahead of"),
        Err(error) => (error.duration(), "behind"),
    };
    let found = format!("{:.1} s {direction} the latest block", drift.as_secs_f32());
    if drift <= CLOCK_DRIFT {
        Finding::ok(WHAT, found)
    } else {
        let mend = "synchronise the clock (timedatectl set-ntp true); deadlines are reckoned by it";
        Finding::failure(
            WHAT,
            format!("{found}, expected at most {} s", CLOCK_DRIFT.as_secs()),
            mend,
        )
    }
}

/// The block's time, in milliseconds since 1970.
async fn timestamp(block: &BlockAt) -> anyhow::Result<u64> {
    let client = OnlineClient::<SubstrateConfig>::from_insecure_url(block.chain().url()).await?;
    let block = client.at_block_hash_and_number(block.hash, block.number.into()).await?;
    let address = dynamic::storage::<(), u64>("Timestamp", "Now");
    Ok(block.storage().fetch(address, ()).await?.decode()?)
}

fn try_writing(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    tempfile::NamedTempFile::new_in(folder)?.close()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{doctor::Level, journal::Journal, testing::ME};

    #[test]
    fn clock_should_fail_when_it_is_off_by_more_than_some_slots() {
        let now = SystemTime::now();
        assert_eq!(judge_clock(now, now - Duration::from_secs(3)).level, Level::Ok);
        assert_eq!(judge_clock(now, now + Duration::from_secs(3)).level, Level::Ok);
        assert_eq!(judge_clock(now, now - Duration::from_secs(60)).level, Level::Failure);
        assert_eq!(judge_clock(now, now + Duration::from_secs(60)).level, Level::Failure);
    }

    #[test]
    fn state_dir_should_tell_whether_a_worker_runs() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(state_dir(folder.path()).level, Level::Warning);
        let journal = Journal::open(folder.path(), sp_core::H256::zero(), ME).unwrap();
        assert_eq!(state_dir(folder.path()).level, Level::Ok);
        drop(journal);
        assert_eq!(state_dir(folder.path()).level, Level::Warning);
    }

    #[test]
    fn folders_should_fail_when_they_cannot_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(state_dir(&file.join("state")).level, Level::Failure);
        assert_eq!(blob_dir(&file.join("blobs")).level, Level::Failure);
        assert_ne!(blob_dir(&folder.path().join("blobs")).level, Level::Failure);
    }
}
