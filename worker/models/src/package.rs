//! Model packages: a manifest that names a model's files by content, and the files.
//!
//! The manifest is a JSON blob; its BLAKE3 hash and size are the `package` of a registered model. It has one
//! serialization only ([`Manifest::to_bytes`]), so that the same files under the same name are always the same package.
//! Numbers are integers and hashes 64 lowercase hex digits:
//!
//! ```json
//! {"version":2,"task":"embed","name":"all-MiniLM-L6-v2","precision":"w8a16",
//!  "profile":{"units_per_token":12976128,"max_sequence":512,"dimensions":384},"step":512,
//!  "weights":"5b04…","begin":null,"end":[],"chat_template":null,
//!  "files":[{"name":"program","hash":"5b04…","size":612}, …]}
//! ```
//!
//! (without the line breaks). Files are in the order of [`FILES`]:
//!
//! - `program`: the encoded program of exact arithmetic;
//! - `weights`: its weights one after the other, in the program's order, row-major and little-endian;
//! - `tokenizer.json`: for clients; workers see token ids only.
//!
//! `step` is how many tokens of a sequence a step of the program takes in at most: all but the last of the steps in which a
//! prompt is taken in have that many, so that everyone's trace has the same steps.
//!
//! `weights` in the manifest is what traces of the model begin with: the digest of the list of all weights' digests, so that
//! a dispute can show one weight without the others.

use assay_exact::{
    opening::{Digest, HashMode},
    operator::{Bindings, Dim, TensorType},
    program::{units, Plan, PlanError, Program, ProgramError},
    tensor::DType,
    trace::DigestList,
};
use assay_programs::family::Precision;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Mutex,
};

/// Version of the manifest that is written and read.
pub const VERSION: u32 = 2;

/// The program's file.
pub const PROGRAM: &str = "program";

/// The weights' file.
pub const WEIGHTS: &str = "weights";

/// The tokenizer's file.
pub const TOKENIZER: &str = "tokenizer.json";

/// The files of a package, in the order in which manifests name them.
pub const FILES: [&str; 3] = [PROGRAM, WEIGHTS, TOKENIZER];

/// Longest name of a model, in bytes.
pub const MAX_NAME: usize = 64;

/// Largest manifest that is read, in bytes.
pub const MAX_MANIFEST: usize = 256 * 1024;

/// What a model is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One vector of length one for each sequence.
    Embed,
    /// The tokens that go on behind a sequence.
    Generate,
}

/// Cost and limits of a model, as it is registered with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Work units of a token at its dearest: in a sequence of the greatest length, and generated one by one.
    pub units_per_token: u64,
    /// Most tokens of a sequence.
    pub max_sequence: u32,
    /// Length of an embedding; of a model that generates, tokens that it knows.
    pub dimensions: u32,
}

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// BLAKE3 hash.
    pub hash: Digest,
    /// Length in bytes.
    pub size: u64,
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name, one of [`FILES`].
    pub name: String,
    /// BLAKE3 hash of its content.
    #[serde(with = "plain_hex")]
    pub hash: Digest,
    /// Its length in bytes.
    pub size: u64,
}

