//! Benchmarks of the calls and of the parts of the hook, each at its worst: most attempts on
//! record, most workers to pay, and an agenda that has room in the last page it is searched for.

use crate::{
    agenda::SEARCHED_BLOCKS, submission::tokens_in, Agenda, AttemptOf, Balance, Call, Config, Cursor, Event, Job, Jobs,
    NextJobId, Pallet, TIP_GRACE,
};
use alloc::{vec, vec::Vec};
use assay_types::{
    commitment,
    traits::{DrawRandomness, Models, Workers},
    BlobRef, Fault, JobId, JobSpec, Outcome, Phase, Status, UnavailableBlob,
};
use codec::Encode;
use core::fmt::Debug;
use frame_benchmarking::v2::*;
use frame_support::{
    assert_ok,
    storage::{with_transaction, TransactionOutcome},
    traits::{
        fungible::{Inspect, Mutate},
        Get,
    },
    weights::WeightMeter,
    BoundedVec,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use sp_core::H256;
use sp_runtime::{traits::One, DispatchError, Saturating};

/// The salt of benchmarked commitments.
const SALT: [u8; 32] = [1; 32];

fn now<T: Config>() -> BlockNumberFor<T> {
    frame_system::Pallet::<T>::block_number()
}

fn record<T: Config>(id: JobId) -> Job<T> {
    Jobs::<T>::get(id).expect("the benchmark submitted it; qed")
}

/// A model, `c` workers that have it ready, and a submitter that can pay any of them: the
/// submitter, what it asks, its limit, and the hot key of the first worker.
fn market<T: Config>(c: u32) -> (T::AccountId, JobSpec, Balance, T::AccountId) {
    let owner: T::AccountId = account("owner", 0, 0);
    let artifact = T::Models::create_for_benchmark(&owner);
    let hot_keys: Vec<_> = (0..c)
        .map(|index| T::Workers::create_for_benchmark(index, artifact).1)
        .collect();
    let input = BlobRef {
        hash: H256::repeat_byte(1),
        size: 12,
    };
    let spec = JobSpec {
        artifact,
        input,
        sequences: 1,
        max_tokens: 1,
    };
    let highest = Pallet::<T>::estimate(&spec, None)
        .ok()
        .and_then(|estimate| estimate.highest_fee);
    // So much that whoever is called out in vain gets the whole fee for it.
    let call_outs = T::CallOutFee::get() * Balance::from(2 * T::MaxAttempts::get());
    let max_fee = highest.expect("the workers can take the job; qed") + call_outs;

    let submitter: T::AccountId = account("submitter", 0, 0);
    let deposit = Pallet::<T>::record_deposit() + T::ExpireTip::get();
    for (who, amount) in [(&submitter, 2 * (max_fee + deposit)), (&T::Treasury::get(), 0)] {
        assert_ok!(T::Currency::mint_into(who, amount + T::Currency::minimum_balance()));
    }
    (
        submitter,
        spec,
        max_fee,
        hot_keys.into_iter().next().expect("at least one worker; qed"),
    )
}

/// A job that waits for one of `c` workers after as many attempts as possible, all over its input;
/// with the hot key of the first worker.
fn open<T: Config>(c: u32) -> (JobId, T::AccountId) {
    let (submitter, spec, max_fee, hot_key) = market::<T>(c);
    let id = NextJobId::<T>::get();
    assert_ok!(Pallet::<T>::submit(RawOrigin::Signed(submitter).into(), spec, max_fee));
    let reporters = (1..T::MaxAttempts::get()).map(|index| account("reporter", index, 0));
    let attempts: Vec<_> = reporters
        .map(|worker| AttemptOf::<T> {
            worker,
            ended_at: now::<T>(),
            fault: Fault::Submitter,
        })
        .collect();
    let mut job = record::<T>(id);
    job.attempts = attempts.try_into().expect("one less than the bound; qed");
    Jobs::<T>::insert(id, job);
    (id, hot_key)
}

/// The same, assigned to its only worker, with the whole limit on hold.
fn assigned<T: Config>() -> (JobId, T::AccountId) {
    let (id, hot_key) = open::<T>(1);
    let mut job = record::<T>(id);
    assert_ok!(Pallet::<T>::draw_worker_by(Some([0; 32]), id, &mut job, now::<T>()));
    Pallet::<T>::top_up(&mut job);
    Jobs::<T>::insert(id, job);
    (id, hot_key)
}

/// The same, acknowledged.
fn running<T: Config>() -> (JobId, T::AccountId) {
    let (id, hot_key) = assigned::<T>();
    assert_ok!(Pallet::<T>::acknowledge(RawOrigin::Signed(hot_key.clone()).into(), id));
    (id, hot_key)
}

/// A result of the job.
fn outcome<T: Config>(id: JobId) -> Outcome {
    let job = record::<T>(id);
    let mut outcome = Outcome {
        status: Status::Completed,
        tokens: tokens_in(&job.spec).expect("the input's size is that of a token blob; qed"),
        result: H256::repeat_byte(2),
        trace: H256::zero(),
        delivered: H256::repeat_byte(2),
        delivered_size: 4 * u64::from(job.terms.profile.dimensions),
    };
    outcome.trace = H256(*blake3::hash(&outcome.trace_header()).as_bytes());
    outcome
}

/// A job whose result is committed and may be revealed now.
fn committed<T: Config>() -> JobId {
    let (id, hot_key) = running::<T>();
    let job = record::<T>(id);
    let worker = job.phase.worker().cloned().expect("a worker is assigned; qed");
    let commitment = commitment(
        &Pallet::<T>::genesis(),
        id,
        job.attempt(),
        &worker.into(),
        &outcome::<T>(id),
        &SALT,
    );
    assert_ok!(Pallet::<T>::commit(
        RawOrigin::Signed(hot_key).into(),
        id,
        job.attempt(),
        commitment
    ));
    frame_system::Pallet::<T>::set_block_number(now::<T>().saturating_add(job.parameters.reveal_delay));
    id
}

/// Begins the block in which `expire` of the job earns the tip.
fn pass_deadline<T: Config>(id: JobId) {
    let until = record::<T>(id).until().expect("every job has a deadline; qed");
    frame_system::Pallet::<T>::set_block_number(until.saturating_add((TIP_GRACE + 1).into()));
}

/// Tries `act` out, and fills the pages of the agenda in which it would have listed the job up to
/// the last that would be searched.
fn crowd_agenda<T: Config, R: Debug, E: Debug>(id: JobId, act: impl FnOnce() -> Result<R, E>) {
    let due = with_transaction(|| -> TransactionOutcome<Result<_, DispatchError>> {
        assert_ok!(act());
        TransactionOutcome::Rollback(Ok(record::<T>(id).due))
    });
    let first = due.ok().flatten().expect("the agenda is empty; qed");
    for offset in 0..SEARCHED_BLOCKS {
        let full = T::MaxDuePerBlock::get() - u32::from(offset == SEARCHED_BLOCKS - 1);
        fill_page::<T>(first.saturating_add(offset.into()), full);
    }
}

/// Lists `count` jobs that there are not under `block`.
fn fill_page<T: Config>(block: BlockNumberFor<T>, count: u32) {
    let page = vec![JobId::MAX; count as usize];
    Agenda::<T>::insert(block, BoundedVec::truncate_from(page));
}

/// That every worker which had reported the job's input was paid for having been called out.
fn assert_called_out<T: Config>() {
    for index in 1..T::MaxAttempts::get() {
        let reporter = account("reporter", index, 0);
        assert!(T::Currency::total_balance(&reporter) >= T::CallOutFee::get());
    }
}

fn assert_last_event<T: Config>(event: Event<T>) {
    let event: <T as frame_system::Config>::RuntimeEvent = event.into();
    frame_system::Pallet::<T>::assert_last_event(event);
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn submit(c: Linear<1, { T::Workers::max_candidates() }>) {
        let (submitter, spec, max_fee, _) = market::<T>(c);
        let id = NextJobId::<T>::get();
        let origin = RawOrigin::Signed(submitter);
        crowd_agenda::<T, _, _>(id, || Pallet::<T>::submit(origin.clone().into(), spec.clone(), max_fee));

        #[extrinsic_call]
        _(origin, spec, max_fee);

        assert!(matches!(record::<T>(id).phase, Phase::Open { .. }));
    }

    // Worst case: a worker is assigned, and all before it have reported the input.
    #[benchmark]
    fn cancel() {
        let (id, _) = assigned::<T>();
        let origin = RawOrigin::Signed(record::<T>(id).submitter);
        crowd_agenda::<T, _, _>(id, || Pallet::<T>::cancel(origin.clone().into(), id));

        #[extrinsic_call]
        _(origin, id);

        assert_eq!(record::<T>(id).phase, Phase::Cancelled);
        assert_called_out::<T>();
    }

    #[benchmark]
    fn acknowledge() {
        let (id, hot_key) = assigned::<T>();
        let origin = RawOrigin::Signed(hot_key);
        crowd_agenda::<T, _, _>(id, || Pallet::<T>::acknowledge(origin.clone().into(), id));

        #[extrinsic_call]
        _(origin, id);

        assert!(matches!(record::<T>(id).phase, Phase::Running { .. }));
    }

    #[benchmark]
    fn commit() {
        let (id, hot_key) = running::<T>();
        let (origin, attempt) = (RawOrigin::Signed(hot_key), record::<T>(id).attempt());
        let commitment = H256::repeat_byte(3);
        crowd_agenda::<T, _, _>(id, || {
            Pallet::<T>::commit(origin.clone().into(), id, attempt, commitment)
        });

        #[extrinsic_call]
        _(origin, id, attempt, commitment);

        assert!(matches!(record::<T>(id).phase, Phase::Committed { .. }));
    }

    #[benchmark]
    fn reveal() {
        let id = committed::<T>();
        let (outcome, attempt) = (outcome::<T>(id), record::<T>(id).attempt());
        let origin = RawOrigin::Signed(whitelisted_caller());
        crowd_agenda::<T, _, _>(id, || {
            Pallet::<T>::reveal(origin.clone().into(), id, attempt, outcome, SALT)
        });

        #[extrinsic_call]
        _(origin, id, attempt, outcome, SALT);

        assert!(matches!(record::<T>(id).phase, Phase::Challengeable { .. }));
    }

    // Worst case: the job fails and all that have reported its input are paid.
    #[benchmark]
    fn report_unavailable() {
        let (id, hot_key) = running::<T>();
        let (origin, attempt) = (RawOrigin::Signed(hot_key), record::<T>(id).attempt());
        let blob = UnavailableBlob::Input;
        crowd_agenda::<T, _, _>(id, || {
            Pallet::<T>::report_unavailable(origin.clone().into(), id, attempt, blob)
        });

        #[extrinsic_call]
        _(origin, id, attempt, blob);

        assert_eq!(
            record::<T>(id).phase,
            Phase::Failed {
                fault: Fault::Submitter,
                status: None
            }
        );
        assert_called_out::<T>();
    }

    #[benchmark]
    fn expire_relist() {
        let (id, _) = open::<T>(1);
        let mut job = record::<T>(id);
        job.due = None;
        Jobs::<T>::insert(id, job);
        let origin = RawOrigin::Signed(whitelisted_caller());
        crowd_agenda::<T, _, _>(id, || Pallet::<T>::expire(origin.clone().into(), id));

        #[extrinsic_call]
        expire(origin, id);

        assert!(record::<T>(id).due.is_some());
    }

    // Worst case: there were attempts, and all have reported the input.
    #[benchmark]
    fn expire_give_up() {
        let (id, _) = open::<T>(1);
        pass_deadline::<T>(id);
        let origin = RawOrigin::Signed(whitelisted_caller());
        crowd_agenda::<T, _, _>(id, || Pallet::<T>::expire(origin.clone().into(), id));

        #[extrinsic_call]
        expire(origin, id);

        assert!(record::<T>(id).phase.is_ended());
        assert_called_out::<T>();
    }

    // Worst case: the worker forfeits, part of it to the submitter, and it was the last attempt.
    #[benchmark]
    fn expire_missed() {
        let id = committed::<T>();
        pass_deadline::<T>(id);
        let origin = RawOrigin::Signed(whitelisted_caller());
        crowd_agenda::<T, _, _>(id, || Pallet::<T>::expire(origin.clone().into(), id));

        #[extrinsic_call]
        expire(origin, id);

        assert_eq!(
            record::<T>(id).phase,
            Phase::Failed {
                fault: Fault::Worker,
                status: None
            }
        );
    }

    #[benchmark]
    fn expire_settle() {
        let id = committed::<T>();
        let caller: T::AccountId = whitelisted_caller();
        let origin = RawOrigin::Signed(caller);
        let (outcome, attempt) = (outcome::<T>(id), record::<T>(id).attempt());
        assert_ok!(Pallet::<T>::reveal(origin.clone().into(), id, attempt, outcome, SALT));
        pass_deadline::<T>(id);
        crowd_agenda::<T, _, _>(id, || Pallet::<T>::expire(origin.clone().into(), id));

        #[extrinsic_call]
        expire(origin, id);

        assert!(matches!(record::<T>(id).phase, Phase::Settled { .. }));
    }

    #[benchmark]
    fn expire_remove() {
        let (id, _) = open::<T>(1);
        let submitter = record::<T>(id).submitter;
        assert_ok!(Pallet::<T>::cancel(RawOrigin::Signed(submitter).into(), id));
        pass_deadline::<T>(id);

        #[extrinsic_call]
        expire(RawOrigin::Signed(whitelisted_caller()), id);

        assert_last_event::<T>(Event::Removed {
            job: id,
            deposit: Pallet::<T>::record_deposit(),
        });
    }

    // With randomness of its own: what the chain has while it is benchmarked need not be any.
    #[benchmark]
    fn draw(c: Linear<1, { T::Workers::max_candidates() }>) {
        let (id, _) = open::<T>(c);
        let mut job = record::<T>(id);
        crowd_agenda::<T, _, _>(id, || {
            let mut job = record::<T>(id);
            let drawn = Pallet::<T>::draw_worker_by(Some([0; 32]), id, &mut job, now::<T>());
            Jobs::<T>::insert(id, job);
            drawn
        });

        #[block]
        {
            let randomness = T::Randomness::draw(&(id, job.attempt()).encode());
            let randomness = randomness.or(Some([0xff; 32]));
            assert_ok!(Pallet::<T>::draw_worker_by(randomness, id, &mut job, now::<T>()));
            Jobs::<T>::insert(id, job);
        }

        assert!(matches!(record::<T>(id).phase, Phase::Assigned { .. }));
    }

    #[benchmark]
    fn on_idle_base() {
        // Between set-up and block the first block may begin: both mean this one.
        let block = now::<T>();
        let next = block.saturating_add(One::one());
        Cursor::<T>::put(next);

        #[block]
        {
            Pallet::<T>::work_off_agenda(block, &mut WeightMeter::new());
        }

        assert_eq!(Cursor::<T>::get(), next);
    }

    // Worst case: a full page, of which all but one entry have to be stored again.
    #[benchmark]
    fn agenda_page() {
        let block = now::<T>();
        fill_page::<T>(block, T::MaxDuePerBlock::get());

        #[block]
        {
            let page = Agenda::<T>::get(block);
            Pallet::<T>::shorten_page(block, page, 1);
        }

        assert_eq!(Agenda::<T>::get(block).len() as u32, T::MaxDuePerBlock::get() - 1);
    }

    #[benchmark]
    fn agenda_entry() {
        let (id, _) = open::<T>(1);
        let block = now::<T>();

        #[block]
        {
            Pallet::<T>::work_off_entry(id, block, block, &mut WeightMeter::new());
        }

        assert!(
            matches!(record::<T>(id).phase, Phase::Open { .. }),
            "it is due one block later"
        );
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::ExtBuilder::default().build(), crate::mock::Test);
}
