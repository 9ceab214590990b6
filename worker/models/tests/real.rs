//! Real models against what other programs make of them (`tests/vectors/texts.py`).

#![allow(clippy::unwrap_used)]

mod support;

use assay_models::{
    config::{Config, Family},
    source::{gguf::Value, Gguf, Source, Weights},
    template::{ChatTemplate, Message},
    tokenizer::{Imported, Tokenizer},
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use support::Writer;

#[derive(Deserialize)]
struct Vectors {
    texts: Vec<String>,
    sets: Vec<Set>,
    chats: Vec<Chat>,
    weights: Vec<Tensor>,
    templates: BTreeMap<String, String>,
    conversations: BTreeMap<String, Vec<Said>>,
}

#[derive(Deserialize)]
struct Set {
    name: String,
    /// Of each text twice: with the tokens that frame it, and without.
    ids: Vec<Vec<u32>>,
    #[serde(default)]
    decoded: Vec<String>,
}

#[derive(Deserialize)]
struct Chat {
    template: String,
    chat: String,
    prompt: bool,
    text: String,
}

#[derive(Deserialize)]
struct Said {
    role: String,
    content: String,
}

#[derive(Deserialize)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    digest: u64,
}

fn vectors() -> Vectors {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/texts.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A model's folder, where `models/fetch` puts it.
fn folder(name: &str, file: &str) -> PathBuf {
    let models = std::env::var_os("ASSAY_MODELS").map(PathBuf::from).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").expect("HOME or ASSAY_MODELS must be set");
        Path::new(&home).join(".cache/assay/models")
    });
    let folder = models.join(name);
    assert!(
        folder.join(file).is_file(),
        "{}: expected the files of {name}, got none; `cargo xtask test` fetches them, or set ASSAY_MODELS",
        folder.display()
    );
    folder
}

fn smollm2() -> Gguf {
    Gguf::open(&folder("smollm2", "model.gguf").join("model.gguf")).unwrap()
}

fn texts<'a>(gguf: &'a Gguf, key: &str) -> &'a [String] {
    match gguf.value(key) {
        Some(Value::Texts(texts)) => texts,
        other => panic!("{key}: {other:?}"),
    }
}

/// The tokenizer in a GGUF file of this content.
fn in_gguf(writer: &Writer) -> Tokenizer {
    let source = Source::Gguf(Gguf::from_bytes(writer.build()).unwrap());
    let config = Config::from_json(
        br#"{"model_type":"llama","hidden_size":8,"num_hidden_layers":1,"num_attention_heads":1,
        "intermediate_size":8,"vocab_size":8,"max_position_embeddings":8}"#,
    );
    let imported = Imported::of(&source, &config.unwrap()).unwrap();
    Tokenizer::from_json(&imported.json, 1 << 17, 4096).unwrap()
}

/// Holds a tokenizer against the set of this name. Text that decoding gives back token by token is the same as at once.
fn assert_same_ids(tokenizer: &Tokenizer, vectors: &Vectors, name: &str) {
    let set = vectors.sets.iter().find(|set| set.name == name).unwrap();
    assert_eq!(set.ids.len(), 2 * vectors.texts.len());
    for (index, text) in vectors.texts.iter().enumerate() {
        for (special, expected) in [(true, &set.ids[2 * index]), (false, &set.ids[2 * index + 1])] {
            let got = tokenizer.encode(text, special).unwrap();
            assert_eq!(&got, expected, "{name}, special {special}: {text:?}");
        }
        if let Ok(mut decoder) = tokenizer.decoder(false) {
            let ids = &set.ids[2 * index + 1];
            let mut streamed: String = ids.iter().map(|id| decoder.push(*id)).collect();
            streamed.push_str(&decoder.finish());
            assert_eq!(streamed, tokenizer.decode(ids, false).unwrap(), "{name}: {text:?}");
        }
    }
    for (index, expected) in set.decoded.iter().enumerate() {
        assert_eq!(
            &tokenizer.decode(&set.ids[2 * index], true).unwrap(),
            expected,
            "{name}"
        );
    }
}

fn of_folder(name: &str) -> Tokenizer {
    let source = Source::open(&folder(name, "model.safetensors")).unwrap();
    let config = Config::of(&source).unwrap();
    let imported = Imported::of(&source, &config).unwrap();
    Tokenizer::from_json(&imported.json, config.vocabulary(), 4096).unwrap()
}

#[test]
fn minilm_ids_should_be_those_of_hugging_face() {
    assert_same_ids(&of_folder("minilm"), &vectors(), "minilm");
}

#[test]
fn stories15m_ids_should_be_those_of_hugging_face() {
    assert_same_ids(&of_folder("stories15m"), &vectors(), "stories15m");
}

#[test]
fn smollm2_ids_should_be_those_of_llama_cpp() {
    let source = Source::Gguf(smollm2());
    let config = Config::of(&source).unwrap();
    let imported = Imported::of(&source, &config).unwrap();
    assert_eq!((imported.bos, imported.eos), (Some(1), vec![0, 2]));
    let tokenizer = Tokenizer::from_json(&imported.json, config.vocabulary(), 4096).unwrap();
    assert_same_ids(&tokenizer, &vectors(), "smollm2");
    // Byte-level tokens are the text's bytes.
    for text in vectors().texts.iter().filter(|text| text.as_str() != "\u{fffd}") {
        let ids = tokenizer.encode(text, false).unwrap();
        assert_eq!(&tokenizer.decode(&ids, false).unwrap(), text);
    }
}

