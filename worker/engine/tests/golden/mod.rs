//! What the bits of real models are, whatever computes them.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part")]

use assay_engine::{
    embed,
    generate::{End, Request, Sampling},
    Embedder, Generator, Settings,
};
use assay_exact::opening::{Digest, HashMode};
use assay_models::{import, Imported, Package};
use assay_programs::family::Precision;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Digests of a package, and of what a run of it gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Golden {
    /// The model.
    pub(crate) model: String,
    /// Bits of weights and activations.
    pub(crate) precision: String,
    /// Of the manifest.
    pub(crate) package: String,
    /// Of the output: embeddings as f32, or tokens as u32.
    pub(crate) output: String,
    /// Of the trace, or of all its segments' digests one after the other.
    pub(crate) trace: String,
}

/// A file of `tests/vectors`.
pub(crate) fn vectors(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors")
        .join(name)
}

/// The folder of a model, where `models/fetch` puts it.
pub(crate) fn folder(model: &str, file: &str) -> PathBuf {
    let models = std::env::var_os("ASSAY_MODELS").map(PathBuf::from).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").expect("HOME or ASSAY_MODELS must be set");
        Path::new(&home).join(".cache/assay/models")
    });
    let folder = models.join(model);
    assert!(
        folder.join(file).is_file(),
        "{}: expected the files of {model}, got none; `cargo xtask test` fetches them, or set ASSAY_MODELS",
        folder.display()
    );
    folder
}

/// A model's package, whose files lie in a folder that lasts as long.
pub(crate) fn package(model: &str, precision: Precision) -> (tempfile::TempDir, Package) {
    let to = tempfile::tempdir().unwrap();
    let file = if model == "smollm2" {
        "model.gguf"
    } else {
        "model.safetensors"
    };
    let Imported { manifest, .. } = import(&folder(model, file), model, precision, to.path()).unwrap();
    let package = Package::load(manifest, |file| to.path().join(&file.name)).unwrap();
    (to, package)
}

/// Token ids of the sentences in `minilm.json`.
pub(crate) fn sentences() -> Vec<Vec<u32>> {
    #[derive(Deserialize)]
    struct Reference {
        vectors: Vec<Vector>,
    }
    #[derive(Deserialize)]
    struct Vector {
        ids: Vec<u32>,
    }
    let Reference { vectors } = serde_json::from_slice(&std::fs::read(self::vectors("minilm.json")).unwrap()).unwrap();
    vectors.into_iter().map(|vector| vector.ids).collect()
}

/// Embeds the sentences.
pub(crate) fn embedding(package: &Package, settings: Settings) -> Golden {
    embedding_by(package, &Embedder::load(package, settings).unwrap())
}

/// Embeds the sentences by a model that is loaded.
pub(crate) fn embedding_by(package: &Package, embedder: &Embedder) -> Golden {
    let origin = Digest(*blake3::hash(b"golden").as_bytes());
    let (embeddings, trace) = embedder.embed_traced(&sentences(), origin, HashMode::Plain).unwrap();
    let output = HashMode::Plain.digest(&embed::to_bytes(&embeddings.unwrap()));
    golden(package, output, trace.digest(&HashMode::Plain))
}

/// Tokens of generations.
pub(crate) const TOKENS: u32 = 64;

/// Generates behind a few prompts, the likeliest tokens and drawn ones, all together.
pub(crate) fn generation(package: &Package, settings: Settings) -> Golden {
    generation_by(package, &Generator::load(package, settings).unwrap())
}

/// The same by a model that is loaded.
pub(crate) fn generation_by(package: &Package, generator: &Generator) -> Golden {
    let request = |prompt: &[u32], sampling| Request {
        prompt: prompt.to_vec(),
        max_tokens: TOKENS,
        sampling,
        end: Some(vec![]),
    };
    let drawn = Sampling {
        temperature: 0.9,
        top_k: 50,
        top_p: 0.9,
        repetition_penalty: 1.15,
        seed: 0x0123_4567_89ab_cdef,
        sequence: 2,
    };
    let requests = [
        request(&[1, 9038, 2501, 263, 931], Sampling::GREEDY),
        request(&[1], drawn),
        request(&[1, 365, 2354, 471, 263], drawn),
    ];
    let mut generations: Vec<_> = requests.map(|request| generator.start(request).unwrap()).to_vec();
    while generations.iter().any(|generation| generation.end().is_none()) {
        generator.advance(&mut generations, Some(&HashMode::Plain));
    }
    let (mut tokens, mut segments) = (Vec::new(), blake3::Hasher::new());
    for generation in &generations {
        assert_eq!(generation.end(), Some(End::Length));
        tokens.extend_from_slice(generation.tokens());
        for digest in generation.recorded().iter().flatten() {
            segments.update(digest.as_bytes());
        }
    }
    let output = HashMode::Plain.digest(&assay_exact::tensor::to_bytes(&tokens));
    golden(package, output, segments.finalize().into())
}

fn golden(package: &Package, output: Digest, trace: Digest) -> Golden {
    let manifest = package.manifest();
    Golden {
        model: manifest.name().into(),
        precision: manifest.precision().into(),
        package: manifest.content().hash.to_string(),
        output: output.to_string(),
        trace: trace.to_string(),
    }
}
