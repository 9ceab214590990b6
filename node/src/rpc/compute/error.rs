//! What can go wrong with the `compute_*` methods, as JSON-RPC errors.

use crate::blobs::BlobError;
use assay_blobs::BlobId;
use assay_runtime::Hash;
use assay_types::{EstimateError, JobId};
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned};
use sc_rpc_api::author::error::Error as PoolError;
use serde_json::{json, Value};
use std::fmt;

/// The node or its runtime failed; nothing the caller did.
const INTERNAL: i32 = 20_000;

/// The extrinsic is not a signed `computeMarket.submit` call.
const NOT_A_SUBMISSION: i32 = 20_001;

/// The input is not the blob that the job names. Data: `expected` and `got`, each `{hash, size}`.
const INPUT_MISMATCH: i32 = 20_002;

/// The input is larger than the chain allows. Data: `{size}`.
const INPUT_TOO_LARGE: i32 = 20_003;

/// The node has no room for the input. Data: `{size, used, quota}`.
const QUOTA_EXCEEDED: i32 = 20_004;

/// The transaction became invalid while it waited, so there is no job.
const INVALID: i32 = 20_010;

/// Another transaction of the same account and nonce took its place. Data: `{by}`.
const USURPED: i32 = 20_011;

/// The pool dropped the transaction for lack of room, so there is no job.
const DROPPED: i32 = 20_012;

/// The transaction is not in the best chain yet; it may still get there. Data: `{extrinsicHash}`.
const TIMEOUT: i32 = 20_013;

/// The transaction is in a block and failed. Data: `{error, blockHash}`, `error` being
/// `Pallet.Error`.
const FAILED: i32 = 20_014;

/// The chain has no record of the job. Data: `{id}`.
const UNKNOWN_JOB: i32 = 20_020;

/// No estimate can be given. Data: `{reason}`, one of `unknownArtifact`, `artifactRetired`,
/// `inputTooLarge`, `invalidTokens`, `tooMuchWork`.
const NO_ESTIMATE: i32 = 20_021;

/// What a transaction waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// The pool has not said anything of it.
    Pool,
    /// The account's transactions with lower nonces are missing.
    Nonces,
    /// Its turn.
    Block,
    /// It is in a block outside the best chain.
    Fork,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pool => "the pool is still checking it",
            Self::Nonces => {
                "it waits for the account's transactions with lower nonces, and its input is not kept: submit those \
                 first"
            }
            Self::Block => "it waits for a block",
            Self::Fork => "its block is in a fork",
        })
    }
}

/// Why a `compute_*` method failed. What the transaction pool refuses at once has the code that
/// `author_submitExtrinsic` gives it (1010 and following).
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The runtime could not be asked.
    #[error("the runtime could not be asked: {0}")]
    Runtime(#[from] sp_api::ApiError),
    /// The database could not be read.
    #[error("the node could not read its database: {0}")]
    Blockchain(#[from] sp_blockchain::Error),
    /// Work of the node ended before its time.
    #[error("the node is shutting down or out of resources: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
    /// The runtime accepted the submission, yet names no job.
    #[error("the extrinsic succeeded in block {block:?} but submitted no job")]
    NoJob {
        /// The block.
        block: Hash,
    },
    /// See [`NOT_A_SUBMISSION`].
    #[error("expected a signed computeMarket.submit extrinsic, got something else")]
    NotASubmission,
    /// See [`INPUT_MISMATCH`].
    #[error("expected as input the blob {expected}, got {got}")]
    InputMismatch {
        /// What the job names.
        expected: BlobId,
        /// What was given.
        got: BlobId,
    },
    /// See [`INPUT_TOO_LARGE`].
    #[error("the input has {size} bytes, more than the chain allows: split it over several jobs")]
    InputTooLarge {
        /// Bytes of the input.
        size: u64,
    },
    /// See [`QUOTA_EXCEEDED`], or the folder failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The pool refused the transaction.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// See [`INVALID`].
    #[error("the transaction became invalid before it was in a block; sign it again with the current nonce")]
    Invalid,
    /// See [`USURPED`].
    #[error("another transaction with the same account and nonce took this one's place: {by:?}")]
    Usurped {
        /// Hash of the other.
        by: Hash,
    },
    /// See [`DROPPED`].
    #[error("the transaction pool is full and dropped the transaction; submit it again with a tip")]
    Dropped,
    /// See [`TIMEOUT`].
    #[error(
        "the transaction is not in the best chain after {seconds} s: {waiting}. It may still get there: look for the \
         account's jobs before you submit it again"
    )]
    Timeout {
        /// How long was waited.
        seconds: u64,
        /// What it waits for.
        waiting: Waiting,
        /// Its hash.
        extrinsic: Hash,
    },
    /// See [`FAILED`].
    #[error("the extrinsic failed: {error}")]
    Failed {
        /// The runtime's name of the error.
        error: String,
        /// The block that it failed in.
        block: Hash,
    },
    /// See [`UNKNOWN_JOB`].
    #[error("the chain has no record of job {0}: it never had this id, or the record's time is over")]
    UnknownJob(JobId),
    /// See [`NO_ESTIMATE`].
    #[error("no estimate: {0}")]
    NoEstimate(EstimateError),
}