impl FileEntry {
    /// Its content.
    pub fn content(&self) -> Content {
        Content {
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
    pub(crate) task: Task,
    pub(crate) name: String,
    /// How weights and activations became integers; for people.
    pub(crate) precision: String,
    pub(crate) profile: Profile,
    pub(crate) step: u32,
    #[serde(with = "plain_hex")]
    pub(crate) weights: Digest,
    /// The token that begins a sequence, if there is one.
    pub(crate) begin: Option<u32>,
    /// The tokens that end what a model generates.
    pub(crate) end: Vec<u32>,
    /// The source of the chat template, if there is one.
    pub(crate) chat_template: Option<String>,
    pub(crate) files: Vec<FileEntry>,
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
    #[error("manifest: expected version {VERSION}, got {got}; packages of version 1 have to be published again")]
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
        source: io::Error,
    },
    /// A file is not the one that the manifest names.
    #[error(
        "{name}: expected {} bytes with BLAKE3 hash {}, got {} bytes with {}",
        expected.size, expected.hash, got.size, got.hash
    )]
    Mismatch {
        /// The file's name.
        name: String,
        /// What the manifest says.
        expected: Content,
        /// What there is.
        got: Content,
    },
    /// The program cannot be used.
    #[error("{PROGRAM}: {0}")]
    Program(ProgramError),
    /// The program cannot take a sequence of the length that the manifest promises.
    #[error("{PROGRAM}: sequences of {length} tokens: {error}")]
    Plan {
        /// The length.
        length: u32,
        /// Why not.
        error: PlanError,
    },
    /// The program is none for the manifest's task.
    #[error("{PROGRAM}: expected {expected}, got another program")]
    Task {
        /// What a program of this task has.
        expected: &'static str,
    },
    /// A weight has other dimensions in other steps.
    #[error("{PROGRAM}: weight {name:?}: expected dimensions that are the same in every step")]
    Weight {
        /// Its name.
        name: String,
    },
    /// The weights' file is not as long as the program's weights.
    #[error("{WEIGHTS}: expected the {expected} bytes of the program's weights, got {got}")]
    Size {
        /// What the program declares.
        expected: u64,
        /// What there is.
        got: u64,
    },
    /// The weights have another digest than the manifest says.
    #[error("{WEIGHTS}: expected weights with the digest {expected}, got {got}")]
    Weights {
        /// What the manifest says.
        expected: Digest,
        /// What there is.
        got: Digest,
    },
    /// The manifest claims another cost or other limits than follow from the program.
    #[error("manifest: expected profile and step {expected:?} that follow from the program, got {got:?}")]
    Profile {
        /// What follows from the program.
        expected: (Profile, u32),
        /// What the manifest says.
        got: (Profile, u32),
    },
}

impl Manifest {
    pub(crate) const fn version() -> u32 {
        VERSION
    }

    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        task: Task,
        name: &str,
        precision: Precision,
        (profile, step): (Profile, u32),
        weights: Digest,
        special: (Option<u32>, Vec<u32>),
        chat_template: Option<String>,
        files: Vec<FileEntry>,
    ) -> Result<Self, ManifestError> {
        let manifest = Self {
            version: Self::version(),
            task,
            name: name.into(),
            precision: precision.to_string(),
            profile,
            step,
            weights,
            begin: special.0,
            end: special.1,
            chat_template,
            files,
        };
        manifest.check()?;
        let got = manifest.to_bytes().len();
        if got > MAX_MANIFEST {
            return Err(ManifestError::TooLarge { got: got as u64 });
        }
        Ok(manifest)
    }

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
        manifest.check()?;
        if manifest.to_bytes() != bytes {
            return Err(ManifestError::NotCanonical);
        }
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let name = &self.name;
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(ManifestError::Name { got: name.clone() });
        }
        let names: Vec<_> = self.files.iter().map(|file| file.name.clone()).collect();
        if names != FILES {
            return Err(ManifestError::Files { got: names });
        }
        Ok(())
    }

    /// The manifest as a blob.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a struct of numbers and strings has a JSON form; qed")
    }

    /// The blob that registers the model.
    pub fn content(&self) -> Content {
        content_of(&self.to_bytes())
    }

    /// What the model is used for.
    pub fn task(&self) -> Task {
        self.task
    }

    /// What its publisher calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How weights and activations became integers, such as `w8a16`.
    pub fn precision(&self) -> &str {
        &self.precision
    }

    /// Cost and limits.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Most tokens that a step takes in: see the module.
    pub fn step(&self) -> u32 {
        self.step
    }

    /// What traces of the model begin with: see the module.
    pub fn weights(&self) -> Digest {
        self.weights
    }

    /// The token that begins a sequence, if there is one.
    pub fn begin(&self) -> Option<u32> {
        self.begin
    }

    /// The tokens that end what the model generates.
    pub fn end(&self) -> &[u32] {
        &self.end
    }

    /// The source of the chat template, if there is one.
    pub fn chat_template(&self) -> Option<&str> {
        self.chat_template.as_deref()
    }

    /// The files, in the order of [`FILES`].
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// The tokenizer's file, all that a client needs to make inputs.
    pub fn tokenizer(&self) -> &FileEntry {
        &self.files[FILES.len() - 1]
    }
}

/// Most tokens of a prompt that a step takes in, where nothing else limits it.
const MAX_STEP: u32 = 512;

/// What programs that embed are given, in their order.
const TO_EMBED: [(DType, &[Dim]); 1] = [(DType::U32, &[Dim::LENGTH])];

/// What programs that generate are given, in their order: see `assay_programs::family::decoder::Input`.
const TO_GENERATE: [(DType, &[Dim]); 7] = [
    (DType::U32, &[Dim::LENGTH]),
    (DType::U64, &[]),
    (DType::U32, &[Dim::constant(1)]),
    (DType::F32, &[]),
    (DType::U32, &[Dim::constant(1)]),
    (DType::U32, &[Dim::constant(1)]),
    (DType::F32, &[]),
];

