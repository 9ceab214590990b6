//! Tokenizers from GGUF files: what becomes of their parts, and why they are refused.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{support::Writer, tokenizer::Tokenizer};

/// A byte-level vocabulary: `<|end|>` (control), `<tool>` (user-defined), the letters, a space, unions of them.
fn bytes() -> Writer {
    Writer::new("llama")
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "gpt-2")
        .texts(
            "tokenizer.ggml.tokens",
            &["<|end|>", "<tool>", "a", "b", "1", "Ġ", "ab", "Ġab", "11", "é"],
        )
        .i32s("tokenizer.ggml.token_type", &[3, 4, 1, 1, 1, 1, 1, 1, 1, 1])
        .texts("tokenizer.ggml.merges", &["a b", "Ġ ab", "1 1"])
        .u32("tokenizer.ggml.bos_token_id", 0)
}

fn imported(writer: &Writer) -> Result<Imported, TokenizerError> {
    import(&Gguf::from_bytes(writer.build()).unwrap())
}

fn ids(writer: &Writer, text: &str) -> Vec<u32> {
    let json = imported(writer).unwrap().json;
    Tokenizer::from_json(&json, 64, 64).unwrap().encode(text, true).unwrap()
}

#[test]
fn import_should_merge_pairs_of_bytes() {
    assert_eq!(ids(&bytes(), "ab abb"), [6, 7, 3]);
}

#[test]
fn import_should_find_tokens_that_are_not_normal_in_text() {
    assert_eq!(ids(&bytes(), "a<|end|>b<tool>"), [2, 0, 3, 1]);
}

#[test]
fn import_should_cut_text_as_the_file_says() {
    assert_eq!(ids(&bytes(), "11"), [8]);
    assert_eq!(ids(&bytes().text("tokenizer.ggml.pre", "smollm"), "11"), [4, 4]);
}

#[test]
fn import_should_compose_characters_when_the_tokenizer_is_qwens() {
    let tokens = ["a", "Ã", "©", "Ã©", "e", "Ì", "ģ"];
    let writer = Writer::new("qwen2")
        .text("tokenizer.ggml.model", "gpt2")
        .texts("tokenizer.ggml.tokens", &tokens)
        .texts("tokenizer.ggml.merges", &["Ã ©"]);
    assert_eq!(
        ids(&writer.clone().text("tokenizer.ggml.pre", "qwen2"), "e\u{301}"),
        [3]
    );
    assert_eq!(ids(&writer.text("tokenizer.ggml.pre", "gpt-2"), "e\u{301}"), [4, 5, 6]);
}

#[test]
fn import_should_add_the_beginning_when_the_file_or_its_kind_says_so() {
    assert_eq!(ids(&bytes().flag("tokenizer.ggml.add_bos_token", true), "a"), [0, 2]);
    assert_eq!(ids(&bytes().text("tokenizer.ggml.pre", "llama-bpe"), "a"), [0, 2]);
    let neither = bytes()
        .text("tokenizer.ggml.pre", "llama-bpe")
        .flag("tokenizer.ggml.add_bos_token", false);
    assert_eq!(ids(&neither, "a"), [2]);
}

#[test]
fn import_should_add_the_end_when_the_file_says_so() {
    let writer = bytes()
        .flag("tokenizer.ggml.add_eos_token", true)
        .u32("tokenizer.ggml.eos_token_id", 0);
    assert_eq!(ids(&writer, "a"), [2, 0]);
}

#[test]
fn import_should_know_the_tokens_that_end_a_turn() {
    let writer = bytes()
        .u32("tokenizer.ggml.eos_token_id", 9)
        .u32("tokenizer.ggml.eot_token_id", 1);
    assert_eq!(imported(&writer).unwrap().eos, [0, 1, 9]);
}

#[test]
fn import_should_give_the_same_bytes_each_time() {
    assert_eq!(imported(&bytes()).unwrap(), imported(&bytes()).unwrap());
}

#[test]
fn import_should_list_what_is_supported_when_a_name_is_unknown() {
    let error = imported(&bytes().text("tokenizer.ggml.pre", "klingon"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("\"llama-bpe\"") && error.contains("\"klingon\""),
        "{error}"
    );
    let error = imported(&bytes().text("tokenizer.ggml.model", "bert"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("expected \"gpt2\" or \"llama\", got \"bert\""),
        "{error}"
    );
}

#[test]
fn import_should_fail_when_a_part_is_broken() {
    let cases = [
        (bytes().texts("tokenizer.ggml.merges", &["a c"]), "merges"),
        (bytes().texts("tokenizer.ggml.merges", &["b a"]), "merges"),
        (bytes().texts("tokenizer.ggml.merges", &["ab"]), "merges"),
        (bytes().texts("tokenizer.ggml.tokens", &["a", "a"]), "each token once"),
        (bytes().texts::<&str>("tokenizer.ggml.tokens", &[]), "tokens"),
        (
            bytes().texts("tokenizer.ggml.tokens", &["a".repeat(2000)]),
            "at most 1024 bytes",
        ),
        (bytes().i32s("tokenizer.ggml.token_type", &[1]), "token_type"),
        (bytes().i32s("tokenizer.ggml.token_type", &[7; 10]), "types from 1 to 6"),
        (bytes().u32("tokenizer.ggml.bos_token_id", 10), "bos_token_id"),
        (bytes().flag("tokenizer.ggml.add_eos_token", true), "eos_token_id"),
        (bytes().text("tokenizer.ggml.model", "llama"), "scores"),
        (
            bytes()
                .text("tokenizer.ggml.model", "llama")
                .f32s("tokenizer.ggml.scores", &[0.0; 10]),
            "every byte",
        ),
        (
            bytes()
                .text("tokenizer.ggml.model", "llama")
                .f32s("tokenizer.ggml.scores", &[f32::NAN; 10]),
            "finite",
        ),
    ];
    for (writer, expected) in cases {
        let error = imported(&writer).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn merges_should_go_by_score() {
    let tokens = ["a", "b", "c", "ab", "bc", "abc"].map(String::from);
    let ids = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| (token.as_str(), id))
        .collect();
    let scores = [0.0, 0.0, 0.0, -2.0, -1.0, -3.0];
    let merges = merges_of_scores(&tokens, &[Kind::Normal; 6], &scores, &ids).unwrap();
    let merges: Vec<(&str, &str)> = merges
        .iter()
        .map(|(left, right)| (left.as_str(), right.as_str()))
        .collect();
    assert_eq!(merges, [("b", "c"), ("a", "b"), ("ab", "c"), ("a", "bc")]);
}

#[test]
fn import_should_fail_when_tokens_are_beginnings_of_each_other() {
    // Half a megabyte of tokens would have 360 MB of merges
    let mut tokens: Vec<String> = (1..=1024).map(|length| "a".repeat(length)).collect();
    tokens.extend((0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>")));
    let writer = Writer::new("llama")
        .text("tokenizer.ggml.model", "llama")
        .f32s("tokenizer.ggml.scores", &vec![0.0; tokens.len()])
        .texts("tokenizer.ggml.tokens", &tokens);
    let error = imported(&writer).unwrap_err().to_string();
    assert!(error.contains("at most 64 times their bytes"), "{error}");
}
