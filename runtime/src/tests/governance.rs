//! Tracks, origins, and what they may do.

use super::chain::{account, events, genesis, Chain};
use crate::{
    configs::staking::SlashDeferDuration,
    constants::{currency::ASY, time::DAYS},
    governance::{
        origins::{Origin, Spender},
        slash_review,
        tracks::TracksInfo,
    },
    parameters::{governance_day_entry, market, GovernanceDay, MarketParameters},
    Balance, OriginCaller, Parameters, Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin, RuntimeParameters,
    SlashReview,
};
use codec::Encode;
use frame_support::{
    assert_err, assert_noop, assert_ok,
    traits::{schedule::DispatchTime, Bounded, EnsureOrigin, Get, StorePreimage, VoteTally},
};
use frame_system::RawOrigin;
use pallet_conviction_voting::{AccountVote, Conviction, Vote};
use pallet_referenda::{ReferendumInfo, ReferendumInfoFor, TracksInfo as _};
use pallet_staking::UnappliedSlash;
use sp_keyring::Sr25519Keyring;
use sp_runtime::DispatchError;

const ORIGINS: [(Origin, &str); 7] = [
    (Origin::StakingAdmin, "staking_admin"),
    (Origin::SlashCanceller, "slash_canceller"),
    (Origin::MarketAdmin, "market_admin"),
    (Origin::WishForChange, "wish_for_change"),
    (Origin::SmallSpender, "small_spender"),
    (Origin::MediumSpender, "medium_spender"),
    (Origin::BigSpender, "big_spender"),
];

fn track_name(id: u16) -> String {
    let name = TracksInfo::info(id).unwrap().name;
    String::from_utf8(name.to_vec())
        .unwrap()
        .trim_end_matches('\0')
        .to_string()
}

#[test]
fn tracks_should_be_sorted_and_cover_every_origin() {
    genesis("development").execute_with(|| {
        assert_eq!(TracksInfo::check_integrity(), Ok(()));
        let ids = TracksInfo::track_ids().collect::<Vec<_>>();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?} repeats");

        let root = TracksInfo::track_for(&OriginCaller::system(RawOrigin::Root)).unwrap();
        assert_eq!((root, track_name(root)), (0, "root".to_string()));
        for (origin, name) in ORIGINS {
            assert_eq!(
                track_name(TracksInfo::track_for(&OriginCaller::Origins(origin)).unwrap()),
                name
            );
        }
        assert_eq!(ids.len(), ORIGINS.len() + 1);
        let signed = OriginCaller::system(RawOrigin::Signed([1; 32].into()));
        assert_eq!(TracksInfo::track_for(&signed), Err(()));
    });
}

#[test]
fn tracks_should_scale_with_the_governance_day_and_never_stop() {
    genesis("development").execute_with(|| {
        let root = |day: u32| {
            assert_ok!(Parameters::set_parameter(
                RuntimeOrigin::root(),
                governance_day_entry(day)
            ));
            for track in TracksInfo::tracks() {
                let info = &track.info;
                let periods = [
                    info.prepare_period,
                    info.decision_period,
                    info.confirm_period,
                    info.min_enactment_period,
                ];
                assert!(
                    periods.iter().all(|period| *period > 0),
                    "{periods:?} at {day} blocks a day"
                );
            }
            let info = TracksInfo::info(0).unwrap();
            (info.prepare_period, info.decision_period, info.confirm_period)
        };
        assert_eq!(root(DAYS), (2_400, 14 * DAYS, DAYS));
        assert_eq!(root(24), (2, 14 * 24, 24));
        assert_eq!(root(0), (1, 140, 10));
    });
}

#[test]
fn slash_canceller_should_be_able_to_decide_before_the_slash_is_applied() {
    genesis("development").execute_with(|| {
        assert_ok!(Parameters::set_parameter(
            RuntimeOrigin::root(),
            governance_day_entry(DAYS)
        ));
        let id = TracksInfo::track_for(&OriginCaller::Origins(Origin::SlashCanceller)).unwrap();
        let info = TracksInfo::info(id).unwrap();
        let needed = info.prepare_period + info.decision_period + info.confirm_period + info.min_enactment_period;
        let era = 6 * crate::constants::time::HOURS;
        // The era of the offence itself may be nearly over.
        assert!(needed < (SlashDeferDuration::get() - 1) * era);
    });
}

