//! The jobs that this worker has in hand: takes in what the chain and the running work say, and
//! says what is to be done.
//!
//! It waits for nothing and talks to nobody; [`crate::service`] does that. What it knows can be
//! lost at any time: a new tracker with the journal's entries goes on where the old one was.

use crate::{
    journal::{digest, Entry, Key},
    machine::{decide, Decision, Reason, Step, Work},
};
use assay_client::{AccountId, Job};
use assay_types::{Fault, JobId, Phase};
use std::collections::{BTreeMap, HashMap};

/// Blocks after which a step that has shown no effect is taken again.
const PATIENCE: u32 = 4;

/// Blocks after which an attempt is forgotten that the finalized chain does not know: those in
/// which the transaction that made the job could still be included again after a reorganisation.
const FORGET_AFTER: u32 = 256;

/// An attempt in hand.
#[derive(Debug)]
struct Tracked {
    work: Work,
    /// The last transaction for it.
    sent: Option<Sent>,
    /// Why nothing is done for it, as the log was told.
    stopped: Option<Reason>,
    /// Best block at which it was first looked at.
    since: Option<u32>,
}

/// A transaction for an attempt.
#[derive(Clone, Copy, Debug)]
struct Sent {
    step: Step,
    /// Best block when it was sent or last heard of.
    at: u32,
    /// Whether its fate is still unknown.
    pending: bool,
}

/// Something for [`crate::service`] to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Fetch the job's blobs and run it; say how it goes by [`Tracker::on_work`].
    Start(Box<Job>),
    /// Send this step's transaction; say that its fate is known by [`Tracker::on_sent`].
    Send(Key, Step),
}

/// How an attempt ended, in the finalized chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The worker was paid.
    Settled {
        /// What it got.
        paid: u128,
    },
    /// The job ended without a result.
    Failed(Fault),
    /// The attempt was given up, and the job with another worker or none.
    GivenUp(Fault),
    /// The submitter cancelled the job, or it expired.
    Dropped,
    /// The chain has no record of the job, or not any more.
    Forgotten,
}

impl End {
    /// The `outcome` label of metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Settled { .. } => "settled",
            Self::Failed(Fault::Submitter) | Self::GivenUp(Fault::Submitter) => "input_unusable",
            Self::Failed(Fault::Artifact) | Self::GivenUp(Fault::Artifact) => "model_unusable",
            Self::Failed(_) | Self::GivenUp(_) => "missed",
            Self::Dropped => "dropped",
            Self::Forgotten => "forgotten",
        }
    }
}

/// The jobs in hand.
#[derive(Debug)]
pub(crate) struct Tracker {
    me: AccountId,
    attempts: BTreeMap<Key, Tracked>,
    /// Latest best block seen.
    best: u32,
    draining: bool,
}

impl Tracker {
    /// Takes up where the journal's entries leave off.
    pub(crate) fn new(me: AccountId, entries: Vec<Entry>) -> Self {
        let attempts = entries
            .into_iter()
            .map(|entry| (entry.key, Tracked::from(entry)))
            .collect();
        Self {
            me,
            attempts,
            best: 0,
            draining: false,
        }
    }

    /// Takes no more jobs from now on.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    /// Looks at the jobs assigned to this worker as they are at block `best`.
    pub(crate) fn on_best(&mut self, best: u32, jobs: &[Job]) -> Vec<Effect> {
        self.best = best;
        for tracked in self.attempts.values_mut() {
            tracked.since.get_or_insert(best);
        }
        jobs.iter().filter_map(|job| self.look_at(job)).collect()
    }

    /// Takes note of how far the work is.
    pub(crate) fn on_work(&mut self, key: Key, work: Work) {
        if let Some(tracked) = self.attempts.get_mut(&key) {
            tracked.work = work;
        }
    }

    /// Takes note that a transaction is in a block, or will be in none.
    pub(crate) fn on_sent(&mut self, key: Key, step: Step) {
        let best = self.best;
        let sent = self.attempts.get_mut(&key).and_then(|tracked| tracked.sent.as_mut());
        if let Some(sent) = sent.filter(|sent| sent.step == step) {
            *sent = Sent {
                at: best,
                pending: false,
                ..*sent
            };
        }
    }

    /// Jobs whose finalized state [`Self::on_finalized`] is to be told.
    pub(crate) fn jobs(&self) -> Vec<JobId> {
        let mut jobs: Vec<_> = self.attempts.keys().map(|key| key.job).collect();
        jobs.dedup();
        jobs
    }

