//! What a device is to the executor: memory, kernels in order, and products of bytes.

use crate::kernel::{Arguments, Kernel, MultiplyArgs};
use std::{fmt, sync::Arc};

/// Threads of a block.
const THREADS: u32 = 256;

/// Threads of the least block: a warp.
const WARP: u32 = 32;

/// Most blocks of a launch that steps over its elements.
const MAX_BLOCKS: u64 = 1 << 18;

/// Elements of a row that a block reduces.
const STRIP: u32 = 2_048;

/// The device or one of its libraries does not do what it must. Never a result of a job: whoever meets it has to run
/// the job elsewhere, or again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct DeviceError {
    /// What was tried.
    pub what: &'static str,
    /// Why it did not work.
    pub reason: String,
}

/// How many threads a launch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Blocks: of kernels that reduce rows, rows.
    pub blocks: u32,
    /// Strips of each row: 1 but for kernels that reduce rows.
    pub strips: u32,
    /// Threads of each block.
    pub threads: u32,
}

impl Grid {
    /// For a kernel that steps over this many elements.
    pub fn over(elements: u64) -> Self {
        Self {
            blocks: elements.div_ceil(THREADS.into()).min(MAX_BLOCKS) as u32,
            strips: 1,
            threads: THREADS,
        }
    }

    /// For a kernel that reduces rows of this length.
    pub fn rows(rows: u32, length: u32) -> Self {
        Self {
            blocks: rows,
            strips: length.div_ceil(STRIP),
            threads: length.min(THREADS).next_multiple_of(WARP).max(WARP),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.blocks == 0 || self.strips == 0
    }
}

/// Something that runs the kernels. What it is told is done in the order in which it is told.
///
/// Addresses are those that [`Device::allocate`] gives, or lie behind them in the same memory. Whoever implements it may
/// assume, and whoever calls it must see to it, that all that kernels are told to read and write lies there.
pub trait Device: fmt::Debug + Send + Sync {
    /// What it is called.
    fn name(&self) -> String;

    /// Memory of this many bytes, not 0, at an address that is a multiple of 256.
    fn allocate(&self, bytes: usize) -> Result<u64, DeviceError>;

    /// Gives memory back, once everything told so far is done.
    fn release(&self, address: u64);

    /// Copies bytes to the device.
    fn upload(&self, to: u64, bytes: &[u8]) -> Result<(), DeviceError>;

    /// Copies bytes from the device, once everything told so far is done.
    fn download(&self, from: u64, bytes: &mut [u8]) -> Result<(), DeviceError>;

    /// Sets all of these bytes to a value.
    fn fill(&self, at: u64, byte: u8, bytes: usize) -> Result<(), DeviceError>;

    /// Copies bytes within the device.
    fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), DeviceError>;

    /// Runs a kernel. `arguments` are those of [`Kernel::arguments`] bytes that it takes, aligned to 8.
    fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[u64]) -> Result<(), DeviceError>;

    /// Multiplies rows of bytes with rows of bytes, each sum in 32 bits.
    fn multiply(&self, arguments: &MultiplyArgs) -> Result<(), DeviceError> {
        let elements = u64::from(arguments.batch) * u64::from(arguments.columns) * u64::from(arguments.rows);
        launch(self, Grid::over(elements), arguments)
    }
}

/// Runs the kernel that takes these arguments by itself.
pub(crate) fn launch<A: Arguments>(
    device: &(impl Device + ?Sized),
    grid: Grid,
    arguments: &A,
) -> Result<(), DeviceError> {
    launch_as(device, A::KERNEL, grid, arguments)
}

/// Runs one of the kernels that take these arguments.
pub(crate) fn launch_as<A: Arguments>(
    device: &(impl Device + ?Sized),
    kernel: Kernel,
    grid: Grid,
    arguments: &A,
) -> Result<(), DeviceError> {
    if grid.is_empty() {
        return Ok(());
    }
    debug_assert_eq!(kernel.arguments(), size_of::<A>(), "{kernel:?}");
    device.launch(kernel, grid, bytemuck::cast_slice(std::slice::from_ref(arguments)))
}

/// Memory of a device that is given back when nobody has it any more.
#[derive(Debug)]
pub struct Memory {
    device: Arc<dyn Device>,
    address: u64,
    bytes: usize,
}

impl Memory {
    /// Memory that holds anything.
    ///
    /// # Errors
    ///
    /// If the device has not as much.
    pub fn new(device: &Arc<dyn Device>, bytes: usize) -> Result<Self, DeviceError> {
        // What is empty has an address, too
        let bytes = bytes.max(1);
        Ok(Self {
            address: device.allocate(bytes)?,
            device: device.clone(),
            bytes,
        })
    }

    /// Memory of zeros.
    ///
    /// # Errors
    ///
    /// As [`Memory::new`].
    pub fn zeros(device: &Arc<dyn Device>, bytes: usize) -> Result<Self, DeviceError> {
        let memory = Self::new(device, bytes)?;
        device.fill(memory.address, 0, memory.bytes)?;
        Ok(memory)
    }

    /// Where it begins.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// How much it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.device.release(self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grid_should_cover_rows_in_whole_warps() {
        let of = |rows, length| {
            let Grid {
                blocks,
                strips,
                threads,
            } = Grid::rows(rows, length);
            (blocks, strips, threads)
        };
        assert_eq!(of(3, 1), (3, 1, 32));
        assert_eq!(of(3, 33), (3, 1, 64));
        assert_eq!(of(1, 4_097), (1, 3, 256));
        assert!(Grid::rows(0, 5).is_empty() && Grid::rows(5, 0).is_empty() && Grid::over(0).is_empty());
    }
}
