//! Runs programs of exact arithmetic at full speed on CPUs: embeds, and generates text.
//!
//! What a program gives is defined by `assay-exact`, operator by operator. Here a program is lowered once to stages that
//! fuse operators, and steps of any number of runs go through them together: rows of all runs side by side, without
//! padding, each run with its own states. Not a bit depends on what runs beside it, on the number of threads, or on the
//! instruction set.
//!
//! - [`executor`]: programs with their weights in memory, step by step.
//! - [`embed`]: sequences of token ids to vectors.
//! - [`generate`]: sequences of token ids to the tokens behind them, many at once; [`stop`]: when text is at its end.
//! - [`train`]: parameters from samples.
//!
//! Why results are computed in buffers of our own and not in candle's tensors: an operator has up to sixteen inputs of five
//! types, one of them `i8`, a stage has several outputs, and what lies between never leaves a thread's cache; candle's
//! custom operators take three inputs, give one output, and allocate it.

mod backend;
pub mod embed;
pub mod executor;
pub mod generate;
pub mod stop;
pub mod train;

#[cfg(feature = "device")]
pub use assay_cuda as cuda;
pub use embed::{EmbedError, Embedder};
pub use executor::{Buffer, Executor, Settings};
pub use generate::{Generation, Generator};
pub use train::Trainer;

use assay_models::{Package, PackageError};
use executor::{LoadError, WeightSource};

/// Why a package's model cannot be loaded.
pub type ModelError = LoadError<Box<PackageError>>;

/// Why a package's model cannot be loaded onto a device.
#[cfg(feature = "device")]
pub type DeviceModelError = assay_cuda::LoadError<Box<PackageError>>;

impl WeightSource for Package {
    type Error = Box<PackageError>;

    fn read(&self, weight: usize) -> Result<Vec<u8>, Box<PackageError>> {
        self.weight(weight).map_err(Box::new)
    }
}
