//! Llama and Qwen2 decoders: Touvron et al. 2023 (arXiv:2302.13971), with grouped queries, rotary embeddings, SwiGLU and
//! RMS norms; Qwen2 adds biases to queries, keys and values.
//!
//! A step takes in the tokens of a prompt, or one that was generated. Keys, values and the tokens themselves are states.
//! Weights have the names that they have in the model's own files.

use super::Precision;
use crate::{
    attention::{Attention, Cached, Heads},
    builder::{fixed, Builder, Quantised, Tensor},
    formula::Formula,
    layer::Linear,
};
use assay_exact::{
    expression::{Comparison, Unary},
    operator::{Dim, Operator, Visible},
    program::{Program, ProgramError},
    tensor::DType,
};

/// Sizes of a decoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decoder {
    /// Tokens that it knows.
    pub vocabulary: usize,
    /// Elements of a token.
    pub width: usize,
    /// Layers.
    pub layers: usize,
    /// Heads of attention.
    pub heads: Heads,
    /// Elements between the linear maps of a layer.
    pub inner: usize,
    /// What norms add to the mean square.
    pub epsilon: f32,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether scores are products with the table of tokens.
    pub tied: bool,
}

/// What a decoder's program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Each step gives the next token, U32 `[1]`, drawn from the scores behind its last token.
    Generate,
    /// Each step gives the scores F32 `[L, vocabulary]` behind each of its tokens.
    Score,
}

/// Inputs of a program that generates, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Token ids U32 `[L]`.
    Tokens,
    /// Seed of the random numbers, U64 `[]`.
    Seed,
    /// Which of the sequences under this seed it is, U32 `[1]`.
    Sequence,
    /// What scores are divided by, F32 `[]`; above 0.
    Temperature,
    /// How many tokens are drawn from, the likeliest first, U32 `[1]`; all, if 0. One is greedy.
    TopK,
    /// The share of chance of the tokens drawn from, the likeliest first, in 2⁻¹⁶, U32 `[1]`; all, if 65,536.
    TopP,
    /// What scores of tokens that have occurred are divided by, or multiplied where negative, F32 `[]`; above 0.
    RepetitionPenalty,
}

const ONE: Dim = Dim::constant(1);

/// A matrix of integers.
fn matrix(builder: &mut Builder, precision: Precision, name: &str, (rows, columns): (usize, usize)) -> Quantised {
    if precision.has_blocks(columns) {
        builder.quantised_in_blocks(name, rows, columns)
    } else {
        builder.quantised(name, precision.weights, rows, columns)
    }
}

impl Decoder {
    /// The program for a purpose. Scoring has the tokens as its only input.
    ///
    /// # Errors
    ///
    /// If it is larger than a program may be.
    pub fn program(&self, precision: Precision, purpose: Purpose) -> Result<Program, ProgramError> {
        let mut builder = Builder::new();
        let tokens = builder.input("tokens", DType::U32, &[Dim::LENGTH]);
        let table = matrix(
            &mut builder,
            precision,
            "model.embed_tokens.weight",
            (self.vocabulary, self.width),
        );
        let frequencies = builder.weight("rotary.frequencies", DType::U64, &[fixed(self.heads.dimension / 2)]);
        let mut hidden = builder.embedding(table, tokens, self.rows());
        for layer in 0..self.layers {
            builder.next_segment();
            let name = format!("model.layers.{layer}");
            hidden = self.layer(&mut builder, precision, &name, frequencies, hidden);
        }
        builder.next_segment();
        match purpose {
            Purpose::Generate => {
                let token = self.next_token(&mut builder, precision, (tokens, table), hidden);
                builder.result(token);
            }
            Purpose::Score => {
                let scores = self.scores(&mut builder, precision, table, hidden, Dim::LENGTH);
                builder.result(scores);
            }
        }
        builder.finish()
    }

    fn rows(&self) -> (Dim, usize) {
        (Dim::LENGTH, self.width)
    }

    fn norm(&self, builder: &mut Builder, name: &str, x: Tensor, rows: Dim) -> Tensor {
        let gain = builder.weight(format!("{name}.weight"), DType::F32, &[fixed(self.width)]);
        builder.rms_norm(x, (rows, self.width), self.epsilon, gain)
    }

    fn linear(
        builder: &mut Builder,
        precision: Precision,
        name: &str,
        (rows, columns): (usize, usize),
        bias: bool,
    ) -> Linear {
        Linear {
            weight: matrix(builder, precision, &format!("{name}.weight"), (rows, columns)),
            bias: bias.then(|| builder.weight(format!("{name}.bias"), DType::F32, &[fixed(rows)])),
        }
    }

    /// A cache of keys or values.
    fn cache(&self, builder: &mut Builder, name: &str) -> Cached {
        let (heads, dimension) = (fixed(self.heads.keys), fixed(self.heads.dimension));
        Cached {
            integers: builder.state(name, DType::I16, &[Dim::POSITION, heads, dimension]),
            magnitudes: builder.state(format!("{name}.magnitudes"), DType::F32, &[Dim::POSITION, heads]),
        }
    }

