//! What configurations say, and why they are refused.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::support::Writer;
use serde_json::{json, Value};

fn minilm() -> Value {
    json!({
        "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": 384,
        "intermediate_size": 1536, "layer_norm_eps": 1e-12, "max_position_embeddings": 512,
        "num_attention_heads": 12, "num_hidden_layers": 6, "position_embedding_type": "absolute",
        "type_vocab_size": 2, "vocab_size": 30522,
    })
}

/// Llama 3.2 1B's.
fn llama() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "bos_token_id": 128000,
        "eos_token_id": [128001, 128008, 128009], "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048,
        "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama",
        "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                         "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "rope_theta": 500000.0, "tie_word_embeddings": true, "vocab_size": 128256,
    })
}

/// Qwen2.5 0.5B's.
fn qwen2() -> Value {
    json!({
        "architectures": ["Qwen2ForCausalLM"], "bos_token_id": 151643, "eos_token_id": 151645, "hidden_act": "silu",
        "hidden_size": 896, "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 21,
        "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true,
        "use_sliding_window": false, "vocab_size": 151936,
    })
}

fn parse(config: &Value) -> Result<Config, ConfigError> {
    Config::from_json(config.to_string().as_bytes())
}

fn decoder(config: &Value) -> DecoderConfig {
    match parse(config).unwrap() {
        Config::Decoder(config) => config,
        other => panic!("{other:?}"),
    }
}

fn bert(config: &Value) -> BertConfig {
    match parse(config).unwrap() {
        Config::Bert(config) => config,
        other => panic!("{other:?}"),
    }
}

/// The field that is named when `field` of `config` has this value.
fn field_refused(mut config: Value, field: &str, value: Value) -> String {
    config[field] = value;
    match parse(&config) {
        Err(ConfigError::Field { field, .. }) => field,
        other => panic!("{field}: {other:?}"),
    }
}

#[test]
fn parse_should_read_a_bert() {
    let config = bert(&minilm());
    assert_eq!(
        (config.hidden, config.layers, config.heads, config.vocab),
        (384, 6, 12, 30522)
    );
    assert_eq!(
        (config.norm_eps, config.max_sequence, config.pooling),
        (1e-12, 512, Pooling::Mean)
    );
}

#[test]
fn parse_should_know_the_activations_of_bert() {
    for (name, activation) in [
        ("gelu", Activation::Gelu),
        ("gelu_pytorch_tanh", Activation::GeluTanh),
        ("relu", Activation::Relu),
    ] {
        let mut config = minilm();
        config["hidden_act"] = json!(name);
        assert_eq!(bert(&config).activation, activation);
    }
}

#[test]
fn parse_should_read_a_llama_with_scaled_positions() {
    let config = decoder(&llama());
    assert_eq!(
        (config.kv_heads, config.head_dim, config.tied, config.qkv_bias),
        (8, 64, true, false)
    );
    assert_eq!((config.bos, config.eos), (Some(128000), vec![128001, 128008, 128009]));
    let scaling = RopeScaling::Llama3 {
        factor: 32.0,
        low_frequency: 1.0,
        high_frequency: 4.0,
        original_positions: 8192,
    };
    assert_eq!((config.rope_theta, config.rope_scaling), (500_000.0, Some(scaling)));
}

#[test]
fn parse_should_read_a_qwen2() {
    let config = decoder(&qwen2());
    assert_eq!(
        (config.family, config.head_dim, config.qkv_bias),
        (Family::Qwen2, 64, true)
    );
    assert_eq!((config.rope_theta, config.rope_scaling), (1_000_000.0, None));
}

#[test]
fn qwen2_should_be_recommended_more_bits_than_others() {
    let recommended = |json: &Value| Config::Decoder(decoder(json)).recommended().to_string();
    assert_eq!(recommended(&qwen2()), "w16a24");
    assert_eq!(recommended(&llama()), "w8a16");
}

