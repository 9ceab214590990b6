//! Jobs, a worker and a model for tests.

#![allow(clippy::unwrap_used)]

use assay_blobs::FolderStore;
use assay_client::{content_ref, model_profile};
use assay_client::{AccountId, Artifact, Job, Worker};
use assay_types::{ArtifactId, BlobRef, JobSpec, Outcome, Phase, Status};
use codec::Decode;
use serde_json::json;
use sp_core::H256;

/// Cold account of the worker under test.
pub(crate) const ME: AccountId = AccountId::new([1; 32]);

/// Another worker's.
pub(crate) const OTHER: AccountId = AccountId::new([2; 32]);

/// The result of every test job.
pub(crate) fn outcome() -> Outcome {
    outcome_with(3)
}

/// An outcome that differs by `tokens`.
pub(crate) fn outcome_with(tokens: u32) -> Outcome {
    Outcome {
        status: Status::Completed,
        tokens,
        result: H256::repeat_byte(5),
        trace: H256::repeat_byte(6),
        delivered: H256::repeat_byte(5),
        delivered_size: 32,
    }
}

/// A job in its first attempt.
pub(crate) fn job(id: u64, phase: Phase<AccountId, u128, u32>) -> Job {
    Job {
        id,
        submitter: AccountId::new([9; 32]),
        spec: JobSpec {
            artifact: 0,
            input: BlobRef {
                hash: H256::zero(),
                size: 24,
            },
            sequences: 1,
            max_tokens: 4,
        },
        max_fee: 10,
        held: 10,
        deposit: 1,
        attempt: 0,
        attempts: Vec::new(),
        submitted_at: 1,
        phase,
        agreed: None,
        removed_after: None,
        // Numbers of 48 bytes together, all zero: nothing here looks at them.
        parameters: Decode::decode(&mut &[0; 48][..]).unwrap(),
    }
}

/// The record of the worker under test, whose hot key is [`OTHER`].
pub(crate) fn worker(chilled: bool, ready: &[ArtifactId]) -> Worker {
    Worker {
        account: ME,
        hot_key: OTHER,
        endpoint: b"http://here".to_vec(),
        bond: 1,
        locked: 0,
        ask: 1,
        chilled,
        ready: ready.to_vec(),
        active_jobs: 0,
        settled: 0,
        delivered_units: 0,
        missed: 0,
    }
}

/// Length of the tiny model's vectors.
pub(crate) const DIMENSIONS: usize = 8;

/// Stores a BERT whose weights are all one, and returns it as the chain would have it.
pub(crate) fn publish_tiny_model(store: &FolderStore) -> Artifact {
    let config = json!({
        "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": DIMENSIONS,
        "intermediate_size": 8, "layer_norm_eps": 1e-12, "max_position_embeddings": 16, "num_attention_heads": 2,
        "num_hidden_layers": 1, "type_vocab_size": 2, "vocab_size": 10,
    });
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0}},
    });
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).unwrap();
    write("config.json", config.to_string().as_bytes());
    write("tokenizer.json", tokenizer.to_string().as_bytes());
    write("model.safetensors", &weights());

    let to = tempfile::tempdir().unwrap();
    let imported = assay_models::import(folder.path(), "tiny", "w8a16".parse().unwrap(), to.path()).unwrap();
    for file in &imported.files {
        store.put_file(&file.path).unwrap();
    }
    store.put(&imported.manifest.to_bytes()).unwrap();
    Artifact {
        id: 0,
        owner: OTHER,
        package: content_ref(&imported.manifest.content()),
        metadata: H256::zero(),
        profile: model_profile(&imported.manifest.profile()),
        price_per_use: 0,
        retired: false,
        registered_at: 1,
        uses: 0,
        earned: 0,
    }
}

/// The tiny model's tensors in the safetensors format: a length, a JSON header, the numbers.
fn weights() -> Vec<u8> {
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    for (name, rows) in [("word", 10), ("position", 16), ("token_type", 2)] {
        shapes.push((format!("embeddings.{name}_embeddings.weight"), vec![rows, DIMENSIONS]));
    }
    for part in [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
    ] {
        shapes.push((format!("encoder.layer.0.{part}.weight"), vec![DIMENSIONS; 2]));
    }
    for part in ["intermediate.dense", "output.dense"] {
        shapes.push((format!("encoder.layer.0.{part}.weight"), vec![DIMENSIONS; 2]));
    }
    let biases: Vec<_> = shapes[3..]
        .iter()
        .map(|(name, _)| (name.replace("weight", "bias"), vec![DIMENSIONS]))
        .collect();
    shapes.extend(biases);
    for part in [
        "embeddings",
        "encoder.layer.0.attention.output",
        "encoder.layer.0.output",
    ] {
        for kind in ["weight", "bias"] {
            shapes.push((format!("{part}.LayerNorm.{kind}"), vec![DIMENSIONS]));
        }
    }
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    for (name, shape) in shapes {
        let start = end;
        end += shape.iter().product::<usize>() * 4;
        header.insert(
            name,
            json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]}),
        );
    }
    let header = serde_json::Value::from(header).to_string();
    let ones = std::iter::repeat_n(1f32.to_le_bytes(), end / 4).flatten();
    (header.len() as u64)
        .to_le_bytes()
        .into_iter()
        .chain(header.into_bytes())
        .chain(ones)
        .collect()
}
