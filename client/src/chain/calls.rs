//! The calls of our pallets.
//!
//! Arguments are given by name and encoded against the runtime's metadata: a runtime whose call
//! has other arguments refuses to be encoded for, instead of being sent something else.

use crate::{AccountId, Balance, Hash};
use assay_types::{ArtifactId, BlobRef, JobId, JobSpec, ModelProfile, Outcome, Status, UnavailableBlob};
use subxt::{
    dynamic::Value,
    ext::scale_value::Composite,
    transactions::{DynamicPayload, Payload},
};

const ARTIFACTS: &str = "Artifacts";
const WORKERS: &str = "Workers";
const MARKET: &str = "ComputeMarket";

/// A call, not yet signed.
#[derive(Clone, Debug)]
pub struct Call(DynamicPayload<Composite<()>>);

impl Call {
    /// Any call of the runtime, with its arguments by name.
    pub fn new<'a>(pallet: &str, call: &str, arguments: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        let arguments = arguments
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Self(DynamicPayload::new(pallet, call, Composite::Named(arguments)))
    }

    /// What is called, as `Pallet.call`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.0.pallet_name(), self.0.call_name())
    }

    pub(super) fn payload(&self) -> &impl Payload {
        &self.0
    }
}

/// Registers a model.
pub fn register_model(package: &BlobRef, metadata: Hash, profile: &ModelProfile, price_per_use: Balance) -> Call {
    let ModelProfile {
        units_per_token,
        max_sequence,
        dimensions,
    } = *profile;
    let profile = Value::named_composite([
        ("units_per_token", Value::u128(units_per_token.into())),
        ("max_sequence", Value::u128(max_sequence.into())),
        ("dimensions", Value::u128(dimensions.into())),
    ]);
    Call::new(
        ARTIFACTS,
        "register_model",
        [
            ("package", blob(package)),
            ("metadata", hash(metadata)),
            ("profile", profile),
            ("price_per_use", Value::u128(price_per_use)),
        ],
    )
}

/// Changes what a use of an artifact costs.
pub fn set_terms(id: ArtifactId, price_per_use: Balance) -> Call {
    Call::new(
        ARTIFACTS,
        "set_terms",
        [("id", artifact(id)), ("price_per_use", Value::u128(price_per_use))],
    )
}

/// Ends new uses of an artifact.
pub fn retire(id: ArtifactId) -> Call {
    Call::new(ARTIFACTS, "retire", [("id", artifact(id))])
}

/// Registers the signer as a worker.
pub fn register_worker(hot_key: &AccountId, endpoint: &str, bond: Balance, ask: Balance) -> Call {
    Call::new(
        WORKERS,
        "register",
        [
            ("hot_key", account(hot_key)),
            ("endpoint", Value::from_bytes(endpoint)),
            ("bond", Value::u128(bond)),
            ("ask", Value::u128(ask)),
        ],
    )
}

/// Adds to the worker's bond.
pub fn bond_extra(amount: Balance) -> Call {
    Call::new(WORKERS, "bond_extra", [("amount", Value::u128(amount))])
}

/// Changes the worker's ask.
pub fn set_ask(ask: Balance) -> Call {
    Call::new(WORKERS, "set_ask", [("ask", Value::u128(ask))])
}

/// Changes the key that signs for the worker.
pub fn set_hot_key(hot_key: &AccountId) -> Call {
    Call::new(WORKERS, "set_hot_key", [("hot_key", account(hot_key))])
}

/// Changes where the worker serves its outputs.
pub fn set_endpoint(endpoint: &str) -> Call {
    Call::new(WORKERS, "set_endpoint", [("endpoint", Value::from_bytes(endpoint))])
}

/// Declares which models the worker has ready, in place of those declared before.
pub fn validate_artifacts(ready: &[ArtifactId]) -> Call {
    let ready = Value::unnamed_composite(ready.iter().map(|id| artifact(*id)));
    Call::new(WORKERS, "validate_artifacts", [("ready", ready)])
}

