//! Those who sign two blocks for one slot, or two votes in one round, are reported, disabled and
//! slashed.

use super::chain::{account, events, Chain};
use crate::{
    configs::staking::{SessionsPerEra, SlashDeferDuration},
    genesis_config_presets::ENDOWMENT,
    AccountId, Babe, Balance, Balances, Block, Executive, Grandpa, Header, Runtime, RuntimeEvent, Session, Staking,
    UncheckedExtrinsic,
};
use codec::Encode;
use frame_support::traits::fungible::Inspect;
use pallet_staking::{UnappliedSlash, UnappliedSlashes};
use sp_consensus_babe::{
    digests::{CompatibleDigestItem, PreDigest, SecondaryPlainPreDigest},
    runtime_decl_for_babe_api::BabeApiV2,
    Slot,
};
use sp_consensus_grandpa::{runtime_decl_for_grandpa_api::GrandpaApiV3, Equivocation, Message, Prevote};
use sp_core::{Pair, H256};
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};
use sp_runtime::{
    traits::Header as _,
    transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError},
    Digest, DigestItem, DispatchError, Perbill,
};

/// Enough validators that one of them may be disabled: at most a third are.
const VALIDATORS: [&str; 4] = ["Alice", "Bob", "Charlie", "Dave"];

/// Who signs twice.
const OFFENDER: Sr25519Keyring = Sr25519Keyring::Alice;
/// Its stash.
const STASH: Sr25519Keyring = Sr25519Keyring::AliceStash;
/// Authors the blocks, reports among them.
const REPORTER: Sr25519Keyring = Sr25519Keyring::Bob;
/// Its stash.
const REPORTER_STASH: Sr25519Keyring = Sr25519Keyring::BobStash;

/// What one offender in four loses: (3 / 4)².
const FRACTION: Perbill = Perbill::from_parts(562_500_000);

/// A chain of [`VALIDATORS`] whose first block has been authored by [`REPORTER`].
fn chain() -> Chain {
    let mut chain = Chain::with_validators(&VALIDATORS);
    chain.authored_by(REPORTER);
    chain.block(vec![]);
    chain
}

/// A block of [`OFFENDER`] for `slot`. `state_root` tells one from another.
fn signed_header(slot: Slot, state_root: H256) -> Header {
    let authority_index = 0;
    let claim = PreDigest::SecondaryPlain(SecondaryPlainPreDigest { authority_index, slot });
    let digest = Digest {
        logs: vec![<DigestItem as CompatibleDigestItem>::babe_pre_digest(claim)],
    };
    let mut header = Header::new(1, H256::zero(), state_root, H256::zero(), digest);
    let seal = OFFENDER.pair().sign(header.hash().as_bytes());
    header
        .digest_mut()
        .push(<DigestItem as CompatibleDigestItem>::babe_seal(seal.into()));
    header
}

/// The report, as a node sends it, that [`OFFENDER`] signed these blocks for the slot of the last block.
fn babe_report(chain: &mut Chain, blocks: impl FnOnce(Slot) -> [Header; 2]) -> UncheckedExtrinsic {
    chain.sent(|| {
        let slot = Babe::current_slot();
        let offender = sp_consensus_babe::AuthorityId::from(OFFENDER.public());
        let [first_header, second_header] = blocks(slot);
        let proof = sp_consensus_babe::EquivocationProof {
            offender: offender.clone(),
            slot,
            first_header,
            second_header,
        };
        let owner = <Runtime as BabeApiV2<Block>>::generate_key_ownership_proof(slot, offender).unwrap();
        <Runtime as BabeApiV2<Block>>::submit_report_equivocation_unsigned_extrinsic(proof, owner).unwrap();
    })
}

/// The report of two blocks.
fn two_blocks(chain: &mut Chain) -> UncheckedExtrinsic {
    babe_report(chain, |slot| {
        [1, 2].map(|state| signed_header(slot, H256::repeat_byte(state)))
    })
}

/// The report, as a node sends it, that [`OFFENDER`] voted for two blocks in one round.
fn two_votes(chain: &mut Chain) -> UncheckedExtrinsic {
    const ROUND: u64 = 1;
    let offender = Ed25519Keyring::Alice;
    chain.sent(|| {
        let set = Grandpa::current_set_id();
        let vote = |target: u8| {
            let vote = Prevote::<Header> {
                target_hash: H256::repeat_byte(target),
                target_number: 1,
            };
            let message = Message::<Header>::Prevote(vote.clone());
            let payload = sp_consensus_grandpa::localized_payload(ROUND, set, &message);
            (vote, offender.sign(&payload).into())
        };
        let identity = sp_consensus_grandpa::AuthorityId::from(offender.public());
        let equivocation = Equivocation::Prevote(finality_grandpa::Equivocation {
            round_number: ROUND,
            identity: identity.clone(),
            first: vote(1),
            second: vote(2),
        });
        let proof = sp_consensus_grandpa::EquivocationProof::new(set, equivocation);
        let owner = <Runtime as GrandpaApiV3<Block>>::generate_key_ownership_proof(set, identity).unwrap();
        <Runtime as GrandpaApiV3<Block>>::submit_report_equivocation_unsigned_extrinsic(proof, owner).unwrap();
    })
}

