//! Runs programs of exact arithmetic at full speed on CPUs.
//!
//! What a program gives is defined by `assay-exact`, operator by operator. Here a program is lowered once to stages that
//! fuse operators, and steps of any number of runs go through them together: rows of all runs side by side, without
//! padding, each run with its own states. Not a bit depends on what runs beside it, on the number of threads, or on the
//! instruction set.
//!
//! - [`Executor`]: a program with its weights in memory; [`Session`]: the states of one run.
//! - [`Recorded`]: the digests that a trace is made of.
//! - [`Buffer`]: elements in memory.

mod buffer;
mod group;
mod lower;
mod run;
mod session;
#[cfg(test)]
mod tests;
mod weights;
mod whole;

pub use buffer::{Buffer, Slice};
pub use run::{Executor, Failure, Given, InputError, Output, Recorded, Settings};
pub use session::Session;
pub use weights::{LoadError, PlanFailure, WeightSource};
