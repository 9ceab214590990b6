//! Runs programs of exact arithmetic on NVIDIA GPUs: the same bits as anywhere else.
//!
//! Products are sums of bytes on tensor cores, by cuBLASLt; everything else are the kernels in `kernels`. Those are
//! compiled without fused operations, and their source is also C++ for the host: the tests hold every kernel and whole
//! programs against the reference on machines without a GPU, by a [`Device`](device::Device) that runs them thread by
//! thread.
//!
//! - [`Executor`]: a program with its weights on a device, step by step; [`Session`]: the states of one run.
//! - [`device`]: what an executor asks of a device; [`kernel`]: the kernels and what they take.
//! - [`nvidia`](crate) (feature `cuda`): a GPU by the driver and cuBLASLt, both loaded when a worker starts.
//!
//! `docs/gpu.md` says how to build it.

pub mod array;
pub mod device;
mod executor;
mod expression;
pub mod hash;
pub mod kernel;
mod lower;
#[cfg(feature = "cuda")]
pub mod nvidia;
mod operators;

pub use executor::{Executor, Failure, Given, InputError, LoadError, Output, Session};
