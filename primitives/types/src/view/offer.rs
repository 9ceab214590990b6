//! What is on offer: artifacts, workers, and what a job would cost with them.

use super::Decimal;
use crate::{
    artifact::{ArtifactId, ArtifactInfo, ModelProfile},
    blob::BlobRef,
    job::{Estimate, EstimateError, Ineligible, IneligibleWorker},
    worker::WorkerInfo,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use serde::{Deserialize, Serialize};
use sp_core::H256;
use sp_runtime::AccountId32;

/// An artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactView {
    /// Its id.
    pub id: ArtifactId,
    /// Who registered it and is paid for its use.
    pub owner: AccountId32,
    /// The package's manifest.
    pub package: BlobRef,
    /// BLAKE3 hash of the description.
    pub metadata: H256,
    /// Cost and limits.
    pub profile: ProfileView,
    /// Paid to the owner for each settled job.
    pub price_per_use: Decimal,
    /// Whether it takes no new jobs.
    pub retired: bool,
    /// Block of registration.
    pub registered_at: u32,
    /// Settled jobs that used it.
    pub uses: u64,
    /// What those jobs paid to the owner in sum.
    pub earned: Decimal,
}

impl From<ArtifactInfo<AccountId32, u128, u32>> for ArtifactView {
    fn from(info: ArtifactInfo<AccountId32, u128, u32>) -> Self {
        Self {
            id: info.id,
            owner: info.owner,
            package: info.package,
            metadata: info.metadata,
            profile: info.profile.into(),
            price_per_use: info.price_per_use.into(),
            retired: info.retired,
            registered_at: info.registered_at,
            uses: info.uses,
            earned: info.earned.into(),
        }
    }
}

/// What a model computes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileView {
    /// Work units a token.
    pub units_per_token: Decimal,
    /// The most tokens one sequence may have.
    pub max_sequence: u32,
    /// Length of an output vector, in f32 elements.
    pub dimensions: u32,
}

impl From<ModelProfile> for ProfileView {
    fn from(profile: ModelProfile) -> Self {
        Self {
            units_per_token: profile.units_per_token.into(),
            max_sequence: profile.max_sequence,
            dimensions: profile.dimensions,
        }
    }
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerView {
    /// The cold account.
    pub account: AccountId32,
    /// The hot key that signs for it.
    pub hot_key: AccountId32,
    /// Base URL of its output blobs; bytes that are not UTF-8 are replaced.
    pub endpoint: String,
    /// On hold as its bond.
    pub bond: Decimal,
    /// The part of the bond locked by jobs in progress.
    pub locked: Decimal,
    /// Price per [`crate::ASK_UNITS`] work units.
    pub ask: Decimal,
    /// Takes no new jobs.
    pub chilled: bool,
    /// Models it has declared ready.
    pub ready: Vec<ArtifactId>,
    /// Jobs in progress.
    pub active_jobs: u32,
    /// Jobs settled.
    pub settled: u64,
    /// Work units delivered by settled jobs.
    pub delivered_units: Decimal,
    /// Deadlines missed.
    pub missed: u64,
}

impl From<WorkerInfo<AccountId32, u128>> for WorkerView {
    fn from(info: WorkerInfo<AccountId32, u128>) -> Self {
        Self {
            account: info.account,
            hot_key: info.hot_key,
            endpoint: String::from_utf8_lossy(&info.endpoint).into_owned(),
            bond: info.bond.into(),
            locked: info.locked.into(),
            ask: info.ask.into(),
            chilled: info.chilled,
            ready: info.ready,
            active_jobs: info.active_jobs,
            settled: info.settled,
            delivered_units: info.delivered_units.into(),
            missed: info.missed,
        }
    }
}

/// What a job would cost now and who could take it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EstimateView {
    /// Work units at the job's most tokens.
    pub units: Decimal,
    /// Lowest total fee over all eligible workers; null if there is none.
    pub lowest_fee: Option<Decimal>,
    /// The fee limit under which every eligible worker could be drawn; null if there is none.
    pub highest_fee: Option<Decimal>,
    /// Held beside the fee until the job's record is removed.
    pub deposit: Decimal,
    /// Who could be drawn.
    pub eligible: Vec<AccountId32>,
    /// Who could not, and why.
    pub ineligible: Vec<IneligibleView>,
}

impl From<Estimate<AccountId32, u128>> for EstimateView {
    fn from(estimate: Estimate<AccountId32, u128>) -> Self {
        Self {
            units: estimate.units.into(),
            lowest_fee: estimate.lowest_fee.map(Into::into),
            highest_fee: estimate.highest_fee.map(Into::into),
            deposit: estimate.deposit.into(),
            eligible: estimate.eligible,
            ineligible: estimate.ineligible.into_iter().map(Into::into).collect(),
        }
    }
}

/// A worker that cannot take a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IneligibleView {
    /// Its cold account.
    pub account: AccountId32,
    /// Why not, for programs.
    pub reason: ReasonView,
    /// Why not, for people.
    pub detail: String,
}

