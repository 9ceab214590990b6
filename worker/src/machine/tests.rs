//! Every phase with every state of the work.

use super::*;
use crate::{
    journal::Key,
    testing::{job, outcome, ME, OTHER},
};
use assay_types::{Fault, Payment};
use Decision::{Do, Stop, Wait};

const OURS: H256 = H256::repeat_byte(1);
const THEIRS: H256 = H256::repeat_byte(2);
const BEST: u32 = 100;

/// Opens [`OURS`].
const SALT: H256 = H256::repeat_byte(3);

/// Every state of the work, with a result under [`OURS`].
fn works() -> [Work; 7] {
    let key = Key {
        job: 7,
        attempt: 0,
        spec: H256::zero(),
    };
    [
        Work::NotBegun,
        Work::Fetching,
        Work::Computing { needed: 5, allowed: 5 },
        Work::Computing { needed: 6, allowed: 5 },
        Work::Ready(Box::new(Entry {
            key,
            worker: ME,
            outcome: outcome(),
            salt: SALT,
            commitment: OURS,
        })),
        Work::Unavailable(UnavailableBlob::Input),
        Work::Failed,
    ]
}

type Phase = assay_types::Phase<AccountId, u128, u32>;

fn assigned(until: u32) -> Phase {
    Phase::Assigned { worker: ME, until }
}

fn running(until: u32) -> Phase {
    Phase::Running { worker: ME, until }
}

fn committed(commitment: H256, from: u32, until: u32) -> Phase {
    Phase::Committed {
        worker: ME,
        commitment,
        from,
        until,
    }
}

fn decisions(phase: Phase, draining: bool) -> [Decision; 7] {
    let job = job(7, phase);
    works().map(|work| decide(&job, &ME, BEST, &work, draining))
}

#[test]
fn assigned_job_should_be_begun_then_acknowledged_or_reported() {
    let expected = [
        Do(Step::Start),
        Wait,
        Do(Step::Acknowledge),
        Stop(Reason::TooSlow { needed: 6, allowed: 5 }),
        Do(Step::Acknowledge),
        Do(Step::Report(UnavailableBlob::Input)),
        Stop(Reason::Failed),
    ];
    assert_eq!(decisions(assigned(BEST + 1), false), expected);
}

#[test]
fn assigned_job_should_be_left_alone_when_draining() {
    assert_eq!(decisions(assigned(BEST + 1), true), [Stop(Reason::Draining); 7]);
}

#[test]
fn acknowledged_job_should_be_computed_then_committed() {
    let expected = [
        Do(Step::Start),
        Wait,
        Wait,
        // Acknowledged by an earlier process, perhaps: try all the same, the bond is at stake.
        Wait,
        Do(Step::Commit(OURS)),
        Do(Step::Report(UnavailableBlob::Input)),
        Stop(Reason::Failed),
    ];
    for draining in [false, true] {
        assert_eq!(decisions(running(BEST + 1), draining), expected);
    }
}

#[test]
fn steps_should_not_be_taken_when_their_last_block_is_past() {
    let late = [Stop(Reason::Late { until: BEST }); 7];
    assert_eq!(decisions(assigned(BEST), false), late);
    assert_eq!(decisions(running(BEST), false), late);
    let ready = &decisions(committed(OURS, BEST, BEST), false)[4];
    assert_eq!(*ready, Stop(Reason::Late { until: BEST }));
}

#[test]
fn commitment_should_be_revealed_in_its_window_alone() {
    let lost = Stop(Reason::Lost);
    for (from, ready) in [
        (BEST + 2, Wait),
        // Sent now, it is in block `from` at the earliest.
        (BEST + 1, Do(Step::Reveal(outcome(), SALT))),
        (BEST - 1, Do(Step::Reveal(outcome(), SALT))),
    ] {
        let expected = [lost, lost, lost, lost, ready, lost, lost];
        for draining in [false, true] {
            assert_eq!(decisions(committed(OURS, from, BEST + 9), draining), expected);
        }
    }
}

#[test]
fn commitment_should_never_be_answered_when_it_is_not_in_the_journal() {
    assert_eq!(
        decisions(committed(THEIRS, BEST, BEST + 9), false),
        [Stop(Reason::Lost); 7]
    );
}

#[test]
fn revealed_and_ended_jobs_should_be_done() {
    let phases = [
        Phase::Challengeable {
            worker: ME,
            outcome: outcome(),
            until: BEST + 9,
        },
        Phase::Settled {
            worker: ME,
            outcome: outcome(),
            payment: Payment::default(),
        },
        Phase::Failed {
            fault: Fault::Worker,
            status: None,
        },
        Phase::Cancelled,
        Phase::Expired,
    ];
    for phase in phases {
        assert_eq!(decisions(phase, false), [Stop(Reason::Done); 7]);
    }
}

#[test]
fn jobs_of_others_should_be_left_alone() {
    let phases = [
        Phase::Open { until: BEST + 9 },
        Phase::Assigned {
            worker: OTHER,
            until: BEST + 9,
        },
        Phase::Running {
            worker: OTHER,
            until: BEST + 9,
        },
        Phase::Committed {
            worker: OTHER,
            commitment: OURS,
            from: BEST,
            until: BEST + 9,
        },
        Phase::Challengeable {
            worker: OTHER,
            outcome: outcome(),
            until: BEST + 9,
        },
    ];
    for phase in phases {
        assert_eq!(decisions(phase, false), [Stop(Reason::NotOurs); 7]);
    }
}
