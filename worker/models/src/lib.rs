//! Imports models: weights, tokenizers, chat templates, packages.
//!
//! - [`source`]: where weights come from: folders as Hugging Face lays them out, and GGUF files.
//! - [`config`]: what a model is: its family, its shapes, its constants.
//! - [`tokenizer`]: text to token ids and back.
//! - [`template`]: a conversation to the text that a chat model was trained on.
//! - [`family`]: a model to a program with integers as weights.
//! - [`package`]: what the chain calls a model; [`import()`] makes one.
//!
//! Files come from strangers. Whatever they hold, reading them ends in an error that says what was expected and what
//! was there; it does not panic, and it takes memory in proportion to what the files hold and not to what they claim.
//!
//! Import is deterministic: from the same files every machine gets the same bits ([`source::dequantise`] says why).

pub mod config;
pub mod family;
mod import;
pub mod package;
pub mod source;
pub mod template;
pub mod tokenizer;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

pub use config::{BertConfig, Config, ConfigError, DecoderConfig};
pub use import::{import, ImportError, Imported, ImportedFile};
pub use package::{Manifest, ManifestError, Package, PackageError, Profile, Task};
pub use source::{Gguf, Safetensors, Source, SourceError, Weights};
pub use template::{ChatTemplate, Message, TemplateError};
pub use tokenizer::{Decoder, Tokenizer, TokenizerError};
