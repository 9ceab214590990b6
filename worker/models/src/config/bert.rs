//! BERT encoders, such as all-MiniLM-L6-v2.

use super::{ConfigError, Fields, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH};
use serde_json::json;

/// Says how hidden states become an embedding, in folders of sentence-transformers.
pub(super) const POOLING: &str = "1_Pooling/config.json";

/// Says how long sequences may be, in folders of sentence-transformers.
pub(super) const SENTENCE: &str = "sentence_bert_config.json";

/// How the hidden states of a sequence become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first token.
    First,
}

/// What stands between the two feed-forward products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU by the error function.
    Gelu,
    /// GELU by a hyperbolic tangent.
    GeluTanh,
    /// The greater of x and zero.
    Relu,
}

/// A BERT encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct BertConfig {
    /// Width of the hidden state.
    pub hidden: u32,
    /// Encoder layers.
    pub layers: u32,
    /// Attention heads; they divide `hidden`.
    pub heads: u32,
    /// Width of the feed-forward layer.
    pub intermediate: u32,
    /// The feed-forward layer's activation.
    pub activation: Activation,
    /// Token ids are below this.
    pub vocab: u32,
    /// Position embeddings, which bound a sequence's length.
    pub max_positions: u32,
    /// The longest sequence that is meant to be given to it.
    pub max_sequence: u32,
    /// Segment embeddings.
    pub types: u32,
    /// What is added to a variance.
    pub norm_eps: f32,
    /// How hidden states become one vector.
    pub pooling: Pooling,
}

impl BertConfig {
    pub(super) fn parse(fields: &Fields) -> Result<Self, ConfigError> {
        // A fine-tuned head would be left out without a word: only bare encoders are taken.
        if fields
            .get("architectures")
            .is_some_and(|names| *names != json!(["BertModel"]))
        {
            return Err(fields.wrong("architectures", "[\"BertModel\"]"));
        }
        if fields.flag("is_decoder", false)? {
            return Err(fields.wrong("is_decoder", "false"));
        }
        if !matches!(
            fields.text("position_embedding_type")?.as_deref(),
            None | Some("absolute")
        ) {
            return Err(fields.wrong("position_embedding_type", "\"absolute\""));
        }
        let activation = match fields.text("hidden_act")?.as_deref() {
            Some("gelu") => Activation::Gelu,
            Some("gelu_new" | "gelu_pytorch_tanh") => Activation::GeluTanh,
            Some("relu") => Activation::Relu,
            _ => {
                return Err(fields.wrong(
                    "hidden_act",
                    "\"gelu\", \"gelu_new\", \"gelu_pytorch_tanh\" or \"relu\"",
                ))
            }
        };
        let max_positions = fields.size("max_position_embeddings", MAX_POSITIONS)?;
        let config = Self {
            hidden: fields.size("hidden_size", MAX_WIDTH)?,
            layers: fields.size("num_hidden_layers", MAX_LAYERS)?,
            heads: fields.size("num_attention_heads", MAX_WIDTH)?,
            intermediate: fields.size("intermediate_size", MAX_WIDTH)?,
            activation,
            vocab: fields.size("vocab_size", MAX_VOCABULARY)?,
            max_positions,
            max_sequence: max_positions,
            types: fields.size("type_vocab_size", MAX_WIDTH)?,
            norm_eps: fields
                .positive("layer_norm_eps")?
                .ok_or_else(|| fields.wrong("layer_norm_eps", "a number"))?,
            pooling: Pooling::Mean,
        };
        if !config.hidden.is_multiple_of(config.heads) {
            let expected = format!("a divisor of hidden_size {}", config.hidden);
            return Err(fields.wrong("num_attention_heads", expected));
        }
        Ok(config)
    }

    /// Takes what a `1_Pooling/config.json` says.
    pub(super) fn take_pooling(&mut self, json: &[u8]) -> Result<(), ConfigError> {
        const MODES: [(&str, Option<Pooling>); 6] = [
            ("pooling_mode_mean_tokens", Some(Pooling::Mean)),
            ("pooling_mode_cls_token", Some(Pooling::First)),
            ("pooling_mode_max_tokens", None),
            ("pooling_mode_mean_sqrt_len_tokens", None),
            ("pooling_mode_weightedmean_tokens", None),
            ("pooling_mode_lasttoken", None),
        ];
        let fields = Fields::parse(POOLING, json)?;
        let mut asked = Vec::new();
        for (field, pooling) in MODES {
            if fields.flag(field, false)? {
                asked.push((field, pooling));
            }
        }
        // sentence-transformers 6 writes one name instead.
        match fields.text("pooling_mode")?.as_deref() {
            None => {}
            Some("mean") => asked.push(("pooling_mode", Some(Pooling::Mean))),
            Some("cls") => asked.push(("pooling_mode", Some(Pooling::First))),
            Some(_) => asked.push(("pooling_mode", None)),
        }
        match asked.as_slice() {
            [(_, Some(pooling))] => self.pooling = *pooling,
            [(field, None)] => return Err(fields.wrong(field, "the mean or the first token's")),
            _ => {
                return Err(fields.wrong(
                    "pooling_mode_mean_tokens",
                    "exactly one mode, the mean or the first token's",
                ))
            }
        }
        Ok(())
    }

    /// Takes what a `sentence_bert_config.json` says.
    pub(super) fn take_sentence(&mut self, json: &[u8]) -> Result<(), ConfigError> {
        let fields = Fields::parse(SENTENCE, json)?;
        self.max_sequence = fields.size_or("max_seq_length", self.max_positions.into(), self.max_positions)?;
        Ok(())
    }
}
