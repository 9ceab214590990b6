//! Encoding and decoding with small tokenizers.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::source::Gguf;
use crate::support::Writer;
use serde_json::{json, Value};

/// A word-level tokenizer with 6 ids that frames sequences like BERT's, and whose file asks for padding and truncation.
fn words() -> Value {
    json!({
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

fn tokenizer(json: &Value, max_tokens: usize) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::from_json(json.to_string().as_bytes(), 6, max_tokens)
}

#[test]
fn encode_should_add_special_tokens_and_no_padding() {
    let tokenizer = tokenizer(&words(), 8).unwrap();
    assert_eq!(tokenizer.encode("a b a c", true).unwrap(), [1, 4, 5, 4, 3, 2]);
    assert_eq!(tokenizer.encode("a b", false).unwrap(), [4, 5]);
    assert_eq!(tokenizer.encode("", true).unwrap(), [1, 2]);
}

#[test]
fn encode_should_fail_when_a_text_is_too_long() {
    let tokenizer = tokenizer(&words(), 4).unwrap();
    assert_eq!(tokenizer.encode("a b", true).unwrap().len(), 4);
    assert!(matches!(
        tokenizer.encode("a b a", true),
        Err(TokenizerError::TooLong { expected: 4, got: 5 })
    ));
}

#[test]
fn tokenizer_should_be_refused_when_only_special_tokens_fit() {
    assert!(matches!(
        tokenizer(&words(), 2),
        Err(TokenizerError::Limit { special: 2, got: 2 })
    ));
}

#[test]
fn tokenizer_should_be_refused_when_it_knows_more_than_the_model() {
    let json = words().to_string();
    let error = Tokenizer::from_json(json.as_bytes(), 5, 8).unwrap_err();
    assert!(
        matches!(error, TokenizerError::Vocabulary { expected: 5, got: 5 }),
        "{error}"
    );
}

#[test]
fn tokenizer_should_be_refused_when_it_frames_texts_with_what_the_model_does_not_know() {
    let mut json = words();
    json["post_processor"]["special_tokens"]["[SEP]"]["ids"] = json!([6]);
    assert!(matches!(
        tokenizer(&json, 8),
        Err(TokenizerError::Vocabulary { expected: 6, got: 6 })
    ));
}

#[test]
fn tokenizer_should_be_refused_when_its_parts_make_too_much_of_a_text() {
    let doubled = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
    let mut json = words();
    json["normalizer"] = json!({"type": "Sequence", "normalizers": vec![doubled; 40]});
    assert!(matches!(tokenizer(&json, 8), Err(TokenizerError::Parts { .. })));
}

#[test]
fn tokenizer_should_be_refused_when_the_file_is_broken() {
    assert!(matches!(
        Tokenizer::from_json(b"{}", 6, 8),
        Err(TokenizerError::Invalid(_))
    ));
}

#[test]
fn tokenizer_should_be_refused_when_the_library_panics_on_it() {
    let mut json = words();
    json["post_processor"]["special_tokens"] = json!({});
    assert!(matches!(tokenizer(&json, 8), Err(TokenizerError::Invalid(_))));
}

#[test]
fn decoder_should_be_refused_when_pieces_have_no_bytes() {
    let error = tokenizer(&words(), 8)
        .unwrap()
        .decoder(true)
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("expected ByteLevel"), "{error}");
}

/// SentencePiece's kind: three control tokens, all bytes, `▁`, `a`, `▁a`.
fn pieces() -> Tokenizer {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).into();
    tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend(["▁", "a", "▁a"].map(String::from));
    let kinds: Vec<i32> = [2, 3, 3].into_iter().chain([6; 256]).chain([1; 3]).collect();
    let scores: Vec<f32> = (0..tokens.len()).map(|id| -(id as f32)).collect();
    let writer = Writer::new("llama")
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &tokens)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .f32s("tokenizer.ggml.scores", &scores)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2);
    let imported = gguf::import(&Gguf::from_bytes(writer.build()).unwrap()).unwrap();
    assert_eq!((imported.bos, imported.eos), (Some(1), vec![2]));
    Tokenizer::from_json(&imported.json, tokens.len() as u32, 64).unwrap()
}

/// The id of a byte's token.
fn byte(byte: u8) -> u32 {
    u32::from(byte) + 3
}

#[test]
fn decoder_should_hold_back_a_character_until_it_is_complete() {
    let tokenizer = pieces();
    let mut decoder = tokenizer.decoder(true).unwrap();
    let texts: Vec<String> = "a€b".bytes().map(|b| decoder.push(byte(b))).collect();
    assert_eq!(texts, ["a", "", "", "€", "b"]);
    assert_eq!(decoder.finish(), "");
}

#[test]
fn decoder_should_not_wait_when_bytes_cannot_become_a_character() {
    let tokenizer = pieces();
    let mut decoder = tokenizer.decoder(true).unwrap();
    let texts: Vec<String> = [0xff, 0xe2, b'a', 0xe2, 0x82]
        .into_iter()
        .map(|b| decoder.push(byte(b)))
        .collect();
    assert_eq!(texts, ["\u{fffd}", "", "\u{fffd}a", "", ""]);
    assert_eq!(decoder.finish(), "\u{fffd}");
}

#[test]
fn decoder_should_leave_out_the_space_that_encoding_adds() {
    let tokenizer = pieces();
    let ids = tokenizer.encode("a a", true).unwrap();
    assert_eq!(ids, [1, 261, 261]);
    assert_eq!(tokenizer.decode(&ids, true).unwrap(), "a a");
}

#[test]
fn decode_should_show_special_tokens_only_when_asked() {
    let tokenizer = pieces();
    assert_eq!(tokenizer.decode(&[1, 260, 2, 9999], false).unwrap(), "<s>a</s>");
    assert_eq!(tokenizer.decode(&[1, 260, 2, 9999], true).unwrap(), "a");
}

#[test]
fn folder_should_give_special_tokens_and_the_template() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    let config = Config::from_json(
        br#"{"model_type":"llama","hidden_size":8,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":8,
            "vocab_size":6,"max_position_embeddings":8,"bos_token_id":0,"eos_token_id":[3]}"#,
    )
    .unwrap();
    let import = || folder::import(folder.path(), &config);
    assert!(import().unwrap_err().to_string().contains("tokenizer.json"));

    write("tokenizer.json", &words().to_string());
    write(
        "tokenizer_config.json",
        r#"{"bos_token":"[CLS]","eos_token":{"content":"[SEP]"},"chat_template":"one"}"#,
    );
    let imported = import().unwrap();
    assert_eq!(
        (imported.bos, imported.eos, imported.chat_template.as_deref()),
        (Some(1), vec![2, 3], Some("one"))
    );
    assert_eq!(imported.json, words().to_string().into_bytes());

    write("chat_template.jinja", "two");
    assert_eq!(import().unwrap().chat_template.as_deref(), Some("two"));

    write("tokenizer_config.json", r#"{"eos_token":"[END]"}"#);
    assert!(import()
        .unwrap_err()
        .to_string()
        .contains("eos_token: expected a token of the tokenizer"));
}