/// The worker takes no new jobs.
pub fn chill() -> Call {
    Call::new(WORKERS, "chill", [])
}

/// The worker takes new jobs again.
pub fn resume() -> Call {
    Call::new(WORKERS, "resume", [])
}

/// The signer is no longer a worker and gets its bond back.
pub fn deregister() -> Call {
    Call::new(WORKERS, "deregister", [])
}

/// Submits a job. [`super::Chain::submit_job`] hands its input to the node too.
pub fn submit(spec: &JobSpec, max_fee: Balance) -> Call {
    let JobSpec {
        artifact: id,
        input,
        sequences,
        max_tokens,
    } = spec;
    let spec = Value::named_composite([
        ("artifact", artifact(*id)),
        ("input", blob(input)),
        ("sequences", Value::u128((*sequences).into())),
        ("max_tokens", Value::u128((*max_tokens).into())),
    ]);
    Call::new(MARKET, "submit", [("spec", spec), ("max_fee", Value::u128(max_fee))])
}

/// Cancels a job that no worker has acknowledged.
pub fn cancel(id: JobId) -> Call {
    Call::new(MARKET, "cancel", [("job", job(id))])
}

/// The worker takes the job that was assigned to it.
pub fn acknowledge(id: JobId) -> Call {
    Call::new(MARKET, "acknowledge", [("job", job(id))])
}

/// The worker commits to its outcome.
pub fn commit(id: JobId, attempt: u32, commitment: Hash) -> Call {
    Call::new(
        MARKET,
        "commit",
        [
            ("job", job(id)),
            ("attempt", Value::u128(attempt.into())),
            ("commitment", hash(commitment)),
        ],
    )
}

/// The worker reveals the outcome it committed to.
pub fn reveal(id: JobId, attempt: u32, outcome: &Outcome, salt: &[u8; 32]) -> Call {
    let Outcome {
        status,
        tokens,
        result,
        trace,
        delivered,
        delivered_size,
    } = *outcome;
    let status = match status {
        Status::Completed => "Completed",
        Status::MalformedInput => "MalformedInput",
        Status::MalformedModel => "MalformedModel",
    };
    let outcome = Value::named_composite([
        ("status", Value::unnamed_variant(status, [])),
        ("tokens", Value::u128(tokens.into())),
        ("result", hash(result)),
        ("trace", hash(trace)),
        ("delivered", hash(delivered)),
        ("delivered_size", Value::u128(delivered_size.into())),
    ]);
    Call::new(
        MARKET,
        "reveal",
        [
            ("job", job(id)),
            ("attempt", Value::u128(attempt.into())),
            ("outcome", outcome),
            ("salt", Value::from_bytes(salt)),
        ],
    )
}

/// The worker gives a job back because a blob of it cannot be had.
pub fn report_unavailable(id: JobId, attempt: u32, blob: UnavailableBlob) -> Call {
    let blob = match blob {
        UnavailableBlob::Input => "Input",
        UnavailableBlob::Package => "Package",
    };
    Call::new(
        MARKET,
        "report_unavailable",
        [
            ("job", job(id)),
            ("attempt", Value::u128(attempt.into())),
            ("blob", Value::unnamed_variant(blob, [])),
        ],
    )
}

/// Does whatever is due for a job; anyone may.
pub fn expire(id: JobId) -> Call {
    Call::new(MARKET, "expire", [("job", job(id))])
}

fn blob(blob: &BlobRef) -> Value {
    Value::named_composite([("hash", hash(blob.hash)), ("size", Value::u128(blob.size.into()))])
}

fn hash(hash: Hash) -> Value {
    Value::from_bytes(hash)
}

fn account(account: &AccountId) -> Value {
    Value::from_bytes(account)
}

fn artifact(id: ArtifactId) -> Value {
    Value::u128(id.into())
}

fn job(id: JobId) -> Value {
    Value::u128(id.into())
}

#[cfg(test)]
mod tests;
