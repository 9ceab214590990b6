//! Workers: who computes.

use crate::{artifact::ArtifactId, job::WorkUnits};
use alloc::vec::Vec;
use codec::{Decode, Encode};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// Asks are prices per this many work units.
pub const ASK_UNITS: WorkUnits = 1_000_000_000;

/// A worker as runtime APIs report it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo, Serialize, Deserialize)]
pub struct WorkerInfo<AccountId, Balance> {
    /// The cold account: holds the bond, is paid.
    pub account: AccountId,
    /// The hot key that signs for it.
    pub hot_key: AccountId,
    /// Base URL under which its output blobs are served (UTF-8).
    pub endpoint: Vec<u8>,
    /// On hold as its bond.
    pub bond: Balance,
    /// The part of the bond locked by jobs in progress.
    pub locked: Balance,
    /// Price per [`ASK_UNITS`] work units.
    pub ask: Balance,
    /// Takes no new jobs.
    pub chilled: bool,
    /// Models it has declared ready.
    pub ready: Vec<ArtifactId>,
    /// Jobs in progress.
    pub active_jobs: u32,
    /// Jobs settled.
    pub settled: u64,
    /// Work units delivered by settled jobs.
    pub delivered_units: u128,
    /// Jobs not acknowledged, not committed or not revealed in time.
    pub missed: u64,
}
