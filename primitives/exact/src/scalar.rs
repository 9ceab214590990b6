//! Scalar functions: every operation on single binary32 values that an operator may use.
//!
//! `docs/exact/scalars.md` defines each function as an expression tree over the operations of rule 1 (`+`, `−`, `×`,
//! `÷` rounded to nearest even and never fused, comparisons, integer operations on bit patterns), with every constant
//! as hexadecimal bits. The code here follows that text operation by operation: no reassociation, no `mul_add`, no libm.
//!
//! All functions take any finite input. A result may be ±∞ where the true value overflows (operators check what they
//! put out); it is NaN only where the function has no value, which its documentation says. Inside an expression an
//! argument may be infinite or NaN too; the text says what is given then, which does not depend on the bits of the NaN.
//!
//! They are straight-line code with selects instead of branches, and `#[inline]`, so that a loop over a slice becomes
//! SIMD code in whatever instruction set the caller is compiled for.

mod basic;
mod convert;
mod exponential;
mod gelu;
mod logarithm;
mod table;
#[cfg(test)]
mod tests;
mod turn;

/// Parts of functions that are long, for engines: a loop over a slice for each part is faster than one loop for the
/// whole, in which a processor waits for results. Their composition is the function.
pub mod parts {
    pub use super::exponential::{tanh_large, tanh_of_large};
    pub use super::gelu::{erf_exponent, erf_large, erf_of_large};
}

pub use basic::{abs, floor, max, min, neg, pow2, relu, rne, scale_by_pow2, sqrt};
pub use convert::{from_i64, to_i32_rne, to_i32_rne_small};
pub use exponential::{exp, sigmoid, silu, silu_derivative, tanh};
pub use gelu::{erf, gelu, gelu_derivative, gelu_tanh, gelu_tanh_derivative};
pub use logarithm::ln;
pub use table::{digest_range, PatternFunction, FUNCTIONS};
pub use turn::{cos_turn, sin_turn};
