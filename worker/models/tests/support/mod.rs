//! Writes GGUF and safetensors files for tests.

#![allow(dead_code, reason = "no test uses all of it")]

/// A GGUF file in the making.
#[derive(Clone, Default)]
pub(crate) struct Writer {
    values: Vec<Vec<u8>>,
    tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.bytes());
    bytes
}

impl Writer {
    /// With the family alone.
    pub(crate) fn new(architecture: &str) -> Self {
        Self::default().text("general.architecture", architecture)
    }

    /// A llama of two layers: hidden 64, 4 heads, 2 of keys and values, 32 tokens; all in F32, small numbers.
    pub(crate) fn model(architecture: &str) -> Self {
        let key = |name: &str| format!("{architecture}.{name}");
        let mut writer = Self::new(architecture)
            .u32(&key("embedding_length"), 64)
            .u32(&key("block_count"), 2)
            .u32(&key("attention.head_count"), 4)
            .u32(&key("attention.head_count_kv"), 2)
            .u32(&key("feed_forward_length"), 96)
            .u32(&key("context_length"), 128)
            .f32(&key("attention.layer_norm_rms_epsilon"), 1e-5);
        for (name, rows, columns) in [("token_embd", 32, 64), ("output_norm", 64, 0)] {
            writer = writer.floats(&format!("{name}.weight"), rows, columns);
        }
        for layer in 0..2 {
            for (name, rows, columns) in [
                ("attn_norm", 64, 0),
                ("attn_q", 64, 64),
                ("attn_k", 32, 64),
                ("attn_v", 32, 64),
                ("attn_output", 64, 64),
                ("ffn_norm", 64, 0),
                ("ffn_gate", 96, 64),
                ("ffn_up", 96, 64),
                ("ffn_down", 64, 96),
            ] {
                writer = writer.floats(&format!("blk.{layer}.{name}.weight"), rows, columns);
            }
        }
        writer
    }

    /// Any value: its type and its bytes.
    pub(crate) fn value(mut self, key: &str, kind: u32, bytes: &[u8]) -> Self {
        let mut value = text(key);
        // The last value of a key is the one that counts.
        self.values.retain(|other| !other.starts_with(&value));
        value.extend(kind.to_le_bytes());
        value.extend(bytes);
        self.values.push(value);
        self
    }

    pub(crate) fn u32(self, key: &str, number: u32) -> Self {
        self.value(key, 4, &number.to_le_bytes())
    }

    pub(crate) fn f32(self, key: &str, number: f32) -> Self {
        self.value(key, 6, &number.to_le_bytes())
    }

    pub(crate) fn flag(self, key: &str, value: bool) -> Self {
        self.value(key, 7, &[value.into()])
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        self.value(key, 8, &text(value))
    }

    fn array(self, key: &str, kind: u32, count: usize, bytes: impl Iterator<Item = u8>) -> Self {
        let mut array = kind.to_le_bytes().to_vec();
        array.extend((count as u64).to_le_bytes());
        array.extend(bytes);
        self.value(key, 9, &array)
    }

    pub(crate) fn texts<T: AsRef<str>>(self, key: &str, values: &[T]) -> Self {
        self.array(
            key,
            8,
            values.len(),
            values.iter().flat_map(|value| text(value.as_ref())),
        )
    }

    pub(crate) fn i32s(self, key: &str, values: &[i32]) -> Self {
        self.array(
            key,
            5,
            values.len(),
            values.iter().flat_map(|value| value.to_le_bytes()),
        )
    }

    pub(crate) fn f32s(self, key: &str, values: &[f32]) -> Self {
        self.array(
            key,
            6,
            values.len(),
            values.iter().flat_map(|value| value.to_le_bytes()),
        )
    }

    /// A tensor of any type: dimensions with the outermost first.
    pub(crate) fn tensor(mut self, name: &str, shape: &[u64], kind: u32, data: &[u8]) -> Self {
        self.tensors
            .push((name.into(), shape.iter().rev().copied().collect(), kind, data.into()));
        self
    }

    /// A tensor of F32 0, 1/64, 2/64, …; of one dimension if `columns` is 0.
    pub(crate) fn floats(self, name: &str, rows: u64, columns: u64) -> Self {
        let numbers = (0..rows * columns.max(1)).map(|i| (i % 1024) as f32 / 64.0);
        let data: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        let shape = if columns == 0 { vec![rows] } else { vec![rows, columns] };
        self.tensor(name, &shape, 0, &data)
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3_u32.to_le_bytes());
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend((self.values.len() as u64).to_le_bytes());
        file.extend(self.values.iter().flatten());
        let mut offset = 0;
        for (name, shape, kind, data) in &self.tensors {
            file.extend(text(name));
            file.extend((shape.len() as u32).to_le_bytes());
            file.extend(shape.iter().flat_map(|size| size.to_le_bytes()));
            file.extend(kind.to_le_bytes());
            file.extend((offset as u64).to_le_bytes());
            offset += data.len().next_multiple_of(32);
        }
        for (_, _, _, data) in &self.tensors {
            file.resize(file.len().next_multiple_of(32), 0);
            file.extend(data);
        }
        file
    }
}

/// A safetensors file: a header and data.
pub(crate) fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(data);
    file
}

/// Writes a BERT of one layer and eight elements a token into a folder: small numbers, ten tokens, at most sixteen a
/// sequence.
pub(crate) fn bert(folder: &std::path::Path) {
    const WIDTH: usize = 8;
    let config = serde_json::json!({
        "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": WIDTH,
        "intermediate_size": 12, "layer_norm_eps": 1e-12, "max_position_embeddings": 16, "num_attention_heads": 2,
        "num_hidden_layers": 1, "type_vocab_size": 2, "vocab_size": 10,
    });
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0, "b": 1}},
    });
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    for (name, rows) in [("word", 10), ("position", 16), ("token_type", 2)] {
        shapes.push((format!("embeddings.{name}_embeddings.weight"), vec![rows, WIDTH]));
    }
    for (part, rows, columns) in [
        ("attention.self.query", WIDTH, WIDTH),
        ("attention.self.key", WIDTH, WIDTH),
        ("attention.self.value", WIDTH, WIDTH),
        ("attention.output.dense", WIDTH, WIDTH),
        ("intermediate.dense", 12, WIDTH),
        ("output.dense", WIDTH, 12),
    ] {
        shapes.push((format!("encoder.layer.0.{part}.weight"), vec![rows, columns]));
        shapes.push((format!("encoder.layer.0.{part}.bias"), vec![rows]));
    }
    for part in [
        "embeddings",
        "encoder.layer.0.attention.output",
        "encoder.layer.0.output",
    ] {
        for kind in ["weight", "bias"] {
            shapes.push((format!("{part}.LayerNorm.{kind}"), vec![WIDTH]));
        }
    }
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape) in shapes {
        let start = data.len();
        for at in 0..shape.iter().product::<usize>() {
            data.extend((((at * 37 + start * 11) % 41) as f32 / 20.0 - 1.0).to_le_bytes());
        }
        let end = data.len();
        header.insert(
            name,
            serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]}),
        );
    }
    let header = serde_json::Value::from(header).to_string();
    for (name, content) in [
        ("config.json", config.to_string().into_bytes()),
        ("tokenizer.json", tokenizer.to_string().into_bytes()),
        ("model.safetensors", safetensors(&header, &data)),
    ] {
        std::fs::write(folder.join(name), content).expect("tests can write; qed");
    }
}
