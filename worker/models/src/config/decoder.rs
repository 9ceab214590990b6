//! Llama and Qwen2 decoders, from `config.json` or a GGUF file.

use super::{ConfigError, Fields, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH};
use crate::source::{
    gguf::{names::FREQUENCY_FACTORS, Value},
    Gguf, Weights,
};
use serde_json::json;

/// Most dimensions of a head.
const MAX_HEAD: u64 = 1 << 12;

/// What Llama and Qwen2 rotate with where nothing else is said.
const THETA: f64 = 10_000.0;

/// A decoder's family. The activation of both is SiLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Llama and what is computed like it.
    Llama,
    /// Qwen2 and Qwen2.5: biases on queries, keys and values.
    Qwen2,
}

/// How positions beyond those of training are reached.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Llama 3.1's: slow frequencies are divided by `factor`, fast ones kept, those between interpolated.
    Llama3 {
        /// What slow frequencies are divided by.
        factor: f64,
        /// Frequencies of fewer turns than this in `original_positions` are slow.
        low_frequency: f64,
        /// Frequencies of more turns than this in `original_positions` are fast.
        high_frequency: f64,
        /// Positions in training.
        original_positions: u32,
    },
    /// Each frequency divided by its own factor, one for each pair of a head's dimensions: what GGUF files have in
    /// place of Llama 3.1's parameters.
    Factors(Vec<f32>),
}

/// A decoder: RMS norms, rotary positions in halves, grouped queries, SwiGLU.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderConfig {
    /// The family.
    pub family: Family,
    /// Width of the hidden state.
    pub hidden: u32,
    /// Layers.
    pub layers: u32,
    /// Attention heads.
    pub heads: u32,
    /// Heads of keys and values; they divide `heads`.
    pub kv_heads: u32,
    /// Dimensions of a head, an even number.
    pub head_dim: u32,
    /// Width of the feed-forward layer.
    pub intermediate: u32,
    /// Token ids are below this.
    pub vocab: u32,
    /// What is added to a mean square.
    pub rms_eps: f32,
    /// The base of rotary frequencies.
    pub rope_theta: f64,
    /// What is done to the frequencies, if anything.
    pub rope_scaling: Option<RopeScaling>,
    /// Whether the output layer is the embedding.
    pub tied: bool,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// The longest sequence.
    pub max_positions: u32,
    /// The token that begins a sequence, if there is one.
    pub bos: Option<u32>,
    /// The tokens that end one.
    pub eos: Vec<u32>,
}

