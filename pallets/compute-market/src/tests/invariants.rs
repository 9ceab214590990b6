//! Random sequences of calls by honest and hostile actors: every invariant of every pallet holds
//! after each of them, and nothing but what was burned is missing from what was issued.

use crate::{mock::*, Jobs, NextJobId};
use assay_types::{JobId, Outcome, Phase, Status, UnavailableBlob};
use frame_support::weights::Weight;
use proptest::prelude::*;
use sp_core::H256;

/// One thing that somebody does. Jobs are named by their position, workers and submitters by number.
#[derive(Clone, Debug)]
enum Action {
    /// Submit a job with this limit.
    Submit(u8, u128),
    /// Let blocks pass, with so much weight for the hook.
    Run(u32, HookWeight),
    /// Do what is next for the job, as its worker should.
    Advance(u8),
    /// Commit to something that is not what will be revealed, or cannot be.
    CommitGarbage(u8),
    /// Commit to a failure.
    CommitFailure(u8, bool),
    /// Reveal something else than was committed.
    RevealGarbage(u8),
    /// Report a blob by the job's worker.
    Report(u8, bool),
    /// Call as somebody who has no business there.
    Intrude(u8, u8),
    /// Cancel.
    Cancel(u8),
    /// Expire, by this worker's hot key, which may have no account.
    Expire(u8, u8),
    /// Chill or resume a worker.
    Switch(u8),
    /// Change a worker's ask.
    Ask(u8, u128),
    /// Deregister a worker, or register it again.
    Leave(u8),
    /// Send everything away that can be sent.
    Empty(u8),
    /// Change parameters.
    Parameters(u32),
    /// Let there be randomness, or none.
    Randomness(Option<u64>),
}

/// What the hook may use.
#[derive(Clone, Copy, Debug)]
enum HookWeight {
    None,
    Little,
    Enough,
}

fn action() -> impl Strategy<Value = Action> {
    let hook = prop_oneof![
        1 => Just(HookWeight::None),
        2 => Just(HookWeight::Little),
        6 => Just(HookWeight::Enough),
    ];
    prop_oneof![
        6 => (0..2u8, prop_oneof![Just(MAX_FEE), 0..2 * MAX_FEE]).prop_map(|(who, fee)| Action::Submit(who, fee)),
        10 => (prop_oneof![6 => 1..4u32, 1 => 10..50u32], hook).prop_map(|(blocks, weight)| Action::Run(blocks, weight)),
        20 => any::<u8>().prop_map(Action::Advance),
        1 => any::<u8>().prop_map(Action::CommitGarbage),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(job, input)| Action::CommitFailure(job, input)),
        1 => any::<u8>().prop_map(Action::RevealGarbage),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(job, input)| Action::Report(job, input)),
        1 => (any::<u8>(), 0..6u8).prop_map(|(job, call)| Action::Intrude(job, call)),
        2 => any::<u8>().prop_map(Action::Cancel),
        3 => (any::<u8>(), 0..4u8).prop_map(|(job, who)| Action::Expire(job, who)),
        2 => (0..4u8).prop_map(Action::Switch),
        1 => (0..4u8, prop_oneof![1..5u128, 1..200u128]).prop_map(|(worker, ask)| Action::Ask(worker, ask)),
        1 => (0..4u8).prop_map(Action::Leave),
        1 => (0..6u8).prop_map(Action::Empty),
        1 => (1..40u32).prop_map(Action::Parameters),
        1 => proptest::option::of(any::<u64>()).prop_map(Action::Randomness),
    ]
}

fn worker(number: u8) -> &'static AccountId {
    static ALL: [AccountId; 4] = WORKERS;
    &ALL[usize::from(number) % ALL.len()]
}

/// The job at this position among those whose record is kept.
fn pick(position: u8) -> Option<JobId> {
    pick_from(position, Jobs::<Test>::iter_keys().collect())
}

/// The job at this position among those that a worker holds.
fn pick_held(position: u8) -> Option<JobId> {
    let held = |(id, job): (JobId, crate::Job<Test>)| job.agreement.is_some().then_some(id);
    pick_from(position, Jobs::<Test>::iter().filter_map(held).collect())
}

fn pick_from(position: u8, mut ids: Vec<JobId>) -> Option<JobId> {
    ids.sort_unstable();
    (!ids.is_empty()).then(|| ids[usize::from(position) % ids.len()])
}

/// Does what the job's worker would do next, if it is the worker's turn.
fn advance(id: JobId) {
    let worker = worker_of(id);
    match job(id).phase {
        Phase::Assigned { .. } => drop(acknowledge(&worker, id)),
        Phase::Running { .. } => drop(commit(&worker, id, &outcome())),
        Phase::Committed { .. } => {
            let committed = [
                outcome(),
                failure(Status::MalformedInput),
                failure(Status::MalformedModel),
            ];
            let _ = committed.iter().find(|outcome| reveal(&CAROL, id, outcome).is_ok());
        }
        _ => {}
    }
}

/// Calls by accounts that must not be listened to.
fn intrude(id: JobId, call: u8) {
    let before = sp_io::storage::root(sp_core::storage::StateVersion::V1);
    let stranger = RuntimeOrigin::signed(CAROL);
    let refused = match call {
        0 => Market::acknowledge(stranger, id),
        1 => Market::commit(stranger, id, attempt_of(id), H256::zero()),
        2 => Market::reveal(stranger, id, attempt_of(id), outcome(), [1; 32]),
        3 => Market::report_unavailable(stranger, id, attempt_of(id), UnavailableBlob::Input),
        4 => Market::cancel(stranger, id),
        _ => Market::submit(stranger, spec(), 0)
            .map(drop)
            .map_err(|refused| refused.error),
    };
    assert!(refused.is_err(), "call {call} by a stranger was taken");
    assert_eq!(
        sp_io::storage::root(sp_core::storage::StateVersion::V1),
        before,
        "a refused call left traces"
    );
}

