//! A worker that is killed at every point against a market in memory.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    journal::Journal,
    testing::{job, outcome, outcome_with, ME, OTHER},
};
use assay_types::{commitment, Attempt, Payment, UnavailableBlob};
use sp_core::H256;
use std::path::Path;

const GENESIS: H256 = H256::repeat_byte(7);

/// Blocks until a job that nobody works on is given up.
const PATIENT: u32 = 60;

fn assigned() -> Job {
    job(
        3,
        Phase::Assigned {
            worker: ME,
            until: PATIENT,
        },
    )
}

fn attempt() -> Key {
    Key::of(&assigned())
}

fn tracker() -> Tracker {
    Tracker::new(ME, Vec::new())
}

fn sent(effects: &[Effect]) -> Vec<&'static str> {
    let name = |effect: &Effect| match effect {
        Effect::Start(_) => Step::Start.name(),
        Effect::Send(_, step) => step.name(),
    };
    effects.iter().map(name).collect()
}

#[test]
fn step_should_be_taken_once_until_patience_runs_out() {
    let mut tracker = tracker();
    assert_eq!(sent(&tracker.on_best(1, &[assigned()])), ["start"]);
    assert_eq!(sent(&tracker.on_best(2, &[assigned()])), [""; 0]);
    tracker.on_work(attempt(), Work::Computing { needed: 1, allowed: 9 });
    assert_eq!(sent(&tracker.on_best(3, &[assigned()])), ["acknowledge"]);
    assert!(tracker.is_sending());
    // Still under way, however long that takes.
    assert_eq!(sent(&tracker.on_best(30, &[assigned()])), [""; 0]);
    tracker.on_sent(attempt(), Step::Acknowledge);
    assert!(!tracker.is_sending());
    assert_eq!(sent(&tracker.on_best(30 + PATIENCE - 1, &[assigned()])), [""; 0]);
    assert_eq!(sent(&tracker.on_best(30 + PATIENCE, &[assigned()])), ["acknowledge"]);
}

#[test]
fn unavailable_blob_should_be_reported() {
    let mut tracker = tracker();
    tracker.on_best(1, &[assigned()]);
    tracker.on_work(attempt(), Work::Unavailable(UnavailableBlob::Package));
    assert_eq!(sent(&tracker.on_best(2, &[assigned()])), ["report package unavailable"]);
}

#[test]
fn draining_tracker_should_finish_what_it_has_and_take_nothing_new() {
    let mut tracker = tracker();
    let running = job(
        3,
        Phase::Running {
            worker: ME,
            until: PATIENT,
        },
    );
    assert_eq!(sent(&tracker.on_best(1, std::slice::from_ref(&running))), ["start"]);
    tracker.drain();
    assert_eq!(tracker.in_progress(std::slice::from_ref(&running)), 1);
    let other = job(
        4,
        Phase::Assigned {
            worker: ME,
            until: PATIENT,
        },
    );
    assert_eq!(sent(&tracker.on_best(2, &[running, other.clone()])), [""; 0]);
    assert_eq!(tracker.in_progress(&[other]), 0);
}

#[test]
fn lost_commitment_should_not_keep_the_worker_from_stopping() {
    let mut tracker = tracker();
    let lost = job(
        3,
        Phase::Committed {
            worker: ME,
            commitment: H256::zero(),
            from: 1,
            until: PATIENT,
        },
    );
    assert_eq!(sent(&tracker.on_best(1, std::slice::from_ref(&lost))), [""; 0]);
    assert_eq!(tracker.in_progress(&[lost]), 0);
}

