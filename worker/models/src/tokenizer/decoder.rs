//! Token ids to text, one by one.

use super::Tokenizer;
use serde_json::{json, Value};
use std::collections::HashMap;
use tokenizers::Tokenizer as Inner;

/// How a token becomes bytes.
pub(super) enum Pieces {
    /// Each character stands for a byte (GPT-2's table).
    ByteLevel(HashMap<char, u8>),
    /// `▁` stands for a space, `<0x41>` for a byte, as in SentencePiece.
    ByteFallback {
        /// Whether the text's first space is left out: encoding has put it there.
        strip: bool,
    },
}

impl Pieces {
    /// Of a tokenizer, or, if its decoder is of another kind, what kind that is.
    pub(super) fn of(inner: &Inner) -> Result<Self, String> {
        let decoder = inner
            .get_decoder()
            .map_or(Value::Null, |decoder| serde_json::to_value(decoder).unwrap_or_default());
        if decoder["type"] == "ByteLevel" {
            return Ok(Self::ByteLevel(characters()));
        }
        let steps = decoder["decoders"].as_array().map_or(&[][..], Vec::as_slice);
        let strip = json!({"type": "Strip", "content": " ", "start": 1, "stop": 0});
        let spaces = json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "});
        let known = |step: &Value| {
            *step == strip || *step == spaces || step["type"] == "ByteFallback" || step["type"] == "Fuse"
        };
        if steps.contains(&spaces) && steps.iter().any(|step| step["type"] == "ByteFallback") && steps.iter().all(known)
        {
            return Ok(Self::ByteFallback {
                strip: steps.contains(&strip),
            });
        }
        Err(match &decoder["type"] {
            Value::Null => "none".into(),
            Value::String(kind) if kind == "Sequence" => Value::from(steps).to_string(),
            kind => kind.to_string(),
        })
    }

    fn bytes(&self, token: &str) -> Vec<u8> {
        match self {
            // Tokens that were added are text as it is.
            Self::ByteLevel(characters) => {
                let bytes: Option<Vec<u8>> = token
                    .chars()
                    .map(|character| characters.get(&character).copied())
                    .collect();
                bytes.unwrap_or_else(|| token.into())
            }
            Self::ByteFallback { .. } => match byte(token) {
                Some(byte) => vec![byte],
                None => token.replace('▁', " ").into(),
            },
        }
    }
}

/// The byte that a token `<0x41>` stands for.
fn byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .then(|| u8::from_str_radix(digits, 16).ok())?
}

/// GPT-2's table: printable bytes are the characters of the same number, others those from 256 on in order.
fn characters() -> HashMap<char, u8> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let others = (0..=u8::MAX).filter(|byte| !printable(byte));
    let others = others
        .zip(256_u32..)
        .filter_map(|(byte, number)| Some((char::from_u32(number)?, byte)));
    (0..=u8::MAX)
        .filter(printable)
        .map(|byte| (char::from(byte), byte))
        .chain(others)
        .collect()
}

/// Takes token ids one by one and gives text as soon as it is complete: no character is cut in two.
pub struct Decoder<'a> {
    tokenizer: &'a Tokenizer,
    pieces: &'a Pieces,
    skip_special: bool,
    /// Bytes of a character that is not complete yet; at most three.
    pending: Vec<u8>,
    /// Whether a leading space is still to be left out.
    strip: bool,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer, pieces: &'a Pieces, skip_special: bool) -> Self {
        let strip = matches!(pieces, Pieces::ByteFallback { strip: true });
        Self {
            tokenizer,
            pieces,
            skip_special,
            pending: Vec::new(),
            strip,
        }
    }

    /// The text that this token completes, which may be none. Bytes that cannot be UTF-8, whatever follows, become
    /// U+FFFD. Ids that the tokenizer does not know are passed over.
    pub fn push(&mut self, id: u32) -> String {
        if self.skip_special && self.tokenizer.is_special(id) {
            return String::new();
        }
        let Some(token) = self.tokenizer.token(id) else {
            return String::new();
        };
        let bytes = self.pieces.bytes(&token);
        let mut bytes = bytes.as_slice();
        if self.strip && !bytes.is_empty() {
            bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
            self.strip = false;
        }
        self.pending.extend_from_slice(bytes);
        self.complete()
    }

    /// What is left: U+FFFD if the last character is not complete.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }

    fn complete(&mut self) -> String {
        let mut text = String::new();
        let mut taken = 0;
        for chunk in self.pending.utf8_chunks() {
            text.push_str(chunk.valid());
            taken += chunk.valid().len();
            let invalid = chunk.invalid();
            if invalid.is_empty() || taken + invalid.len() == self.pending.len() && may_be_completed(invalid) {
                break;
            }
            text.push(char::REPLACEMENT_CHARACTER);
            taken += invalid.len();
        }
        self.pending.drain(..taken);
        text
    }
}

/// Whether these bytes are the beginning of a character.
fn may_be_completed(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}
