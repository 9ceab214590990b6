//! As whom a referendum can act, beside Root: one origin a track.

pub use pallet::*;

use crate::{constants::currency::ASY, Balance, OriginCaller, RuntimeOrigin};
use frame_support::traits::{EnsureOrigin, OriginTrait};
use frame_system::RawOrigin;

/// Defines the origins. It has neither calls nor storage.
#[frame_support::pallet]
pub mod pallet {
    use frame_support::pallet_prelude::*;

    /// What the pallet needs: nothing.
    #[pallet::config]
    pub trait Config: frame_system::Config {}

    /// The pallet.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// As whom a referendum can act.
    #[derive(
        Clone,
        Copy,
        Debug,
        PartialEq,
        Eq,
        PartialOrd,
        Ord,
        Encode,
        Decode,
        DecodeWithMemTracking,
        MaxEncodedLen,
        TypeInfo,
    )]
    #[pallet::origin]
    pub enum Origin {
        /// Changes how staking works, and slashes by hand.
        StakingAdmin,
        /// Cancels slashes before they are applied.
        SlashCanceller,
        /// Changes the market's parameters, within their compiled bounds.
        MarketAdmin,
        /// Says what people wish, and can do nothing.
        WishForChange,
        /// Spends up to 1,000 ASY of the treasury at a time.
        SmallSpender,
        /// Spends up to 10,000 ASY of the treasury at a time.
        MediumSpender,
        /// Spends up to 100,000 ASY of the treasury at a time.
        BigSpender,
    }
}

impl Origin {
    /// What it may spend of the treasury in one referendum.
    pub const fn spending_limit(self) -> Option<Balance> {
        match self {
            Self::SmallSpender => Some(1_000 * ASY),
            Self::MediumSpender => Some(10_000 * ASY),
            Self::BigSpender => Some(100_000 * ASY),
            Self::StakingAdmin | Self::SlashCanceller | Self::MarketAdmin | Self::WishForChange => None,
        }
    }
}

/// Defines a check for one origin.
macro_rules! ensure_origin {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name;

        impl EnsureOrigin<RuntimeOrigin> for $name {
            type Success = ();

            fn try_origin(origin: RuntimeOrigin) -> Result<(), RuntimeOrigin> {
                match origin.caller() {
                    OriginCaller::Origins(Origin::$name) => Ok(()),
                    _ => Err(origin),
                }
            }

            #[cfg(feature = "runtime-benchmarks")]
            fn try_successful_origin() -> Result<RuntimeOrigin, ()> {
                Ok(Origin::$name.into())
            }
        }
    };
}

ensure_origin!(
    /// Passes [`Origin::StakingAdmin`] alone.
    StakingAdmin
);
ensure_origin!(
    /// Passes [`Origin::SlashCanceller`] alone.
    SlashCanceller
);
ensure_origin!(
    /// Passes [`Origin::MarketAdmin`] alone.
    MarketAdmin
);

/// Passes Root and the spenders, with what each may spend at a time.
pub struct Spender;

impl EnsureOrigin<RuntimeOrigin> for Spender {
    type Success = Balance;

    fn try_origin(origin: RuntimeOrigin) -> Result<Balance, RuntimeOrigin> {
        let limit = match origin.caller() {
            OriginCaller::system(RawOrigin::Root) => Some(Balance::MAX),
            OriginCaller::Origins(spender) => spender.spending_limit(),
            _ => None,
        };
        limit.ok_or(origin)
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn try_successful_origin() -> Result<RuntimeOrigin, ()> {
        Ok(RuntimeOrigin::root())
    }
}