/// Whether these are a program's inputs, token ids first.
fn takes(program: &Program, inputs: &[(DType, &[Dim])]) -> bool {
    let declared = program.inputs.iter().map(|input| (input.dtype, input.shape.as_slice()));
    declared.eq(inputs.iter().copied()) && program.inputs.first().is_some_and(|input| input.name == "tokens")
}

/// Cost and limits of a program whose sequences have at most `max_sequence` tokens, and the most tokens of a step.
pub(crate) fn profile_of(program: &Program, task: Task, max_sequence: u32) -> Result<(Profile, u32), PackageError> {
    let planned = |length: u32, position: u32| {
        Plan::new(program, Bindings { length, position }).map_err(|error| PackageError::Plan {
            length: length.saturating_add(position),
            error,
        })
    };
    // The last step of the longest sequence is the largest
    let last = |length: u32| planned(length, max_sequence.saturating_sub(length));
    let first = planned(1, 0)?;
    let (plan, step) = match task {
        Task::Embed => (last(max_sequence)?, max_sequence),
        Task::Generate => {
            // Attention is over as many scores as queries times keys, and a tensor has a greatest size
            let mut step = MAX_STEP.min(max_sequence);
            while step > 1 && last(step).is_err() {
                step /= 2;
            }
            last(step)?;
            planned(step, 0)?;
            (last(1)?, step)
        }
    };
    // Whatever the length, a program gives the same
    let result = result_type(program, &plan).filter(|kind| result_type(program, &first) == Some(*kind));
    let dimensions = match (task, result) {
        (
            Task::Embed,
            Some(TensorType {
                dtype: DType::F32,
                shape,
            }),
        ) if shape.rank() == 1 && takes(program, &TO_EMBED) => shape.dims()[0],
        (Task::Embed, _) => {
            let expected = "token ids as the only input, and one vector of floats as the result";
            return Err(PackageError::Task { expected });
        }
        (
            Task::Generate,
            Some(TensorType {
                dtype: DType::U32,
                shape,
            }),
        ) if shape.dims() == [1] && takes(program, &TO_GENERATE) => {
            let table = program.weights.first().and_then(|table| table.shape.first());
            table.map_or(0, |rows| rows.constant.unsigned_abs())
        }
        (Task::Generate, _) => {
            let expected = "token ids and the parameters of a draw as inputs, and the next token as the result";
            return Err(PackageError::Task { expected });
        }
    };
    let profile = Profile {
        units_per_token: units(program, &plan).div_ceil(u64::from(plan.bindings.length.max(1))),
        max_sequence,
        dimensions,
    };
    Ok((profile, step))
}

/// The type of a program's only result.
fn result_type(program: &Program, plan: &Plan) -> Option<TensorType> {
    let [result] = program.results[..] else { return None };
    plan.types_of(program, &[result], program.segments.len())
        .first()
        .copied()
}

/// A package whose files have been checked against its manifest. Weights stay on disk.
#[derive(Debug)]
pub struct Package {
    manifest: Manifest,
    program: Program,
    file: Mutex<File>,
    path: PathBuf,
    /// Where each weight begins, and where the last one ends.
    starts: Vec<u64>,
}

