//! Evaluation as programs: how good a model is on data with labels.
//!
//! A step takes in a batch, and adds what it finds to states, so that the last step's results are those of all the data.
//! For a language model, labels are the tokens that follow: e to the power of loss ÷ count is its perplexity.

use crate::{
    builder::{Builder, Tensor},
    training::{CrossEntropy, Network},
};
use assay_exact::{
    program::{Program, ProgramError},
    tensor::DType,
};

/// Results of an evaluation by their places, all F32 `[]` and over all steps so far.
pub mod result {
    /// The sum of −ln p(label), as often as each counts.
    pub const LOSS: usize = 0;
    /// How often the highest score was the label's.
    pub const HITS: usize = 1;
    /// How many labels there were. Exact up to 2²⁴.
    pub const COUNT: usize = 2;
}

/// Adds a scalar to a state of this name; the sum is a result.
fn accumulate(builder: &mut Builder, name: &str, part: Tensor) {
    let state = builder.state(name, DType::F32, &[]);
    let sum = builder.add(state, part);
    builder.becomes(state, sum);
    builder.result(sum);
}

impl Network {
    /// Ends a program that evaluates.
    ///
    /// # Errors
    ///
    /// If it is larger than a program may be.
    pub fn evaluate(mut self, found: &CrossEntropy) -> Result<Program, ProgramError> {
        let hits = self.hits(found);
        accumulate(&mut self.builder, "loss", found.sum);
        accumulate(&mut self.builder, "hits", hits);
        accumulate(&mut self.builder, "count", found.count);
        self.builder.finish()
    }
}