#[test]
fn attempts_should_be_let_go_when_their_end_is_final() {
    let ended = |attempts: Vec<Fault>, phase| {
        let attempt = |fault| Attempt {
            worker: ME,
            ended_at: 5,
            fault,
        };
        let mut job = job(3, phase);
        job.attempt = attempts.len() as u32;
        job.attempts = attempts.into_iter().map(attempt).collect();
        job
    };
    let payment = Payment {
        worker: 8,
        ..Payment::default()
    };
    let cases = [
        (ended(vec![], Phase::Running { worker: ME, until: 9 }), None),
        (
            ended(
                vec![],
                Phase::Challengeable {
                    worker: ME,
                    outcome: outcome(),
                    until: 9,
                },
            ),
            None,
        ),
        (
            ended(
                vec![],
                Phase::Settled {
                    worker: ME,
                    outcome: outcome(),
                    payment,
                },
            ),
            Some(End::Settled { paid: 8 }),
        ),
        (ended(vec![], Phase::Cancelled), Some(End::Dropped)),
        (
            ended(
                vec![],
                Phase::Failed {
                    fault: Fault::Submitter,
                    status: None,
                },
            ),
            Some(End::Failed(Fault::Submitter)),
        ),
        (
            ended(vec![Fault::Network], Phase::Open { until: 9 }),
            Some(End::GivenUp(Fault::Network)),
        ),
        (
            ended(
                vec![Fault::Worker],
                Phase::Running {
                    worker: OTHER,
                    until: 9,
                },
            ),
            Some(End::GivenUp(Fault::Worker)),
        ),
        (
            ended(
                vec![Fault::Artifact],
                Phase::Failed {
                    fault: Fault::Artifact,
                    status: None,
                },
            ),
            Some(End::Failed(Fault::Artifact)),
        ),
    ];
    for (job, expected) in cases {
        let mut tracker = tracker();
        tracker.on_best(1, &[assigned()]);
        let got = tracker.on_finalized(9, &HashMap::from([(3, job.clone())]));
        assert_eq!(got, Vec::from_iter(expected.map(|end| (attempt(), end))), "{job:?}");
        assert_eq!(tracker.jobs().is_empty(), expected.is_some());
    }
}

#[test]
fn job_that_is_not_yet_final_should_not_be_taken_for_a_removed_one() {
    let mut tracker = tracker();
    tracker.on_best(5, &[assigned()]);
    let mut other = assigned();
    other.spec.max_tokens += 1;
    other.phase = Phase::Cancelled;
    for jobs in [HashMap::new(), HashMap::from([(3, other)])] {
        assert_eq!(tracker.on_finalized(4 + FORGET_AFTER, &jobs), []);
    }
    assert_eq!(
        tracker.on_finalized(5 + FORGET_AFTER, &HashMap::new()),
        [(attempt(), End::Forgotten)]
    );
}

/// A market with one job. Transactions take effect in the block after they are sent.
struct Market {
    block: u32,
    job: Job,
    sent: Vec<(Key, Step)>,
    commitments: Vec<H256>,
}

impl Market {
    fn new() -> Self {
        Self {
            block: 1,
            job: assigned(),
            sent: Vec::new(),
            commitments: Vec::new(),
        }
    }

    fn next_block(&mut self) {
        self.block += 1;
        for (key, step) in std::mem::take(&mut self.sent) {
            assert_eq!(key, attempt());
            self.apply(step);
        }
        if let Phase::Challengeable { outcome, .. } = self.job.phase.clone() {
            let payment = Payment {
                worker: 8,
                ..Payment::default()
            };
            self.job.phase = Phase::Settled {
                worker: ME,
                outcome,
                payment,
            };
        }
    }

    /// As the pallet does it; what it would refuse has no effect.
    fn apply(&mut self, step: Step) {
        match (step, self.job.phase.clone()) {
            (Step::Acknowledge, Phase::Assigned { .. }) => {
                self.job.phase = Phase::Running {
                    worker: ME,
                    until: PATIENT,
                };
            }
            (Step::Commit(commitment), phase) => {
                self.commitments.push(commitment);
                if let Phase::Running { .. } = phase {
                    let from = self.block + 2;
                    self.job.phase = Phase::Committed {
                        worker: ME,
                        commitment,
                        from,
                        until: PATIENT,
                    };
                }
            }
            (
                Step::Reveal(outcome, salt),
                Phase::Committed {
                    commitment: expected,
                    from,
                    ..
                },
            ) => {
                assert!(self.block >= from, "revealed too early");
                assert_eq!(commitment(&GENESIS, 3, 0, &[1; 32], &outcome, &salt.0), expected);
                self.job.phase = Phase::Challengeable {
                    worker: ME,
                    outcome,
                    until: self.block + 1,
                };
            }
            _ => {}
        }
    }
}

