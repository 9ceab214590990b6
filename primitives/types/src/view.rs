//! Artifacts, workers and jobs as JSON: what the node's `compute_*` methods answer and what
//! `assay --json` prints.
//!
//! Field names are camelCase, accounts SS58, hashes 0x-prefixed hex, block numbers and counts JSON
//! numbers. What may not fit a JavaScript number, amounts and work units, is a string of decimal
//! digits ([`Decimal`]). Names of phases, faults and reasons are part of the interface.

mod job;
mod offer;

pub use job::{
    AgreedView, AttemptView, FaultView, JobSpecView, JobUpdate, JobView, OutcomeView, ParametersView, PaymentView,
    PhaseView, StatusView,
};
pub use offer::{ArtifactView, EstimateView, IneligibleView, ProfileView, ReasonView, WorkerView};

use serde::{de, Deserialize, Deserializer, Serialize, Serializer};

/// An integer as a string of decimal digits. A JSON number is taken too, where it fits 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(pub u128);

impl From<u128> for Decimal {
    fn from(value: u128) -> Self {
        Self(value)
    }
}

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        Self(value.into())
    }
}

impl From<Decimal> for u128 {
    fn from(value: Decimal) -> Self {
        value.0
    }
}

impl core::fmt::Display for Decimal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl de::Visitor<'_> for Digits {
            type Value = Decimal;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("a string of decimal digits below 2^128, or a whole number below 2^64")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                // `parse` would take a leading plus sign
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let value = if digits { text.parse().ok() } else { None };
                value
                    .map(Decimal)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Decimal, E> {
                Ok(value.into())
            }
        }
        deserializer.deserialize_any(Digits)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn decimal_should_be_a_string_when_written() {
        assert_eq!(
            serde_json::to_string(&Decimal(u128::MAX)).unwrap(),
            format!("\"{}\"", u128::MAX)
        );
    }

    #[test]
    fn decimal_should_be_read_when_string_or_number() {
        assert_eq!(
            serde_json::from_str::<Decimal>("\"18446744073709551616\"").unwrap(),
            Decimal(1 << 64)
        );
        assert_eq!(serde_json::from_str::<Decimal>("7").unwrap(), Decimal(7));
    }

    #[test]
    fn decimal_should_be_refused_when_not_digits() {
        for text in [
            "\"\"",
            "\"+1\"",
            "\"-1\"",
            "\"1.5\"",
            "-1",
            "1.5",
            "\"340282366920938463463374607431768211456\"",
        ] {
            assert!(serde_json::from_str::<Decimal>(text).is_err(), "{text}");
        }
    }
}
