//! Causal attention of whole sequences, in floats, and its gradient.
//!
//! Inference keeps keys and values as integers of 16 bits. Here they are floats, and enter products as integers of 24
//! bits like all else that has a gradient.

use super::Network;
use crate::{
    attention::Heads,
    builder::{fixed, Tensor},
    formula::Formula,
};
use assay_exact::operator::{Dim, Operator, Visible};

/// Fractional bits of the sum of weights.
const WEIGHT_BITS: u8 = 30;

/// A batch of sequences of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequences {
    /// How many.
    pub count: usize,
    /// Tokens of each.
    pub length: usize,
}

impl Sequences {
    /// Tokens of all.
    pub fn tokens(self) -> usize {
        self.count * self.length
    }
}

/// What attention gives. The parts are by sequence and head.
#[derive(Clone, Copy, Debug)]
pub struct Attended {
    /// Its output F32 `[tokens, queries · dimension]`.
    pub y: Tensor,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    /// What each token weighs for each.
    shares: Tensor,
}

/// Sizes of an attention's parts.
#[derive(Clone, Copy)]
struct Parts {
    batch: Dim,
    length: Dim,
    queries: Dim,
    keys: Dim,
    dimension: Dim,
    /// Queries of all heads that share keys.
    shared: Dim,
}

impl Parts {
    fn new(heads: Heads, sequences: Sequences) -> Self {
        Self {
            batch: fixed(sequences.count),
            length: fixed(sequences.length),
            queries: fixed(heads.queries),
            keys: fixed(heads.keys),
            dimension: fixed(heads.dimension),
            shared: fixed(heads.queries / heads.keys * sequences.length),
        }
    }
}

fn scale(heads: Heads) -> f32 {
    1.0 / assay_exact::scalar::sqrt(heads.dimension as f32)
}

impl Network {
    /// Rows `[tokens, heads · dimension]` by sequence and head: `[count, heads, length, dimension]`.
    fn split_heads(&mut self, x: Tensor, parts: Parts, heads: Dim) -> Tensor {
        let Parts {
            batch,
            length,
            dimension,
            ..
        } = parts;
        let x = self.builder.reshape(x, &[batch, length, heads, dimension]);
        self.builder
            .permute(x, &[batch, heads, length, dimension], &[0, 2, 1, 3])
    }

    /// The reverse of [`Network::split_heads`].
    fn join_heads(&mut self, x: Tensor, parts: Parts, heads: Dim, shape: (usize, usize)) -> Tensor {
        let Parts {
            batch,
            length,
            dimension,
            ..
        } = parts;
        let x = self
            .builder
            .permute(x, &[batch, length, heads, dimension], &[0, 2, 1, 3]);
        self.builder.reshape(x, &[fixed(shape.0), fixed(shape.1)])
    }

    fn rotate(&mut self, x: Tensor, frequencies: Tensor, inverse: bool) -> Tensor {
        self.builder
            .push(Operator::Rotate { axis: 1, inverse }, &[x, frequencies])
    }

    /// The last two dimensions exchanged, for `x` `[count, heads, rows, columns]`.
    fn exchange(&mut self, x: Tensor, parts: Parts, heads: Dim, (rows, columns): (Dim, Dim)) -> Tensor {
        self.builder
            .permute(x, &[parts.batch, heads, columns, rows], &[0, 1, 3, 2])
    }

    /// Attention of each token to itself and those before it in its sequence. `qkv` are F32 `[tokens, heads · dimension]`;
    /// queries and keys are rotated by U64 `frequencies` `[dimension / 2]`.
    pub fn attention(&mut self, heads: Heads, sequences: Sequences, qkv: [Tensor; 3], frequencies: Tensor) -> Attended {
        let parts = Parts::new(heads, sequences);
        let queries = self.split_heads(qkv[0], parts, parts.queries);
        let keys = self.split_heads(qkv[1], parts, parts.keys);
        let values = self.split_heads(qkv[2], parts, parts.keys);
        let queries = self.rotate(queries, frequencies, false);
        let keys = self.rotate(keys, frequencies, false);

        let scores = self.builder.wide_product(queries, keys);
        let scores = self.builder.map(Formula::input(0) * scale(heads), &[scores]);
        let maxima = self.builder.push(Operator::Maximum(Visible::Causal), &[scores]);
        let weights = self.builder.push(Operator::Weights(Visible::Causal), &[scores, maxima]);
        let sums = self.builder.push(Operator::WeightSum(WEIGHT_BITS), &[weights]);
        let per_row = [parts.batch, parts.queries, parts.length, Dim::constant(1)];
        let sums = self.builder.reshape(sums, &per_row);
        let shares = self
            .builder
            .map(Formula::input(0) / Formula::input(1), &[weights, sums]);

        let columns = self.exchange(values, parts, parts.keys, (parts.length, parts.dimension));
        let means = self.builder.wide_product(shares, columns);
        let shape = (sequences.tokens(), heads.queries * heads.dimension);
        Attended {
            y: self.join_heads(means, parts, parts.queries, shape),
            queries,
            keys,
            values,
            shares,
        }
    }

    /// The gradients of [`Network::attention`] with respect to queries, keys and values, given that of its output. What heads
    /// share is summed within the products.
    pub fn attention_backward(
        &mut self,
        heads: Heads,
        sequences: Sequences,
        attended: &Attended,
        frequencies: Tensor,
        g: Tensor,
    ) -> [Tensor; 3] {
        let parts = Parts::new(heads, sequences);
        let Attended {
            queries,
            keys,
            values,
            shares,
            ..
        } = *attended;
        let g = self.split_heads(g, parts, parts.queries);

        let to_shares = self.builder.wide_product(g, values);
        let products = self
            .builder
            .map(Formula::input(0) * Formula::input(1), &[to_shares, shares]);
        let dot = self.builder.sum(products);
        let per_row = [parts.batch, parts.queries, parts.length, Dim::constant(1)];
        let dot = self.builder.reshape(dot, &per_row);
        let to_scores = (Formula::input(0) - Formula::input(2)) * Formula::input(1) * scale(heads);
        let to_scores = self.builder.map(to_scores, &[to_shares, shares, dot]);

        let columns = self.exchange(keys, parts, parts.keys, (parts.length, parts.dimension));
        let to_queries = self.builder.wide_product(to_scores, columns);
        let to_keys = self.sum_over_queries((to_scores, queries), parts);
        let to_values = self.sum_over_queries((shares, g), parts);

        let to_queries = self.rotate(to_queries, frequencies, true);
        let to_keys = self.rotate(to_keys, frequencies, true);
        let of_queries = (sequences.tokens(), heads.queries * heads.dimension);
        let of_keys = (sequences.tokens(), heads.keys * heads.dimension);
        [
            self.join_heads(to_queries, parts, parts.queries, of_queries),
            self.join_heads(to_keys, parts, parts.keys, of_keys),
            self.join_heads(to_values, parts, parts.keys, of_keys),
        ]
    }

    /// `Σ a[query, token] · b[query]` over the queries of all heads that share keys, for `a` `[count, queries, length, length]` and
    /// `b` `[count, queries, length, dimension]`: `[count, keys, length, dimension]`.
    fn sum_over_queries(&mut self, (a, b): (Tensor, Tensor), parts: Parts) -> Tensor {
        let [a, b] = [(a, parts.length), (b, parts.dimension)].map(|(x, columns)| {
            let together = [parts.batch, parts.keys, parts.shared, columns];
            let x = self.builder.reshape(x, &together);
            self.exchange(x, parts, parts.keys, (parts.shared, columns))
        });
        self.builder.wide_product(a, b)
    }
}
