//! The journal at every point at which a process can die.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{outcome, outcome_with, ME, OTHER};

const GENESIS: H256 = H256::repeat_byte(7);
const KEY: Key = Key {
    job: 4,
    attempt: 1,
    spec: H256::repeat_byte(6),
};

fn open(state: &Path) -> Journal {
    Journal::open(state, GENESIS, ME).unwrap()
}

#[test]
fn record_should_be_there_after_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let entry = open(state.path()).record(KEY, outcome()).unwrap();
    assert_eq!(
        entry.commitment,
        commitment(&GENESIS, 4, 1, &[1; 32], &outcome(), &entry.salt.0)
    );
    assert_eq!(open(state.path()).load().unwrap(), [entry]);
}

#[test]
fn record_should_keep_the_first_entry_when_asked_again() {
    let state = tempfile::tempdir().unwrap();
    let entry = open(state.path()).record(KEY, outcome()).unwrap();
    let journal = open(state.path());
    assert_eq!(journal.record(KEY, outcome_with(2)).unwrap(), entry);
    assert_eq!(journal.load().unwrap(), [entry]);
}

#[test]
fn record_should_draw_another_salt_for_each_attempt() {
    let state = tempfile::tempdir().unwrap();
    let journal = open(state.path());
    let first = journal.record(KEY, outcome()).unwrap();
    let second = journal.record(Key { attempt: 2, ..KEY }, outcome()).unwrap();
    assert_ne!(first.salt, second.salt);
    assert_ne!(first.commitment, second.commitment);
    assert_eq!(journal.load().unwrap(), [first, second]);
}

#[test]
fn record_should_not_be_that_of_another_job_which_had_the_id_before() {
    let state = tempfile::tempdir().unwrap();
    let journal = open(state.path());
    let before = journal.record(KEY, outcome()).unwrap();
    let after = journal
        .record(
            Key {
                spec: H256::repeat_byte(8),
                ..KEY
            },
            outcome_with(2),
        )
        .unwrap();
    assert_eq!(after.outcome, outcome_with(2));
    assert_eq!(journal.load().unwrap(), [before, after]);
}

#[test]
fn entries_should_never_be_half_written_when_the_process_dies() {
    let state = tempfile::tempdir().unwrap();
    let whole = serde_json::to_vec(&open(state.path()).record(KEY, outcome()).unwrap()).unwrap();
    let (entry, unfinished) = {
        let entry = open(state.path()).path(KEY);
        (entry.clone(), entry.with_extension(UNFINISHED))
    };

    // Died while writing, at any length: there is no entry, and a new one can be made.
    for length in [0, 1, whole.len() / 2, whole.len()] {
        fs::remove_file(&entry).unwrap();
        fs::write(&unfinished, &whole[..length]).unwrap();
        let journal = open(state.path());
        assert!(!unfinished.exists());
        assert_eq!(journal.load().unwrap(), []);
        journal.record(KEY, outcome()).unwrap();
    }

    // Died between linking and removing the other name: the entry is there, and stays.
    let recorded = fs::read(&entry).unwrap();
    fs::hard_link(&entry, &unfinished).unwrap();
    let journal = open(state.path());
    assert!(!unfinished.exists());
    journal.record(KEY, outcome_with(2)).unwrap();
    assert_eq!(fs::read(&entry).unwrap(), recorded);
}

#[test]
fn damaged_entries_should_be_put_aside_when_the_disk_failed() {
    let state = tempfile::tempdir().unwrap();
    let journal = open(state.path());
    let sound = journal.record(Key { job: 5, ..KEY }, outcome()).unwrap();
    let path = journal.path(KEY);
    let forged = Entry {
        salt: H256::zero(),
        key: KEY,
        ..sound.clone()
    };
    let misnamed = serde_json::to_vec(&sound).unwrap();
    for content in [&b"{"[..], b"", &serde_json::to_vec(&forged).unwrap(), &misnamed] {
        fs::write(&path, content).unwrap();
        assert_eq!(journal.load().unwrap(), std::slice::from_ref(&sound));
        assert_eq!(fs::read(path.with_extension(BROKEN)).unwrap(), content);
    }
}

#[test]
fn journal_should_not_know_the_jobs_of_another_chain() {
    let state = tempfile::tempdir().unwrap();
    open(state.path()).record(KEY, outcome()).unwrap();
    let other = Journal::open(state.path(), H256::repeat_byte(8), ME).unwrap();
    assert_eq!(other.load().unwrap(), []);
    other.record(KEY, outcome()).unwrap();
    drop(other);
    assert_eq!(open(state.path()).load().unwrap().len(), 1);
}

#[test]
fn journal_should_be_refused_when_another_process_has_it() {
    let state = tempfile::tempdir().unwrap();
    let first = open(state.path());
    assert!(matches!(
        Journal::open(state.path(), GENESIS, OTHER),
        Err(JournalError::Locked { .. })
    ));
    drop(first);
    open(state.path());
}

#[test]
fn remove_should_forget_one_attempt() {
    let state = tempfile::tempdir().unwrap();
    let journal = open(state.path());
    journal.record(KEY, outcome()).unwrap();
    let kept = journal.record(Key { attempt: 0, ..KEY }, outcome()).unwrap();
    journal.remove(KEY).unwrap();
    journal.remove(KEY).unwrap();
    assert_eq!(journal.load().unwrap(), [kept]);
}
