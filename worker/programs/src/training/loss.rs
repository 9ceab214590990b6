//! Cross-entropy of scores with labels, and how often the highest score is the label's.

use super::Network;
use crate::{
    builder::{fixed, Tensor},
    formula::Formula,
};
use assay_exact::{
    expression::{Comparison, Unary},
    operator::{Dim, Operator, Visible},
    tensor::DType,
};

/// Fractional bits of the sum of weights of a row of scores.
const WEIGHT_BITS: u8 = 40;

/// Scores with their labels, and what is made of them.
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropy {
    /// The sum over all rows of how much they count · −ln p(label), F32 `[]`.
    pub sum: Tensor,
    /// The sum of how much the rows count, F32 `[]`.
    pub count: Tensor,
    scores: Tensor,
    labels: Tensor,
    counts: Tensor,
    weights: Tensor,
    sums: Tensor,
    rows: usize,
}

impl Network {
    /// Declares what every batch has besides its features: the labels U32 and how much each counts, F32, of this shape.
    pub fn labels(&mut self, shape: &[usize]) -> (Tensor, Tensor) {
        let shape = super::network::dims(shape);
        (
            self.builder.input("labels", DType::U32, &shape),
            self.builder.input("counts", DType::F32, &shape),
        )
    }

    /// The cross-entropy of scores F32 `[rows, classes]` with labels U32 `[rows]`, of which each counts as much as `counts` F32
    /// `[rows]` says: 0 for what is only there to fill the batch.
    pub fn cross_entropy(&mut self, scores: Tensor, (labels, counts): (Tensor, Tensor), rows: usize) -> CrossEntropy {
        let builder = &mut self.builder;
        let maxima = builder.push(Operator::Maximum(Visible::All), &[scores]);
        let weights = builder.push(Operator::Weights(Visible::All), &[scores, maxima]);
        let sums = builder.push(Operator::WeightSum(WEIGHT_BITS), &[weights]);
        let picked = builder.push(Operator::Pick, &[scores, labels]);
        let loss = Formula::input(0).unary(Unary::Ln) - (Formula::input(1) - Formula::input(2));
        let losses = builder.map(loss * Formula::input(3), &[sums, picked, maxima, counts]);
        CrossEntropy {
            sum: builder.sum(losses),
            count: builder.sum(counts),
            scores,
            labels,
            counts,
            weights,
            sums,
            rows,
        }
    }

    /// The mean loss, F32 `[]`.
    pub fn mean_loss(&mut self, loss: &CrossEntropy) -> Tensor {
        self.builder
            .map(Formula::input(0) / Formula::input(1), &[loss.sum, loss.count])
    }

    /// The gradient of the mean loss with respect to the scores.
    pub fn cross_entropy_backward(&mut self, loss: &CrossEntropy) -> Tensor {
        let per_row = [fixed(loss.rows), Dim::constant(1)];
        let [sums, labels, counts] = [loss.sums, loss.labels, loss.counts].map(|x| self.builder.reshape(x, &per_row));
        let (one, zero) = (Formula::constant(1.0), Formula::constant(0.0));
        let is_label = Formula::coordinate(0).select(Comparison::Equal, Formula::input(2), one, zero);
        let share = Formula::input(3) / Formula::input(4);
        self.builder.map(
            (Formula::input(0) / Formula::input(1) - is_label) * share,
            &[loss.weights, sums, labels, counts, loss.count],
        )
    }

    /// The sum of how much those rows count whose highest score, the first of several, is the label's: F32 `[]`.
    pub fn hits(&mut self, loss: &CrossEntropy) -> Tensor {
        let best = self.builder.push(Operator::ArgMax, &[loss.scores]);
        let hit = Formula::input(0).select(
            Comparison::Equal,
            Formula::input(1),
            Formula::input(2),
            Formula::constant(0.0),
        );
        let hits = self.builder.map(hit, &[best, loss.labels, loss.counts]);
        self.builder.sum(hits)
    }
}
