//! No target: writes what each of the others begins with into `corpus/`, small inputs that are accepted, so that changes
//! of them get deep.
//!
//! It is run as a target is, so that nothing has to be built twice.

#![no_main]

#[path = "../../worker/models/tests/support/mod.rs"]
mod support;

use assay_exact::{
    opening::{Digest, HashMode, Opening},
    product::Class,
    program::Program,
    trace::{DigestList, RecordSpan, TensorPath, TraceBuilder},
};
use assay_fuzz::parts::join;
use assay_models::{import, package::PROGRAM};
use assay_programs::{
    attention::Heads,
    family::{
        bert::{Encoder, Pooling},
        conv::{Convolution, Convolutional},
        decoder::{Decoder, Purpose},
        mlp::Mlp,
        Precision,
    },
    layer::Activation,
    training::{Adapters, Optimiser, Schedule, Sequences, Settings, Storage, Window},
};
use codec::Encode;
use std::{fmt::Display, fs, path::Path};
use support::Writer;

/// What went wrong, in words.
struct Failure(String);

impl<E: Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

type Anything = Result<(), Failure>;

/// Writes an input of a target.
fn put(target: &str, name: &str, content: impl AsRef<[u8]>) -> Anything {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), content)?;
    Ok(())
}

/// Bytes without meaning, for targets that choose by them.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

const SETTINGS: Settings = Settings {
    optimiser: Optimiser::ADAM_W,
    schedule: Schedule::Cosine { floor: 0.1 },
    clip: true,
};

fn encoder() -> Encoder {
    Encoder {
        vocabulary: 10,
        positions: 16,
        types: 2,
        width: 8,
        layers: 2,
        heads: 2,
        inner: 12,
        activation: Activation::Gelu,
        epsilon: 1e-12,
        pooling: Pooling::Mean,
    }
}

fn decoder() -> Decoder {
    Decoder {
        vocabulary: 6,
        width: 6,
        layers: 2,
        heads: Heads {
            queries: 4,
            keys: 2,
            dimension: 4,
        },
        inner: 5,
        epsilon: 1e-3,
        qkv_bias: true,
        tied: false,
    }
}

fn programs() -> Result<Vec<(&'static str, Program)>, Failure> {
    let mlp = Mlp {
        widths: vec![4, 7, 3],
        activation: Activation::Relu,
        norm: Some(1e-3),
    };
    let convolutional = Convolutional {
        height: 6,
        width: 6,
        channels: 2,
        convolutions: vec![Convolution {
            channels: 3,
            window: Window {
                size: 3,
                stride: 1,
                padding: 1,
            },
            pool: 2,
        }],
        activation: Activation::Relu,
        classes: 3,
    };
    let sequences = Sequences { count: 2, length: 3 };
    let adapters = Adapters {
        rank: 2,
        alpha: 4.0,
        attention: true,
        gated: false,
    };
    let one = Decoder { layers: 1, ..decoder() };
    Ok(vec![
        ("encoder", encoder().program(Precision::W8A16)?),
        ("encoder-wide", encoder().program(Precision::W16A24)?),
        ("decoder", decoder().program(Precision::W8A16, Purpose::Generate)?),
        ("decoder-scores", decoder().program(Precision::W8A8, Purpose::Score)?),
        ("mlp", mlp.training(2, &SETTINGS)?.program),
        ("mlp-evaluation", mlp.evaluation(2)?),
        ("conv", convolutional.training(2, &SETTINGS)?.program),
        (
            "adapters",
            one.training(sequences, Storage::Integers(Class::Int8), Some(adapters), &SETTINGS)?
                .program,
        ),
    ])
}

