//! Bounds of what a tokenizer's parts take and make, before the library has them.
//!
//! A part can make each character of a text many, and a file can name parts by the thousand: thirty that double a text
//! make gigabytes of a letter. An expression of few letters can take megabytes once it is compiled. What models come with
//! is far below these bounds.

use super::TokenizerError;
use serde::Deserialize;
use serde_json::Value;

/// How many times as long all parts together may make a text, at the most.
const MAX_GROWTH: u64 = 1 << 12;

/// Most times that post-processors may put a text in, all of them together.
const MAX_SEQUENCES: u64 = 16;

/// Most regular expressions. Each takes up to 10 MB.
const MAX_EXPRESSIONS: u64 = 32;

/// Longest regular expression, in bytes.
const MAX_EXPRESSION: u64 = 1 << 12;

/// Most tables of characters and what becomes of them.
const MAX_TABLES: u64 = 1;

/// What a file says but for its vocabulary.
#[derive(Deserialize)]
struct Parts {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
}

/// What was counted.
struct Counts {
    growth: u64,
    sequences: u64,
    expressions: u64,
    longest: u64,
    tables: u64,
}

/// Checks that a `tokenizer.json` is within bounds.
pub(super) fn check(json: &[u8]) -> Result<(), TokenizerError> {
    let parts: Parts = serde_json::from_slice(json).map_err(|error| TokenizerError::Invalid(error.to_string()))?;
    let mut counts = Counts {
        growth: 1,
        sequences: 0,
        expressions: 0,
        longest: 0,
        tables: 0,
    };
    for part in [
        &parts.normalizer,
        &parts.pre_tokenizer,
        &parts.post_processor,
        &parts.decoder,
    ] {
        counts.add(part);
    }
    let bounds = [
        ("times as long a text", MAX_GROWTH, counts.growth),
        ("sequences in its post-processors", MAX_SEQUENCES, counts.sequences),
        ("regular expressions", MAX_EXPRESSIONS, counts.expressions),
        ("bytes of a regular expression", MAX_EXPRESSION, counts.longest),
        ("tables of characters", MAX_TABLES, counts.tables),
    ];
    match bounds.into_iter().find(|(_, most, got)| got > most) {
        Some((what, expected, got)) => Err(TokenizerError::Parts { what, expected, got }),
        None => Ok(()),
    }
}

impl Counts {
    /// Adds a part and those within it.
    fn add(&mut self, part: &Value) {
        match part {
            Value::Array(parts) => parts.iter().for_each(|part| self.add(part)),
            Value::Object(fields) => {
                // Parts of old files do not name their type
                let is_bytes = match fields.get("type") {
                    Some(kind) => kind == "ByteLevel",
                    None => fields.contains_key("add_prefix_space"),
                };
                if is_bytes {
                    // Each byte above 127 becomes a character of two
                    self.growth = self.growth.saturating_mul(2);
                }
                for (name, value) in fields {
                    match (name.as_str(), value) {
                        // In place of what may be nothing
                        ("content", Value::String(content)) => {
                            self.growth = self.growth.saturating_mul(1 + content.len() as u64);
                        }
                        ("Regex", Value::String(expression)) => {
                            self.expressions += 1;
                            self.longest = self.longest.max(expression.len() as u64);
                        }
                        ("Sequence", Value::Object(_)) => self.sequences += 1,
                        ("precompiled_charsmap", _) => self.tables += 1,
                        _ => {}
                    }
                    self.add(value);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn refused(part: &str, value: Value) -> &'static str {
        let json = json!({ part: value, "model": {"type": "WordLevel"} }).to_string();
        match check(json.as_bytes()) {
            Err(TokenizerError::Parts { what, .. }) => what,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    fn many(count: usize, part: Value) -> Value {
        Value::from(vec![part; count])
    }

    #[test]
    fn parts_should_be_refused_when_they_double_a_text_too_often() {
        let doubled = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
        let normalizers = json!({"type": "Sequence", "normalizers": many(30, doubled.clone())});
        assert_eq!(refused("normalizer", normalizers), "times as long a text");
        let decoders = json!({"type": "Sequence", "decoders": many(30, doubled)});
        assert_eq!(refused("decoder", decoders), "times as long a text");
        let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false});
        let pretokenizers = json!({"type": "Sequence", "pretokenizers": many(30, bytes)});
        assert_eq!(refused("pre_tokenizer", pretokenizers), "times as long a text");
        let untyped = json!({"pretokenizers": many(30, json!({"add_prefix_space": false, "trim_offsets": false}))});
        assert_eq!(refused("pre_tokenizer", untyped), "times as long a text");
    }

    #[test]
    fn parts_should_be_refused_when_what_replaces_is_long() {
        let replaced = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "a".repeat(5_000)});
        assert_eq!(refused("normalizer", replaced), "times as long a text");
    }

    #[test]
    fn parts_should_be_refused_when_templates_repeat_a_text() {
        let twice = many(2, json!({"Sequence": {"id": "A", "type_id": 0}}));
        let template = json!({"type": "TemplateProcessing", "single": twice, "pair": [], "special_tokens": {}});
        let processors = json!({"type": "Sequence", "processors": many(30, template)});
        assert_eq!(
            refused("post_processor", processors),
            "sequences in its post-processors"
        );
    }

    #[test]
    fn parts_should_be_refused_when_expressions_are_many_or_long() {
        let split =
            |expression: &str| json!({"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated"});
        let pretokenizers = json!({"type": "Sequence", "pretokenizers": many(40, split("\\pL{500}"))});
        assert_eq!(refused("pre_tokenizer", pretokenizers), "regular expressions");
        assert_eq!(
            refused("pre_tokenizer", split(&"a|".repeat(4_000))),
            "bytes of a regular expression"
        );
    }

    #[test]
    fn parts_should_be_refused_when_there_are_two_tables() {
        let table = json!({"type": "Precompiled", "precompiled_charsmap": ""});
        let normalizers = json!({"type": "Sequence", "normalizers": many(2, table)});
        assert_eq!(refused("normalizer", normalizers), "tables of characters");
    }

    #[test]
    fn parts_should_be_taken_when_they_are_those_of_models() {
        let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false});
        let split = json!({"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}"}, "behavior": "Isolated"});
        let spaces = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
        let piece = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
        let json = json!({
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, spaces]},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytes]},
            "post_processor": {"type": "Sequence", "processors": [
                bytes, {"type": "TemplateProcessing", "single": [piece("A")], "pair": [piece("A"), piece("B")]}]},
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": {"type": "BPE"},
        });
        check(json.to_string().as_bytes()).unwrap();
    }
}
