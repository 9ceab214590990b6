//! What a BERT configuration (`config.json`) says: shapes, limits, and the work of one token.

use assay_types::ModelProfile;
use candle_transformers::models::bert;
use serde::Deserialize;

/// Longest sequences and widest vectors that are accepted. Far above any BERT; they keep a
/// made-up configuration from asking for more memory than a machine has.
const MAX_SIZE: u32 = 1 << 16;

/// Most layers that are accepted.
const MAX_LAYERS: u32 = 1 << 10;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchitectureError {
    /// Not JSON, or a field is missing or has the wrong type.
    #[error("config.json: expected the configuration of a BERT encoder, got: {0}")]
    Invalid(#[from] serde_json::Error),
    /// A well-formed configuration of something else.
    #[error("config.json: `{field}`: expected {expected}, got {got}; BERT sentence encoders are supported (model_type \"bert\", such as all-MiniLM-L6-v2)")]
    Unsupported {
        /// The field.
        field: &'static str,
        /// What it would have to be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// A size that makes no sense, alone or with others.
    #[error("config.json: `{field}`: expected {expected}, got {got}")]
    Size {
        /// The field.
        field: &'static str,
        /// What it would have to be.
        expected: String,
        /// What it is.
        got: u32,
    },
}

/// A BERT encoder's shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Token ids are below this.
    pub vocabulary: u32,
    /// Width of the hidden state, which is the length of an embedding.
    pub hidden: u32,
    /// Width of the feed-forward layer.
    pub intermediate: u32,
    /// Encoder layers.
    pub layers: u32,
    /// Attention heads.
    pub heads: u32,
    /// Position embeddings, which bound a sequence's length.
    pub positions: u32,
    /// What candle builds the model from.
    config: bert::Config,
}

/// The fields that decide whether a configuration is supported, read before the rest so that
/// another architecture is told apart from a broken file.
#[derive(Deserialize)]
struct Kind {
    model_type: Option<String>,
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    is_decoder: bool,
    position_embedding_type: Option<String>,
    hidden_act: Option<String>,
}

/// The fields that shape the computation.
#[derive(Deserialize)]
struct Shape {
    vocab_size: u32,
    hidden_size: u32,
    intermediate_size: u32,
    num_hidden_layers: u32,
    num_attention_heads: u32,
    max_position_embeddings: u32,
    type_vocab_size: u32,
    layer_norm_eps: f64,
}

impl Architecture {
    /// Reads the content of a `config.json`.
    pub fn parse(json: &[u8]) -> Result<Self, ArchitectureError> {
        let kind: Kind = serde_json::from_slice(json)?;
        let hidden_act = kind.supported()?;
        let shape: Shape = serde_json::from_slice(json)?;
        shape.check()?;
        Ok(Self {
            vocabulary: shape.vocab_size,
            hidden: shape.hidden_size,
            intermediate: shape.intermediate_size,
            layers: shape.num_hidden_layers,
            heads: shape.num_attention_heads,
            positions: shape.max_position_embeddings,
            config: bert::Config {
                vocab_size: shape.vocab_size as usize,
                hidden_size: shape.hidden_size as usize,
                num_hidden_layers: shape.num_hidden_layers as usize,
                num_attention_heads: shape.num_attention_heads as usize,
                intermediate_size: shape.intermediate_size as usize,
                hidden_act,
                max_position_embeddings: shape.max_position_embeddings as usize,
                type_vocab_size: shape.type_vocab_size as usize,
                layer_norm_eps: shape.layer_norm_eps,
                ..bert::Config::default()
            },
        })
    }

    /// Cost and limits with sequences of at most `max_sequence` tokens.
    ///
    /// Work units are the multiply-adds of the matrix products over one token: in each layer four
    /// projections of `hidden × hidden`, two of `hidden × intermediate`, and attention's two
    /// products with each of at most `max_sequence` other tokens. Thus
    /// `layers · (4·hidden² + 2·hidden·intermediate + 2·hidden·max_sequence)`. Look-ups,
    /// normalisations and activations are not matrix products and are not counted.
    pub fn profile(&self, max_sequence: u32) -> ModelProfile {
        let [layers, hidden, intermediate, sequence] =
            [self.layers, self.hidden, self.intermediate, max_sequence].map(u64::from);
        ModelProfile {
            units_per_token: layers * hidden * (4 * hidden + 2 * intermediate + 2 * sequence),
            max_sequence,
            dimensions: self.hidden,
        }
    }

    /// What candle builds the model from.
    pub(crate) fn candle(&self) -> &bert::Config {
        &self.config
    }
}

impl Kind {
    /// The activation, if everything is of a kind that the engine runs.
    fn supported(&self) -> Result<bert::HiddenAct, ArchitectureError> {
        let unsupported = |field, expected, got: &dyn std::fmt::Debug| {
            Err(ArchitectureError::Unsupported {
                field,
                expected,
                got: format!("{got:?}"),
            })
        };
        if self.model_type.as_deref() != Some("bert") {
            return unsupported("model_type", "\"bert\"", &self.model_type);
        }
        // A fine-tuned head would be left out without a word: only bare encoders are taken.
        if self.architectures.iter().any(|name| name != "BertModel") {
            return unsupported("architectures", "[\"BertModel\"]", &self.architectures);
        }
        if self.is_decoder {
            return unsupported("is_decoder", "false", &self.is_decoder);
        }
        if !matches!(self.position_embedding_type.as_deref(), None | Some("absolute")) {
            return unsupported("position_embedding_type", "\"absolute\"", &self.position_embedding_type);
        }
        match self.hidden_act.as_deref() {
            Some("gelu") => Ok(bert::HiddenAct::Gelu),
            Some("gelu_new" | "gelu_pytorch_tanh") => Ok(bert::HiddenAct::GeluApproximate),
            Some("relu") => Ok(bert::HiddenAct::Relu),
            _ => unsupported(
                "hidden_act",
                "\"gelu\", \"gelu_new\", \"gelu_pytorch_tanh\" or \"relu\"",
                &self.hidden_act,
            ),
        }
    }
}

impl Shape {
    fn check(&self) -> Result<(), ArchitectureError> {
        let fields = [
            ("vocab_size", self.vocab_size, u32::MAX),
            ("hidden_size", self.hidden_size, MAX_SIZE),
            ("intermediate_size", self.intermediate_size, MAX_SIZE),
            ("num_hidden_layers", self.num_hidden_layers, MAX_LAYERS),
            ("num_attention_heads", self.num_attention_heads, MAX_SIZE),
            ("max_position_embeddings", self.max_position_embeddings, MAX_SIZE),
            ("type_vocab_size", self.type_vocab_size, MAX_SIZE),
        ];
        for (field, got, max) in fields {
            if got == 0 || got > max {
                return Err(ArchitectureError::Size {
                    field,
                    expected: format!("1 to {max}"),
                    got,
                });
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(ArchitectureError::Size {
                field: "num_attention_heads",
                expected: format!("a divisor of hidden_size {}", self.hidden_size),
                got: self.num_attention_heads,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    /// A configuration like all-MiniLM-L6-v2's.
    pub(crate) fn minilm() -> serde_json::Value {
        json!({
            "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": 384,
            "intermediate_size": 1536, "layer_norm_eps": 1e-12, "max_position_embeddings": 512,
            "num_attention_heads": 12, "num_hidden_layers": 6, "position_embedding_type": "absolute",
            "type_vocab_size": 2, "vocab_size": 30522,
        })
    }

    fn parse_with(field: &str, value: serde_json::Value) -> Result<Architecture, ArchitectureError> {
        let mut config = minilm();
        config[field] = value;
        Architecture::parse(config.to_string().as_bytes())
    }

    #[test]
    fn profile_should_count_multiply_adds_of_one_token() {
        let architecture = Architecture::parse(minilm().to_string().as_bytes()).unwrap();
        assert_eq!(
            architecture.profile(512),
            ModelProfile {
                units_per_token: 6 * (4 * 384 * 384 + 2 * 384 * 1536 + 2 * 384 * 512),
                max_sequence: 512,
                dimensions: 384
            }
        );
    }

    #[test]
    fn profile_should_not_overflow_when_sizes_are_the_largest_accepted() {
        let mut config = minilm();
        for field in ["hidden_size", "intermediate_size", "max_position_embeddings"] {
            config[field] = json!(MAX_SIZE);
        }
        config["num_attention_heads"] = json!(1);
        config["num_hidden_layers"] = json!(MAX_LAYERS);
        let architecture = Architecture::parse(config.to_string().as_bytes()).unwrap();
        assert_eq!(architecture.profile(MAX_SIZE).units_per_token, 8 << 42);
    }

    #[test]
    fn parse_should_name_the_field_when_the_architecture_is_another() {
        let cases = [
            ("model_type", json!("llama")),
            ("architectures", json!(["BertForSequenceClassification"])),
            ("is_decoder", json!(true)),
            ("position_embedding_type", json!("relative_key")),
            ("hidden_act", json!("silu")),
        ];
        for (name, value) in cases {
            match parse_with(name, value) {
                Err(ArchitectureError::Unsupported { field, .. }) => assert_eq!(field, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn parse_should_name_the_field_when_a_size_is_out_of_range() {
        let cases = [
            ("hidden_size", json!(0)),
            ("num_attention_heads", json!(7)),
            ("num_hidden_layers", json!(100_000)),
            ("max_position_embeddings", json!(1 << 30)),
        ];
        for (name, value) in cases {
            match parse_with(name, value) {
                Err(ArchitectureError::Size { field, .. }) => assert_eq!(field, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn parse_should_fail_when_a_field_is_missing_or_no_json() {
        assert!(matches!(
            parse_with("vocab_size", json!("many")),
            Err(ArchitectureError::Invalid(_))
        ));
        assert!(matches!(Architecture::parse(b"{"), Err(ArchitectureError::Invalid(_))));
    }
}
