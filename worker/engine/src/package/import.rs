//! Makes a package from a folder as Hugging Face lays models out.

use super::{blob_of, FileEntry, Manifest, ManifestError, Package, PackageError, CONFIG, FILES, TOKENIZER, WEIGHTS};
use crate::{
    architecture::{Architecture, ArchitectureError},
    embed::{EmbedError, Model},
    tokenizer::{Tokenizer, TokenizerError},
};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Says how long sequences may be, in folders of sentence-transformers.
const SENTENCE_CONFIG: &str = "sentence_bert_config.json";

/// Says how hidden states become an embedding, in folders of sentence-transformers.
const POOLING_CONFIG: &str = "1_Pooling/config.json";

/// Why a folder cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such folder.
    #[error("{folder}: expected a folder with the files {FILES:?}, got no folder", folder = folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// A file is not there.
    #[error("{folder}: expected a file {file}, got none; a model folder has the files {FILES:?}", folder = folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// The missing file.
        file: &'static str,
    },
    /// A file is there and cannot be read.
    #[error(transparent)]
    Read(PackageError),
    /// The configuration is broken or of another architecture.
    #[error(transparent)]
    Config(#[from] ArchitectureError),
    /// An optional configuration file is broken.
    #[error("{file}: expected a configuration of sentence-transformers, got: {source}")]
    SentenceConfig {
        /// The file.
        file: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The embedding is made in another way than the engine makes it.
    #[error("{POOLING_CONFIG}: expected mean pooling (pooling_mode_mean_tokens alone), got {got}")]
    Pooling {
        /// What the file asks for.
        got: String,
    },
    /// Weights are missing, have the wrong shape, or the file is broken.
    #[error(transparent)]
    Weights(#[from] EmbedError),
    /// The tokenizer is broken or does not go with the model.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The name cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// A file of an imported folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFile {
    /// As the manifest has it.
    pub entry: FileEntry,
    /// Where it lies.
    pub path: PathBuf,
}

/// A folder that has proved to be a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// What is to be registered.
    pub manifest: Manifest,
    /// The blobs to be stored beside the manifest's own.
    pub files: Vec<ImportedFile>,
}

/// Makes a package called `name` from the model in `folder`: [`FILES`], and, if they are there,
/// the files in which sentence-transformers says how long sequences may be and how they are pooled.
///
/// The model is loaded on the way, so that nothing is published which no worker could run.
pub fn import(folder: &Path, name: &str) -> Result<Imported, ImportError> {
    if !folder.is_dir() {
        return Err(ImportError::NoFolder { folder: folder.into() });
    }
    let config = read(folder, CONFIG)?;
    let weights = read(folder, WEIGHTS)?;
    let tokenizer = read(folder, TOKENIZER)?;

    let architecture = Architecture::parse(&config)?;
    check_pooling(folder)?;
    let max_sequence = max_sequence(folder, &architecture)?;
    let blobs = [&config, &weights, &tokenizer].map(|content| blob_of(content));
    let manifest = Manifest::new(name, architecture.profile(max_sequence), blobs)?;

    let package = Package {
        manifest,
        architecture,
        weights,
        tokenizer,
    };
    Model::load(&package)?;
    Tokenizer::load(&package)?;

    let files = package.manifest.files.iter();
    let files = files
        .map(|entry| ImportedFile {
            entry: entry.clone(),
            path: folder.join(&entry.name),
        })
        .collect();
    Ok(Imported {
        manifest: package.manifest,
        files,
    })
}

fn read(folder: &Path, file: &'static str) -> Result<Vec<u8>, ImportError> {
    read_optional(folder, file)?.ok_or_else(|| ImportError::Missing {
        folder: folder.into(),
        file,
    })
}

fn read_optional(folder: &Path, file: &'static str) -> Result<Option<Vec<u8>>, ImportError> {
    let path = folder.join(file);
    match std::fs::read(&path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ImportError::Read(PackageError::Read { path, source })),
    }
}

fn parse_optional<T: for<'de> Deserialize<'de>>(folder: &Path, file: &'static str) -> Result<Option<T>, ImportError> {
    read_optional(folder, file)?
        .map(|content| serde_json::from_slice(&content))
        .transpose()
        .map_err(|source| ImportError::SentenceConfig { file, source })
}

/// The most tokens of a sequence: what the position embeddings allow, or less if the folder's
/// publisher says so.
fn max_sequence(folder: &Path, architecture: &Architecture) -> Result<u32, ImportError> {
    #[derive(Deserialize)]
    struct SentenceConfig {
        max_seq_length: Option<u32>,
    }
    let stated = parse_optional::<SentenceConfig>(folder, SENTENCE_CONFIG)?.and_then(|config| config.max_seq_length);
    Ok(stated
        .unwrap_or(architecture.positions)
        .clamp(1, architecture.positions))
}

/// Refuses folders that ask for another pooling than the mean, which would give other embeddings
/// than their publisher's.
fn check_pooling(folder: &Path) -> Result<(), ImportError> {
    const PREFIX: &str = "pooling_mode_";
    let Some(config) = parse_optional::<serde_json::Map<String, serde_json::Value>>(folder, POOLING_CONFIG)? else {
        return Ok(());
    };
    let mut modes: Vec<&str> = config
        .iter()
        .filter(|(key, on)| key.starts_with(PREFIX) && on.as_bool() == Some(true))
        .map(|(key, _)| key.as_str())
        .collect();
    modes.sort_unstable();
    // Newer versions of sentence-transformers name the mode in one string.
    let named = config.get("pooling_mode").and_then(|mode| mode.as_str());
    match (named, modes.as_slice()) {
        (None | Some("mean"), ["pooling_mode_mean_tokens"]) | (Some("mean"), []) => Ok(()),
        (named, modes) => Err(ImportError::Pooling {
            got: format!("{:?}", named.map_or(modes.to_vec(), |mode| vec![mode])),
        }),
    }
}
