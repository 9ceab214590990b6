//! A call's part of the queries, keys and values, and what is known of all scores.

use super::{Block, Keys, Output, Queries};
use assay_exact::{
    operator::{Bindings, Visible},
    row::{exponent, LEAST_MAGNITUDE, MAX_SUM, OPERAND_LIMIT},
};

/// Something failed a check: there is an element that faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suspect;

/// What a call computes. Its rows are those of all heads of the group, the heads of a token next to each other.
#[derive(Clone, Debug)]
pub(super) struct Task<'a> {
    pub(super) keys: Keys<'a>,
    pub(super) queries: Queries<'a>,
    pub(super) block: Block,
    /// Heads R that share the group's keys.
    pub(super) shared: usize,
    bindings: Bindings,
}

impl<'a> Task<'a> {
    pub(super) fn new(keys: &Keys<'a>, queries: &Queries<'a>, block: &Block) -> Self {
        let Keys {
            tokens,
            heads,
            dimension,
            ..
        } = *keys;
        let integers = tokens * heads * dimension;
        assert_eq!(
            [keys.k.len(), keys.v.len()],
            [integers; 2],
            "keys and values are [T, G, D]"
        );
        assert_eq!(
            [keys.k_magnitudes.len(), keys.v_magnitudes.len()],
            [tokens * heads; 2],
            "magnitudes are [T, G]"
        );
        assert_eq!(
            queries.q.len(),
            queries.length * queries.heads * dimension,
            "queries are [L, H, D]"
        );
        assert!(
            (1..MAX_SUM).contains(&(tokens as u64)) && (1..=MAX_SUM).contains(&(dimension as u64)),
            "expected 1 to {} tokens and 1 to {MAX_SUM} elements a head, got {tokens} and {dimension}",
            MAX_SUM - 1
        );
        assert!(
            queries.heads.is_multiple_of(heads) && block.group < heads,
            "expected a multiple of {heads} heads and a group below, got {} and {}",
            queries.heads,
            block.group
        );
        assert!(
            queries.length <= tokens && block.rows.start <= block.rows.end && block.rows.end <= queries.length,
            "expected rows of {} queries, which are among {tokens} tokens, got {:?}",
            queries.length,
            block.rows
        );
        assert!(
            queries.factor.is_finite(),
            "expected a finite factor, got {}",
            queries.factor
        );
        Self {
            keys: *keys,
            queries: *queries,
            block: block.clone(),
            shared: queries.heads / heads,
            bindings: Bindings {
                length: queries.length as u32,
                position: (tokens - queries.length) as u32,
            },
        }
    }

    pub(super) fn check_output(&self, output: &Output<'_>) {
        let row = self.shared * self.keys.dimension;
        let needed = match self.block.rows.len() {
            0 => 0,
            rows => (rows - 1) * output.stride + row,
        };
        assert!(
            output.o.len() >= needed && (output.stride >= row || self.block.rows.len() < 2),
            "expected {needed} elements with at least {row} from row to row, got {} and {}",
            output.o.len(),
            output.stride
        );
    }

    pub(super) fn rows(&self) -> usize {
        self.block.rows.len() * self.shared
    }

    /// The token and the head of a row.
    pub(super) fn place(&self, row: usize) -> (usize, usize) {
        (
            self.block.rows.start + row / self.shared,
            self.block.group * self.shared + row % self.shared,
        )
    }

    pub(super) fn query(&self, row: usize) -> &'a [f32] {
        let (token, head) = self.place(row);
        let start = (token * self.queries.heads + head) * self.keys.dimension;
        &self.queries.q[start..start + self.keys.dimension]
    }

    /// How many keys a row sees. Never fewer than the row before.
    pub(super) fn count(&self, row: usize) -> usize {
        let (token, _) = self.place(row);
        let visible: Visible = self.queries.visible;
        visible.count(token as u64, self.keys.tokens as u64, self.bindings) as usize
    }

    pub(super) fn key(&self, token: usize) -> &'a [i16] {
        self.row_of(self.keys.k, token)
    }

    pub(super) fn value(&self, token: usize) -> &'a [i16] {
        self.row_of(self.keys.v, token)
    }

    /// A token's row of the group, in keys or values.
    pub(super) fn row_of<'k>(&self, integers: &'k [i16], token: usize) -> &'k [i16] {
        let start = (token * self.keys.heads + self.block.group) * self.keys.dimension;
        &integers[start..start + self.keys.dimension]
    }

    pub(super) fn key_magnitude(&self, token: usize) -> f32 {
        self.keys.k_magnitudes[token * self.keys.heads + self.block.group]
    }

    pub(super) fn value_magnitude(&self, token: usize) -> f32 {
        self.keys.v_magnitudes[token * self.keys.heads + self.block.group]
    }

    /// Where a row is in the output.
    pub(super) fn output_at(&self, row: usize, stride: usize) -> usize {
        row / self.shared * stride + row % self.shared * self.keys.dimension
    }

    /// The largest magnitudes of the rows' queries and of all keys; none, if one is not that of a product's operand.
    pub(super) fn largest_operands(&self, magnitudes: &[f32]) -> Option<(f32, f32)> {
        let of_queries = largest_operand(magnitudes.iter().copied())?;
        let of_keys = largest_operand((0..self.keys.tokens).map(|token| self.key_magnitude(token)))?;
        Some((of_queries, of_keys))
    }

    /// Whether no score can overflow, be it visible or not, given the largest magnitudes of queries and keys.
    ///
    /// Rows of exponents e and f with integers up to 2²² and 2¹⁴ give sums of at most D · (2²⁸ + 2⁶), which count
    /// 2^(e+f−28): the bound is D · 2^(e+f), and 1 % for what is rounded.
    pub(super) fn is_bounded(&self, (of_queries, of_keys): (f32, f32)) -> bool {
        let exponents = exponent(of_queries) + exponent(of_keys);
        let score = 1.01 * self.keys.dimension as f64 * f64::from(exponents).exp2();
        score * f64::from(self.queries.factor.abs()).max(1.0) < f64::from(f32::MAX)
    }
}

/// The largest of some magnitudes; none, if one is not that of a product's operand.
fn largest_operand(magnitudes: impl Iterator<Item = f32>) -> Option<f32> {
    let (least, largest) = magnitudes
        .map(f32::to_bits)
        .fold((LEAST_MAGNITUDE, LEAST_MAGNITUDE), |(least, largest), bits| {
            (least.min(bits), largest.max(bits))
        });
    (least == LEAST_MAGNITUDE && largest < OPERAND_LIMIT).then_some(f32::from_bits(largest))
}

/// The magnitude of a row; none, if an element is not finite.
pub(super) fn magnitude(row: &[f32]) -> f32 {
    let bits = row
        .iter()
        .fold(LEAST_MAGNITUDE, |largest, x| largest.max(x.to_bits() & 0x7FFF_FFFF));
    f32::from_bits(bits)
}
