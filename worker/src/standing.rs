//! What the worker tells the chain about itself: which models it has ready, and whether it takes
//! jobs.

use assay_client::{
    chain::{calls, Call},
    Worker,
};
use assay_types::ArtifactId;

/// Blocks after which a call that has shown no effect is sent again.
const PATIENCE: u32 = 10;

/// How often it is tried to chill the worker before it stops all the same: a hot key without money
/// must not keep the process alive.
const CHILL_TRIES: u32 = 3;

/// A change to the worker's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Declare these models ready, and no others.
    Ready(Vec<ArtifactId>),
    /// Take jobs.
    Resume,
    /// Take no jobs.
    Chill,
}

impl Change {
    /// The transaction that makes the change.
    pub(crate) fn call(&self) -> Call {
        match self {
            Self::Ready(models) => calls::validate_artifacts(models),
            Self::Resume => calls::resume(),
            Self::Chill => calls::chill(),
        }
    }
}

/// Keeps the worker's record on chain as it should be.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Models that are loaded; none until all have been tried.
    loaded: Option<Vec<ArtifactId>>,
    draining: bool,
    /// Whether it has taken jobs since this process began. Only before that it is resumed by
    /// itself: if the chain chills it later, something is wrong that a person must look at.
    active: bool,
    /// The change being made, and the best block when that began.
    sent: Option<(Change, u32)>,
    /// How often it was tried to chill the worker.
    chills: u32,
}

impl Standing {
    /// Takes note of the models that are loaded.
    pub(crate) fn on_loaded(&mut self, mut models: Vec<ArtifactId>) {
        models.sort_unstable();
        self.loaded = Some(models);
    }

    /// Takes no more jobs from now on.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
        self.sent = None;
    }

    /// The change to make, given the worker's record at block `best`.
    pub(crate) fn on_best(&mut self, best: u32, worker: &Worker) -> Option<Change> {
        let Some(change) = self.due(worker) else {
            self.sent = None;
            return None;
        };
        let waits = |(sent, at): &(Change, u32)| *sent == change && best < at.saturating_add(PATIENCE);
        if self.sent.as_ref().is_some_and(waits) {
            return None;
        }
        self.chills += u32::from(change == Change::Chill);
        self.sent = Some((change.clone(), best));
        Some(change)
    }

    /// Whether nothing more is to be told to the chain before the process ends.
    pub(crate) fn may_stop(&self, worker: &Worker) -> bool {
        self.draining && (worker.chilled || self.chills > CHILL_TRIES)
    }

    fn due(&mut self, worker: &Worker) -> Option<Change> {
        if self.draining {
            return (!worker.chilled).then_some(Change::Chill);
        }
        let loaded = self.loaded.as_ref()?;
        let mut declared = worker.ready.clone();
        declared.sort_unstable();
        if declared != *loaded {
            return Some(Change::Ready(loaded.clone()));
        }
        if !worker.chilled {
            self.active = true;
            return None;
        }
        (!self.active).then_some(Change::Resume)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::worker;

    #[test]
    fn models_should_be_declared_once_they_are_loaded_then_jobs_taken() {
        let mut standing = Standing::default();
        assert_eq!(standing.on_best(1, &worker(true, &[7])), None);
        standing.on_loaded(vec![3, 1]);
        assert_eq!(
            standing.on_best(2, &worker(true, &[7])),
            Some(Change::Ready(vec![1, 3]))
        );
        assert_eq!(standing.on_best(3, &worker(true, &[7])), None);
        assert_eq!(standing.on_best(4, &worker(true, &[3, 1])), Some(Change::Resume));
        assert_eq!(standing.on_best(5, &worker(false, &[1, 3])), None);
        // A model that was loaded later.
        standing.on_loaded(vec![1, 2, 3]);
        assert_eq!(
            standing.on_best(6, &worker(false, &[1, 3])),
            Some(Change::Ready(vec![1, 2, 3]))
        );
    }

    #[test]
    fn change_should_be_sent_again_when_it_has_shown_no_effect() {
        let mut standing = Standing::default();
        standing.on_loaded(vec![1]);
        assert_eq!(standing.on_best(1, &worker(false, &[])), Some(Change::Ready(vec![1])));
        assert_eq!(standing.on_best(PATIENCE, &worker(false, &[])), None);
        assert_eq!(
            standing.on_best(1 + PATIENCE, &worker(false, &[])),
            Some(Change::Ready(vec![1]))
        );
    }

    #[test]
    fn worker_should_stay_chilled_when_the_chain_chilled_it() {
        let mut standing = Standing::default();
        standing.on_loaded(vec![1]);
        assert_eq!(standing.on_best(1, &worker(false, &[1])), None);
        assert_eq!(standing.on_best(2, &worker(true, &[1])), None);
    }

    #[test]
    fn draining_worker_should_be_chilled_once() {
        let mut standing = Standing::default();
        standing.drain();
        assert_eq!(standing.on_best(1, &worker(false, &[1])), Some(Change::Chill));
        assert_eq!(standing.on_best(2, &worker(false, &[1])), None);
        assert!(!standing.may_stop(&worker(false, &[1])));
        assert_eq!(standing.on_best(3, &worker(true, &[1])), None);
        assert!(standing.may_stop(&worker(true, &[1])));
    }

    #[test]
    fn draining_worker_should_stop_all_the_same_when_it_cannot_be_chilled() {
        let mut standing = Standing::default();
        standing.drain();
        for round in 0..CHILL_TRIES {
            assert_eq!(
                standing.on_best(round * PATIENCE, &worker(false, &[1])),
                Some(Change::Chill)
            );
            assert!(!standing.may_stop(&worker(false, &[1])));
        }
        standing.on_best(CHILL_TRIES * PATIENCE, &worker(false, &[1]));
        assert!(standing.may_stop(&worker(false, &[1])));
    }
}
