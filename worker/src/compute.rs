//! A job's outcome: what is computed from the input blob, and what is said of one that is no input.

use assay_engine::{embed, EmbedError, Embedder};
use assay_types::{tokens, JobSpec, Outcome, Status};
use sp_core::H256;

/// Outcome and output blob of a job over `input` with `model`.
///
/// An input that is not what the job describes, and a model that cannot be run, have outcomes too.
/// An error means that this machine could not tell.
pub(crate) fn compute(model: &Embedder, spec: &JobSpec, input: &[u8]) -> Result<(Outcome, Vec<u8>), EmbedError> {
    let sequences = match sequences(model, spec, input) {
        Ok(sequences) => sequences,
        Err(fault) => {
            tracing::info!(target: "worker::compute", artifact = spec.artifact, %fault, "malformed input");
            return Ok((failure(Status::MalformedInput), Vec::new()));
        }
    };
    let output = match model.embed(&sequences) {
        Ok(embeddings) => embed::to_bytes(&embeddings),
        Err(fault @ (EmbedError::Failed { .. } | EmbedError::Plan { .. })) => {
            tracing::warn!(target: "worker::compute", artifact = spec.artifact, %fault, "malformed model");
            return Ok((failure(Status::MalformedModel), Vec::new()));
        }
        Err(error) => return Err(error),
    };
    let tokens = sequences.iter().map(Vec::len).sum::<usize>() as u32;
    Ok((outcome(Status::Completed, tokens, &output), output))
}

/// The outcome of a job that ends with `status` and no output.
pub(crate) fn failure(status: Status) -> Outcome {
    outcome(status, 0, &[])
}

/// The sequences in `input`, if they are what `spec` describes and the model takes.
fn sequences(model: &Embedder, spec: &JobSpec, input: &[u8]) -> Result<Vec<Vec<u32>>, String> {
    let sequences = tokens::decode(input).map_err(|error| error.to_string())?;
    if sequences.len() as u64 != u64::from(spec.sequences) {
        return Err(format!(
            "expected {} sequences, got {}",
            spec.sequences,
            sequences.len()
        ));
    }
    let count: usize = sequences.iter().map(Vec::len).sum();
    if count as u64 > u64::from(spec.max_tokens) {
        return Err(format!("expected at most {} tokens, got {count}", spec.max_tokens));
    }
    model.check(&sequences).map_err(|error| error.to_string())?;
    Ok(sequences)
}

fn outcome(status: Status, tokens: u32, output: &[u8]) -> Outcome {
    let result = H256(blake3::hash(output).into());
    let mut outcome = Outcome {
        status,
        tokens,
        result,
        trace: H256::zero(),
        // Nothing is encrypted yet: what is handed over is the output itself.
        delivered: result,
        delivered_size: output.len() as u64,
    };
    outcome.trace = H256(blake3::hash(&outcome.trace_header()).into());
    outcome
}