    fn layer(&self, builder: &mut Builder, precision: Precision, name: &str, frequencies: Tensor, x: Tensor) -> Tensor {
        let Heads {
            queries,
            keys,
            dimension,
        } = self.heads;
        let (width, class) = (self.width, precision.activations);
        let normed = self.norm(builder, &format!("{name}.input_layernorm"), x, Dim::LENGTH);
        let heads_of = [("q", queries), ("k", keys), ("v", keys)];
        let [q, k, v] = heads_of.map(|(part, heads)| {
            let name = format!("{name}.self_attn.{part}_proj");
            let map = Self::linear(builder, precision, &name, (heads * dimension, width), self.qkv_bias);
            let y = builder.linear(normed, class, map);
            builder.reshape(y, &[Dim::LENGTH, fixed(heads), fixed(dimension)])
        });
        let rotate = Operator::Rotate {
            axis: 2,
            inverse: false,
        };
        let q = builder.push(rotate.clone(), &[q, frequencies]);
        let k = builder.push(rotate, &[k, frequencies]);
        let cache = |builder: &mut Builder, part: &str, x: Tensor| {
            let state = self.cache(builder, &format!("{name}.{part}"));
            let step = builder.quantise_heads(x);
            builder.append(state, step)
        };
        let (keys, values) = (cache(builder, "keys", k), cache(builder, "values", v));
        let attended = builder.attention(Attention {
            heads: self.heads,
            queries: q,
            keys,
            values,
            tokens: Dim::TOTAL,
            visible: Visible::Causal,
            scale: 1.0 / (dimension as f32).sqrt(),
        });
        let map = Self::linear(
            builder,
            precision,
            &format!("{name}.self_attn.o_proj"),
            (width, queries * dimension),
            false,
        );
        let y = builder.linear(attended, class, map);
        let x = builder.add(x, y);

        let normed = self.norm(builder, &format!("{name}.post_attention_layernorm"), x, Dim::LENGTH);
        let [gate, up] = ["gate", "up"].map(|part| {
            let name = format!("{name}.mlp.{part}_proj");
            let map = Self::linear(builder, precision, &name, (self.inner, width), false);
            builder.linear(normed, class, map)
        });
        let gated = builder.map(Formula::input(0).unary(Unary::Silu) * Formula::input(1), &[gate, up]);
        let map = Self::linear(
            builder,
            precision,
            &format!("{name}.mlp.down_proj"),
            (width, self.inner),
            false,
        );
        let y = builder.linear(gated, class, map);
        builder.add(x, y)
    }

    /// Scores F32 `[rows, vocabulary]` behind rows of hidden states.
    fn scores(
        &self,
        builder: &mut Builder,
        precision: Precision,
        table: Quantised,
        hidden: Tensor,
        rows: Dim,
    ) -> Tensor {
        let normed = self.norm(builder, "model.norm", hidden, rows);
        let head = if self.tied {
            table
        } else {
            matrix(builder, precision, "lm_head.weight", (self.vocabulary, self.width))
        };
        builder.product(normed, precision.activations, head)
    }

    /// The next token U32 `[1]`.
    fn next_token(
        &self,
        builder: &mut Builder,
        precision: Precision,
        (tokens, table): (Tensor, Quantised),
        hidden: Tensor,
    ) -> Tensor {
        let seed = builder.input("seed", DType::U64, &[]);
        let sequence = builder.input("sequence", DType::U32, &[ONE]);
        let temperature = builder.input("temperature", DType::F32, &[]);
        let top_k = builder.input("top_k", DType::U32, &[ONE]);
        let top_p = builder.input("top_p", DType::U32, &[ONE]);
        let penalty = builder.input("repetition_penalty", DType::F32, &[]);

        let last = Dim {
            constant: -1,
            length: 1,
            position: 0,
        };
        let hidden = builder.slice(hidden, last, &[ONE, fixed(self.width)]);
        let scores = self.scores(builder, precision, table, hidden, ONE);

        let past = builder.state("tokens", DType::U32, &[Dim::POSITION]);
        let seen = builder.push(Operator::Concat(0), &[past, tokens]);
        builder.becomes(past, seen);
        let vocabulary = fixed(self.vocabulary);
        let counts = builder.push(Operator::Count { rows: vocabulary }, &[seen]);
        let (score, penalty_of) = (Formula::input(0), Formula::input(2));
        let zero = || Formula::constant(0.0);
        let penalised = score.clone().select(
            Comparison::Less,
            zero(),
            score.clone() * penalty_of.clone(),
            score.clone() / penalty_of,
        );
        let scores = builder.map(
            zero().select(Comparison::Less, Formula::input(1), penalised, score) / Formula::input(3),
            &[scores, counts, penalty, temperature],
        );

        let maxima = builder.push(Operator::Maximum(Visible::All), &[scores]);
        let chances = builder.push(Operator::Chance, &[scores, maxima]);
        let ranks = builder.push(Operator::Rank, &[scores]);
        let chances = builder.push(Operator::KeepRanks, &[chances, ranks, top_k]);
        let masses = builder.push(Operator::Mass, &[scores, chances]);
        let totals = builder.push(Operator::Total, &[chances]);
        let chances = builder.push(Operator::KeepMass, &[chances, masses, totals, top_p]);
        let totals = builder.push(Operator::Total, &[chances]);
        let number = builder.push(Operator::Random(0), &[seed, sequence]);
        builder.push(Operator::Draw, &[chances, totals, number])
    }
}