fn perform(action: Action) {
    match action {
        Action::Submit(who, fee) => {
            let _ = Market::submit(
                RuntimeOrigin::signed([ALICE, BOB][usize::from(who)].clone()),
                spec(),
                fee,
            );
        }
        Action::Run(blocks, weight) => {
            IdleWeight::set(match weight {
                HookWeight::None => Weight::zero(),
                HookWeight::Little => Market::weight_of_expire() * 2,
                HookWeight::Enough => Weight::MAX,
            });
            run(blocks);
        }
        Action::Advance(position) => {
            if let Some(id) = pick_held(position) {
                advance(id);
            }
        }
        Action::CommitGarbage(position) => {
            with_worker(position, |id, worker| {
                let garbage = traced(Outcome {
                    tokens: MAX_TOKENS + 1,
                    ..outcome()
                });
                let _ = commit(worker, id, &garbage);
            });
        }
        Action::CommitFailure(position, input) => {
            let status = if input {
                Status::MalformedInput
            } else {
                Status::MalformedModel
            };
            with_worker(position, |id, worker| {
                let _ = commit(worker, id, &failure(status));
            });
        }
        Action::RevealGarbage(position) => {
            if let Some(id) = pick_held(position) {
                let garbage = traced(Outcome { tokens: 1, ..outcome() });
                assert!(reveal(&CAROL, id, &garbage).is_err());
            }
        }
        Action::Report(position, input) => {
            let blob = if input {
                UnavailableBlob::Input
            } else {
                UnavailableBlob::Package
            };
            with_worker(position, |id, worker| {
                let _ = report(worker, id, blob);
            });
        }
        Action::Intrude(position, call) => {
            if let Some(id) = pick(position) {
                intrude(id, call);
            }
        }
        Action::Cancel(position) => {
            if let Some(id) = pick(position) {
                let _ = cancel(&job(id).submitter, id);
            }
        }
        Action::Expire(position, who) => {
            if let Some(id) = pick(position) {
                let _ = expire(&hot(worker(who)), id);
            }
        }
        Action::Switch(who) => {
            let signed = RuntimeOrigin::signed(worker(who).clone());
            if Workers::chill(signed.clone()).is_err() {
                let _ = Workers::resume(signed);
            }
        }
        Action::Ask(who, ask) => {
            let _ = Workers::set_ask(RuntimeOrigin::signed(worker(who).clone()), ask);
        }
        Action::Leave(who) => {
            let signed = RuntimeOrigin::signed(worker(who).clone());
            if Workers::info(worker(who)).is_some() {
                let _ = Workers::deregister(signed);
            } else if Balances::free_balance(worker(who)) > BOND + ED {
                register(worker(who), BOND, ASK);
            }
        }
        Action::Empty(who) => {
            let who = [&ALICE, &BOB, worker(0), worker(1), worker(2), worker(3)][usize::from(who)].clone();
            let _ = Balances::transfer_all(RuntimeOrigin::signed(who), OWNER, false);
        }
        Action::Parameters(blocks) => set_parameters(|parameters| {
            parameters.challenge_period = blocks;
            parameters.retention_period = blocks;
            parameters.collateral_multiple = 1 + blocks % 5;
        }),
        Action::Randomness(seed) => Seed::set(seed),
    }
}

/// Does something with the job at this position, of those that a worker holds, and that worker.
fn with_worker(position: u8, act: impl FnOnce(JobId, &AccountId)) {
    if let Some(id) = pick_held(position) {
        act(id, &worker_of(id));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn invariants_should_hold_after_any_sequence(actions in prop::collection::vec(action(), 1..120)) {
        ExtBuilder::default().asks(&[ASK, ASK + 7, 2 * ASK]).build_and_execute(|| {
            set_parameters(|parameters| {
                parameters.acknowledge_period = 10;
                parameters.reveal_delay = 1;
                parameters.reveal_period = 20;
            });
            for action in actions {
                perform(action);
                check_invariants();
            }
        });
    }

    #[test]
    fn every_job_should_end_and_leave_nothing_behind(actions in prop::collection::vec(action(), 1..60)) {
        ExtBuilder::default().asks(&[ASK, ASK, ASK]).build_and_execute(|| {
            for action in actions {
                perform(action);
            }
            // No further call but `expire`, and a hook that has all it needs.
            IdleWeight::set(Weight::MAX);
            let mut rounds = 0;
            while Jobs::<Test>::iter().next().is_some() {
                run(50);
                for id in Jobs::<Test>::iter_keys().collect::<Vec<_>>() {
                    let _ = expire(&CAROL, id);
                }
                rounds += 1;
                assert!(rounds < 50, "{} jobs do not end", Jobs::<Test>::iter().count());
            }
            for submitter in [ALICE, BOB] {
                assert_eq!((fee_on_hold(&submitter), deposit_on_hold(&submitter)), (0, 0));
            }
            for worker in WORKERS {
                assert_eq!(Workers::info(&worker).map_or(0, |info| info.locked), 0);
            }
        });
    }
}

#[test]
fn random_sequences_should_reach_settlement() {
    // That the above tests something: honest steps alone lead from submission to payment.
    ExtBuilder::default().build_and_execute(|| {
        perform(Action::Submit(0, MAX_FEE));
        for _ in 0..4 {
            perform(Action::Run(4, HookWeight::Enough));
            perform(Action::Advance(0));
        }
        perform(Action::Run(20, HookWeight::Enough));
        assert_eq!(NextJobId::<Test>::get(), 1);
        assert!(matches!(job(0).phase, Phase::Settled { .. }));
    });
}
