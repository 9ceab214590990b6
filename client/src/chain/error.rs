//! What can go wrong between us and the chain.

use crate::{AccountId, BlockNumber, Hash};
use std::{error::Error as StdError, fmt};
use subxt::rpcs;

/// Why something asked of the chain did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The node cannot be reached.
    #[error("cannot reach the node at {url}: {reason}. Is it running, and is this its JSON-RPC address?")]
    Connection {
        /// Its address.
        url: String,
        /// What failed.
        reason: String,
    },
    /// Not an address of a node.
    #[error("expected the node's address as ws://HOST:PORT or wss://HOST:PORT, got {url:?}")]
    InvalidUrl {
        /// What was given.
        url: String,
    },
    /// A node of another kind of chain.
    #[error("the node at {url} runs the chain {got:?}, expected {expected:?}")]
    WrongChain {
        /// Its address.
        url: String,
        /// Name of the runtime that this program talks to.
        expected: &'static str,
        /// Name of the node's runtime.
        got: String,
    },
    /// Another chain than before the connection was lost.
    #[error("the node at {url} now runs another chain: expected genesis {expected:?}, got {got:?}")]
    GenesisChanged {
        /// Its address.
        url: String,
        /// Genesis hash at first.
        expected: Hash,
        /// Genesis hash now.
        got: Hash,
    },
    /// The runtime is older or newer than this program.
    #[error(
        "the chain's runtime {spec_version} has version {got} of the compute API, this program needs {expected}; \
         use the release of `assay` that belongs to it"
    )]
    ApiVersion {
        /// The runtime's version.
        spec_version: u32,
        /// The version this program was built for.
        expected: u32,
        /// The runtime's version of it; 0 if it has none.
        got: u32,
    },
    /// The transaction is in a block and failed.
    #[error("the chain refused {call}: {failure}")]
    Dispatch {
        /// What was called, as `Pallet.call`.
        call: String,
        /// Why.
        failure: DispatchFailure,
    },
    /// The node refused to take the transaction.
    #[error("the node refused {call} signed by {account}: {reason}")]
    Refused {
        /// What was called, as `Pallet.call`.
        call: String,
        /// Who signed.
        account: AccountId,
        /// The node's answer.
        reason: String,
    },
    /// The transaction was not in any block while it was valid.
    #[error("transaction {hash:?} was in no block up to {until}, after which it is invalid; send it again")]
    Expired {
        /// The transaction.
        hash: Hash,
        /// The last block in which it could have been.
        until: BlockNumber,
    },
    /// Another transaction of the same account used its nonce.
    #[error("transaction {hash:?} was displaced by another one of {account} with nonce {nonce}")]
    Displaced {
        /// The transaction.
        hash: Hash,
        /// Who signed.
        account: AccountId,
        /// The nonce.
        nonce: u64,
    },
    /// The node answered with an error.
    #[error("the node answered {method} with error {code}: {message}")]
    Rpc {
        /// The method asked.
        method: String,
        /// JSON-RPC error code.
        code: i32,
        /// What it says.
        message: String,
        /// What it adds for programs.
        data: Option<serde_json::Value>,
    },
    /// The node has no such block, or no longer its state.
    #[error("the node does not have {what}")]
    NotFound {
        /// What is missing.
        what: String,
    },
    /// An answer is not what this program expects of this chain.
    #[error("cannot read {what} from the node's answer: {reason}")]
    Decode {
        /// What was to be read.
        what: String,
        /// Where it failed.
        reason: String,
    },
    /// The runtime's metadata does not have this call, or has it with other arguments.
    #[error("cannot encode {call} for this runtime: {reason}")]
    Encode {
        /// What was to be called, as `Pallet.call`.
        call: String,
        /// What does not fit.
        reason: String,
    },
}

/// Why a transaction failed in its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchFailure {
    /// The pallet whose error it is; none for errors of the runtime at large.
    pub pallet: Option<String>,
    /// The error's name, as in the runtime.
    pub error: String,
    /// What the runtime's metadata says about it; may be empty.
    pub docs: String,
}

impl fmt::Display for DispatchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pallet) = &self.pallet {
            write!(f, "{pallet}.")?;
        }
        f.write_str(&self.error)?;
        if !self.docs.is_empty() {
            write!(f, " ({})", self.docs.trim_end_matches('.'))?;
        }
        Ok(())
    }
}

impl ChainError {
    /// Whether the node could not be reached, so that the same may succeed later.
    pub fn is_connection(&self) -> bool {
        matches!(self, Self::Connection { .. })
    }

