//! Whole blocks: a job from submission to payment, and randomness.

use super::chain::{account, events, genesis, Chain};
use crate::{
    configs::money::TreasuryAccount,
    constants::{currency::ASY, time::EPOCH_DURATION},
    parameters::DEFAULT_MARKET,
    randomness::AuthorVrf,
    Artifacts, Babe, Balances, ComputeMarket, Runtime, RuntimeCall, RuntimeEvent, Session, System, Workers,
};
use assay_types::{
    api::runtime_decl_for_compute_api::ComputeApiV1, commitment, traits::DrawRandomness, BlobRef, JobSpec,
    ModelProfile, Outcome, Phase, Status,
};
use frame_support::BoundedVec;
use pallet_compute_market::NextJobId;
use pallet_transaction_payment::Event::TransactionFeePaid;
use sp_core::H256;
use sp_keyring::Sr25519Keyring;

const OWNER: Sr25519Keyring = Sr25519Keyring::Dave;
const COLD: Sr25519Keyring = Sr25519Keyring::Bob;
const HOT: Sr25519Keyring = Sr25519Keyring::Charlie;
const USER: Sr25519Keyring = Sr25519Keyring::Eve;

/// Tokens of the job's input.
const TOKENS: u32 = 8;

/// Length of an output vector.
const DIMENSIONS: u32 = 384;

/// A chain with a model and a worker that has it ready.
fn market() -> Chain {
    let mut chain = Chain::development();
    let profile = ModelProfile {
        units_per_token: 10_000_000,
        max_sequence: 256,
        dimensions: DIMENSIONS,
    };
    chain.call(
        OWNER,
        pallet_artifacts::Call::register_model {
            package: BlobRef {
                hash: H256::repeat_byte(1),
                size: 1_000,
            },
            metadata: H256::repeat_byte(2),
            profile,
            price_per_use: ASY / 10,
        },
    );
    chain.call(
        COLD,
        pallet_workers::Call::register {
            hot_key: account(HOT),
            endpoint: BoundedVec::truncate_from(b"http://127.0.0.1:9000".to_vec()),
            bond: 10_000 * ASY,
            ask: ASY,
        },
    );
    let ready = BoundedVec::truncate_from(vec![0]);
    chain.call(HOT, pallet_workers::Call::validate_artifacts { ready });
    chain
}

fn submit() -> RuntimeCall {
    let size = 4 * (1 + 1 + u64::from(TOKENS));
    let spec = JobSpec {
        artifact: 0,
        input: BlobRef {
            hash: H256::repeat_byte(3),
            size,
        },
        sequences: 1,
        max_tokens: TOKENS,
    };
    pallet_compute_market::Call::submit { spec, max_fee: 2 * ASY }.into()
}

fn outcome() -> Outcome {
    let result = H256::repeat_byte(4);
    let mut outcome = Outcome {
        status: Status::Completed,
        tokens: TOKENS,
        result,
        trace: H256::zero(),
        delivered: result,
        delivered_size: u64::from(DIMENSIONS) * 4,
    };
    outcome.trace = H256(*blake3::hash(&outcome.trace_header()).as_bytes());
    outcome
}

fn phase() -> &'static str {
    ComputeMarket::info(0).unwrap().phase.name()
}

