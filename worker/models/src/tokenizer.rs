//! Text to token ids, as the model was trained with them, and token ids to text.
//!
//! A package has a `tokenizer.json` of Hugging Face's `tokenizers` library. From a folder it is the file that lies
//! there; from a GGUF file it is made ([`gguf`]).

mod decoder;
mod folder;
pub mod gguf;
mod json;
mod parts;
pub mod pretokenizer;

pub use decoder::Decoder;

use crate::{
    config::{Config, ConfigError},
    source::Source,
};
use decoder::Pieces;
use std::{
    collections::HashSet,
    panic::{catch_unwind, AssertUnwindSafe},
};
use tokenizers::{PostProcessor, Tokenizer as Inner};

/// The file of a folder or package.
pub const TOKENIZER: &str = "tokenizer.json";

/// Why there is no tokenizer, or why text cannot be turned into token ids.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file is broken.
    #[error("{TOKENIZER}: expected a tokenizer of the `tokenizers` library, got: {0}")]
    Invalid(String),
    /// Its parts could make too much of a text, or take too much themselves.
    #[error("{TOKENIZER}: expected at most {expected} {what}, got {got}")]
    Parts {
        /// Of what.
        what: &'static str,
        /// The bound.
        expected: u64,
        /// What there would be.
        got: u64,
    },
    /// The tokenizer knows ids that the model does not.
    #[error("{TOKENIZER}: expected ids below the model's vocabulary of {expected}, got {got}")]
    Vocabulary {
        /// The model's vocabulary.
        expected: u32,
        /// The tokenizer's highest id.
        got: u32,
    },
    /// Nothing but special tokens would fit into a sequence.
    #[error("{TOKENIZER}: expected sequences of more than {special} tokens, as many as are always added, got a limit of {got}")]
    Limit {
        /// Special tokens in each sequence.
        special: usize,
        /// The limit.
        got: usize,
    },
    /// A text has more tokens than the model takes.
    #[error("text: expected at most {expected} tokens, got {got}; shorten it")]
    TooLong {
        /// As many as a sequence may have.
        expected: usize,
        /// As many as it has.
        got: usize,
    },
    /// A text cannot be encoded, or ids cannot be decoded.
    #[error("text: expected text and ids that the tokenizer knows, got: {0}")]
    Text(String),
    /// Text cannot be had token by token.
    #[error(
        "{TOKENIZER}: decoder: expected ByteLevel, or ByteFallback in a Sequence, to decode token by token, got {0}"
    )]
    Decoder(String),
    /// A GGUF file's tokenizer is broken or of another kind.
    #[error("{file}: {field}: expected {expected}, got {got}")]
    Field {
        /// The file.
        file: String,
        /// The part of it.
        field: String,
        /// What is supported.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A file beside the tokenizer's cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// A model's tokenizer as a package has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The content of the [`TOKENIZER`] file.
    pub json: Vec<u8>,
    /// The token that begins a sequence, if there is one. Whether encoding adds it, `json` says.
    pub bos: Option<u32>,
    /// The tokens that end what a model generates, in ascending order.
    pub eos: Vec<u32>,
    /// The source of the chat template, if there is one.
    pub chat_template: Option<String>,
}

impl Imported {
    /// The tokenizer of a source that was opened.
    pub fn of(source: &Source, config: &Config) -> Result<Self, TokenizerError> {
        match source {
            Source::Folder(source) => folder::import(source.folder(), config),
            Source::Gguf(source) => gguf::import(source),
        }
    }
}

/// Turns text into token ids and back.
pub struct Tokenizer {
    inner: Inner,
    max_tokens: usize,
    pieces: Result<Pieces, String>,
    special: HashSet<u32>,
}

impl Tokenizer {
    /// From the content of a [`TOKENIZER`] file, for a model whose ids are below `vocabulary` and whose sequences have
    /// at most `max_tokens` tokens. Padding and truncation that the file itself asks for are left out.
    pub fn from_json(json: &[u8], vocabulary: u32, max_tokens: usize) -> Result<Self, TokenizerError> {
        parts::check(json)?;
        guard(|| {
            let invalid = |error: tokenizers::Error| TokenizerError::Invalid(error.to_string());
            let mut inner = Inner::from_bytes(json).map_err(invalid)?;
            inner.with_padding(None);
            inner.with_truncation(None).map_err(invalid)?;
            let known = |highest: Option<u32>| match highest.filter(|got| *got >= vocabulary) {
                Some(got) => Err(TokenizerError::Vocabulary {
                    expected: vocabulary,
                    got,
                }),
                None => Ok(()),
            };
            known(inner.get_vocab(true).into_values().max())?;
            let special = inner
                .get_post_processor()
                .map_or(0, |processor| processor.added_tokens(false));
            if max_tokens <= special {
                return Err(TokenizerError::Limit {
                    special,
                    got: max_tokens,
                });
            }
            // Some errors show only in use, and ids that frame texts need not be in the vocabulary
            let encoding = inner.encode_fast("a", true).map_err(invalid)?;
            known(encoding.get_ids().iter().copied().max())?;
            let added = inner.get_added_tokens_decoder();
            let special = added
                .iter()
                .filter(|(_, token)| token.special)
                .map(|(id, _)| *id)
                .collect();
            Ok(Self {
                pieces: Pieces::of(&inner),
                max_tokens,
                special,
                inner,
            })
        })
        .unwrap_or_else(|message| Err(TokenizerError::Invalid(message)))
    }

    /// Ids of a text, with those that frame every sequence if `add_special`. The special tokens' own names in the text
    /// become these tokens.
    ///
    /// A text of more tokens than the model takes is an error: nothing is cut off.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>, TokenizerError> {
        let encoding = guard(|| {
            self.inner
                .encode_fast(text, add_special)
                .map_err(|error| error.to_string())
        });
        let encoding = encoding.and_then(|encoding| encoding).map_err(TokenizerError::Text)?;
        let ids = encoding.get_ids();
        if ids.len() > self.max_tokens {
            return Err(TokenizerError::TooLong {
                expected: self.max_tokens,
                got: ids.len(),
            });
        }
        Ok(ids.to_vec())
    }

    /// Text of ids. Bytes that are no UTF-8 become U+FFFD; ids that the tokenizer does not know are left out, and so
    /// are special tokens if `skip_special`.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TokenizerError> {
        if self.pieces.is_ok() {
            let mut decoder = self.decoder(skip_special)?;
            let mut text: String = ids.iter().map(|id| decoder.push(*id)).collect();
            text.push_str(&decoder.finish());
            return Ok(text);
        }
        let text = guard(|| self.inner.decode(ids, skip_special).map_err(|error| error.to_string()));
        text.and_then(|text| text).map_err(TokenizerError::Text)
    }

    /// A decoder that takes ids one by one.
    pub fn decoder(&self, skip_special: bool) -> Result<Decoder<'_>, TokenizerError> {
        match &self.pieces {
            Ok(pieces) => Ok(Decoder::new(self, pieces, skip_special)),
            Err(got) => Err(TokenizerError::Decoder(got.clone())),
        }
    }

    /// The token of an id, as the vocabulary has it.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The id of a token, as the vocabulary has it.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// As many tokens as a sequence may have.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    fn is_special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokenizer of {} tokens", self.inner.get_vocab_size(true))
    }
}

/// Calls the library, which panics on some files that no library wrote, such as a template that names a token which
/// it does not define.
fn guard<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or(panic.downcast_ref().copied());
        format!(
            "a file that the library panics on: {}",
            message.unwrap_or("unknown reason")
        )
    })
}

#[cfg(test)]
mod tests;