/// Applies `report` in a block, and checks that [`OFFENDER`] is disabled and will be slashed.
fn assert_punished(chain: &mut Chain, report: UncheckedExtrinsic, kind: [u8; 16], time_slot: Vec<u8>) {
    let applied = chain.produce(|| Executive::apply_extrinsic(report));
    assert_eq!(applied, Ok(Ok(())));
    chain.read(|| {
        let offence = pallet_offences::Event::Offence { kind, slot: time_slot };
        assert!(events().contains(&RuntimeEvent::Offences(offence)), "{:?}", events());

        let stash = account(STASH);
        let index = Session::validators().iter().position(|validator| *validator == stash);
        assert_eq!(Session::disabled_validators(), [index.unwrap() as u32]);

        // In the first era that begins when the whole time of the delay has passed
        let era = SlashDeferDuration::get() + 1;
        let slashes = UnappliedSlashes::<Runtime>::iter().collect::<Vec<_>>();
        let [(due, slashes)] = &slashes[..] else {
            panic!("{slashes:?}")
        };
        let [slash] = &slashes[..] else { panic!("{slashes:?}") };
        let expected = UnappliedSlash {
            validator: stash.clone(),
            own: FRACTION * Staking::eras_stakers(0, &stash).own,
            others: vec![],
            reporters: vec![account(REPORTER_STASH)],
            payout: slash.payout,
        };
        assert_eq!((*due, slash), (era, &expected));
        assert!(slash.own > 0 && slash.payout > 0 && slash.payout < slash.own);
    });
}

/// Begins sessions until `era` is the active one, after a block in each in which `act` is done.
fn run_to_era(chain: &mut Chain, era: u32, mut act: impl FnMut(&mut Chain)) {
    for _ in 0..=SessionsPerEra::get() * era {
        if chain.read(|| Staking::active_era().unwrap().index) == era {
            return;
        }
        act(chain);
        chain.next_session();
    }
    panic!("era {era} does not come");
}

/// What the slash that is due takes.
fn slash_due() -> Balance {
    let slashes = UnappliedSlashes::<Runtime>::get(SlashDeferDuration::get() + 1);
    slashes.iter().map(|slash| slash.own).sum()
}

fn total(who: &AccountId) -> Balance {
    Balances::total_balance(who)
}

fn refused(reason: InvalidTransaction) -> TransactionValidityError {
    reason.into()
}

#[test]
fn author_should_be_disabled_and_slashed_when_it_signs_two_blocks_for_a_slot() {
    let mut chain = chain();
    let report = two_blocks(&mut chain);
    let slot = chain.read(Babe::current_slot);
    assert_punished(&mut chain, report, *b"babe:equivocatio", slot.encode());
}

#[test]
fn voter_should_be_disabled_and_slashed_when_it_votes_twice_in_a_round() {
    let mut chain = chain();
    let report = two_votes(&mut chain);
    // Authority set and round
    assert_punished(&mut chain, report, *b"grandpa:equivoca", (0u64, 1u64).encode());
}

#[test]
fn report_should_be_refused_when_it_has_been_applied_before() {
    for report in [two_blocks, two_votes] {
        let mut chain = chain();
        let report = report(&mut chain);
        let apply = |chain: &mut Chain| chain.produce(|| Executive::apply_extrinsic(report.clone()));
        assert_eq!(apply(&mut chain), Ok(Ok(())));
        assert_eq!(apply(&mut chain), Err(refused(InvalidTransaction::Stale)));
    }
}

#[test]
fn report_should_be_refused_when_both_blocks_are_the_same() {
    let mut chain = chain();
    let report = babe_report(&mut chain, |slot| {
        let block = signed_header(slot, H256::zero());
        [block.clone(), block]
    });
    let applied = chain.produce(|| Executive::apply_extrinsic(report));
    let error = pallet_babe::Error::<Runtime>::InvalidEquivocationProof;
    assert_eq!(applied, Ok(Err(DispatchError::from(error))));
    assert_eq!(chain.read(Session::disabled_validators), [0; 0]);
}

#[test]
fn report_should_be_refused_by_the_pool_when_another_node_sends_it() {
    let mut chain = chain();
    for report in [two_blocks(&mut chain), two_votes(&mut chain)] {
        let mut validity = |source| {
            let report = report.clone();
            chain.read(|| Executive::validate_transaction(source, report, H256::zero()))
        };
        assert!(validity(TransactionSource::Local).is_ok());
        assert_eq!(
            validity(TransactionSource::External),
            Err(refused(InvalidTransaction::Call))
        );
    }
}

#[test]
fn slash_should_be_taken_when_its_delay_is_over() {
    let mut chain = chain();
    let report = two_blocks(&mut chain);
    chain.produce(|| Executive::apply_extrinsic(report)).unwrap().unwrap();
    let (stash, due) = (account(STASH), chain.read(slash_due));
    run_to_era(&mut chain, SlashDeferDuration::get(), |_| ());
    assert_eq!(chain.read(|| total(&stash)), ENDOWMENT);
    run_to_era(&mut chain, SlashDeferDuration::get() + 1, |_| ());
    assert_eq!(chain.read(|| total(&stash)), ENDOWMENT - due);
}

#[test]
fn slash_should_be_taken_when_the_offender_leaves_as_early_as_it_can() {
    let mut chain = chain();
    // It knows before anyone else that it will sign twice.
    let stake = chain.read(|| Staking::eras_stakers(0, &account(STASH)).own);
    chain.call(STASH, pallet_staking::Call::chill {});
    chain.call(STASH, pallet_staking::Call::unbond { value: stake * 2 });
    let report = two_blocks(&mut chain);
    chain.produce(|| Executive::apply_extrinsic(report)).unwrap().unwrap();
    let due = chain.read(slash_due);
    run_to_era(&mut chain, SlashDeferDuration::get() + 1, |chain| {
        let withdraw = pallet_staking::Call::withdraw_unbonded {
            // More than it has
            num_slashing_spans: 10,
        };
        chain.block(vec![(STASH, withdraw.into())]);
    });
    let left = chain.read(|| total(&account(STASH)));
    assert!(
        left <= ENDOWMENT - due,
        "{due} were due, {left} of {ENDOWMENT} are left"
    );
}
