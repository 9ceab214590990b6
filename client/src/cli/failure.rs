//! How a command fails: a sentence and an exit code.

use assay_blobs::{FetchError, SourceError, StoreError};
use assay_client::{amount::AmountError, chain::ChainError, inference::InferenceError, keys::KeyError};
use assay_models::ImportError;
use assay_types::EstimateError;
use serde_json::json;
use std::process::ExitCode;

/// Wrong usage, bad input, or something on this machine.
pub(super) const OTHER: u8 = 1;
/// The chain or its node refused, or knows no such thing.
const REFUSED: u8 = 2;
/// The job failed, or nobody could or did run it.
const JOB: u8 = 3;
/// The node or a blob server cannot be reached.
const CONNECTION: u8 = 4;

/// Why a command ends without having done what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// Something about the input or this machine.
    pub(super) fn other(message: impl Into<String>) -> Self {
        Self {
            code: OTHER,
            message: message.into(),
        }
    }

    /// The chain would refuse.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self {
            code: REFUSED,
            message: message.into(),
        }
    }

    /// The job came to nothing.
    pub(super) fn job(message: impl Into<String>) -> Self {
        Self {
            code: JOB,
            message: message.into(),
        }
    }

    /// The same with a sentence in front that says what was being done.
    pub(super) fn during(self, what: impl std::fmt::Display) -> Self {
        Self {
            message: format!("{what}: {}", self.message),
            ..self
        }
    }

    /// Prints it to standard error, as JSON if that was asked for.
    pub(super) fn report(&self, json: bool) -> ExitCode {
        if json {
            eprintln!("{}", json!({ "error": { "code": self.code, "message": self.message } }));
        } else {
            eprintln!("error: {}", self.message);
        }
        ExitCode::from(self.code)
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> u8 {
        self.code
    }
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        let code = match &error {
            error if error.is_connection() => CONNECTION,
            error if error.is_refusal() => REFUSED,
            ChainError::Rpc { .. } | ChainError::WrongChain { .. } | ChainError::ApiVersion { .. } => REFUSED,
            _ => OTHER,
        };
        Self {
            code,
            message: error.to_string(),
        }
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        let code = match &error {
            FetchError::Unavailable { .. } if !error.is_definite() => CONNECTION,
            _ => OTHER,
        };
        Self {
            code,
            message: error.to_string(),
        }
    }
}

impl From<InferenceError> for Failure {
    fn from(error: InferenceError) -> Self {
        match error {
            InferenceError::Chain(error) => error.into(),
            InferenceError::Blob { what, error } => Self::from(error).during(what),
            error @ InferenceError::Output { .. } => Self::job(error.to_string()),
            error @ (InferenceError::UnknownArtifact(_) | InferenceError::UnknownJob(_)) => {
                Self::refused(error.to_string())
            }
            error => Self::other(error.to_string()),
        }
    }
}

impl From<EstimateError> for Failure {
    fn from(error: EstimateError) -> Self {
        Self::refused(format!("the chain would refuse this job: {error}"))
    }
}

/// Errors that are about the input or this machine.
macro_rules! other {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::other(error.to_string())
            }
        })*
    };
}

other!(AmountError, ImportError, KeyError, SourceError, StoreError);

#[cfg(test)]
mod tests {
    use super::*;
    use assay_blobs::{BlobId, SourceFailure};

    #[test]
    fn exit_code_should_tell_connection_from_refusal() {
        let connection = || ChainError::Connection {
            url: "ws://x".into(),
            reason: "refused".into(),
        };
        assert_eq!(Failure::from(connection()).code(), CONNECTION);
        assert_eq!(Failure::from(InferenceError::from(connection())).code(), CONNECTION);
        let expired = ChainError::Expired {
            hash: Default::default(),
            until: 1,
        };
        assert_eq!(Failure::from(expired).code(), REFUSED);
        assert_eq!(Failure::from(EstimateError::UnknownArtifact).code(), REFUSED);
        let invalid = ChainError::InvalidUrl { url: "x".into() };
        assert_eq!(Failure::from(invalid).code(), OTHER);
    }

    #[test]
    fn exit_code_should_tell_an_unreachable_source_from_a_missing_blob() {
        let failure = |error| {
            let tried = vec![SourceFailure {
                source: "http://x".into(),
                error,
            }];
            Failure::from(FetchError::Unavailable {
                id: BlobId::of(b""),
                tried,
            })
            .code()
        };
        assert_eq!(failure(SourceError::Connect("refused".into())), CONNECTION);
        assert_eq!(failure(SourceError::NotFound), OTHER);
    }
}
