//! The exact operators at full speed on CPUs.
//!
//! `assay-exact` defines what every operator gives; what is here gives the same bits, faster. Each kernel works on
//! slices in one thread, and takes the instruction set as an argument, so that tests can hold each against the
//! reference. Who calls them divides rows among threads.
//!
//! - [`isa`]: instruction sets, and which of them this machine has.
//! - [`attention`]: from queries and a cache of keys and values to what attention gives, without storing scores.

pub mod attention;
pub mod isa;

pub use isa::Isa;