#[test]
fn ids_should_be_those_of_llama_cpp_however_text_is_cut() {
    let (vectors, gguf) = (vectors(), smollm2());
    let kinds: Vec<i32> = match gguf.value("tokenizer.ggml.token_type") {
        Some(Value::Integers(kinds)) => kinds.iter().map(|kind| *kind as i32).collect(),
        other => panic!("{other:?}"),
    };
    let writer = Writer::new("llama")
        .text("tokenizer.ggml.model", "gpt2")
        .texts("tokenizer.ggml.tokens", texts(&gguf, "tokenizer.ggml.tokens"))
        .i32s("tokenizer.ggml.token_type", &kinds)
        .texts("tokenizer.ggml.merges", texts(&gguf, "tokenizer.ggml.merges"))
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2);
    for pre in [
        "default",
        "gpt-2",
        "llama-bpe",
        "smaug-bpe",
        "qwen2",
        "stablelm2",
        "smollm",
        "falcon",
    ] {
        let tokenizer = in_gguf(&writer.clone().text("tokenizer.ggml.pre", pre));
        assert_same_ids(&tokenizer, &vectors, pre);
    }
}

#[test]
fn sentence_piece_ids_should_be_those_of_llama_cpp() {
    let json = std::fs::read(folder("stories15m", "tokenizer.json").join("tokenizer.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let mut tokens: Vec<(u64, &str)> = json["model"]["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(token, id)| (id.as_u64().unwrap(), token.as_str()))
        .collect();
    tokens.sort_unstable();
    let tokens: Vec<&str> = tokens.into_iter().map(|(_, token)| token).collect();
    let kinds: Vec<i32> = (0..tokens.len())
        .map(|id| [2, 3, 3].get(id).copied().unwrap_or(if id < 259 { 6 } else { 1 }))
        .collect();
    let scores: Vec<f32> = (0..tokens.len()).map(|id| -(id.saturating_sub(259) as f32)).collect();
    let writer = Writer::new("llama")
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &tokens)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .f32s("tokenizer.ggml.scores", &scores)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .u32("tokenizer.ggml.unknown_token_id", 0);
    assert_same_ids(&in_gguf(&writer), &vectors(), "sentencepiece");
}

#[test]
fn smollm2_weights_should_be_those_of_the_gguf_package() {
    let gguf = smollm2();
    for tensor in vectors().weights {
        assert_eq!(gguf.shape(&tensor.name).unwrap(), tensor.shape, "{}", tensor.name);
        let values = gguf.read_f32(&tensor.name).unwrap();
        let terms = values
            .iter()
            .zip(1_u64..)
            .map(|(value, number)| u64::from(value.to_bits()).wrapping_mul(number));
        assert_eq!(terms.fold(0, u64::wrapping_add), tensor.digest, "{}", tensor.name);
    }
}

#[test]
fn smollm2_config_should_be_read_from_its_metadata() {
    let Config::Decoder(config) = Config::from_gguf(&smollm2()).unwrap() else {
        panic!("no decoder")
    };
    assert_eq!(
        (config.family, config.hidden, config.layers, config.heads),
        (Family::Llama, 576, 30, 9)
    );
    assert_eq!(
        (config.kv_heads, config.head_dim, config.intermediate, config.vocab),
        (3, 64, 1536, 49152)
    );
    assert_eq!(
        (config.rope_theta, config.rms_eps, config.tied, config.max_positions),
        (100_000.0, 1e-5, true, 8192)
    );
}

#[test]
fn stories15m_should_have_the_tensors_that_its_config_says() {
    let source = Source::open(&folder("stories15m", "model.safetensors")).unwrap();
    let Config::Decoder(config) = Config::of(&source).unwrap() else {
        panic!("no decoder")
    };
    assert_eq!(source.names().len(), 9 * config.layers as usize + 2);
    let shape = source.shape("model.layers.5.mlp.down_proj.weight").unwrap();
    assert_eq!(shape, [config.hidden as usize, config.intermediate as usize]);
    assert_eq!(source.read_f32("model.norm.weight").unwrap().len(), 288);
}

#[test]
fn chat_texts_should_be_those_of_transformers() {
    let vectors = vectors();
    let gguf = smollm2();
    let mut templates = vectors.templates.clone();
    templates.insert(
        "smollm2".into(),
        gguf.value("tokenizer.chat_template").unwrap().as_text().unwrap().into(),
    );
    assert!(vectors.chats.len() >= 16);
    for chat in &vectors.chats {
        let template = ChatTemplate::new(&templates[&chat.template], "<s>", "</s>").unwrap();
        let said = &vectors.conversations[&chat.chat];
        let messages: Vec<Message> = said
            .iter()
            .map(|said| Message::new(&said.role, &said.content))
            .collect();
        let text = template.render(&messages, chat.prompt).unwrap();
        assert_eq!(
            text, chat.text,
            "{}, {}, prompt {}",
            chat.template, chat.chat, chat.prompt
        );
    }
}
