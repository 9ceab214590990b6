//! What to do next about a job: a pure function of what the chain says and how far the work is.
//!
//! Nothing is remembered here. After a restart the chain's view of each job and the journal's
//! entry for it lead to the same decision as if nothing had happened.

use crate::journal::Entry;
use assay_client::{AccountId, Job};
use assay_types::{Outcome, Phase, UnavailableBlob};
use sp_core::H256;

/// How far this worker is with its part of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Not begun in this process.
    NotBegun,
    /// Blobs are being fetched.
    Fetching,
    /// The blobs are here; it waits for its turn, or is being run.
    Computing {
        /// Blocks it will take, as far as one can tell.
        needed: u32,
        /// Blocks the chain gives from acknowledgement to commitment.
        allowed: u32,
    },
    /// The result is in the journal.
    Ready(Box<Entry>),
    /// A blob cannot be had.
    Unavailable(UnavailableBlob),
    /// This machine could not do it, or not save the result.
    Failed,
}

/// Something to do for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Fetch its blobs and run it.
    Start,
    /// Tell the chain that it is being done.
    Acknowledge,
    /// Tell the chain that a blob cannot be had.
    Report(UnavailableBlob),
    /// Send the commitment that the journal holds.
    Commit(H256),
    /// Send outcome and salt that the journal holds.
    Reveal(Outcome, H256),
}

impl Step {
    /// Its name in logs, which a salt must not reach.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Acknowledge => "acknowledge",
            Self::Report(UnavailableBlob::Input) => "report input unavailable",
            Self::Report(UnavailableBlob::Package) => "report package unavailable",
            Self::Commit(_) => "commit",
            Self::Reveal(..) => "reveal",
        }
    }
}

/// Why nothing more is done for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is over, or the rest is the chain's.
    Done,
    /// It is another worker's.
    NotOurs,
    /// This worker is shutting down and takes no more jobs.
    Draining,
    /// It would not be done in time.
    TooSlow {
        /// Blocks it would take.
        needed: u32,
        /// Blocks there are from acknowledgement to commitment.
        allowed: u32,
    },
    /// The step's deadline has passed.
    Late {
        /// The last block in which it could have been taken.
        until: u32,
    },
    /// The chain has a commitment whose salt is not in the journal.
    Lost,
    /// The work failed here.
    Failed,
}

/// What to do about a job at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Take this step.
    Do(Step),
    /// Look again at the next block.
    Wait,
    /// Nothing more.
    Stop(Reason),
}

/// Decides about `job` as it is at block `best`, which is also the latest block: a transaction
/// sent now is in block `best + 1` at the earliest.
pub(crate) fn decide(job: &Job, me: &AccountId, best: u32, work: &Work, draining: bool) -> Decision {
    use Decision::{Do, Stop, Wait};
    if job.phase.is_ended() {
        return Stop(Reason::Done);
    }
    if job.phase.worker() != Some(me) {
        return Stop(Reason::NotOurs);
    }
    let next = best.saturating_add(1);
    match &job.phase {
        Phase::Assigned { until, .. } => {
            if next > *until {
                return Stop(Reason::Late { until: *until });
            }
            if draining {
                return Stop(Reason::Draining);
            }
            match work {
                Work::NotBegun => Do(Step::Start),
                Work::Fetching => Wait,
                Work::Computing { needed, allowed } if needed > allowed => Stop(Reason::TooSlow {
                    needed: *needed,
                    allowed: *allowed,
                }),
                Work::Computing { .. } => Do(Step::Acknowledge),
                Work::Ready(_) => Do(Step::Acknowledge),
                Work::Unavailable(blob) => Do(Step::Report(*blob)),
                Work::Failed => Stop(Reason::Failed),
            }
        }
        Phase::Running { until, .. } => {
            if next > *until {
                return Stop(Reason::Late { until: *until });
            }
            match work {
                Work::NotBegun => Do(Step::Start),
                Work::Fetching | Work::Computing { .. } => Wait,
                Work::Ready(entry) => Do(Step::Commit(entry.commitment)),
                Work::Unavailable(blob) => Do(Step::Report(*blob)),
                Work::Failed => Stop(Reason::Failed),
            }
        }
        Phase::Committed {
            commitment,
            from,
            until,
            ..
        } => match work {
            Work::Ready(entry) if entry.commitment == *commitment => {
                if next > *until {
                    Stop(Reason::Late { until: *until })
                } else if next < *from {
                    Wait
                } else {
                    Do(Step::Reveal(entry.outcome, entry.salt))
                }
            }
            _ => Stop(Reason::Lost),
        },
        // The chain settles it by itself; `expire` is for those who find that it did not.
        _ => Stop(Reason::Done),
    }
}

#[cfg(test)]
mod tests;