fn exact() -> Anything {
    for (name, program) in programs()? {
        put("program", name, program.to_bytes())?;
    }
    for seed in 0..24 {
        for target in ["execution", "engine", "referee"] {
            put(target, &format!("noise-{seed}"), noise(seed, 64 << (seed % 5)))?;
        }
        put("opening", &format!("noise-{seed}"), noise(seed, 64))?;
        put("trace", &format!("noise-{seed}"), noise(seed, 256))?;
    }
    let blob = noise(1, 70_000);
    for (name, ranges) in [
        ("first", vec![0..1]),
        ("last", vec![69_999..70_000]),
        ("two", vec![0..4_000, 9_000..9_001]),
    ] {
        let opening = Opening::create(&blob, &ranges, &HashMode::Plain)?.encode();
        put(
            "opening",
            name,
            [vec![0], (blob.len() as u64).to_le_bytes().into(), opening].concat(),
        )?;
    }
    let digests = [Digest([1; 32]); 3];
    let mut builder = TraceBuilder::new(RecordSpan::new(4, 2)?, Digest::default(), HashMode::Plain);
    let segments = [builder.segment(&digests)?, builder.segment(&digests)?];
    let trace = builder.complete(Digest::default())?;
    put("trace", "trace", trace.to_bytes())?;
    let record = &segments[..1];
    let path = TensorPath::create(&trace, (1, record), (0, &digests), 2, &HashMode::Plain)?;
    put("trace", "path", path.encode())?;
    let list = DigestList::Segment.open(&digests, 1, &HashMode::Plain)?;
    put("trace", "list", list.encode())
}

/// A tokenizer of bytes; one of SentencePiece if `pieces`.
fn with_tokenizer(writer: Writer, pieces: bool) -> Writer {
    let writer = writer
        .u32("tokenizer.ggml.bos_token_id", 0)
        .u32("tokenizer.ggml.eos_token_id", 1)
        .text("tokenizer.chat_template", TEMPLATES[0].1);
    if !pieces {
        let mut tokens = vec![
            "<|end|>".to_string(),
            "<tool>".into(),
            "a".into(),
            "b".into(),
            "Ġ".into(),
            "ab".into(),
        ];
        tokens.extend((tokens.len()..32).map(|number| format!("t{number}")));
        return writer
            .text("tokenizer.ggml.model", "gpt2")
            .text("tokenizer.ggml.pre", "smollm")
            .texts("tokenizer.ggml.tokens", &tokens)
            .i32s("tokenizer.ggml.token_type", &[vec![3, 4], vec![1; 30]].concat())
            .texts("tokenizer.ggml.merges", &["a b"]);
    }
    let mut tokens = vec![
        "<s>".to_string(),
        "</s>".into(),
        "▁".into(),
        "a".into(),
        "b".into(),
        "ab".into(),
        "▁ab".into(),
    ];
    tokens.extend((0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>")));
    let scores: Vec<f32> = (0..tokens.len()).map(|at| -(at as f32)).collect();
    writer
        .text("tokenizer.ggml.model", "llama")
        .texts("tokenizer.ggml.tokens", &tokens)
        .f32s("tokenizer.ggml.scores", &scores)
        .i32s(
            "tokenizer.ggml.token_type",
            &[vec![3, 3], vec![1; 5], vec![6; 256]].concat(),
        )
}

/// A llama of one layer with as many tokens.
fn small(tokens: u64) -> Writer {
    let mut writer = Writer::new("llama");
    for (name, size) in [
        ("embedding_length", 4),
        ("block_count", 1),
        ("attention.head_count", 2),
        ("feed_forward_length", 4),
        ("context_length", 16),
    ] {
        writer = writer.u32(&format!("llama.{name}"), size);
    }
    writer = writer
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .floats("token_embd.weight", tokens, 4)
        .floats("output_norm.weight", 4, 0);
    for name in [
        "attn_q",
        "attn_k",
        "attn_v",
        "attn_output",
        "ffn_gate",
        "ffn_up",
        "ffn_down",
    ] {
        writer = writer.floats(&format!("blk.0.{name}.weight"), 4, 4);
    }
    writer
        .floats("blk.0.attn_norm.weight", 4, 0)
        .floats("blk.0.ffn_norm.weight", 4, 0)
}

fn sources() -> Anything {
    put("gguf", "bytes", with_tokenizer(small(32), false).build())?;
    put("gguf", "pieces", with_tokenizer(small(263), true).build())?;
    let blocks = |bytes: usize| vec![1; bytes];
    let encoded = Writer::new("qwen2")
        .tensor("token_embd.weight", &[1, 256], 12, &blocks(144))
        .tensor("output.weight", &[1, 256], 14, &blocks(210))
        .tensor("blk.0.attn_q.weight", &[1, 256], 13, &blocks(176))
        .tensor("blk.0.attn_k.weight", &[1, 32], 8, &blocks(34))
        .tensor("blk.0.attn_v.weight", &[1, 32], 2, &blocks(18))
        .tensor("blk.0.ffn_up.weight", &[1, 32], 7, &blocks(24))
        .tensor("output_norm.weight", &[8], 1, &blocks(16))
        .u32("general.alignment", 32);
    put("gguf", "encodings", encoded.build())?;
    let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[4,2],"data_offsets":[0,32]},"b":{"dtype":"F16","shape":[16],"data_offsets":[32,64]},"c":{"dtype":"I64","shape":[1],"data_offsets":[64,72]},"d":{"dtype":"BF16","shape":[],"data_offsets":[72,74]}}"#;
    put("safetensors", "small", support::safetensors(header, &[1; 74]))
}