#[test]
fn job_should_be_drawn_run_and_paid_in_blocks() {
    let mut chain = market();
    let treasury = chain.read(|| Balances::free_balance(TreasuryAccount::get()));
    chain.call(USER, submit());
    // The timestamp comes first.
    assert_eq!(chain.read(|| Runtime::submitted_in(1)), [0]);
    assert_eq!(chain.read(|| Runtime::submitted_in(0)), [0; 0]);

    chain.until(3, || phase() == "assigned");
    let assignments = chain.read(|| Runtime::assignments(account(HOT)));
    assert_eq!(assignments.iter().map(|job| job.id).collect::<Vec<_>>(), [0]);
    chain.call(HOT, pallet_compute_market::Call::acknowledge { job: 0 });

    let genesis = chain.read(|| System::block_hash(0));
    let worker: [u8; 32] = account(COLD).into();
    let sealed = commitment(&genesis, 0, 0, &worker, &outcome(), &[5; 32]);
    chain.call(
        HOT,
        pallet_compute_market::Call::commit {
            job: 0,
            attempt: 0,
            commitment: sealed,
        },
    );
    chain.block(vec![]);
    let reveal = pallet_compute_market::Call::reveal {
        job: 0,
        attempt: 0,
        outcome: outcome(),
        salt: [5; 32],
    };
    chain.call(HOT, reveal);
    let paid_before = chain.read(|| Balances::free_balance(account(COLD)));
    chain.until(6, || phase() == "settled");

    chain.read(|| {
        let Phase::Settled { payment, .. } = ComputeMarket::info(0).unwrap().phase else {
            unreachable!()
        };
        let fee = payment.worker + payment.treasury + payment.burned;
        // 8 tokens of 10 million units each, at one token of money for a thousand million.
        assert_eq!(fee, ASY * 8 / 100);
        assert_eq!(payment.burned, DEFAULT_MARKET.burn_cut * fee);
        assert_eq!(payment.artifact, ASY / 10);
        assert_eq!(Balances::free_balance(account(COLD)), paid_before + payment.worker);
        assert!(Balances::free_balance(TreasuryAccount::get()) >= treasury + payment.treasury);
        assert_eq!(Artifacts::info(0).unwrap().earned, ASY / 10);
        assert_eq!(Workers::info(&account(COLD)).unwrap().settled, 1);
    });
}

#[test]
fn job_submitted_in_a_batch_should_be_found_by_its_extrinsic() {
    let mut chain = market();
    let batch = pallet_utility::Call::batch_all {
        calls: vec![submit(), submit()],
    };
    chain.call(USER, batch);
    assert_eq!(chain.read(|| Runtime::submitted_in(1)), [0, 1]);
}

#[test]
fn refused_job_should_cost_its_fee_and_leave_nothing_on_hold() {
    let mut chain = Chain::development();
    let user = account(USER);
    let (issuance, funds) = chain.read(|| (Balances::total_issuance(), Balances::free_balance(&user)));
    let results = chain.block(vec![(USER, submit())]);
    let unknown = pallet_compute_market::Error::<Runtime>::UnknownArtifact;
    assert_eq!(results, vec![Ok(Err(unknown.into()))]);
    chain.read(|| {
        let fee = events().into_iter().find_map(|event| match event {
            RuntimeEvent::TransactionPayment(TransactionFeePaid { who, actual_fee, tip }) => {
                assert_eq!((who, tip), (user.clone(), 0));
                Some(actual_fee)
            }
            _ => None,
        });
        let fee = fee.expect("a fee was paid");
        assert!(fee > 0);
        assert_eq!(Balances::free_balance(&user), funds - fee);
        assert_eq!(Runtime::failure_of(1).as_deref(), Some("ComputeMarket.UnknownArtifact"));
        assert_eq!(Runtime::failure_of(0), None);
        assert_eq!(Balances::reserved_balance(&user), 0);
        assert!(ComputeMarket::info(0).is_none());
        assert_eq!(NextJobId::<Runtime>::get(), 0);
        assert_eq!(Balances::total_issuance(), issuance);
    });
}

#[test]
fn draws_should_differ_by_block_and_subject_and_need_a_vrf() {
    genesis("development").execute_with(|| assert_eq!(AuthorVrf::draw(b"job"), None));

    let mut chain = Chain::development();
    let mut draws = Vec::new();
    for _ in 0..3 {
        chain.block(vec![]);
        let (one, again, other) = chain.read(|| {
            (
                AuthorVrf::draw(b"one"),
                AuthorVrf::draw(b"one"),
                AuthorVrf::draw(b"other"),
            )
        });
        assert_eq!(one, again);
        draws.extend([one.unwrap(), other.unwrap()]);
    }
    let distinct = draws.iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(distinct.len(), draws.len());
}

#[test]
fn session_should_change_with_the_epoch() {
    let mut chain = Chain::development();
    let epoch = EPOCH_DURATION as u32;
    for _ in 0..epoch {
        chain.block(vec![]);
    }
    assert_eq!(chain.read(Session::current_index), 0);
    chain.block(vec![]);
    chain.read(|| {
        assert_eq!(Session::current_index(), 1);
        assert_eq!(Session::validators(), [account(Sr25519Keyring::AliceStash)]);
        assert_eq!(Babe::current_epoch().epoch_index, 1);
    });
}