impl Package {
    /// Reads the files of `manifest` that a worker needs from where `path` says each one lies, and checks each against
    /// its hash, and the profile against the program.
    pub fn load(manifest: Manifest, path: impl Fn(&FileEntry) -> PathBuf) -> Result<Self, PackageError> {
        let [program_entry, weights_entry, _] = manifest.files() else {
            unreachable!("manifests have exactly the files of FILES")
        };
        let bytes = read(&path(program_entry), program_entry)?;
        let program = Program::from_bytes(&bytes).map_err(PackageError::Program)?;
        let got = (manifest.profile(), manifest.step());
        let expected = profile_of(&program, manifest.task(), got.0.max_sequence)?;
        if expected != got {
            return Err(PackageError::Profile { expected, got });
        }
        let starts = starts(&program)?;
        let expected = starts.last().copied().unwrap_or_default();
        if weights_entry.size != expected {
            return Err(PackageError::Size {
                expected,
                got: weights_entry.size,
            });
        }
        let path = path(weights_entry);
        let failed = |source| PackageError::Read {
            path: path.clone(),
            source,
        };
        let mut file = File::open(&path).map_err(failed)?;
        let (whole, digests) = hash_weights(&mut file, &starts).map_err(failed)?;
        if whole != weights_entry.content() {
            return Err(PackageError::Mismatch {
                name: WEIGHTS.into(),
                expected: weights_entry.content(),
                got: whole,
            });
        }
        let got = weights_digest(&digests);
        if got != manifest.weights() {
            return Err(PackageError::Weights {
                expected: manifest.weights(),
                got,
            });
        }
        Ok(Self {
            manifest,
            program,
            file: Mutex::new(file),
            path,
            starts,
        })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The bytes of a weight, by its number in the program.
    pub fn weight(&self, weight: usize) -> Result<Vec<u8>, PackageError> {
        let (start, end) = (self.starts[weight], self.starts[weight + 1]);
        let mut bytes = vec![0; (end - start) as usize];
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let read = file
            .seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|source| PackageError::Read {
            path: self.path.clone(),
            source,
        })?;
        Ok(bytes)
    }
}

/// Where in the weights' file each weight begins, and where the last one ends.
pub(crate) fn starts(program: &Program) -> Result<Vec<u64>, PackageError> {
    let is_fixed = |dim: &Dim| dim.length == 0 && dim.position == 0;
    if let Some(weight) = program.weights.iter().find(|weight| !weight.shape.iter().all(is_fixed)) {
        let name = weight.name.clone();
        return Err(PackageError::Weight { name });
    }
    let once = Bindings { length: 1, position: 0 };
    let plan = Plan::new(program, once).map_err(|error| PackageError::Plan { length: 1, error })?;
    let mut starts = vec![0];
    let mut end = 0u64;
    for kind in &plan.weights {
        // Each is at most 256 MiB, and there are at most 2^16
        end += kind.shape.len() * kind.dtype.size();
        starts.push(end);
    }
    Ok(starts)
}

/// The digest of all weights, from the digest of each.
pub(crate) fn weights_digest(digests: &[Digest]) -> Digest {
    DigestList::Weights.digest(digests, &HashMode::Plain)
}

/// Hashes the weights' file as a whole and weight by weight.
fn hash_weights(file: &mut File, starts: &[u64]) -> io::Result<(Content, Vec<Digest>)> {
    /// Bytes read at a time.
    const PIECE: usize = 1 << 20;
    let (mut whole, mut size) = (blake3::Hasher::new(), 0);
    let mut digests = Vec::with_capacity(starts.len().saturating_sub(1));
    let mut buffer = vec![0; PIECE];
    for ends in starts.windows(2) {
        let mut one = blake3::Hasher::new();
        let mut left = ends[1] - ends[0];
        while left > 0 {
            let part = &mut buffer[..left.min(PIECE as u64) as usize];
            match file.read(part)? {
                0 => break,
                read => {
                    one.update(&part[..read]);
                    whole.update(&part[..read]);
                    size += read as u64;
                    left -= read as u64;
                }
            }
        }
        digests.push(one.finalize().into());
    }
    // What lies behind belongs to the file, too
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    whole.update(&rest);
    size += rest.len() as u64;
    let hash = whole.finalize().into();
    Ok((Content { hash, size }, digests))
}

/// A file's content, if it is what the manifest says.
fn read(path: &Path, entry: &FileEntry) -> Result<Vec<u8>, PackageError> {
    let bytes = std::fs::read(path).map_err(|source| PackageError::Read {
        path: path.into(),
        source,
    })?;
    let (expected, got) = (entry.content(), content_of(&bytes));
    if expected != got {
        return Err(PackageError::Mismatch {
            name: entry.name.clone(),
            expected,
            got,
        });
    }
    Ok(bytes)
}

/// Bytes by their hash.
pub(crate) fn content_of(bytes: &[u8]) -> Content {
    Content {
        hash: blake3::hash(bytes).into(),
        size: bytes.len() as u64,
    }
}

/// Hashes as blob folders and URLs write them: 64 lowercase hex digits without a prefix.
mod plain_hex {
    use assay_exact::opening::Digest;
    use serde::{de::Error, Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(digest))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digest = Digest::default();
        hex::decode_to_slice(&text, &mut digest.0)
            .map_err(|error| D::Error::custom(format!("expected 64 hex digits, got {text:?}: {error}")))?;
        Ok(digest)
    }
}

#[cfg(test)]
mod tests;