impl Error {
    fn code(&self) -> i32 {
        match self {
            Self::Runtime(_) | Self::Blockchain(_) | Self::Interrupted(_) | Self::NoJob { .. } => INTERNAL,
            Self::NotASubmission => NOT_A_SUBMISSION,
            Self::InputMismatch { .. } => INPUT_MISMATCH,
            Self::InputTooLarge { .. } => INPUT_TOO_LARGE,
            Self::Blob(BlobError::QuotaExceeded { .. }) => QUOTA_EXCEEDED,
            Self::Blob(BlobError::Store(_)) | Self::Pool(_) => INTERNAL,
            Self::Invalid => INVALID,
            Self::Usurped { .. } => USURPED,
            Self::Dropped => DROPPED,
            Self::Timeout { .. } => TIMEOUT,
            Self::Failed { .. } => FAILED,
            Self::UnknownJob(_) => UNKNOWN_JOB,
            Self::NoEstimate(_) => NO_ESTIMATE,
        }
    }

    fn data(&self) -> Option<Value> {
        match self {
            Self::InputMismatch { expected, got } => {
                let blob = |id: &BlobId| json!({ "hash": format!("0x{}", id.hash), "size": id.size });
                Some(json!({ "expected": blob(expected), "got": blob(got) }))
            }
            Self::InputTooLarge { size } => Some(json!({ "size": size })),
            Self::Blob(BlobError::QuotaExceeded { size, used, quota }) => {
                Some(json!({ "size": size, "used": used, "quota": quota }))
            }
            Self::Usurped { by } => Some(json!({ "by": by })),
            Self::Timeout { extrinsic, .. } => Some(json!({ "extrinsicHash": extrinsic })),
            Self::Failed { error, block } => Some(json!({ "error": error, "blockHash": block })),
            Self::NoJob { block } => Some(json!({ "blockHash": block })),
            Self::UnknownJob(id) => Some(json!({ "id": id })),
            Self::NoEstimate(reason) => Some(json!({ "reason": reason_name(*reason) })),
            _ => None,
        }
    }
}

fn reason_name(reason: EstimateError) -> &'static str {
    match reason {
        EstimateError::UnknownArtifact => "unknownArtifact",
        EstimateError::ArtifactRetired => "artifactRetired",
        EstimateError::InputTooLarge => "inputTooLarge",
        EstimateError::InvalidTokens => "invalidTokens",
        EstimateError::TooMuchWork => "tooMuchWork",
    }
}

impl From<Error> for ErrorObjectOwned {
    fn from(error: Error) -> Self {
        match error {
            Error::Pool(error) => error.into(),
            error => ErrorObject::owned(error.code(), error.to_string(), error.data()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use sc_transaction_pool_api::error::Error as TransactionError;

    fn object(error: Error) -> Value {
        serde_json::to_value(ErrorObjectOwned::from(error)).unwrap()
    }

    #[test]
    fn mismatch_should_say_what_was_expected_and_what_was_got() {
        let (expected, got) = (BlobId::of(b"this"), BlobId::of(b"other"));
        let object = object(Error::InputMismatch { expected, got });
        assert_eq!(object["code"], INPUT_MISMATCH);
        assert_eq!(
            object["data"]["expected"],
            json!({ "hash": format!("0x{}", expected.hash), "size": 4 })
        );
        assert_eq!(
            object["data"]["got"],
            json!({ "hash": format!("0x{}", got.hash), "size": 5 })
        );
        let message = object["message"].as_str().unwrap();
        assert!(
            message.contains(&expected.to_string()) && message.contains(&got.to_string()),
            "{message}"
        );
    }

    #[test]
    fn failure_should_name_the_pallets_error() {
        let object = object(Error::Failed {
            error: "ComputeMarket.InvalidSpec".into(),
            block: Hash::zero(),
        });
        assert_eq!(object["code"], FAILED);
        assert_eq!(object["data"]["error"], "ComputeMarket.InvalidSpec");
        assert_eq!(object["data"]["blockHash"], format!("0x{}", "00".repeat(32)));
        assert!(object["message"]
            .as_str()
            .unwrap()
            .contains("ComputeMarket.InvalidSpec"));
    }

    #[test]
    fn quota_should_have_its_code_and_numbers() {
        let object = object(
            BlobError::QuotaExceeded {
                size: 3,
                used: 2,
                quota: 4,
            }
            .into(),
        );
        assert_eq!(object["code"], QUOTA_EXCEEDED);
        assert_eq!(object["data"], json!({ "size": 3, "used": 2, "quota": 4 }));
    }

    #[test]
    fn refused_transactions_should_have_the_codes_of_the_author_methods() {
        let object = object(PoolError::Pool(TransactionError::ImmediatelyDropped).into());
        assert_eq!(object["code"], 1016);
    }

    #[test]
    fn estimate_error_should_be_readable_by_programs() {
        let object = object(Error::NoEstimate(EstimateError::ArtifactRetired));
        assert_eq!(object["code"], NO_ESTIMATE);
        assert_eq!(object["data"]["reason"], "artifactRetired");
    }
}
