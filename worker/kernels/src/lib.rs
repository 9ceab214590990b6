//! The exact operators at full speed on CPUs.
//!
//! `assay-exact` defines what every operator gives; what is here gives the same bits, faster. Each kernel works on
//! slices in one thread, and takes the instruction set as an argument, so that tests can hold each against the
//! reference. Who calls them divides rows among threads.
//!
//! - [`isa`]: instruction sets, and which of them this machine has.
//! - [`product`]: products of rows of integers.

pub mod isa;
pub mod product;

pub use isa::Isa;