#[test]
fn parse_should_read_rope_parameters_as_newer_files_have_them() {
    let mut config = llama();
    let mut parameters = config["rope_scaling"].take();
    parameters["rope_theta"] = json!(12345.0);
    config["rope_parameters"] = parameters;
    config["rope_theta"].take();
    let config = decoder(&config);
    assert!(matches!(config.rope_scaling, Some(RopeScaling::Llama3 { .. })));
    assert_eq!(config.rope_theta, 12345.0);
}

#[test]
fn parse_should_name_the_field_when_a_bert_is_not_supported() {
    for (field, value) in [
        ("model_type", json!("roberta")),
        ("architectures", json!(["BertForSequenceClassification"])),
        ("is_decoder", json!(true)),
        ("position_embedding_type", json!("relative_key")),
        ("hidden_act", json!("silu")),
        ("hidden_size", json!(0)),
        ("num_attention_heads", json!(7)),
        ("num_hidden_layers", json!(100_000)),
        ("vocab_size", json!("many")),
        ("layer_norm_eps", json!(0)),
    ] {
        assert_eq!(field_refused(minilm(), field, value), field);
    }
}

#[test]
fn parse_should_name_the_field_when_a_decoder_is_not_supported() {
    for (field, value) in [
        ("model_type", json!("mistral")),
        ("architectures", json!(["LlamaForSequenceClassification"])),
        ("hidden_act", json!("gelu")),
        ("attention_bias", json!(true)),
        ("mlp_bias", json!(true)),
        ("use_sliding_window", json!(true)),
        ("pretraining_tp", json!(2)),
        ("layer_types", json!(["full_attention", "sliding_attention"])),
        ("quantization_config", json!({"quant_method": "awq"})),
        ("rope_scaling", json!({"rope_type": "yarn", "factor": 4.0})),
        ("rope_scaling", json!({"type": "linear", "factor": 2.0})),
        ("num_key_value_heads", json!(5)),
        ("head_dim", json!(63)),
        ("hidden_size", json!(1_u64 << 40)),
        ("vocab_size", json!(1 << 18)),
        ("rms_norm_eps", json!(-1e-5)),
        ("rope_theta", json!(1e60)),
        ("eos_token_id", json!([1, 128256])),
        ("max_position_embeddings", json!(-1)),
    ] {
        assert_eq!(field_refused(llama(), field, value), field);
    }
}

#[test]
fn parse_should_list_what_is_supported_when_the_family_is_another() {
    let error = Config::from_json(br#"{"model_type":"gpt_neox"}"#)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        r#"config.json: `model_type`: expected "bert", "llama" or "qwen2", got "gpt_neox""#
    );
}

#[test]
fn parse_should_fail_when_the_file_is_no_object() {
    for json in [&b"{"[..], b"[]", b"\xff"] {
        assert!(matches!(Config::from_json(json), Err(ConfigError::Json { .. })));
    }
}

fn in_folder(files: &[(&str, Value)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content.to_string()).unwrap();
    }
    Config::from_folder(folder.path())
}

