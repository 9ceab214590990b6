//! Programs with their weights in memory, step by step.
//!
//! - [`Executor`]: a program with its weights; [`Session`]: the states of one run.
//! - [`Recorded`]: the digests that a trace is made of.
//! - [`Buffer`]: elements in memory.

mod buffer;
mod group;
mod lower;
mod run;
mod session;
#[cfg(test)]
mod tests;
mod threads;
mod weights;
mod whole;

pub use buffer::{Buffer, Slice};
pub use run::{Executor, Failure, Given, InputError, Output, Recorded, Settings};
pub use session::Session;
pub use weights::{LoadError, PlanFailure, WeightSource};