impl DecoderConfig {
    pub(super) fn parse(fields: &Fields, family: Family) -> Result<Self, ConfigError> {
        let class = match family {
            Family::Llama => "LlamaForCausalLM",
            Family::Qwen2 => "Qwen2ForCausalLM",
        };
        if fields
            .get("architectures")
            .is_some_and(|names| *names != json!([class]))
        {
            return Err(fields.wrong("architectures", format!("[{class:?}]")));
        }
        if fields.text("hidden_act")?.is_some_and(|name| name != "silu") {
            return Err(fields.wrong("hidden_act", "\"silu\""));
        }
        // `use_sliding_window` is false in every Qwen2 that was published with the field at all.
        for field in ["attention_bias", "mlp_bias", "use_sliding_window"] {
            if fields.flag(field, false)? {
                return Err(fields.wrong(field, "false"));
            }
        }
        let full = |kinds: &serde_json::Value| {
            kinds
                .as_array()
                .is_some_and(|kinds| kinds.iter().all(|kind| kind == "full_attention"))
        };
        if fields.get("layer_types").is_some_and(|kinds| !full(kinds)) {
            return Err(fields.wrong("layer_types", "\"full_attention\" for every layer"));
        }
        if fields.get("pretraining_tp").is_some_and(|split| *split != 1) {
            return Err(fields.wrong("pretraining_tp", "1"));
        }
        let vocab = fields.size("vocab_size", MAX_VOCABULARY)?;
        let hidden = fields.size("hidden_size", MAX_WIDTH)?;
        let heads = fields.size("num_attention_heads", MAX_WIDTH)?;
        let (rope_theta, rope_scaling) = rope(fields)?;
        let config = Self {
            family,
            hidden,
            layers: fields.size("num_hidden_layers", MAX_LAYERS)?,
            heads,
            kv_heads: fields.size_or("num_key_value_heads", MAX_WIDTH, heads)?,
            head_dim: fields.size_or("head_dim", MAX_HEAD, hidden / heads)?,
            intermediate: fields.size("intermediate_size", MAX_WIDTH)?,
            vocab,
            rms_eps: fields.positive("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta,
            rope_scaling,
            tied: fields.flag("tie_word_embeddings", false)?,
            qkv_bias: family == Family::Qwen2,
            max_positions: fields.size("max_position_embeddings", MAX_POSITIONS)?,
            bos: fields.ids("bos_token_id", vocab)?.and_then(|ids| ids.first().copied()),
            eos: fields.ids("eos_token_id", vocab)?.unwrap_or_default(),
        };
        config.check(&|field, expected| fields.wrong(field, expected), &CONFIG_NAMES)?;
        Ok(config)
    }

    /// Takes what a `generation_config.json` says of the tokens that begin and end text: it goes before `config.json`,
    /// as in transformers.
    pub(super) fn take_generation(&mut self, fields: &Fields) -> Result<(), ConfigError> {
        if let Some(ids) = fields.ids("bos_token_id", self.vocab)? {
            self.bos = ids.first().copied();
        }
        if let Some(ids) = fields.ids("eos_token_id", self.vocab)? {
            self.eos = ids;
        }
        Ok(())
    }

    pub(super) fn from_gguf(gguf: &Gguf) -> Result<Self, ConfigError> {
        let family = if gguf.architecture() == "qwen2" {
            Family::Qwen2
        } else {
            Family::Llama
        };
        let metadata = Metadata { gguf };
        let hidden = metadata.size("embedding_length", MAX_WIDTH, None)?;
        let heads = metadata.size("attention.head_count", MAX_WIDTH, None)?;
        let head_dim = metadata.size("attention.key_length", MAX_HEAD, Some(hidden / heads))?;
        let same = [
            ("attention.value_length", MAX_HEAD),
            // All dimensions are rotated.
            ("rope.dimension_count", MAX_HEAD),
        ];
        for (field, most) in same {
            if metadata.size(field, most, Some(head_dim))? != head_dim {
                return Err(metadata.wrong(field, format!("{head_dim}, as many as a head has dimensions")));
            }
        }
        for field in ["expert_count", "attention.sliding_window"] {
            if metadata.value(field).is_some_and(|value| value.as_u64() != Some(0)) {
                return Err(metadata.wrong(field, "none"));
            }
        }
        for field in ["rope.scaling.type", "rope.scaling.factor", "rope.scale_linear"] {
            let none = |value: &Value| value.as_text() == Some("none") || value.as_f64() == Some(1.0);
            if metadata.value(field).is_some_and(|value| !none(value)) {
                return Err(metadata.wrong(field, "no scaling but by frequency factors"));
            }
        }
        let embedding = "model.embed_tokens.weight";
        let vocab = match gguf.shape(embedding).as_deref() {
            Ok([vocab, width]) if *width == hidden as usize && *vocab as u64 <= MAX_VOCABULARY && *vocab > 0 => {
                *vocab as u32
            }
            other => {
                let got = other.map_or("none".into(), |shape| format!("{shape:?}"));
                let expected = format!("1 to {MAX_VOCABULARY} rows of {hidden}");
                return Err(metadata.error("token_embd.weight", expected, got));
            }
        };
        let qkv_bias = gguf.has("model.layers.0.self_attn.q_proj.bias");
        if let Some(name) = gguf.names().iter().find(|name| {
            let known = [
                "self_attn.q_proj.bias",
                "self_attn.k_proj.bias",
                "self_attn.v_proj.bias",
            ];
            name.ends_with(".bias") && !(qkv_bias && known.iter().any(|known| name.ends_with(known)))
        }) {
            return Err(metadata.error(
                "tensors",
                "biases on queries, keys and values of all layers, or none",
                name,
            ));
        }
        let config = Self {
            family,
            hidden,
            layers: metadata.size("block_count", MAX_LAYERS, None)?,
            heads,
            kv_heads: metadata.size("attention.head_count_kv", MAX_WIDTH, Some(heads))?,
            head_dim,
            intermediate: metadata.size("feed_forward_length", MAX_WIDTH, None)?,
            vocab,
            rms_eps: metadata.positive("attention.layer_norm_rms_epsilon", None)? as f32,
            rope_theta: metadata.positive("rope.freq_base", Some(THETA))?,
            rope_scaling: factors(gguf, &metadata, head_dim)?,
            tied: !gguf.has("lm_head.weight"),
            qkv_bias,
            max_positions: metadata.size("context_length", MAX_POSITIONS, None)?,
            bos: metadata.id("tokenizer.ggml.bos_token_id", vocab)?,
            eos: metadata.id("tokenizer.ggml.eos_token_id", vocab)?.into_iter().collect(),
        };
        config.check(&|field, expected| metadata.wrong(field, expected), &GGUF_NAMES)?;
        Ok(config)
    }

    /// What must hold between the sizes.
    fn check(
        &self,
        wrong: &dyn Fn(&str, String) -> ConfigError,
        [kv_heads, heads, head_dim]: &[&str; 3],
    ) -> Result<(), ConfigError> {
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(wrong(kv_heads, format!("a divisor of {heads} {}", self.heads)));
        }
        if self.head_dim == 0 || !self.head_dim.is_multiple_of(2) {
            let expected = format!(
                "an even number of dimensions for each of {} heads of {}",
                self.heads, self.hidden
            );
            return Err(wrong(head_dim, expected));
        }
        if u64::from(self.heads) * u64::from(self.head_dim) > MAX_WIDTH {
            return Err(wrong(heads, format!("at most {MAX_WIDTH} dimensions of all heads")));
        }
        Ok(())
    }
}