/// A worker process: the tracker, its journal, and work in progress.
struct Process {
    tracker: Tracker,
    journal: Journal,
    working: bool,
    /// What it computes; differs between processes, as if results were not reproducible.
    tokens: u32,
}

impl Process {
    fn start(state: &Path, tokens: u32) -> Self {
        let journal = Journal::open(state, GENESIS, ME).unwrap();
        let tracker = Tracker::new(ME, journal.load().unwrap());
        Self {
            tracker,
            journal,
            working: false,
            tokens,
        }
    }

    /// One block, in `steps` of which the process lives through the first `lives`. Returns whether it
    /// is still alive, and takes off what it lived through.
    fn block(&mut self, market: &mut Market, lives: &mut u32) -> bool {
        let mut survive = || {
            let alive = *lives > 0;
            *lives = lives.saturating_sub(1);
            alive
        };
        if self.working {
            if !survive() {
                return false;
            }
            let entry = self.journal.record(attempt(), outcome_with(self.tokens)).unwrap();
            if !survive() {
                return false;
            }
            self.tracker.on_work(attempt(), Work::Ready(Box::new(entry)));
            self.working = false;
        }
        for effect in self.tracker.on_best(market.block, std::slice::from_ref(&market.job)) {
            if !survive() {
                return false;
            }
            match effect {
                Effect::Start(_) => {
                    self.working = true;
                    self.tracker
                        .on_work(attempt(), Work::Computing { needed: 1, allowed: 9 });
                }
                Effect::Send(key, step) => {
                    market.sent.push((key, step));
                    if !survive() {
                        return false;
                    }
                    self.tracker.on_sent(key, step);
                }
            }
        }
        true
    }
}

#[test]
fn job_should_settle_once_when_the_process_is_killed_at_any_moment() {
    // The process dies after `first` of its actions, the next one after `second` of its own, the
    // third lives. Longer lives than a job has actions are lives without a death.
    for (first, second) in (0..16).flat_map(|first| (0..16).map(move |second| (first, second))) {
        let state = tempfile::tempdir().unwrap();
        let mut market = Market::new();
        let mut lives = vec![u32::MAX, second, first];
        let mut life = lives.pop().unwrap();
        let mut process = Process::start(state.path(), 0);
        while market.block < PATIENT && !market.job.phase.is_ended() {
            if !process.block(&mut market, &mut life) {
                life = lives.pop().unwrap();
                drop(process);
                process = Process::start(state.path(), lives.len() as u32 + 1);
            }
            market.next_block();
        }
        assert!(
            matches!(market.job.phase, Phase::Settled { .. }),
            "{first}, {second}: {:?}",
            market.job.phase
        );
        market.commitments.dedup();
        assert_eq!(market.commitments.len(), 1, "{first}, {second}: one result only");

        process.tracker.on_best(market.block, &[]);
        let ended = process
            .tracker
            .on_finalized(market.block, &HashMap::from([(3, market.job.clone())]));
        assert_eq!(ended, [(attempt(), End::Settled { paid: 8 })]);
    }
}

#[test]
fn commitment_should_be_sent_again_unchanged_when_a_reorganisation_took_it_back() {
    let state = tempfile::tempdir().unwrap();
    let mut process = Process::start(state.path(), 1);
    let mut market = Market::new();
    let before = |market: &Market| matches!(market.job.phase, Phase::Committed { .. });
    while !before(&market) {
        process.block(&mut market, &mut u32::MAX.clone());
        market.next_block();
    }
    market.job.phase = Phase::Running {
        worker: ME,
        until: PATIENT,
    };
    while !market.job.phase.is_ended() && market.block < PATIENT {
        process.block(&mut market, &mut u32::MAX.clone());
        market.next_block();
    }
    assert!(matches!(market.job.phase, Phase::Settled { .. }));
    assert_eq!(market.commitments.len(), 2);
    assert_eq!(market.commitments[0], market.commitments[1]);
}
