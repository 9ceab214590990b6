//! Model packages: a manifest that names a model's files by content, and the files.
//!
//! The manifest is a JSON blob; its BLAKE3 hash and size are the `package` of a registered model.
//! It has one serialization only ([`Manifest::to_bytes`]), so that the same files under the same
//! name are always the same package. Numbers are integers and hashes 64 lowercase hex digits:
//!
//! ```json
//! {"version":1,"family":"bert","task":"embed","name":"all-MiniLM-L6-v2",
//!  "profile":{"units_per_token":12976128,"max_sequence":512,"dimensions":384},
//!  "files":[{"name":"config.json","hash":"5b04…","size":612}, …]}
//! ```
//!
//! (without the line breaks). Files are in the order of [`FILES`].

mod import;

pub use import::{import, ImportError, Imported, ImportedFile};

use crate::architecture::{Architecture, ArchitectureError};
use assay_types::{BlobRef, ModelProfile};
use serde::{Deserialize, Serialize};
use sp_core::H256;
use std::path::{Path, PathBuf};

/// Version of the manifest that this engine writes and reads.
pub const VERSION: u32 = 1;

/// The model's configuration.
pub const CONFIG: &str = "config.json";

/// The weights.
pub const WEIGHTS: &str = "model.safetensors";

/// The tokenizer, for clients.
pub const TOKENIZER: &str = "tokenizer.json";

/// The files of a package, in the order in which manifests name them.
pub const FILES: [&str; 3] = [CONFIG, WEIGHTS, TOKENIZER];

/// Longest name of a model, in bytes.
pub const MAX_NAME: usize = 64;

/// Largest manifest that is read, in bytes.
pub const MAX_MANIFEST: usize = 64 * 1024;

/// Architectures that the engine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// BERT encoders.
    Bert,
}

/// What a model is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One vector a sequence: the mean of the last hidden states, of length one.
    Embed,
}

/// Cost and limits as a manifest has them: [`ModelProfile`] in its canonical field order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    units_per_token: u64,
    max_sequence: u32,
    dimensions: u32,
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name, one of [`FILES`].
    pub name: String,
    /// BLAKE3 hash of its content.
    #[serde(with = "plain_hex")]
    pub hash: H256,
    /// Its length in bytes.
    pub size: u64,
}

impl FileEntry {
    /// The file as a blob.
    pub fn blob(&self) -> BlobRef {
        BlobRef {
            hash: self.hash,
            size: self.size,
        }
    }
}

/// Names a model's files by content and says what it computes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    family: Family,
    task: Task,
    name: String,
    profile: Profile,
    files: Vec<FileEntry>,
}

/// Why bytes are not a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Larger than any manifest.
    #[error("manifest: expected at most {MAX_MANIFEST} bytes, got {got}; is this blob a model package?")]
    TooLarge {
        /// Its size.
        got: u64,
    },
    /// Another version.
    #[error("manifest: expected version {VERSION}, got {got}; a newer assay may read it")]
    Version {
        /// Its version.
        got: u64,
    },
    /// Not JSON, or not of this form.
    #[error("manifest: expected the JSON of a model package, got: {0}")]
    Invalid(#[from] serde_json::Error),
    /// The name is empty, too long, or has control characters.
    #[error("manifest: expected a name of 1 to {MAX_NAME} bytes without control characters, got {got:?}")]
    Name {
        /// The name.
        got: String,
    },
    /// Other files, or in another order.
    #[error("manifest: expected the files {FILES:?}, got {got:?}")]
    Files {
        /// Their names.
        got: Vec<String>,
    },
    /// The same manifest written differently, which would be the same model under another hash.
    #[error("manifest: expected its canonical serialization (no spaces, fields in order), got another form of it")]
    NotCanonical,
}

/// Why a package's files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not the one that the manifest names.
    #[error(
        "{name}: expected {} bytes with BLAKE3 hash {:?}, got {} bytes with {:?}",
        expected.size, expected.hash, got.size, got.hash
    )]
    Mismatch {
        /// The file's name.
        name: String,
        /// What the manifest says.
        expected: BlobRef,
        /// What there is.
        got: BlobRef,
    },
    /// The configuration cannot be used.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// The manifest claims another cost or other limits than follow from the configuration.
    #[error("manifest: expected the profile {expected:?} of {CONFIG}, got {got:?}")]
    Profile {
        /// What follows from the configuration.
        expected: ModelProfile,
        /// What the manifest says.
        got: ModelProfile,
    },
}

