//! Training and evaluation of Llama and Qwen2 decoders: from the beginning, further, or by adapters of low rank.
//!
//! A step is a batch of sequences of one length. The operators of the forward part are those of inference but for keys and
//! values, which stay floats.

use super::{
    Adapter, Affine, Attended, CrossEntropy, Initial, Mapped, Matrix, Network, Parameter, ParameterSpec, Purpose,
    RmsNormed, Sequences, Settings, Storage, Training,
};
use crate::{
    builder::{fixed, Tensor},
    family::decoder::Decoder,
};
use assay_exact::{
    program::{Program, ProgramError},
    tensor::DType,
};

/// The deviation of a decoder's matrices when nobody has trained them.
const DEVIATION: f32 = 0.02;

/// Adapters of low rank: what is trained instead of the matrices. The package has them by the names of their maps, with
/// `.lora_A.weight` and `.lora_B.weight`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adapters {
    /// Their rank.
    pub rank: usize,
    /// Their product is multiplied by alpha ÷ rank.
    pub alpha: f32,
    /// Whether the maps of attention have them.
    pub attention: bool,
    /// Whether those of the gated part have them.
    pub gated: bool,
}

/// A layer as it is declared.
struct Layer {
    attention_norm: Parameter,
    /// Queries, keys and values.
    qkv: [Affine; 3],
    attention_output: Affine,
    gated_norm: Parameter,
    /// What gates, and what passes it.
    gate: Affine,
    up: Affine,
    down: Affine,
}

/// A decoder as it is declared.
struct Declared {
    frequencies: Tensor,
    table: Matrix,
    layers: Vec<Layer>,
    norm: Parameter,
    head: Affine,
}

/// What a layer's gradient needs of it.
struct Kept {
    x: Tensor,
    attention_norm: RmsNormed,
    qkv: [Mapped; 3],
    attended: Attended,
    attention_output: Mapped,
    /// Between the two parts.
    middle: Tensor,
    gated_norm: RmsNormed,
    gate: Mapped,
    up: Mapped,
    down: Mapped,
}

/// What the whole gradient needs.
struct Forward {
    tokens: Tensor,
    kept: Vec<Kept>,
    hidden: Tensor,
    norm: RmsNormed,
    scores: Mapped,
    loss: CrossEntropy,
}

impl Decoder {
    /// The program that trains on batches of sequences: the whole decoder, or adapters if there are any. Its inputs are
    /// `tokens` U32 `[count, length]`, `labels` U32 and `counts` F32 of the same shape, then the settings'. Labels are the tokens that
    /// follow.
    ///
    /// # Errors
    ///
    /// If it is larger than a program may be.
    pub fn training(
        &self,
        sequences: Sequences,
        storage: Storage,
        adapters: Option<Adapters>,
        settings: &Settings,
    ) -> Result<Training, ProgramError> {
        let mut network = Network::new(Purpose::Train(*settings), storage);
        let declared = self.declare_all(&mut network, adapters);
        let forward = self.forward(&mut network, &declared, sequences);
        let mean = network.mean_loss(&forward.loss);
        let rows = (sequences.tokens(), self.width);

        let g = network.cross_entropy_backward(&forward.loss);
        // Where the table of tokens does not train, nothing below the first layer does, nor does a norm
        let below = matches!(declared.table, Matrix::Floats(table) if network.trains(table));
        let inputs = (forward.norm.y, &forward.scores);
        let g = network.affine_backward(&declared.head, inputs, g, rows.0, true);
        let mut g = g.map(|g| network.rms_norm_backward((forward.hidden, &forward.norm), rows, declared.norm, g));
        for (at, (layer, kept)) in declared.layers.iter().zip(&forward.kept).enumerate().rev() {
            network.builder.next_segment();
            let Some(gradient) = g else {
                break;
            };
            let is_needed = at > 0 || below;
            g = self.layer_backward(
                &mut network,
                (layer, kept),
                declared.frequencies,
                sequences,
                gradient,
                is_needed,
            );
        }
        if let Some(g) = g {
            network.builder.next_segment();
            network.embedding_backward(declared.table, forward.tokens, rows, g);
        }
        network.train(mean)
    }

    /// The program that evaluates on batches of sequences. It has the inputs of [`Decoder::training`] without the settings',
    /// and the results of [`crate::evaluation`].
    ///
    /// # Errors
    ///
    /// If it is larger than a program may be.
    pub fn evaluation(
        &self,
        sequences: Sequences,
        storage: Storage,
        adapters: Option<Adapters>,
    ) -> Result<Program, ProgramError> {
        let mut network = Network::new(Purpose::Evaluate, storage);
        let declared = self.declare_all(&mut network, adapters);
        let forward = self.forward(&mut network, &declared, sequences);
        network.evaluate(&forward.loss)
    }