    /// Lets go of the attempts that have ended for good, given the jobs' state at finalized block
    /// `number`.
    pub(crate) fn on_finalized(&mut self, number: u32, jobs: &HashMap<JobId, Job>) -> Vec<(Key, End)> {
        let forgotten = |since: u32| number.saturating_sub(since) >= FORGET_AFTER;
        let ended: Vec<_> = self
            .attempts
            .iter()
            .filter_map(
                |(key, tracked)| match jobs.get(&key.job).filter(|job| digest(&job.spec) == key.spec) {
                    Some(job) => end(job, key.attempt, &self.me).map(|end| (*key, end)),
                    None => tracked.since.is_some_and(forgotten).then_some((*key, End::Forgotten)),
                },
            )
            .collect();
        for (key, _) in &ended {
            self.attempts.remove(key);
        }
        ended
    }

    /// Attempts in which this worker has still something to do, given its jobs at the best block.
    pub(crate) fn in_progress(&self, jobs: &[Job]) -> usize {
        let mine = |job: &&Job| match &job.phase {
            Phase::Running { worker, .. } | Phase::Committed { worker, .. } => *worker == self.me,
            _ => false,
        };
        let stopped = |job: &Job| {
            self.attempts
                .get(&Key::of(job))
                .is_some_and(|tracked| tracked.stopped.is_some())
        };
        jobs.iter().filter(mine).filter(|job| !stopped(job)).count()
    }

    /// Whether the fate of a transaction is still unknown.
    pub(crate) fn is_sending(&self) -> bool {
        self.attempts
            .values()
            .any(|tracked| tracked.sent.is_some_and(|sent| sent.pending))
    }

    fn look_at(&mut self, job: &Job) -> Option<Effect> {
        let key = Key::of(job);
        let ours = job.phase.worker() == Some(&self.me);
        let tracked = match self.attempts.get_mut(&key) {
            Some(tracked) => tracked,
            None if ours => self.attempts.entry(key).or_insert_with(|| Tracked::new(self.best)),
            None => return None,
        };
        let step = match decide(job, &self.me, self.best, &tracked.work, self.draining) {
            Decision::Do(step) => step,
            Decision::Wait => return None,
            Decision::Stop(reason) => {
                if tracked.stopped.replace(reason) != Some(reason) {
                    report(key, reason);
                }
                return None;
            }
        };
        tracked.stopped = None;
        if step == Step::Start {
            tracked.work = Work::Fetching;
            return Some(Effect::Start(Box::new(job.clone())));
        }
        let waits = |sent: Sent| sent.pending || self.best < sent.at.saturating_add(PATIENCE);
        if tracked.sent.is_some_and(|sent| sent.step == step && waits(sent)) {
            return None;
        }
        tracked.sent = Some(Sent {
            step,
            at: self.best,
            pending: true,
        });
        Some(Effect::Send(key, step))
    }
}

impl Tracked {
    fn new(best: u32) -> Self {
        Self {
            work: Work::NotBegun,
            sent: None,
            stopped: None,
            since: Some(best),
        }
    }
}

impl From<Entry> for Tracked {
    fn from(entry: Entry) -> Self {
        Self {
            work: Work::Ready(Box::new(entry)),
            sent: None,
            stopped: None,
            since: None,
        }
    }
}

/// How the attempt ended, if it has.
fn end(job: &Job, attempt: u32, me: &AccountId) -> Option<End> {
    if let Some(given_up) = job.attempts.get(attempt as usize) {
        return Some(match &job.phase {
            Phase::Failed { fault, .. } if attempt as usize + 1 == job.attempts.len() => End::Failed(*fault),
            _ => End::GivenUp(given_up.fault),
        });
    }
    match &job.phase {
        Phase::Settled { worker, payment, .. } if worker == me => Some(End::Settled { paid: payment.worker }),
        Phase::Settled { .. } => Some(End::GivenUp(Fault::Network)),
        Phase::Failed { fault, .. } => Some(End::Failed(*fault)),
        Phase::Cancelled | Phase::Expired => Some(End::Dropped),
        _ => None,
    }
}

fn report(key: Key, reason: Reason) {
    let Key { job, attempt, .. } = key;
    match reason {
        Reason::Done | Reason::NotOurs => {
            tracing::debug!(target: "worker::jobs", job, attempt, ?reason, "nothing more to do");
        }
        Reason::Draining => tracing::info!(target: "worker::jobs", job, attempt, "not taken: shutting down"),
        Reason::TooSlow { needed, allowed } => {
            tracing::warn!(
                target: "worker::jobs", job, attempt, needed, allowed,
                "not acknowledged: it would take more blocks than the chain allows; is `max_jobs` too high, or the machine too busy?"
            );
        }
        Reason::Late { until } => {
            tracing::warn!(target: "worker::jobs", job, attempt, until, "too late: the deadline has passed");
        }
        Reason::Lost => {
            tracing::error!(
                target: "worker::jobs", job, attempt,
                "the chain has a commitment that the journal does not know: it cannot be revealed, \
                 and the bond will suffer; was state_dir changed, or does another worker use this hot key?"
            );
        }
        Reason::Failed => tracing::error!(target: "worker::jobs", job, attempt, "given up: the work failed here"),
    }
}

#[cfg(test)]
mod tests;