const CONFIGS: [(&str, &str); 3] = [
    (
        "bert",
        r#"{"architectures":["BertModel"],"model_type":"bert","hidden_act":"gelu","hidden_size":8,"intermediate_size":12,"layer_norm_eps":1e-12,"max_position_embeddings":16,"num_attention_heads":2,"num_hidden_layers":1,"type_vocab_size":2,"vocab_size":10}"#,
    ),
    (
        "llama",
        r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_act":"silu","hidden_size":8,"intermediate_size":12,"rms_norm_eps":1e-5,"max_position_embeddings":16,"num_attention_heads":2,"num_key_value_heads":1,"head_dim":4,"num_hidden_layers":2,"vocab_size":10,"tie_word_embeddings":true,"bos_token_id":1,"eos_token_id":[2,3],"rope_theta":10000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8}}"#,
    ),
    (
        "qwen2",
        r#"{"architectures":["Qwen2ForCausalLM"],"model_type":"qwen2","hidden_size":8,"intermediate_size":12,"max_position_embeddings":16,"num_attention_heads":2,"num_hidden_layers":1,"vocab_size":10,"use_sliding_window":false,"layer_types":["full_attention"],"rope_parameters":{"rope_type":"default","rope_theta":1000000.0}}"#,
    ),
];

const TEMPLATES: [(&str, &str); 4] = [
    (
        "turns",
        "{{ bos_token }}{% for m in messages %}{%- if m['role'] == 'user' %}\nU:{{ m.content.strip() }}\n{% else %}\nA:{{ m['content'] | trim }}{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}>{% endif %}",
    ),
    (
        "namespace",
        "{% set ns = namespace(n=0, text='') %}{% for m in messages %}{% if loop.index0 % 2 == 0 and not loop.last %}{% set ns.n = ns.n + 1 %}{% set ns.text = ns.text ~ m.content[1:] %}{% endif %}{% endfor %}{{ ns.n }}{{ ns.text | upper | replace('I', 'ii') }}{{ messages | tojson(indent=2) }}",
    ),
    (
        "macros",
        "{% macro turn(role, text) %}<|{{ role }}|>{{ text }}{% endmacro %}{%- generation -%}{% for m in messages | reverse %}{{ turn(m.role, m.content.split(' ') | join('-')) }}{% endfor %}{% endgeneration %}{{ raise_exception('no') if messages | length > 9 }}",
    ),
    (
        "methods",
        "{{ 'a-b'.split('-')[0].title() }}{{ {'a': [1, 2.5, none, true]}.items() | list }}{% for k, v in {'x': 1}.items() %}{{ k }}{{ '%s' | format(v) }}{% break %}{% endfor %}{{ range(3) | map('string') | join(',') }}{{ messages[0].content.startswith('B') and messages[-1]['role'] in ['user', 'assistant'] }}",
    ),
];

fn texts() -> Anything {
    for (name, config) in CONFIGS {
        put("config", name, config)?;
    }
    for (name, template) in TEMPLATES {
        put("template", name, template)?;
    }
    for (name, json) in tokenizers() {
        put("tokenizer", name, json)?;
    }
    Ok(())
}

