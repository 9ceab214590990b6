//! Makes a package of a model: a folder as Hugging Face lays models out, or a GGUF file.

use crate::{
    config::{Config, ConfigError},
    family::{self, BuildError, WeightMaker},
    package::{
        content_of, profile_of, weights_digest, Content, FileEntry, Manifest, ManifestError, PackageError, Task, FILES,
        PROGRAM, TOKENIZER, WEIGHTS,
    },
    source::{Source, SourceError},
    tokenizer::{Imported as ImportedTokenizer, Tokenizer, TokenizerError},
};
use assay_programs::family::{decoder::Purpose, Precision};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Why a model cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Its files cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It is of no family that is supported.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It cannot be made a program.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Its tokenizer cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The name cannot be used, or the manifest would be too large.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The program that was made is none that a package may have.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The package cannot be written.
    #[error("{path}: {source}", path = path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A file of an imported model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFile {
    /// As the manifest has it.
    pub entry: FileEntry,
    /// Where it lies.
    pub path: PathBuf,
}

/// A model that has been made a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// What is to be registered.
    pub manifest: Manifest,
    /// The blobs to be stored beside the manifest's own.
    pub files: Vec<ImportedFile>,
}

/// Makes a package called `name` of the model at `path`, with files in the folder `to`, which is made if it is not there.
///
/// The same model gives the same package on every machine. One tensor at a time is in memory.
pub fn import(path: &Path, name: &str, precision: Precision, to: &Path) -> Result<Imported, ImportError> {
    let source = Source::open(path)?;
    let config = Config::of(&source)?;
    let (task, max_sequence) = match &config {
        Config::Bert(config) => (Task::Embed, config.max_sequence),
        Config::Decoder(config) => (Task::Generate, config.max_positions),
    };
    let tokenizer = ImportedTokenizer::of(&source, &config)?;
    // A tokenizer that does not go with the model is found before much is written
    Tokenizer::from_json(&tokenizer.json, config.vocabulary(), max_sequence as usize)?;
    let program = family::program(&config, precision, Purpose::Generate)?;
    let profile = profile_of(&program, task, max_sequence)?;

    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ImportError::Write { path, source }
    };
    std::fs::create_dir_all(to).map_err(failed(to))?;
    let paths = FILES.map(|file| to.join(file));
    let program_bytes = program.to_bytes();
    std::fs::write(&paths[0], &program_bytes).map_err(failed(&paths[0]))?;
    std::fs::write(&paths[2], &tokenizer.json).map_err(failed(&paths[2]))?;

    let file = File::create(&paths[1]).map_err(failed(&paths[1]))?;
    let mut out = BufWriter::new(file);
    let (mut whole, mut size) = (blake3::Hasher::new(), 0);
    let mut maker = WeightMaker::new(&config, source.weights(), precision);
    let mut digests = Vec::with_capacity(program.weights.len());
    for weight in &program.weights {
        let bytes = maker.make(weight)?;
        digests.push(blake3::hash(&bytes).into());
        whole.update(&bytes);
        size += bytes.len() as u64;
        out.write_all(&bytes).map_err(failed(&paths[1]))?;
    }
    out.flush().map_err(failed(&paths[1]))?;

    let weights = Content {
        hash: whole.finalize().into(),
        size,
    };
    let contents = [
        (PROGRAM, content_of(&program_bytes)),
        (WEIGHTS, weights),
        (TOKENIZER, content_of(&tokenizer.json)),
    ];
    let entries: Vec<_> = contents
        .into_iter()
        .map(|(name, Content { hash, size })| FileEntry {
            name: name.into(),
            hash,
            size,
        })
        .collect();
    let manifest = Manifest::new(
        task,
        name,
        precision,
        profile,
        weights_digest(&digests),
        (tokenizer.bos, tokenizer.eos),
        tokenizer.chat_template,
        entries.clone(),
    )?;
    let files = entries
        .into_iter()
        .zip(paths)
        .map(|(entry, path)| ImportedFile { entry, path })
        .collect();
    Ok(Imported { manifest, files })
}
