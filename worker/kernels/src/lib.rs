//! The exact operators at full speed on CPUs.
//!
//! `assay-exact` defines what every operator gives; what is here gives the same bits, faster. Each kernel works on
//! slices in one thread, and takes the instruction set as an argument, so that tests can hold each against the
//! reference. Who calls them divides rows among threads.
//!
//! - [`isa`]: instruction sets, which of them this machine has, and which of those to use.
//! - [`check`]: whether an instruction set gives the bits of the portable kernels.
//! - [`product`]: products of rows of integers.
//! - [`row`]: magnitudes, maxima, sums, weights, and rows as integers of a class.
//! - [`expression`]: expressions, element by element.
//! - [`attention`]: from queries and a cache of keys and values to what attention gives, without storing scores.
//! - [`rotate`]: rotary position embedding.
//! - [`sample`]: drawing tokens, and what goes by index.
//! - [`view`]: elements in other places.

pub mod attention;
pub mod check;
mod choice;
pub mod expression;
pub mod isa;
pub mod product;
#[cfg(test)]
mod reference;
pub mod rotate;
pub mod row;
pub mod sample;
mod vectorised;
pub mod view;

pub use isa::Isa;