impl From<IneligibleWorker<AccountId32>> for IneligibleView {
    fn from(worker: IneligibleWorker<AccountId32>) -> Self {
        Self {
            account: worker.account,
            reason: worker.reason.into(),
            detail: worker.reason.to_string(),
        }
    }
}

/// Why a worker cannot be drawn for a job. See [`Ineligible`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReasonView {
    /// It does not take new jobs.
    Chilled,
    /// It has not declared the model ready.
    NotReady,
    /// Its ask is above the submitter's limit.
    AskAboveLimit,
    /// Its free bond does not cover the collateral.
    BondTooLow,
    /// It has as many jobs as it may have.
    Busy,
    /// Its ask is under a quarter of the median.
    AskUnderFloor,
}

impl From<Ineligible> for ReasonView {
    fn from(reason: Ineligible) -> Self {
        match reason {
            Ineligible::Chilled => Self::Chilled,
            Ineligible::NotReady => Self::NotReady,
            Ineligible::AskAboveLimit => Self::AskAboveLimit,
            Ineligible::BondTooLow => Self::BondTooLow,
            Ineligible::Busy => Self::Busy,
            Ineligible::AskUnderFloor => Self::AskUnderFloor,
        }
    }
}

impl core::fmt::Display for Ineligible {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Chilled => "takes no new jobs at present",
            Self::NotReady => "has not declared the model ready",
            Self::AskAboveLimit => "asks more than the fee limit",
            Self::BondTooLow => "its free bond does not cover the collateral",
            Self::Busy => "has as many jobs as it may have",
            Self::AskUnderFloor => "its ask is under a quarter of the median",
        })
    }
}

impl core::fmt::Display for EstimateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::UnknownArtifact => "no artifact has this id",
            Self::ArtifactRetired => "the artifact takes no new jobs",
            Self::InputTooLarge => "the input is larger than the chain allows",
            Self::InvalidTokens => {
                "expected at least one sequence, no more sequences than tokens, and no more tokens than the model takes"
            }
            Self::TooMuchWork => "the work of so many tokens cannot be counted; expected fewer tokens",
        })
    }
}

impl core::error::Error for EstimateError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    /// SS58 address of the account of 32 zero bytes, prefix 42.
    const ZERO: &str = "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM";

    fn account() -> AccountId32 {
        AccountId32::new([0; 32])
    }

    #[test]
    fn artifact_should_have_the_documented_shape() {
        let info = ArtifactInfo {
            id: 3,
            owner: account(),
            package: BlobRef {
                hash: H256::repeat_byte(1),
                size: 10,
            },
            metadata: H256::repeat_byte(2),
            profile: ModelProfile {
                units_per_token: 21_000_000,
                max_sequence: 256,
                dimensions: 384,
            },
            price_per_use: 1_000u128,
            retired: false,
            registered_at: 7u32,
            uses: 2,
            earned: 2_000u128,
        };
        let view = serde_json::to_value(ArtifactView::from(info)).unwrap();
        assert_eq!(
            view,
            json!({
                "id": 3,
                "owner": ZERO,
                "package": { "hash": format!("0x{}", "01".repeat(32)), "size": 10 },
                "metadata": format!("0x{}", "02".repeat(32)),
                "profile": { "unitsPerToken": "21000000", "maxSequence": 256, "dimensions": 384 },
                "pricePerUse": "1000",
                "retired": false,
                "registeredAt": 7,
                "uses": 2,
                "earned": "2000",
            })
        );
    }

    #[test]
    fn worker_should_have_the_documented_shape() {
        let info = WorkerInfo {
            account: account(),
            hot_key: account(),
            endpoint: b"http://127.0.0.1:9944/".to_vec(),
            bond: u128::MAX,
            locked: 1,
            ask: 2,
            chilled: true,
            ready: vec![0, 4],
            active_jobs: 1,
            settled: 5,
            delivered_units: 1 << 70,
            missed: 0,
        };
        let view = serde_json::to_value(WorkerView::from(info)).unwrap();
        assert_eq!(
            view,
            json!({
                "account": ZERO,
                "hotKey": ZERO,
                "endpoint": "http://127.0.0.1:9944/",
                "bond": u128::MAX.to_string(),
                "locked": "1",
                "ask": "2",
                "chilled": true,
                "ready": [0, 4],
                "activeJobs": 1,
                "settled": 5,
                "deliveredUnits": "1180591620717411303424",
                "missed": 0,
            })
        );
    }

    #[test]
    fn estimate_should_say_why_not_when_a_worker_is_ineligible() {
        let estimate = Estimate {
            units: 5,
            lowest_fee: None,
            highest_fee: Some(9u128),
            deposit: 4,
            eligible: vec![],
            ineligible: vec![IneligibleWorker {
                account: account(),
                reason: Ineligible::AskAboveLimit,
            }],
        };
        let view = EstimateView::from(estimate);
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(
            json,
            json!({
                "units": "5",
                "lowestFee": null,
                "highestFee": "9",
                "deposit": "4",
                "eligible": [],
                "ineligible": [
                    { "account": ZERO, "reason": "askAboveLimit", "detail": "asks more than the fee limit" },
                ],
            })
        );
        assert_eq!(serde_json::from_value::<EstimateView>(json).unwrap(), view);
    }
}
