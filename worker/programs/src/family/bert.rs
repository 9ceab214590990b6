//! BERT encoders that embed sentences: Devlin et al. 2019 (arXiv:1810.04805), with mean pooling as in Reimers and Gurevych
//! 2019 (arXiv:1908.10084).
//!
//! A step is a sequence. Weights have the names that they have in the model's own files.

use super::Precision;
use crate::{
    attention::{Attention, Heads},
    builder::{fixed, Builder, Tensor},
    layer::{Activation, Linear, SCALES},
};
use assay_exact::{
    operator::{Dim, Visible},
    product::Class,
    program::{Program, ProgramError},
    tensor::DType,
};

/// Sizes of an encoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoder {
    /// Tokens that it knows.
    pub vocabulary: usize,
    /// Most tokens of a sequence.
    pub positions: usize,
    /// Kinds of segments; all tokens are of the first.
    pub types: usize,
    /// Elements of a token.
    pub width: usize,
    /// Layers.
    pub layers: usize,
    /// Heads of attention; divides the width.
    pub heads: usize,
    /// Elements between the two linear maps of a layer.
    pub inner: usize,
    /// The function between them.
    pub activation: Activation,
    /// What norms add to the variance.
    pub epsilon: f32,
    /// How a sequence becomes one vector.
    pub pooling: Pooling,
}

/// How the hidden states of a sequence become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first token.
    First,
}

impl Encoder {
    /// The program that embeds a sequence of token ids U32 `[L]`: one result, F32 `[width]`, of length one.
    ///
    /// # Errors
    ///
    /// If it is larger than a program may be.
    pub fn program(&self, precision: Precision) -> Result<Program, ProgramError> {
        let mut builder = Builder::new();
        let tokens = builder.input("tokens", DType::U32, &[Dim::LENGTH]);
        let mut hidden = self.embeddings(&mut builder, tokens);
        for layer in 0..self.layers {
            builder.next_segment();
            hidden = self.layer(&mut builder, precision, &format!("encoder.layer.{layer}"), hidden);
        }
        builder.next_segment();
        let pooled = match self.pooling {
            Pooling::Mean => builder.sum_of_rows(hidden, self.width),
            Pooling::First => {
                let first = builder.slice(hidden, Dim::default(), &[Dim::constant(1), fixed(self.width)]);
                builder.reshape(first, &[fixed(self.width)])
            }
        };
        let embedding = builder.direction(pooled);
        builder.result(embedding);
        builder.finish()
    }

    fn rows(&self) -> (Dim, usize) {
        (Dim::LENGTH, self.width)
    }

    fn embeddings(&self, builder: &mut Builder, tokens: Tensor) -> Tensor {
        // Tables are only looked up: sixteen bits cost memory alone, and their rows have elements far above the others
        let table = |builder: &mut Builder, name: &str, rows| {
            let name = format!("embeddings.{name}_embeddings.weight");
            builder.quantised(&name, Class::Int16, rows, self.width)
        };
        let words = table(builder, "word", self.vocabulary);
        let positions = table(builder, "position", self.positions);
        let types = table(builder, "token_type", self.types);
        let words = builder.embedding(words, tokens, self.rows());
        let kind = builder.first_rows(types, (Dim::constant(1), self.width));
        let positions = builder.first_rows(positions, self.rows());
        let sum = builder.add(words, kind);
        let sum = builder.add(sum, positions);
        self.norm(builder, "embeddings", sum)
    }

    fn norm(&self, builder: &mut Builder, place: &str, x: Tensor) -> Tensor {
        let mut vector = |part: &str| {
            let name = format!("{place}.LayerNorm.{part}");
            builder.weight(name, DType::F32, &[fixed(self.width)])
        };
        let (gain, bias) = (vector("weight"), vector("bias"));
        builder.layer_norm(x, self.rows(), self.epsilon, gain, bias)
    }

    fn linear(&self, builder: &mut Builder, precision: Precision, name: &str, rows: usize, columns: usize) -> Linear {
        Linear {
            weight: builder.quantised(&format!("{name}.weight"), precision.weights, rows, columns),
            bias: Some(builder.weight(format!("{name}.bias"), DType::F32, &[fixed(rows)])),
        }
    }

    fn layer(&self, builder: &mut Builder, precision: Precision, name: &str, x: Tensor) -> Tensor {
        let (width, class) = (self.width, precision.activations);
        let heads = Heads {
            queries: self.heads,
            keys: self.heads,
            dimension: width / self.heads,
        };
        let shape = [Dim::LENGTH, fixed(heads.queries), fixed(heads.dimension)];
        let [q, k, v] = ["query", "key", "value"].map(|part| {
            let map = self.linear(
                builder,
                precision,
                &format!("{name}.attention.self.{part}"),
                width,
                width,
            );
            let y = builder.linear(x, class, map);
            builder.reshape(y, &shape)
        });
        let (keys, values) = (builder.quantise_heads(k), builder.quantise_heads(v));
        let attended = builder.attention(Attention {
            heads,
            queries: q,
            keys,
            values,
            tokens: Dim::LENGTH,
            visible: Visible::All,
            scale: 1.0 / (heads.dimension as f32).sqrt(),
        });
        let output = format!("{name}.attention.output");
        let map = self.linear(builder, precision, &format!("{output}.dense"), width, width);
        let y = builder.linear(attended, class, map);
        let y = builder.add(y, x);
        let x = self.norm(builder, &output, y);

        let first = format!("{name}.intermediate.dense");
        let weight = builder.quantised(&format!("{first}.weight"), precision.weights, self.inner, width);
        let bias = builder.weight(format!("{first}.bias"), DType::F32, &[fixed(self.inner)]);
        let output = format!("{name}.output");
        let scales = builder.weight(format!("{output}.dense.{SCALES}"), DType::F32, &[fixed(self.inner)]);
        let inner = builder.linear_then(x, class, (weight, bias), self.activation, scales);
        let map = self.linear(builder, precision, &format!("{output}.dense"), width, self.inner);
        let y = builder.linear(inner, class, map);
        let y = builder.add(y, x);
        self.norm(builder, &output, y)
    }
}
