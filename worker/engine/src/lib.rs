//! Imports models into packages and runs them.
//!
//! - [`package`]: what the chain calls a model is a manifest blob that names the model's files by
//!   content; [`package::import()`] makes one from a Hugging Face folder.
//! - [`architecture`]: what a BERT configuration says of shapes, limits and work.
//! - [`tokenizer`]: text to token ids, on the client's side.
//! - [`embed`]: token ids to embeddings, on the worker's side.
//!
//! Loading is the same for everyone: [`package::Package::load`] checks each file against the
//! manifest, [`embed::Model::load`] and [`tokenizer::Tokenizer::load`] take the result.

pub mod architecture;
pub mod embed;
pub mod package;
pub mod tokenizer;

#[cfg(test)]
mod testing;

pub use embed::{EmbedError, Model};
pub use package::{import, ImportError, Imported, Manifest, ManifestError, Package, PackageError};
pub use tokenizer::{Tokenizer, TokenizerError};