    fn declare_all(&self, network: &mut Network, adapters: Option<Adapters>) -> Declared {
        let trains = adapters.is_none();
        let table = [self.vocabulary, self.width];
        let spec = |name: &str| ParameterSpec::matrix(name, &table, Initial::Normal(DEVIATION));
        let frequencies = network
            .builder
            .weight("rotary.frequencies", DType::U64, &[fixed(self.heads.dimension / 2)]);
        let table = network.matrix(spec("model.embed_tokens.weight"), trains);
        let layers = (0..self.layers)
            .map(|layer| {
                network.next_group();
                self.declare(network, &format!("model.layers.{layer}"), adapters)
            })
            .collect();
        network.next_group();
        let norm = self.declare_norm(network, "model.norm", trains);
        let matrix = if self.tied {
            table
        } else {
            network.matrix(spec("lm_head.weight"), trains)
        };
        Declared {
            frequencies,
            table,
            layers,
            norm,
            head: Affine {
                matrix,
                shape: (self.vocabulary, self.width),
                bias: None,
                adapter: None,
            },
        }
    }

    fn declare_norm(&self, network: &mut Network, name: &str, trains: bool) -> Parameter {
        let name = format!("{name}.weight");
        network.parameter(ParameterSpec::vector(name, self.width, Initial::Ones), trains)
    }

    fn declare(&self, network: &mut Network, name: &str, adapters: Option<Adapters>) -> Layer {
        let trains = adapters.is_none();
        let width = self.width;
        let of_queries = self.heads.queries * self.heads.dimension;
        let of_keys = self.heads.keys * self.heads.dimension;
        let in_attention = adapters.filter(|adapters| adapters.attention);
        let in_gated = adapters.filter(|adapters| adapters.gated);
        let map = |network: &mut Network, part: &str, shape, bias, adapters| {
            Self::declare_map(network, &format!("{name}.{part}_proj"), shape, bias, (trains, adapters))
        };
        let attention_norm = self.declare_norm(network, &format!("{name}.input_layernorm"), trains);
        let qkv = [("q", of_queries), ("k", of_keys), ("v", of_keys)].map(|(part, n)| {
            let part = format!("self_attn.{part}");
            map(network, &part, (n, width), self.qkv_bias, in_attention)
        });
        Layer {
            attention_norm,
            qkv,
            attention_output: map(network, "self_attn.o", (width, of_queries), false, in_attention),
            gated_norm: self.declare_norm(network, &format!("{name}.post_attention_layernorm"), trains),
            gate: map(network, "mlp.gate", (self.inner, width), false, in_gated),
            up: map(network, "mlp.up", (self.inner, width), false, in_gated),
            down: map(network, "mlp.down", (width, self.inner), false, in_gated),
        }
    }

    fn declare_map(
        network: &mut Network,
        name: &str,
        (n, k): (usize, usize),
        bias: bool,
        (trains, adapters): (bool, Option<Adapters>),
    ) -> Affine {
        let weight = ParameterSpec::matrix(format!("{name}.weight"), &[n, k], Initial::Normal(DEVIATION));
        let matrix = network.matrix(weight, trains);
        let bias = bias.then(|| {
            let bias = ParameterSpec::vector(format!("{name}.bias"), n, Initial::Zeros);
            network.parameter(bias, trains)
        });
        let adapter = adapters.map(|Adapters { rank, alpha, .. }| {
            let mut matrix = |part: &str, shape: [usize; 2], initial| {
                let spec = ParameterSpec::matrix(format!("{name}.lora_{part}.weight"), &shape, initial);
                network.parameter(spec, true)
            };
            Adapter {
                down: matrix("A", [rank, k], Initial::fan_in(k)),
                up: matrix("B", [n, rank], Initial::Zeros),
                rank,
                scale: alpha / rank as f32,
            }
        });
        Affine {
            matrix,
            shape: (n, k),
            bias,
            adapter,
        }
    }