#[test]
fn folder_should_say_how_sentences_are_pooled_and_how_long_they_are() {
    let pooling = json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false});
    let files = [
        ("config.json", minilm()),
        ("1_Pooling/config.json", pooling),
        ("sentence_bert_config.json", json!({"max_seq_length": 256})),
    ];
    match in_folder(&files).unwrap() {
        Config::Bert(config) => assert_eq!((config.pooling, config.max_sequence), (Pooling::First, 256)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn folder_should_be_refused_when_pooling_is_another() {
    for pooling in [
        json!({"pooling_mode_max_tokens": true}),
        json!({}),
        json!({"pooling_mode": "lasttoken"}),
    ] {
        let files = [("config.json", minilm()), ("1_Pooling/config.json", pooling)];
        assert!(matches!(in_folder(&files), Err(ConfigError::Field { .. })));
    }
}

#[test]
fn folder_should_take_ends_of_text_from_the_generation_config() {
    let files = [
        ("config.json", qwen2()),
        ("generation_config.json", json!({"eos_token_id": [151645, 151643]})),
    ];
    match in_folder(&files).unwrap() {
        Config::Decoder(config) => assert_eq!(config.eos, [151645, 151643]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn folder_should_say_what_is_missing_when_there_is_no_config() {
    let error = in_folder(&[]).unwrap_err().to_string();
    assert!(
        error.contains("config.json") && error.contains("no such file"),
        "{error}"
    );
}

fn gguf(writer: &Writer) -> Result<DecoderConfig, ConfigError> {
    match Config::from_gguf(&Gguf::from_bytes(writer.build()).unwrap())? {
        Config::Decoder(config) => Ok(config),
        other => panic!("{other:?}"),
    }
}

#[test]
fn gguf_should_be_read_as_a_decoder() {
    let writer = Writer::model("llama")
        .f32("llama.rope.freq_base", 1e5)
        .u32("tokenizer.ggml.eos_token_id", 2);
    let config = gguf(&writer).unwrap();
    assert_eq!(
        (
            config.hidden,
            config.layers,
            config.heads,
            config.kv_heads,
            config.head_dim
        ),
        (64, 2, 4, 2, 16)
    );
    assert_eq!((config.intermediate, config.vocab, config.max_positions), (96, 32, 128));
    assert_eq!(
        (config.rms_eps, config.rope_theta, config.rope_scaling),
        (1e-5, 1e5, None)
    );
    assert_eq!(
        (config.tied, config.qkv_bias, config.bos, config.eos),
        (true, false, None, vec![2])
    );
}

#[test]
fn gguf_should_have_its_own_output_layer_when_there_is_one() {
    assert!(
        !gguf(&Writer::model("llama").floats("output.weight", 32, 64))
            .unwrap()
            .tied
    );
}

#[test]
fn gguf_should_have_biases_when_the_tensors_are_there() {
    let mut writer = Writer::model("qwen2");
    for (name, rows) in [("attn_q", 64), ("attn_k", 32), ("attn_v", 32)] {
        writer = writer.floats(&format!("blk.0.{name}.bias"), rows, 0);
    }
    assert!(gguf(&writer).unwrap().qkv_bias);
    let error = gguf(&writer.floats("blk.0.attn_output.bias", 64, 0))
        .unwrap_err()
        .to_string();
    assert!(error.contains("o_proj.bias"), "{error}");
}

#[test]
fn gguf_should_scale_frequencies_by_factors() {
    let factors: Vec<u8> = [1_f32, 1., 1., 1., 2., 3., 4., 4.]
        .iter()
        .flat_map(|f| f.to_le_bytes())
        .collect();
    let writer = Writer::model("llama").tensor("rope_freqs.weight", &[8], 0, &factors);
    let expected = RopeScaling::Factors(vec![1., 1., 1., 1., 2., 3., 4., 4.]);
    assert_eq!(gguf(&writer).unwrap().rope_scaling, Some(expected));

    let writer = Writer::model("llama").tensor("rope_freqs.weight", &[7], 0, &factors[4..]);
    assert!(gguf(&writer).unwrap_err().to_string().contains("8 positive numbers"));
}

#[test]
fn gguf_should_be_refused_when_it_says_what_is_not_supported() {
    let model = || Writer::model("llama");
    let cases = [
        (model().u32("llama.block_count", 0), "llama.block_count"),
        (
            model()
                .u32("llama.attention.head_count_kv", 4)
                .u32("llama.attention.key_length", 15),
            "key_length",
        ),
        (
            model().u32("llama.rope.dimension_count", 8),
            "llama.rope.dimension_count",
        ),
        (model().u32("llama.expert_count", 8), "llama.expert_count"),
        (
            model().text("llama.rope.scaling.type", "yarn"),
            "llama.rope.scaling.type",
        ),
        (
            model().f32("llama.attention.layer_norm_rms_epsilon", f32::NAN),
            "layer_norm_rms_epsilon",
        ),
        (model().u32("llama.embedding_length", 32), "token_embd.weight"),
        (
            model().u32("tokenizer.ggml.bos_token_id", 32),
            "tokenizer.ggml.bos_token_id",
        ),
        (model().text("llama.context_length", "long"), "llama.context_length"),
    ];
    for (writer, field) in cases {
        let error = gguf(&writer).unwrap_err().to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
}
