//! # Exact arithmetic
//!
//! The arithmetic in which jobs run: the same bits on every processor. This crate is the reference. The chain
//! executes it as the referee of a dispute, and every engine must agree with it bit for bit.
//!
//! What makes the bits the same is not an order of summation, which would forbid the fast kernels, but that
//! order does not matter: **every reduction is done in integers.** Floats are only ever combined one by one, in
//! expressions that say which operation is rounded when.
//!
//! From small to large:
//!
//! - [`scalar`]: functions of single floats; [`random`]: numbers from a counter.
//! - [`row`]: what a row of floats has in common, and its sum; [`product`]: products of two rows.
//! - [`expression`]: what is computed of each element by itself; [`operator`]: everything a program is made of, each
//!   defined by what one element of its output is.
//! - [`program`]: what a job runs, step by step, with its costs and its reference execution.
//! - [`trace`]: what of a run is committed; [`opening`]: how a few bytes of it are proved; [`referee`]: the recomputation
//!   of one element from such proofs.
//! - [`sweep`]: fingerprints of functions over many inputs, by which builds are compared.
//!
//! `docs/exact` defines the same in words, for whoever writes a second implementation.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod expression;
pub mod memory;
pub mod opening;
pub mod operator;
pub mod product;
pub mod program;
pub mod random;
pub mod referee;
pub mod row;
pub mod scalar;
pub mod sweep;
pub mod tensor;
pub mod trace;
