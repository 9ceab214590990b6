//! What a model is: its family, its shapes, its constants, as `config.json` or a GGUF file has them.

mod bert;
mod decoder;
mod fields;

pub use bert::{Activation, BertConfig, Pooling};
pub use decoder::{DecoderConfig, Family, RopeScaling};

use crate::source::{Gguf, Source};
use assay_programs::family::Precision;
use fields::Fields;
use std::path::Path;

/// The file of a folder that says what the model is.
pub const CONFIG: &str = "config.json";

/// The file of a folder that may say more about a model that generates text.
const GENERATION: &str = "generation_config.json";

/// Longest configuration file that is accepted, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Widest rows that are accepted. A sum of 2¹⁷ exact products is far within what `assay-exact` takes.
const MAX_WIDTH: u64 = 1 << 17;

/// Most layers that are accepted.
const MAX_LAYERS: u64 = 1 << 10;

/// Largest vocabulary that is accepted: sampling adds 2³⁰ times as much in 64 bits.
const MAX_VOCABULARY: u64 = (1 << 18) - 1;

/// Longest sequences that are accepted. Far above any model's; what a job may have is the program's to say.
const MAX_POSITIONS: u64 = 1 << 24;

/// Why a model cannot be imported because of what it is.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{file}: expected a readable file of at most {MAX_FILE} bytes, got: {got}")]
    Read {
        /// The file.
        file: String,
        /// What is there.
        got: String,
    },
    /// A file is no JSON object.
    #[error("{file}: expected a JSON object, got: {got}")]
    Json {
        /// The file.
        file: String,
        /// What is wrong.
        got: String,
    },
    /// A field says something that is not supported or cannot be.
    #[error("{file}: `{field}`: expected {expected}, got {got}")]
    Field {
        /// The file.
        file: String,
        /// The field.
        field: String,
        /// What is supported.
        expected: String,
        /// What it is.
        got: String,
    },
}

/// What a model is.
#[derive(Clone, Debug, PartialEq)]
pub enum Config {
    /// An encoder that turns text into one vector.
    Bert(BertConfig),
    /// A model that writes text on.
    Decoder(DecoderConfig),
}

impl Config {
    /// Of a source that was opened: from the folder's [`CONFIG`], or from the GGUF file itself.
    pub fn of(source: &Source) -> Result<Self, ConfigError> {
        match source {
            Source::Folder(source) => Self::from_folder(source.folder()),
            Source::Gguf(gguf) => Self::from_gguf(gguf),
        }
    }

    /// From a folder's [`CONFIG`], with the files that may say more: `generation_config.json` of a decoder,
    /// `1_Pooling/config.json` and `sentence_bert_config.json` of a sentence encoder.
    pub fn from_folder(folder: &Path) -> Result<Self, ConfigError> {
        let json = read(&folder.join(CONFIG))?.ok_or_else(|| ConfigError::Read {
            file: folder.join(CONFIG).display().to_string(),
            got: "no such file".into(),
        })?;
        let mut config = Self::from_json(&json)?;
        match &mut config {
            Self::Bert(config) => {
                if let Some(json) = read(&folder.join(bert::POOLING))? {
                    config.take_pooling(&json)?;
                }
                if let Some(json) = read(&folder.join(bert::SENTENCE))? {
                    config.take_sentence(&json)?;
                }
            }
            Self::Decoder(config) => {
                if let Some(json) = read(&folder.join(GENERATION))? {
                    config.take_generation(&Fields::parse(GENERATION, &json)?)?;
                }
            }
        }
        Ok(config)
    }

    /// From the content of a [`CONFIG`].
    pub fn from_json(json: &[u8]) -> Result<Self, ConfigError> {
        let fields = Fields::parse(CONFIG, json)?;
        if fields.get("quantization_config").is_some() {
            let expected = "none: weights in F32, F16 or BF16, or a GGUF file";
            return Err(fields.wrong("quantization_config", expected));
        }
        match fields.text("model_type")?.as_deref() {
            Some("bert") => BertConfig::parse(&fields).map(Self::Bert),
            Some("llama") => DecoderConfig::parse(&fields, Family::Llama).map(Self::Decoder),
            Some("qwen2") => DecoderConfig::parse(&fields, Family::Qwen2).map(Self::Decoder),
            _ => Err(fields.wrong("model_type", "\"bert\", \"llama\" or \"qwen2\"")),
        }
    }

    /// From a GGUF file's metadata and tensors.
    pub fn from_gguf(gguf: &Gguf) -> Result<Self, ConfigError> {
        DecoderConfig::from_gguf(gguf).map(Self::Decoder)
    }

    /// The bits that suit the family: see `docs/models.md`. Activations of Qwen2 are massive at some tokens, and it takes
    /// sixteen bits of weights and 24 of activations to be near there.
    pub fn recommended(&self) -> Precision {
        match self {
            Self::Decoder(config) if config.family == Family::Qwen2 => Precision::W16A24,
            Self::Bert(_) | Self::Decoder(_) => Precision::W8A16,
        }
    }

    /// Token ids are below this.
    pub fn vocabulary(&self) -> u32 {
        match self {
            Self::Bert(config) => config.vocab,
            Self::Decoder(config) => config.vocab,
        }
    }
}

/// A small file's content, if there is one.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
    use std::io::Read;
    let error = |got: String| ConfigError::Read {
        file: path.display().to_string(),
        got,
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(other) => return Err(error(other.to_string())),
    };
    let mut content = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut content)
        .map_err(|other| error(other.to_string()))?;
    if content.len() as u64 > MAX_FILE {
        return Err(error("a longer one".into()));
    }
    Ok(Some(content))
}

#[cfg(test)]
mod tests;