impl Manifest {
    /// Reads a manifest blob. Whoever got it by its hash has the manifest that was registered.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        /// The field to look at before any other.
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        if bytes.len() > MAX_MANIFEST {
            return Err(ManifestError::TooLarge {
                got: bytes.len() as u64,
            });
        }
        let Versioned { version } = serde_json::from_slice(bytes)?;
        if version != u64::from(VERSION) {
            return Err(ManifestError::Version { got: version });
        }
        let manifest: Self = serde_json::from_slice(bytes)?;
        check_name(&manifest.name)?;
        if !manifest.files.iter().map(|file| file.name.as_str()).eq(FILES) {
            let got = manifest.files.into_iter().map(|file| file.name).collect();
            return Err(ManifestError::Files { got });
        }
        if manifest.to_bytes() != bytes {
            return Err(ManifestError::NotCanonical);
        }
        Ok(manifest)
    }

    /// The manifest's blob.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a struct of strings, integers and lists has a JSON form; qed")
    }

    /// The manifest's blob by its content: the `package` of a registered model.
    pub fn blob(&self) -> BlobRef {
        blob_of(&self.to_bytes())
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model's architecture.
    pub fn family(&self) -> Family {
        self.family
    }

    /// What it is used for.
    pub fn task(&self) -> Task {
        self.task
    }

    /// Cost and limits, as the model is registered with them.
    pub fn profile(&self) -> ModelProfile {
        let Profile {
            units_per_token,
            max_sequence,
            dimensions,
        } = self.profile;
        ModelProfile {
            units_per_token,
            max_sequence,
            dimensions,
        }
    }

    /// The files, in the order of [`FILES`].
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// The tokenizer's file, all that a client needs to make inputs.
    pub fn tokenizer(&self) -> &FileEntry {
        let file = self.files.iter().find(|file| file.name == TOKENIZER);
        file.expect("manifests have exactly the files of FILES; qed")
    }

    /// Builds the manifest of checked files, given in the order of [`FILES`].
    fn new(name: &str, profile: ModelProfile, blobs: [BlobRef; FILES.len()]) -> Result<Self, ManifestError> {
        check_name(name)?;
        let ModelProfile {
            units_per_token,
            max_sequence,
            dimensions,
        } = profile;
        let files = FILES.into_iter().zip(blobs);
        Ok(Self {
            version: VERSION,
            family: Family::Bert,
            task: Task::Embed,
            name: name.into(),
            profile: Profile {
                units_per_token,
                max_sequence,
                dimensions,
            },
            files: files
                .map(|(name, BlobRef { hash, size })| FileEntry {
                    name: name.into(),
                    hash,
                    size,
                })
                .collect(),
        })
    }
}

/// A package whose files have been checked against its manifest.
#[derive(Debug)]
pub struct Package {
    manifest: Manifest,
    architecture: Architecture,
    weights: Vec<u8>,
    tokenizer: Vec<u8>,
}

impl Package {
    /// Reads the files of `manifest` from where `path` says each one lies, and checks each
    /// against its hash and the profile against the configuration.
    pub fn load(manifest: Manifest, mut path: impl FnMut(&FileEntry) -> PathBuf) -> Result<Self, PackageError> {
        let mut contents = Vec::with_capacity(FILES.len());
        for file in &manifest.files {
            let content = read(&path(file))?;
            let (expected, got) = (file.blob(), blob_of(&content));
            if expected != got {
                return Err(PackageError::Mismatch {
                    name: file.name.clone(),
                    expected,
                    got,
                });
            }
            contents.push(content);
        }
        let [config, weights, tokenizer]: [Vec<u8>; FILES.len()] = contents
            .try_into()
            .expect("manifests have exactly the files of FILES, in that order; qed");
        let architecture = Architecture::parse(&config)?;
        // A shorter limit than the architecture's is the publisher's choice, a longer one a lie.
        let got = manifest.profile();
        let expected = architecture.profile(got.max_sequence.clamp(1, architecture.positions));
        if expected != got {
            return Err(PackageError::Profile { expected, got });
        }
        Ok(Self {
            manifest,
            architecture,
            weights,
            tokenizer,
        })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Cost and limits.
    pub fn profile(&self) -> ModelProfile {
        self.manifest.profile()
    }

    /// The model's shapes.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The content of [`WEIGHTS`].
    pub fn weights(&self) -> &[u8] {
        &self.weights
    }

    /// The content of [`TOKENIZER`].
    pub fn tokenizer(&self) -> &[u8] {
        &self.tokenizer
    }
}

/// A blob by its content.
fn blob_of(content: &[u8]) -> BlobRef {
    BlobRef {
        hash: H256(blake3::hash(content).into()),
        size: content.len() as u64,
    }
}

fn check_name(name: &str) -> Result<(), ManifestError> {
    let valid = !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
    valid
        .then_some(())
        .ok_or_else(|| ManifestError::Name { got: name.into() })
}

fn read(path: &Path) -> Result<Vec<u8>, PackageError> {
    std::fs::read(path).map_err(|source| PackageError::Read {
        path: path.into(),
        source,
    })
}

/// Hashes as blob folders and URLs write them: 64 lowercase hex digits without a prefix.
mod plain_hex {
    use serde::{de::Error, Deserialize, Deserializer, Serializer};
    use sp_core::H256;

    pub(super) fn serialize<S: Serializer>(hash: &H256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(hash))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<H256, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut hash = H256::zero();
        hex::decode_to_slice(&text, hash.as_bytes_mut())
            .map_err(|error| D::Error::custom(format!("expected 64 hex digits, got {text:?}: {error}")))?;
        Ok(hash)
    }
}

/// The manifest of a folder's files as they are, whether or not they make a model.
#[cfg(test)]
pub(crate) fn manifest_of(folder: &Path) -> Manifest {
    let contents = FILES.map(|name| read(&folder.join(name)).expect("tests write the files first; qed"));
    let architecture = Architecture::parse(&contents[0]).expect("tests write a valid configuration; qed");
    let blobs = contents.each_ref().map(|content| blob_of(content));
    Manifest::new("test", architecture.profile(architecture.positions), blobs).expect("a valid name; qed")
}

#[cfg(test)]
mod tests;
