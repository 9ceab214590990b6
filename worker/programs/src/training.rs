//! Training as programs: forward, backward, clipping and optimiser are operators like all others.
//!
//! Nothing is differentiated when a program runs. Each part of a [`Network`] has a function that writes its operators and
//! one that writes those of its gradient; a family calls the former in order and the latter in the opposite order. Then
//! [`Network::train`] adds the optimiser. `docs/exact/training.md` has the formulas.
//!
//! A step of such a program is an update by one batch. Its sizes are all constants, so that it runs with [`BINDINGS`].
//! Floats enter products as integers of 24 bits.

mod attention;
mod convolution;
mod decoder;
mod linear;
mod loss;
mod network;
mod norm;
mod optimiser;
mod parameter;
#[cfg(test)]
mod tests;

pub use attention::{Attended, Sequences};
pub use convolution::{Image, Window};
pub use decoder::Adapters;
pub use linear::{Adapter, Affine, Mapped};
pub use loss::CrossEntropy;
pub use network::{Matrix, Network, Parameter, Purpose, Storage};
pub use norm::{LayerNormed, RmsNormed};
pub use optimiser::{Hyperparameter, Optimiser, Schedule, Settings};
pub use parameter::{initialise, Initial, ParameterSpec};

use assay_exact::{operator::Bindings, program::Program};

/// In which every step of a training or an evaluation runs: it has no tokens of its own, so positions count from 0 in
/// each of them.
pub const BINDINGS: Bindings = Bindings { length: 0, position: 0 };

/// A program that trains.
#[derive(Clone, Debug)]
pub struct Training {
    /// The program. Its results are the loss and the norm of the gradient before it is clipped, both F32 `[]`; what it
    /// trains are the states of the parameters' names, which begin as the weights of these names.
    pub program: Program,
    /// What it trains, in order.
    pub parameters: Vec<ParameterSpec>,
}
