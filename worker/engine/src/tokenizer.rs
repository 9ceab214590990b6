//! Text to token ids, as the model was trained with them.

use crate::package::{Package, TOKENIZER};
use tokenizers::{Tokenizer as Inner, TruncationParams};

/// Why text cannot be turned into token ids.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The file is broken.
    #[error("{TOKENIZER}: expected a tokenizer of the `tokenizers` library, got: {0}")]
    Invalid(String),
    /// The tokenizer knows ids that the model does not.
    #[error("{TOKENIZER}: expected ids below the model's vocab_size {expected}, got {got}")]
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
        got: u32,
    },
    /// A text cannot be encoded.
    #[error("text {index}: expected text the tokenizer can encode, got: {reason}")]
    Text {
        /// Which of the texts.
        index: usize,
        /// What the tokenizer says.
        reason: String,
    },
}

/// Turns text into token ids.
pub struct Tokenizer {
    inner: Inner,
}

impl Tokenizer {
    /// The tokenizer of a package, checked against its model.
    pub fn load(package: &Package) -> Result<Self, TokenizerError> {
        let tokenizer = Self::from_bytes(package.tokenizer(), package.profile().max_sequence)?;
        let expected = package.architecture().vocabulary;
        match tokenizer.inner.get_vocab(true).into_values().max() {
            Some(got) if got >= expected => Err(TokenizerError::Vocabulary { expected, got }),
            _ => Ok(tokenizer),
        }
    }

    /// A tokenizer from the content of its file, for sequences of at most `max_sequence` tokens.
    /// Padding and truncation that the file itself asks for are left out.
    pub fn from_bytes(json: &[u8], max_sequence: u32) -> Result<Self, TokenizerError> {
        let invalid = |error: tokenizers::Error| TokenizerError::Invalid(error.to_string());
        let mut inner = Inner::from_bytes(json).map_err(invalid)?;
        let special = inner.get_post_processor().map_or(0, |processor| {
            use tokenizers::PostProcessor;
            processor.added_tokens(false)
        });
        if max_sequence as usize <= special {
            return Err(TokenizerError::Limit {
                special,
                got: max_sequence,
            });
        }
        inner.with_padding(None);
        inner
            .with_truncation(Some(TruncationParams {
                max_length: max_sequence as usize,
                ..TruncationParams::default()
            }))
            .map_err(invalid)?;
        Ok(Self { inner })
    }

    /// Ids of each text, special tokens included, cut off at the longest sequence.
    pub fn encode<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>, TokenizerError> {
        let encode = |(index, text): (usize, &T)| {
            let encoding = self.inner.encode_fast(text.as_ref(), true);
            let encoding = encoding.map_err(|error| TokenizerError::Text {
                index,
                reason: error.to_string(),
            })?;
            Ok(encoding.get_ids().to_vec())
        };
        texts.iter().enumerate().map(encode).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A word-level tokenizer with 6 ids that frames sequences like BERT's, and whose file asks
    /// for padding and truncation.
    pub(crate) fn json() -> serde_json::Value {
        serde_json::json!({
            "version": "1.0",
            "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
            "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null,
                        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
            "added_tokens": [],
            "normalizer": null,
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                           {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]},
                                   "[SEP]": {"id": "[SEP]", "ids": [2], "tokens": ["[SEP]"]}}
            },
            "decoder": null,
            "model": {"type": "WordLevel", "unk_token": "[UNK]",
                      "vocab": {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "a": 4, "b": 5}}
        })
    }

    fn tokenizer(max_sequence: u32) -> Result<Tokenizer, TokenizerError> {
        Tokenizer::from_bytes(json().to_string().as_bytes(), max_sequence)
    }

    #[test]
    fn encode_should_add_special_tokens_and_no_padding() {
        let ids = tokenizer(8).unwrap().encode(&["a b a c", ""]).unwrap();
        assert_eq!(ids, [vec![1, 4, 5, 4, 3, 2], vec![1, 2]]);
    }

    #[test]
    fn encode_should_cut_off_when_a_text_is_too_long() {
        assert_eq!(tokenizer(4).unwrap().encode(&["a b a b a"]).unwrap(), [[1, 4, 5, 2]]);
    }

    #[test]
    fn tokenizer_should_be_refused_when_only_special_tokens_fit() {
        assert!(matches!(
            tokenizer(2),
            Err(TokenizerError::Limit { special: 2, got: 2 })
        ));
    }

    #[test]
    fn tokenizer_should_be_refused_when_the_file_is_broken() {
        assert!(matches!(
            Tokenizer::from_bytes(b"{}", 8),
            Err(TokenizerError::Invalid(_))
        ));
    }
}