/// The fields that [`DecoderConfig::check`] may name.
const CONFIG_NAMES: [&str; 3] = ["num_key_value_heads", "num_attention_heads", "head_dim"];
const GGUF_NAMES: [&str; 3] = [
    "attention.head_count_kv",
    "attention.head_count",
    "attention.key_length",
];

/// The base and the scaling: `rope_theta` and `rope_scaling`, or `rope_parameters` with both, as transformers 5 has it.
fn rope(fields: &Fields) -> Result<(f64, Option<RopeScaling>), ConfigError> {
    let (theta, scaling, field) = match fields.object("rope_parameters")? {
        Some(both) => (both.positive_f64("rope_theta")?, Some(both), "rope_parameters"),
        None => (None, fields.object("rope_scaling")?, "rope_scaling"),
    };
    let theta = theta.or(fields.positive_f64("rope_theta")?).unwrap_or(THETA);
    let Some(scaling) = scaling else {
        return Ok((theta, None));
    };
    let kind = scaling.text("rope_type")?.or(scaling.text("type")?);
    match kind.as_deref() {
        Some("default") => Ok((theta, None)),
        None if field == "rope_parameters" => Ok((theta, None)),
        Some("llama3") => {
            let number = |name| {
                scaling
                    .positive_f64(name)?
                    .ok_or_else(|| scaling.wrong(name, "a positive number"))
            };
            let (low, high) = (number("low_freq_factor")?, number("high_freq_factor")?);
            if low >= high {
                return Err(scaling.wrong("low_freq_factor", format!("less than high_freq_factor {high}")));
            }
            let llama3 = RopeScaling::Llama3 {
                factor: number("factor")?,
                low_frequency: low,
                high_frequency: high,
                original_positions: scaling.size("original_max_position_embeddings", MAX_POSITIONS)?,
            };
            Ok((theta, Some(llama3)))
        }
        _ => Err(fields.wrong(field, "none, or the types \"default\" or \"llama3\"")),
    }
}

/// The factors by which a GGUF file has frequencies divided.
fn factors(gguf: &Gguf, metadata: &Metadata<'_>, head_dim: u32) -> Result<Option<RopeScaling>, ConfigError> {
    if !gguf.has(FREQUENCY_FACTORS) {
        return Ok(None);
    }
    let expected = format!("{} positive numbers", head_dim / 2);
    let error = |got: String| Err(metadata.error(FREQUENCY_FACTORS, &expected, got));
    match gguf.shape(FREQUENCY_FACTORS) {
        Ok(shape) if shape == [head_dim as usize / 2] => {}
        Ok(shape) => return error(format!("{shape:?}")),
        Err(other) => return error(other.to_string()),
    }
    match gguf.read_f32(FREQUENCY_FACTORS) {
        Ok(factors) => match factors.iter().find(|factor| !factor.is_normal() || **factor < 0.0) {
            None => Ok(Some(RopeScaling::Factors(factors))),
            Some(factor) => error(factor.to_string()),
        },
        Err(other) => error(other.to_string()),
    }
}

/// The family's values in a GGUF file's metadata, named without the family.
struct Metadata<'a> {
    gguf: &'a Gguf,
}

impl Metadata<'_> {
    fn key(&self, field: &str) -> String {
        if field.starts_with("tokenizer.") {
            return field.into();
        }
        format!("{}.{field}", self.gguf.architecture())
    }

    fn value(&self, field: &str) -> Option<&Value> {
        self.gguf.value(&self.key(field))
    }

    fn size(&self, field: &str, most: u64, default: Option<u32>) -> Result<u32, ConfigError> {
        match (self.value(field), default) {
            (None, Some(default)) => Ok(default),
            (value, _) => value
                .and_then(Value::as_u64)
                .filter(|size| (1..=most).contains(size))
                .and_then(|size| u32::try_from(size).ok())
                .ok_or_else(|| self.wrong(field, format!("1 to {most}"))),
        }
    }

    fn positive(&self, field: &str, default: Option<f64>) -> Result<f64, ConfigError> {
        match (self.value(field), default) {
            (None, Some(default)) => Ok(default),
            (value, _) => value
                .and_then(Value::as_f64)
                .filter(|number| (*number as f32).is_normal() && *number > 0.0)
                .ok_or_else(|| self.wrong(field, "a positive number")),
        }
    }

    fn id(&self, field: &str, vocab: u32) -> Result<Option<u32>, ConfigError> {
        let Some(value) = self.value(field) else {
            return Ok(None);
        };
        match value.as_u64().filter(|id| *id < vocab.into()) {
            Some(id) => Ok(Some(id as u32)),
            None => Err(self.wrong(field, format!("a token id below {vocab}"))),
        }
    }

    fn wrong(&self, field: &str, expected: impl ToString) -> ConfigError {
        let got = self.value(field).map_or("none".into(), ToString::to_string);
        ConfigError::Field {
            file: self.gguf.name().into(),
            field: self.key(field),
            expected: expected.to_string(),
            got,
        }
    }

    fn error(&self, field: &str, expected: impl ToString, got: impl ToString) -> ConfigError {
        ConfigError::Field {
            file: self.gguf.name().into(),
            field: field.into(),
            expected: expected.to_string(),
            got: got.to_string(),
        }
    }
}
