//! Writes a `tokenizer.json`, the same bytes for the same tokenizer: by hand, since the order in which `serde_json`
//! keeps a map depends on how it was built.

use serde_json::Value;
use std::fmt::Write;

/// A token that is found in text before anything else.
pub(super) struct Added<'a> {
    pub(super) id: u32,
    pub(super) content: &'a str,
    pub(super) special: bool,
}

/// A tokenizer that merges pairs.
pub(super) struct Json<'a> {
    pub(super) added: Vec<Added<'a>>,
    /// JSON.
    pub(super) normalizer: String,
    /// JSON.
    pub(super) pre_tokenizer: String,
    /// Added before each text.
    pub(super) bos: Option<(u32, &'a str)>,
    /// Added after each text.
    pub(super) eos: Option<(u32, &'a str)>,
    /// JSON.
    pub(super) decoder: String,
    pub(super) unknown: Option<&'a str>,
    /// Whether characters that are not in the vocabulary become bytes that are, and unknown ones in a row become one.
    pub(super) fallback: bool,
    pub(super) ignore_merges: bool,
    pub(super) vocabulary: &'a [String],
    pub(super) merges: &'a [(&'a str, &'a str)],
}

impl Json<'_> {
    pub(super) fn write(&self) -> String {
        let added = join(&self.added, |token| {
            let (id, content, special) = (token.id, quoted(token.content), token.special);
            format!(
                r#"{{"id":{id},"content":{content},"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":{special}}}"#
            )
        });
        let vocabulary: Vec<(usize, &String)> = self.vocabulary.iter().enumerate().collect();
        let mut out = String::from(r#"{"version":"1.0","truncation":null,"padding":null,"#);
        let _ = write!(
            out,
            r#""added_tokens":[{added}],"normalizer":{},"pre_tokenizer":{},"post_processor":{},"decoder":{},"model":{{"type":"BPE","dropout":null,"unk_token":{},"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":{},"byte_fallback":{},"ignore_merges":{},"vocab":{{{}}},"merges":[{}]}}}}"#,
            self.normalizer,
            self.pre_tokenizer,
            self.post_processor(),
            self.decoder,
            self.unknown.map_or("null".into(), quoted),
            self.fallback,
            self.fallback,
            self.ignore_merges,
            join(&vocabulary, |(id, token)| format!("{}:{id}", quoted(token))),
            join(self.merges, |(left, right)| format!(
                "[{},{}]",
                quoted(left),
                quoted(right)
            )),
        );
        out.push('\n');
        out
    }

    fn post_processor(&self) -> String {
        let place = |(_, token): (u32, &str), kind: u8| {
            format!(r#"{{"SpecialToken":{{"id":{},"type_id":{kind}}}}}"#, quoted(token))
        };
        let side = |name: &str, kind: u8| {
            let text = format!(r#"{{"Sequence":{{"id":"{name}","type_id":{kind}}}}}"#);
            let parts = [
                self.bos.map(|bos| place(bos, kind)),
                Some(text),
                self.eos.map(|eos| place(eos, kind)),
            ];
            parts.into_iter().flatten().collect::<Vec<_>>().join(",")
        };
        let mut tokens: Vec<(u32, &str)> = self.bos.into_iter().chain(self.eos).collect();
        tokens.dedup();
        if tokens.is_empty() {
            return "null".into();
        }
        let tokens = join(&tokens, |(id, token)| {
            let token = quoted(token);
            format!(r#"{token}:{{"id":{token},"ids":[{id}],"tokens":[{token}]}}"#)
        });
        let (a, b) = (side("A", 0), side("B", 1));
        format!(r#"{{"type":"TemplateProcessing","single":[{a}],"pair":[{a},{b}],"special_tokens":{{{tokens}}}}}"#)
    }
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

pub(super) fn join<T>(items: &[T], item: impl Fn(&T) -> String) -> String {
    items.iter().map(item).collect::<Vec<_>>().join(",")
}
