//! The tracks of referenda: how long each takes and what it takes to pass.
//!
//! Durations are in governance hours, a twenty-fourth of the parameter
//! [`GovernanceDay`], so that a development chain can decide in
//! minutes by the rules that take weeks elsewhere.

use super::origins::Origin;
use crate::{constants::currency::ASY, parameters::GovernanceDay, Balance, BlockNumber, OriginCaller};
use alloc::borrow::Cow;
use frame_support::traits::Get;
use frame_system::RawOrigin;
use pallet_referenda::{Curve, Track, TrackInfo};
use sp_arithmetic::FixedI64;
use sp_runtime::str_array;

/// Identifies a track.
pub type TrackId = u16;

/// Hours of a governance day.
const HOURS_IN_DAY: BlockNumber = 24;

const fn percent(percent: u128) -> FixedI64 {
    FixedI64::from_rational(percent, 100)
}

/// Part of the votes that must be ayes, falling to a half in the course of the decision.
const fn approval(from: u128) -> Curve {
    Curve::make_reciprocal(4, 28, percent(from), percent(50), percent(100))
}

/// Part of all tokens that must vote aye, falling to `to` per thousand in the course of the decision.
const fn support(from: u128, to: u128) -> Curve {
    Curve::make_linear(28, 28, FixedI64::from_rational(to, 1_000), percent(from))
}

/// A track, with durations in governance hours.
struct Template {
    id: TrackId,
    name: &'static str,
    /// As whom what is voted acts; `None` for Root.
    origin: Option<Origin>,
    max_deciding: u32,
    decision_deposit: Balance,
    prepare: BlockNumber,
    decision: BlockNumber,
    confirm: BlockNumber,
    enactment: BlockNumber,
    min_approval: Curve,
    min_support: Curve,
}

/// The tracks, sorted by id.
static TRACKS: [Template; 8] = [
    Template {
        id: 0,
        name: "root",
        origin: None,
        max_deciding: 1,
        decision_deposit: 10_000 * ASY,
        prepare: 2,
        decision: 14 * HOURS_IN_DAY,
        confirm: 24,
        enactment: 24,
        min_approval: approval(80),
        min_support: support(50, 0),
    },
    Template {
        id: 10,
        name: "staking_admin",
        origin: Some(Origin::StakingAdmin),
        max_deciding: 10,
        decision_deposit: 1_000 * ASY,
        prepare: 2,
        decision: 14 * HOURS_IN_DAY,
        confirm: 3,
        enactment: 1,
        min_approval: approval(70),
        min_support: support(25, 0),
    },
    // Short enough to end before the slash is applied.
    Template {
        id: 11,
        name: "slash_canceller",
        origin: Some(Origin::SlashCanceller),
        max_deciding: 20,
        decision_deposit: 500 * ASY,
        prepare: 1,
        decision: 3 * HOURS_IN_DAY,
        confirm: 3,
        enactment: 1,
        min_approval: approval(70),
        min_support: support(10, 5),
    },
    Template {
        id: 12,
        name: "market_admin",
        origin: Some(Origin::MarketAdmin),
        max_deciding: 10,
        decision_deposit: 1_000 * ASY,
        prepare: 2,
        decision: 14 * HOURS_IN_DAY,
        confirm: 12,
        enactment: 12,
        min_approval: approval(70),
        min_support: support(25, 1),
    },
    Template {
        id: 20,
        name: "wish_for_change",
        origin: Some(Origin::WishForChange),
        max_deciding: 10,
        decision_deposit: 500 * ASY,
        prepare: 2,
        decision: 14 * HOURS_IN_DAY,
        confirm: 24,
        enactment: 1,
        min_approval: approval(80),
        min_support: support(50, 0),
    },
    Template {
        id: 30,
        name: "small_spender",
        origin: Some(Origin::SmallSpender),
        max_deciding: 50,
        decision_deposit: 50 * ASY,
        prepare: 2,
        decision: 7 * HOURS_IN_DAY,
        confirm: 12,
        enactment: 12,
        min_approval: approval(70),
        min_support: support(10, 1),
    },
    Template {
        id: 31,
        name: "medium_spender",
        origin: Some(Origin::MediumSpender),
        max_deciding: 20,
        decision_deposit: 200 * ASY,
        prepare: 4,
        decision: 14 * HOURS_IN_DAY,
        confirm: 24,
        enactment: 24,
        min_approval: approval(75),
        min_support: support(25, 2),
    },
    Template {
        id: 32,
        name: "big_spender",
        origin: Some(Origin::BigSpender),
        max_deciding: 10,
        decision_deposit: 500 * ASY,
        prepare: 8,
        decision: 14 * HOURS_IN_DAY,
        confirm: 48,
        enactment: 24,
        min_approval: approval(80),
        min_support: support(50, 5),
    },
];

impl Template {
    fn track(&self, day: BlockNumber) -> Track<TrackId, Balance, BlockNumber> {
        // No step takes less than a block, or it could not be taken.
        let blocks = |hours: BlockNumber| (hours.saturating_mul(day) / HOURS_IN_DAY).max(1);
        Track {
            id: self.id,
            info: TrackInfo {
                name: str_array(self.name),
                max_deciding: self.max_deciding,
                decision_deposit: self.decision_deposit,
                prepare_period: blocks(self.prepare),
                decision_period: blocks(self.decision),
                confirm_period: blocks(self.confirm),
                min_enactment_period: blocks(self.enactment),
                min_approval: self.min_approval.clone(),
                min_support: self.min_support.clone(),
            },
        }
    }
}

/// The tracks as `pallet-referenda` asks for them.
pub struct TracksInfo;

impl pallet_referenda::TracksInfo<Balance, BlockNumber> for TracksInfo {
    type Id = TrackId;
    type RuntimeOrigin = OriginCaller;

    fn tracks() -> impl Iterator<Item = Cow<'static, Track<Self::Id, Balance, BlockNumber>>> {
        let day = GovernanceDay::get();
        TRACKS.iter().map(move |template| Cow::Owned(template.track(day)))
    }

    fn track_for(origin: &Self::RuntimeOrigin) -> Result<Self::Id, ()> {
        let wanted = match origin {
            OriginCaller::system(RawOrigin::Root) => None,
            OriginCaller::Origins(origin) => Some(*origin),
            _ => return Err(()),
        };
        TRACKS
            .iter()
            .find(|template| template.origin == wanted)
            .map(|template| template.id)
            .ok_or(())
    }
}