    fn forward(&self, network: &mut Network, declared: &Declared, sequences: Sequences) -> Forward {
        let rows = (sequences.tokens(), self.width);
        let shape = [sequences.count, sequences.length].map(fixed);
        let tokens = network.builder.input("tokens", DType::U32, &shape);
        let (labels, counts) = network.labels(&[sequences.count, sequences.length]);
        let tokens = network.builder.reshape(tokens, &[fixed(rows.0)]);
        let mut x = network.embedding(declared.table, tokens, rows);
        let mut kept = Vec::with_capacity(declared.layers.len());
        for layer in &declared.layers {
            network.builder.next_segment();
            let (y, layer) = self.layer_forward(network, layer, declared.frequencies, sequences, x);
            kept.push(layer);
            x = y;
        }
        network.builder.next_segment();
        let norm = network.rms_norm(x, rows, self.epsilon, declared.norm);
        let scores = network.affine(&declared.head, norm.y);
        let [labels, counts] = [labels, counts].map(|y| network.builder.reshape(y, &[fixed(rows.0)]));
        let loss = network.cross_entropy(scores.y, (labels, counts), rows.0);
        Forward {
            tokens,
            kept,
            hidden: x,
            norm,
            scores,
            loss,
        }
    }

    fn layer_forward(
        &self,
        network: &mut Network,
        layer: &Layer,
        frequencies: Tensor,
        sequences: Sequences,
        x: Tensor,
    ) -> (Tensor, Kept) {
        let rows = (sequences.tokens(), self.width);
        let attention_norm = network.rms_norm(x, rows, self.epsilon, layer.attention_norm);
        let qkv = layer.qkv.each_ref().map(|map| network.affine(map, attention_norm.y));
        let parts = qkv.each_ref().map(|part| part.y);
        let attended = network.attention(self.heads, sequences, parts, frequencies);
        let attention_output = network.affine(&layer.attention_output, attended.y);
        let middle = network.builder.add(x, attention_output.y);

        let gated_norm = network.rms_norm(middle, rows, self.epsilon, layer.gated_norm);
        let gate = network.affine(&layer.gate, gated_norm.y);
        let up = network.affine(&layer.up, gated_norm.y);
        let gated = network.gated(gate.y, up.y);
        let down = network.affine(&layer.down, gated);
        let y = network.builder.add(middle, down.y);
        let kept = Kept {
            x,
            attention_norm,
            qkv,
            attended,
            attention_output,
            middle,
            gated_norm,
            gate,
            up,
            down,
        };
        (y, kept)
    }

    /// The gradients of a layer, given that of its output. That with respect to its input, if it is needed, is returned.
    fn layer_backward(
        &self,
        network: &mut Network,
        (layer, kept): (&Layer, &Kept),
        frequencies: Tensor,
        sequences: Sequences,
        g: Tensor,
        is_needed: bool,
    ) -> Option<Tensor> {
        let rows = (sequences.tokens(), self.width);
        let gated = network.gated(kept.gate.y, kept.up.y);
        let to_gated = network.affine_backward(&layer.down, (gated, &kept.down), g, rows.0, true)?;
        let (to_gate, to_up) = network.gated_backward((kept.gate.y, kept.up.y), to_gated);
        let normed = kept.gated_norm.y;
        let by_gate = network.affine_backward(&layer.gate, (normed, &kept.gate), to_gate, rows.0, true)?;
        let by_up = network.affine_backward(&layer.up, (normed, &kept.up), to_up, rows.0, true)?;
        let to_normed = network.builder.add(by_gate, by_up);
        let through = network.rms_norm_backward((kept.middle, &kept.gated_norm), rows, layer.gated_norm, to_normed);
        let g = network.builder.add(g, through);

        if !is_needed && layer.qkv[0].adapter.is_none() {
            // Below adapters of the gated part, nothing trains
            return None;
        }
        let attended = (kept.attended.y, &kept.attention_output);
        let to_attended = network.affine_backward(&layer.attention_output, attended, g, rows.0, true)?;
        let to_parts = network.attention_backward(self.heads, sequences, &kept.attended, frequencies, to_attended);
        let normed = kept.attention_norm.y;
        let mut to_normed: Option<Tensor> = None;
        for ((map, mapped), part) in layer.qkv.iter().zip(&kept.qkv).zip(to_parts) {
            let by_part = network.affine_backward(map, (normed, mapped), part, rows.0, is_needed);
            to_normed = match (to_normed, by_part) {
                (Some(others), Some(by_part)) => Some(network.builder.add(others, by_part)),
                (_, by_part) => by_part,
            };
        }
        let through = network.rms_norm_backward((kept.x, &kept.attention_norm), rows, layer.attention_norm, to_normed?);
        Some(network.builder.add(g, through))
    }
}