/// Tokenizers of each kind of model, with as many kinds of parts as there are.
fn tokenizers() -> Vec<(&'static str, String)> {
    let whole = |normalizer: &str, pre: &str, post: &str, decoder: &str, model: &str| {
        format!(
            r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{{"id":0,"content":"<s>","single_word":false,"lstrip":false,"rstrip":true,"normalized":false,"special":true}}],"normalizer":{normalizer},"pre_tokenizer":{pre},"post_processor":{post},"decoder":{decoder},"model":{model}}}"#
        )
    };
    let bytes = r#"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":true}"#;
    let template = r#"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]}}}"#;
    let fallback = r#"{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}"#;
    vec![
        (
            "bpe",
            whole(
                r#"{"type":"NFC"}"#,
                &format!(
                    r#"{{"type":"Sequence","pretokenizers":[{{"type":"Split","pattern":{{"Regex":"\\p{{N}}{{1,3}}|\\s+(?!\\S)|\\s+"}},"behavior":"Isolated","invert":false}},{{"type":"Digits","individual_digits":true}},{bytes}]}}"#
                ),
                template,
                bytes,
                r#"{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":true,"vocab":{"<s>":0,"a":1,"b":2,"ab":3,"Ġ":4},"merges":[["a","b"]]}"#,
            ),
        ),
        (
            "fallback",
            whole(
                r#"{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"},{"type":"Lowercase"},{"type":"StripAccents"},{"type":"NFKD"},{"type":"Strip","strip_left":true,"strip_right":true}]}"#,
                r#"{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}"#,
                r#"{"type":"Sequence","processors":[{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}]}"#,
                fallback,
                r#"{"type":"BPE","dropout":null,"unk_token":"<s>","continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":true,"byte_fallback":true,"ignore_merges":false,"vocab":{"<s>":0,"a":1,"b":2,"ab":3,"▁":4,"<0x41>":5},"merges":["a b"]}"#,
            ),
        ),
        (
            "wordpiece",
            whole(
                r#"{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}"#,
                r#"{"type":"BertPreTokenizer"}"#,
                r#"{"type":"BertProcessing","sep":["b",2],"cls":["a",1]}"#,
                r#"{"type":"WordPiece","prefix":"\u0023\u0023","cleanup":true}"#,
                r###"{"type":"WordPiece","unk_token":"<s>","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"<s>":0,"a":1,"b":2,"##b":3}}"###,
            ),
        ),
        (
            "unigram",
            whole(
                r#"{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}"#,
                r#"{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Punctuation","behavior":"Isolated"},{"type":"CharDelimiterSplit","delimiter":"-"},{"type":"UnicodeScripts"}]}"#,
                r#"{"type":"RobertaProcessing","sep":["b",2],"cls":["a",1],"trim_offsets":true,"add_prefix_space":true}"#,
                r#"{"type":"CTC","pad_token":"<pad>","word_delimiter_token":"|","cleanup":true}"#,
                r#"{"type":"Unigram","unk_id":0,"vocab":[["<s>",0.0],["a",-1.0],["b",-2.0],["ab",-1.5]],"byte_fallback":false}"#,
            ),
        ),
        (
            "wordlevel",
            whole(
                "null",
                r#"{"type":"Whitespace"}"#,
                "null",
                r#"{"type":"BPEDecoder","suffix":"</w>"}"#,
                r#"{"type":"WordLevel","unk_token":"<s>","vocab":{"<s>":0,"a":1}}"#,
            ),
        ),
    ]
}

