//! A `tokenizer.json` made from what a GGUF file says, so that text becomes the tokens that llama.cpp gives.
//!
//! Two kinds are known, by `tokenizer.ggml.model`:
//! - `gpt2`: byte-level pairs with merges, cut beforehand as `tokenizer.ggml.pre` says ([`super::pretokenizer`]);
//! - `llama`: SentencePiece's pairs with scores. The pair whose union scores highest is merged first, so that the
//!   merges are all ways to cut a piece in two, by falling score (`merges_of_scores`).
//!
//! Text becomes the ids that llama.cpp gives, but that `qwen2` brings it into Unicode's form C as Qwen's own does.

use super::{
    json::{join, quoted, Added, Json},
    pretokenizer, Imported, TokenizerError,
};
use crate::{
    source::{gguf::Value, Gguf},
    template::MAX_TEMPLATE,
};
use std::collections::HashMap;

/// Most tokens that are accepted.
const MAX_TOKENS: usize = 1 << 20;

/// Longest token that is accepted, in bytes.
const MAX_TOKEN: usize = 1 << 10;

/// How many times the bytes of all tokens their merges may have. Models have about three; tokens that are all
/// beginnings of each other have as many as the longest has bytes.
const MAX_MERGED: usize = 64;

/// Control tokens of these names end what a model generates, beside the one that the file names.
const ENDS: [&str; 9] = [
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<EOT>",
    "<｜end▁of▁sentence｜>",
];

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

/// The vocabulary of a file.
struct Vocabulary<'a> {
    gguf: &'a Gguf,
    tokens: Vec<String>,
    kinds: Vec<Kind>,
}

/// The tokenizer and the chat template of a file.
pub(super) fn import(gguf: &Gguf) -> Result<Imported, TokenizerError> {
    let vocabulary = Vocabulary::read(gguf)?;
    let json = match text(gguf, "tokenizer.ggml.model")? {
        Some("gpt2") => vocabulary.byte_level()?,
        Some("llama") => vocabulary.sentence_piece()?,
        _ => return Err(wrong(gguf, "tokenizer.ggml.model", "\"gpt2\" or \"llama\"")),
    };
    let mut eos: Vec<u32> = Vec::new();
    for field in ["eos_token_id", "eot_token_id", "eom_token_id"] {
        eos.extend(vocabulary.id(field)?);
    }
    let control =
        |id: &usize| vocabulary.kinds[*id] == Kind::Control && ENDS.contains(&vocabulary.tokens[*id].as_str());
    eos.extend((0..vocabulary.tokens.len()).filter(control).map(|id| id as u32));
    eos.sort_unstable();
    eos.dedup();
    let chat_template = text(gguf, "tokenizer.chat_template")?;
    if chat_template.is_some_and(|template| template.len() > MAX_TEMPLATE) {
        return Err(wrong(
            gguf,
            "tokenizer.chat_template",
            format!("at most {MAX_TEMPLATE} bytes"),
        ));
    }
    Ok(Imported {
        json: json.into_bytes(),
        bos: vocabulary.id("bos_token_id")?,
        eos,
        chat_template: chat_template.map(Into::into),
    })
}

impl<'a> Vocabulary<'a> {
    fn read(gguf: &'a Gguf) -> Result<Self, TokenizerError> {
        let field = "tokenizer.ggml.tokens";
        let tokens = match gguf.value(field) {
            Some(Value::Texts(tokens)) if (1..=MAX_TOKENS).contains(&tokens.len()) => tokens,
            _ => return Err(wrong(gguf, field, format!("1 to {MAX_TOKENS} texts"))),
        };
        if let Some(token) = tokens.iter().find(|token| token.len() > MAX_TOKEN) {
            return Err(error(
                gguf,
                field,
                format!("tokens of at most {MAX_TOKEN} bytes"),
                token.len(),
            ));
        }
        // As llama.cpp names tokens that have no text.
        let name = |(id, token): (usize, &String)| {
            if token.is_empty() {
                format!("[EMPTY_{id}]")
            } else {
                token.clone()
            }
        };
        let tokens: Vec<String> = tokens.iter().enumerate().map(name).collect();
        let mut ids = HashMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            if let Some(first) = ids.insert(token.as_str(), id) {
                return Err(error(
                    gguf,
                    field,
                    "each token once",
                    format!("{token:?} as {first} and {id}"),
                ));
            }
        }
        drop(ids);

