//! Digests of what lies on a device.

use crate::{
    array::Array,
    device::{launch_as, Device, DeviceError, Grid, Memory},
    kernel::{HashArgs, Kernel},
};
use assay_exact::opening::HashMode;
use std::sync::Arc;

/// Bytes of a chunk.
const CHUNK: usize = 1_024;

/// Bytes of a chaining value.
const VALUE: usize = 32;

/// The flag of all compressions of a keyed hash.
const KEYED_HASH: u32 = 16;

/// BLAKE3's initial chaining value.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Tells the device to hash an array; the digest's 32 bytes go to `out`.
///
/// # Errors
///
/// If the device has no room for the chunks' values.
pub fn digest(device: &Arc<dyn Device>, mode: &HashMode, array: &Array, out: u64) -> Result<(), DeviceError> {
    let (key, flags) = match mode {
        HashMode::Plain => (INITIAL, 0),
        HashMode::Keyed(key) => {
            let mut words = [0; 8];
            for (word, bytes) in words.iter_mut().zip(key.chunks_exact(4)) {
                *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
            (words, KEYED_HASH)
        }
    };
    let mut count = array.bytes().div_ceil(CHUNK).max(1);
    // Two levels take turns
    let levels = [
        Memory::new(device, count * VALUE)?,
        Memory::new(device, count.div_ceil(2) * VALUE)?,
    ];
    let place = |is_last: bool, level: usize| match is_last {
        true => out,
        false => levels[level % 2].address(),
    };
    let arguments = |input: u64, out: u64, count: usize| HashArgs {
        input,
        out,
        bytes: array.bytes() as u64,
        count: count as u32,
        flags,
        key,
    };
    let mut level = 0;
    let mut values = place(count == 1, level);
    let chunks = arguments(array.address(), values, count);
    launch_as(&**device, Kernel::HashChunks, Grid::over(count as u64), &chunks)?;
    while count > 1 {
        let above = count.div_ceil(2);
        level += 1;
        let to = place(above == 1, level);
        let parents = arguments(values, to, count);
        launch_as(&**device, Kernel::HashParents, Grid::over(above as u64), &parents)?;
        (values, count) = (to, above);
    }
    Ok(())
}