/// A folder with a model and what it becomes.
fn packages() -> Anything {
    let folder = std::env::temp_dir().join(format!("assay-seeds-{}", std::process::id()));
    let (model, package) = (folder.join("model"), folder.join("package"));
    fs::create_dir_all(&model)?;
    support::bert(&model);
    let imported = import(&model, "tiny", Precision::W8A16, &package)?;
    let program = fs::read(package.join(PROGRAM))?;
    put("package", "encoder", join(&[imported.manifest.to_bytes(), program]))?;
    let generates = String::from_utf8(imported.manifest.to_bytes())?.replace("embed", "generate");
    let program = decoder().program(Precision::W8A16, Purpose::Generate)?.to_bytes();
    put("package", "decoder", join(&[generates.into_bytes(), program]))?;

    let file = fs::read(model.join("model.safetensors"))?;
    let length = file
        .first_chunk()
        .map_or(0, |length| u64::from_le_bytes(*length) as usize);
    let header = &file[8..8 + length];
    let pooling = br#"{"pooling_mode_mean_tokens":true}"#;
    let sentence = br#"{"max_seq_length":8}"#;
    let [config, tokenizer] =
        ["config.json", "tokenizer.json"].map(|name| fs::read(model.join(name)).unwrap_or_default());
    let parts: [&[u8]; 8] = [&config, &tokenizer, b"{}", b"", pooling, b"", sentence, header];
    put("import", "encoder", join(&parts))?;

    // A decoder's weights, as its configuration says
    let config = CONFIGS[2].1;
    let (mut entries, mut end) = (serde_json::Map::new(), 0);
    for (name, shape) in [
        ("model.embed_tokens.weight", vec![10, 8]),
        ("model.norm.weight", vec![8]),
        ("lm_head.weight", vec![10, 8]),
        ("model.layers.0.input_layernorm.weight", vec![8]),
        ("model.layers.0.post_attention_layernorm.weight", vec![8]),
        ("model.layers.0.self_attn.q_proj.weight", vec![8, 8]),
        ("model.layers.0.self_attn.k_proj.weight", vec![8, 8]),
        ("model.layers.0.self_attn.v_proj.weight", vec![8, 8]),
        ("model.layers.0.self_attn.o_proj.weight", vec![8, 8]),
        ("model.layers.0.self_attn.q_proj.bias", vec![8]),
        ("model.layers.0.self_attn.k_proj.bias", vec![8]),
        ("model.layers.0.self_attn.v_proj.bias", vec![8]),
        ("model.layers.0.mlp.gate_proj.weight", vec![12, 8]),
        ("model.layers.0.mlp.up_proj.weight", vec![12, 8]),
        ("model.layers.0.mlp.down_proj.weight", vec![8, 12]),
    ] {
        let begin = end;
        end += 4 * shape.iter().product::<usize>();
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [begin, end]});
        entries.insert(name.into(), entry);
    }
    let header = serde_json::Value::from(entries).to_string();
    let settings =
        r#"{"bos_token":null,"eos_token":{"content":"a"},"chat_template":[{"name":"default","template":"{{ 1 }}"}]}"#;
    let generation = r#"{"bos_token_id":1,"eos_token_id":[2]}"#;
    let parts: [&[u8]; 8] = [
        config.as_bytes(),
        &tokenizer,
        settings.as_bytes(),
        generation.as_bytes(),
        b"",
        b"{{ messages | tojson }}",
        b"",
        header.as_bytes(),
    ];
    put("import", "decoder", join(&parts))?;
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// By the number of what is read, and bytes.
fn types() -> Anything {
    let job = r#"{"artifact":1,"input":{"hash":"0x0101010101010101010101010101010101010101010101010101010101010101","size":12},"sequences":1,"maxTokens":2}"#;
    put("types", "spec-json", [&[8], job.as_bytes()].concat())?;
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    put("types", "tokens", [vec![0], words(&[2, 1, 2, 7, 8, 9])].concat())?;
    for kind in 1..14u8 {
        put("types", &format!("zeros-{kind}"), [vec![kind], vec![0; 160]].concat())?;
        put(
            "types",
            &format!("ones-{kind}"),
            [vec![kind], vec![4], vec![1; 300]].concat(),
        )?;
    }
    Ok(())
}

fn write() -> Anything {
    exact()?;
    sources()?;
    texts()?;
    packages()?;
    types()
}

/// Writes all, and ends.
fn write_and_exit() {
    match write() {
        Ok(()) => std::process::exit(0),
        Err(Failure(error)) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}

libfuzzer_sys::fuzz_target!(init: write_and_exit(), |_data: &[u8]| ());