    /// Whether the chain or its node answered, and said no.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Dispatch { .. } | Self::Refused { .. } | Self::Expired { .. } | Self::Displaced { .. }
        )
    }

    /// Pallet and name of the error with which the chain refused a transaction.
    pub fn pallet_error(&self) -> Option<(&str, &str)> {
        match self {
            Self::Dispatch {
                failure:
                    DispatchFailure {
                        pallet: Some(pallet),
                        error,
                        ..
                    },
                ..
            } => Some((pallet, error)),
            _ => None,
        }
    }

    pub(super) fn decode(what: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::Decode {
            what: what.into(),
            reason: reason.to_string(),
        }
    }

    /// An error of the RPC client while asking `method` of the node at `url`.
    pub(super) fn rpc(url: &str, method: &str, error: rpcs::Error) -> Self {
        match error {
            rpcs::Error::User(error) => {
                let data = error.data.and_then(|data| serde_json::from_str(data.get()).ok());
                // The transaction pool puts the reason there, in words.
                let message = match &data {
                    Some(serde_json::Value::String(reason)) => format!("{}: {reason}", error.message),
                    _ => error.message,
                };
                Self::Rpc {
                    method: method.into(),
                    code: error.code,
                    message,
                    data,
                }
            }
            rpcs::Error::Client(error) => match error.downcast::<ChainError>() {
                Ok(ours) => *ours,
                Err(error) => Self::Connection {
                    url: url.into(),
                    reason: root_cause(error.as_ref()),
                },
            },
            rpcs::Error::DisconnectedWillReconnect(reason) => Self::Connection {
                url: url.into(),
                reason,
            },
            error => Self::decode(format!("the result of {method}"), error),
        }
    }

    /// Any error of subxt, which has many types for it, while doing `what` at the node at `url`.
    pub(super) fn subxt(url: &str, what: &str, error: impl StdError + 'static) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(inner) = cause {
            if let Some(rpcs::Error::Client(lost)) = inner.downcast_ref::<rpcs::Error>() {
                return Self::Connection {
                    url: url.into(),
                    reason: root_cause(lost.as_ref()),
                };
            }
            cause = inner.source();
        }
        Self::decode(what, error)
    }
}

/// The innermost cause says what happened, the outer ones only where.
fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    loop {
        // The RPC client does not call what it wraps its source.
        cause = match (cause.downcast_ref(), cause.source()) {
            (Some(rpcs::Error::Client(inner)), _) => inner.as_ref(),
            (_, Some(inner)) => inner,
            (_, None) => return cause.to_string(),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn failure(pallet: Option<&str>, docs: &str) -> DispatchFailure {
        DispatchFailure {
            pallet: pallet.map(Into::into),
            error: "InputTooLarge".into(),
            docs: docs.into(),
        }
    }

    #[test]
    fn failure_should_name_pallet_error_and_docs() {
        let text = failure(Some("ComputeMarket"), "The input is too large.").to_string();
        assert_eq!(text, "ComputeMarket.InputTooLarge (The input is too large)");
        assert_eq!(failure(None, "").to_string(), "InputTooLarge");
    }

    #[test]
    fn pallet_error_should_be_told_when_a_pallet_refused() {
        let call = "ComputeMarket.submit".to_string();
        let error = ChainError::Dispatch {
            call,
            failure: failure(Some("ComputeMarket"), ""),
        };
        assert_eq!(error.pallet_error(), Some(("ComputeMarket", "InputTooLarge")));
        assert!(error.is_refusal() && !error.is_connection());
    }

    #[test]
    fn rpc_error_should_keep_the_nodes_words() {
        let user = rpcs::UserError {
            code: 1010,
            message: "Invalid Transaction".into(),
            data: Some(rpcs::client::RawValue::from_string("\"Transaction is outdated\"".into()).unwrap()),
        };
        let error = ChainError::rpc("ws://x", "author_submitExtrinsic", rpcs::Error::User(user));
        assert!(
            error
                .to_string()
                .ends_with("error 1010: Invalid Transaction: Transaction is outdated"),
            "{error}"
        );
    }

    #[test]
    fn lost_connection_should_be_a_connection_error() {
        let lost = || rpcs::Error::Client(Box::new(rpcs::Error::Client("refused".into())));
        for error in [
            ChainError::rpc("ws://x", "m", lost()),
            ChainError::subxt("ws://x", "m", lost()),
        ] {
            assert!(
                matches!(&error, ChainError::Connection { reason, .. } if reason == "refused"),
                "{error}"
            );
        }
    }
}