        let field = "tokenizer.ggml.token_type";
        let kinds = match gguf.value(field) {
            None => vec![Kind::Normal; tokens.len()],
            Some(Value::Integers(numbers)) if numbers.len() == tokens.len() => {
                let kind = |number: &i64| match number {
                    1 => Ok(Kind::Normal),
                    2 => Ok(Kind::Unknown),
                    3 => Ok(Kind::Control),
                    4 => Ok(Kind::UserDefined),
                    5 => Ok(Kind::Unused),
                    6 => Ok(Kind::Byte),
                    other => Err(error(gguf, field, "types from 1 to 6", other)),
                };
                numbers.iter().map(kind).collect::<Result<_, _>>()?
            }
            _ => return Err(wrong(gguf, field, format!("{} whole numbers", tokens.len()))),
        };
        Ok(Self { gguf, tokens, kinds })
    }

    /// The token id in a field of `tokenizer.ggml`, if there is one.
    fn id(&self, field: &str) -> Result<Option<u32>, TokenizerError> {
        let field = format!("tokenizer.ggml.{field}");
        let Some(value) = self.gguf.value(&field) else {
            return Ok(None);
        };
        match value.as_u64().filter(|id| *id < self.tokens.len() as u64) {
            Some(id) => Ok(Some(id as u32)),
            None => Err(wrong(
                self.gguf,
                &field,
                format!("a token id below {}", self.tokens.len()),
            )),
        }
    }

    /// The token to be added to each text, if the file says so or, where it does not say, by default.
    fn frame(&self, flag: &str, field: &str, default: bool) -> Result<Option<(u32, &str)>, TokenizerError> {
        let flag = format!("tokenizer.ggml.{flag}");
        let asked = flag_of(self.gguf, &flag, default)?;
        match self.id(field)? {
            _ if !asked => Ok(None),
            Some(id) => Ok(Some((id, &self.tokens[id as usize]))),
            None => Err(wrong(
                self.gguf,
                &format!("tokenizer.ggml.{field}"),
                format!("a token id, since {flag} holds"),
            )),
        }
    }

    /// Tokens that are found in text as they are.
    fn added(&self) -> Vec<Added<'_>> {
        let mut added = Vec::new();
        for (id, content) in self.tokens.iter().enumerate() {
            let special = match self.kinds[id] {
                Kind::Control | Kind::Unknown => true,
                Kind::UserDefined => false,
                Kind::Normal | Kind::Unused | Kind::Byte => continue,
            };
            added.push(Added {
                id: id as u32,
                content,
                special,
            });
        }
        added
    }

    fn byte_level(&self) -> Result<String, TokenizerError> {
        let pre = text(self.gguf, "tokenizer.ggml.pre")?;
        let Some(way) = pretokenizer::named(pre) else {
            return Err(wrong(
                self.gguf,
                "tokenizer.ggml.pre",
                format!("one of {}", pretokenizer::names()),
            ));
        };
        let field = "tokenizer.ggml.merges";
        let Some(Value::Texts(pairs)) = self.gguf.value(field) else {
            return Err(wrong(self.gguf, field, "pairs of tokens"));
        };
        let ids = self.ids();
        let mut merges = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let invalid = || {
                error(
                    self.gguf,
                    field,
                    "two tokens of the vocabulary, whose union is one too",
                    quoted(pair),
                )
            };
            // A token may begin with a space, as in llama.cpp.
            let space = pair
                .char_indices()
                .skip(1)
                .find(|(_, character)| *character == ' ')
                .ok_or_else(invalid)?
                .0;
            let (left, right) = (&pair[..space], &pair[space + 1..]);
            let union = format!("{left}{right}");
            if ![left, right, &union].iter().all(|token| ids.contains_key(token)) {
                return Err(invalid());
            }
            merges.push((left, right));
        }
        let splits = join(way.expressions, |expression| {
            format!(
                r#"{{"type":"Split","pattern":{{"Regex":{}}},"behavior":"Isolated","invert":false}}"#,
                quoted(expression)
            )
        });
        let bytes = r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false}"#;
        let json = Json {
            added: self.added(),
            normalizer: if way.nfc { r#"{"type":"NFC"}"# } else { "null" }.into(),
            pre_tokenizer: format!(r#"{{"type":"Sequence","pretokenizers":[{splits},{bytes}]}}"#),
            bos: self.frame("add_bos_token", "bos_token_id", way.add_bos)?,
            eos: self.frame("add_eos_token", "eos_token_id", false)?,
            decoder: bytes.into(),
            unknown: None,
            fallback: false,
            ignore_merges: way.ignore_merges,
            vocabulary: &self.tokens,
            merges: &merges,
        };
        Ok(json.write())
    }

    fn sentence_piece(&self) -> Result<String, TokenizerError> {
        let field = "tokenizer.ggml.scores";
        let scores = match self.gguf.value(field) {
            Some(Value::Floats(scores)) if scores.len() == self.tokens.len() => scores,
            _ => return Err(wrong(self.gguf, field, format!("{} floats", self.tokens.len()))),
        };
        if let Some(score) = scores.iter().find(|score| !score.is_finite()) {
            return Err(error(self.gguf, field, "finite numbers", score));
        }
        let ids = self.ids();
        if let Some(byte) = (0..=u8::MAX)
            .map(|byte| format!("<0x{byte:02X}>"))
            .find(|byte| !ids.contains_key(byte.as_str()))
        {
            return Err(error(
                self.gguf,
                "tokenizer.ggml.tokens",
                "a token for every byte",
                format!("none {byte:?}"),
            ));
        }
        let field = "tokenizer.ggml.remove_extra_whitespaces";
        if flag_of(self.gguf, field, false)? {
            return Err(wrong(self.gguf, field, "false"));
        }
        let prefix = flag_of(self.gguf, "tokenizer.ggml.add_space_prefix", true)?;
        let merges = merges_of_scores(&self.tokens, &self.kinds, scores, &ids).map_err(|got| {
            let expected = format!("tokens whose merges take at most {MAX_MERGED} times their bytes");
            error(
                self.gguf,
                "tokenizer.ggml.tokens",
                expected,
                format!("{got} bytes of merges"),
            )
        })?;
        let merges: Vec<(&str, &str)> = merges
            .iter()
            .map(|(left, right)| (left.as_str(), right.as_str()))
            .collect();

        let spaces = r#"{"type":"Replace","pattern":{"String":" "},"content":"▁"}"#;
        let prepend = r#"{"type":"Prepend","prepend":"▁"}"#;
        let decoders =
            r#"{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}"#;
        let strip = if prefix {
            r#",{"type":"Strip","content":" ","start":1,"stop":0}"#
        } else {
            ""
        };
        let json = Json {
            added: self.added(),
            normalizer: if prefix {
                format!(r#"{{"type":"Sequence","normalizers":[{prepend},{spaces}]}}"#)
            } else {
                spaces.into()
            },
            pre_tokenizer: "null".into(),
            bos: self.frame("add_bos_token", "bos_token_id", true)?,
            eos: self.frame("add_eos_token", "eos_token_id", false)?,
            decoder: format!(r#"{{"type":"Sequence","decoders":[{decoders}{strip}]}}"#),
            unknown: self.id("unknown_token_id")?.map(|id| self.tokens[id as usize].as_str()),
            fallback: true,
            ignore_merges: false,
            vocabulary: &self.tokens,
            merges: &merges,
        };
        Ok(json.write())
    }

    fn ids(&self) -> HashMap<&str, usize> {
        self.tokens
            .iter()
            .enumerate()
            .map(|(id, token)| (token.as_str(), id))
            .collect()
    }
}

/// All pairs of tokens whose union is a normal token, by falling score of the union. Ties, of one token cut in
/// different places or of two with one score, are ordered as Hugging Face's converter does: the longer left part
/// first, then the longer right part, then the lower ids.
///
/// # Errors
///
/// Their bytes, if they would take more than [`MAX_MERGED`] allows.
fn merges_of_scores(
    tokens: &[String],
    kinds: &[Kind],
    scores: &[f32],
    ids: &HashMap<&str, usize>,
) -> Result<Vec<(String, String)>, usize> {
    let most = MAX_MERGED * tokens.iter().map(String::len).sum::<usize>();
    let (mut merges, mut bytes) = (Vec::new(), 0);
    for (id, token) in tokens.iter().enumerate().filter(|(id, _)| kinds[*id] == Kind::Normal) {
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(left_id), Some(right_id)) = (ids.get(left), ids.get(right)) {
                let lengths = (left.chars().count(), right.chars().count());
                merges.push((scores[id], lengths, id, *left_id, *right_id));
                bytes += token.len();
                if bytes > most {
                    return Err(bytes);
                }
            }
        }
    }
    merges.sort_unstable_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then(b.1.cmp(&a.1))
            .then((a.2, a.3, a.4).cmp(&(b.2, b.3, b.4)))
    });
    Ok(merges
        .into_iter()
        .map(|(.., left, right)| (tokens[left].clone(), tokens[right].clone()))
        .collect())
}

fn text<'a>(gguf: &'a Gguf, field: &str) -> Result<Option<&'a str>, TokenizerError> {
    match gguf.value(field) {
        None => Ok(None),
        Some(value) => value.as_text().map(Some).ok_or_else(|| wrong(gguf, field, "text")),
    }
}

fn flag_of(gguf: &Gguf, field: &str, default: bool) -> Result<bool, TokenizerError> {
    match gguf.value(field) {
        None => Ok(default),
        Some(value) => value.as_bool().ok_or_else(|| wrong(gguf, field, "a truth value")),
    }
}

fn wrong(gguf: &Gguf, field: &str, expected: impl ToString) -> TokenizerError {
    error(
        gguf,
        field,
        expected,
        gguf.value(field).map_or("none".into(), ToString::to_string),
    )
}

fn error(gguf: &Gguf, field: &str, expected: impl ToString, got: impl ToString) -> TokenizerError {
    TokenizerError::Field {
        file: gguf.name().into(),
        field: field.into(),
        expected: expected.to_string(),
        got: got.to_string(),
    }
}

#[cfg(test)]
mod tests;