#[test]
fn spenders_should_have_rising_limits_and_others_none() {
    let limit = |origin: RuntimeOrigin| Spender::try_origin(origin).ok();
    genesis("development").execute_with(|| {
        assert_eq!(limit(Origin::SmallSpender.into()), Some(1_000 * ASY));
        assert_eq!(limit(Origin::MediumSpender.into()), Some(10_000 * ASY));
        assert_eq!(limit(Origin::BigSpender.into()), Some(100_000 * ASY));
        assert_eq!(limit(RuntimeOrigin::root()), Some(Balance::MAX));
        for origin in [
            Origin::WishForChange,
            Origin::MarketAdmin,
            Origin::StakingAdmin,
            Origin::SlashCanceller,
        ] {
            assert_eq!(limit(origin.into()), None);
        }
        assert_eq!(limit(RuntimeOrigin::signed([1; 32].into())), None);
    });
}

#[test]
fn slash_canceller_should_cancel_slashes_and_do_nothing_else_to_staking() {
    genesis("development").execute_with(|| {
        frame_system::Pallet::<Runtime>::set_block_number(1);
        let slash = UnappliedSlash::default_from(account(Sr25519Keyring::AliceStash));
        pallet_staking::UnappliedSlashes::<Runtime>::insert(5, vec![slash]);

        assert_noop!(
            SlashReview::cancel(Origin::MarketAdmin.into(), 5, vec![0]),
            DispatchError::BadOrigin
        );
        assert_err!(
            SlashReview::cancel(Origin::SlashCanceller.into(), 5, vec![1]),
            pallet_staking::Error::<Runtime>::InvalidSlashIndex
        );
        assert_ok!(SlashReview::cancel(Origin::SlashCanceller.into(), 5, vec![0]));
        assert!(pallet_staking::UnappliedSlashes::<Runtime>::get(5).is_empty());
        let expected = slash_review::Event::SlashesCancelled { era: 5, count: 1 };
        assert_eq!(events().last(), Some(&RuntimeEvent::SlashReview(expected)));

        assert_noop!(
            crate::Staking::cancel_deferred_slash(Origin::SlashCanceller.into(), 5, vec![0]),
            DispatchError::BadOrigin
        );
    });
}

#[test]
fn referendum_should_change_a_market_parameter_when_it_is_approved() {
    let mut chain = Chain::development();
    let change = RuntimeCall::Parameters(pallet_parameters::Call::set_parameter {
        key_value: RuntimeParameters::Market(market::Parameters::RevealDelay(market::RevealDelay, Some(7))),
    });
    let proposal = chain.read(|| <crate::Preimage as StorePreimage>::bound(change.clone()).unwrap());
    assert!(
        matches!(proposal, Bounded::Inline(_)),
        "{} bytes",
        change.encoded_size()
    );

    chain.call(
        Sr25519Keyring::Alice,
        pallet_referenda::Call::submit {
            proposal_origin: Box::new(OriginCaller::Origins(Origin::MarketAdmin)),
            proposal,
            enactment_moment: DispatchTime::After(1),
        },
    );
    chain.call(
        Sr25519Keyring::Alice,
        pallet_referenda::Call::place_decision_deposit { index: 0 },
    );
    for voter in [
        Sr25519Keyring::Alice,
        Sr25519Keyring::Bob,
        Sr25519Keyring::Charlie,
        Sr25519Keyring::Dave,
    ] {
        let vote = Vote {
            aye: true,
            conviction: Conviction::Locked1x,
        };
        let vote = AccountVote::Standard {
            vote,
            balance: 9_000_000 * ASY,
        };
        chain.call(voter, pallet_conviction_voting::Call::vote { poll_index: 0, vote });
    }
    chain.read(|| {
        let Some(ReferendumInfo::Ongoing(status)) = ReferendumInfoFor::<Runtime>::get(0) else {
            panic!("the referendum is not going on")
        };
        assert_eq!(status.track, 12);
        assert!(status.tally.ayes(status.track) > 30_000_000 * ASY);
    });
    assert_eq!(chain.read(MarketParameters::get).reveal_delay, 1);
    let days = chain.read(GovernanceDay::get);
    chain.until(4 * days, || MarketParameters::get().reveal_delay == 7);
}
