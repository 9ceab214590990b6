//! The scalar functions of the kernels against the reference's, pattern by pattern.

#![allow(clippy::unwrap_used)]

mod host;

use assay_cuda::{
    device::{Device, Grid},
    kernel::{Kernel, TableArgs},
};
use assay_exact::scalar::FUNCTIONS;
use host::{gpu, Host};
use std::sync::Arc;

fn patterns(device: &Arc<dyn Device>, function: usize, first: u32, step: u32, count: u32) -> Vec<u32> {
    let out = device.allocate(4 * count as usize).unwrap();
    let arguments = TableArgs {
        out,
        function: function as u32,
        first,
        count,
        step,
    };
    let words: [u64; 3] = bytemuck::cast(arguments);
    device.launch(Kernel::Table, Grid::over(count.into()), &words).unwrap();
    let mut bytes = vec![0; 4 * count as usize];
    device.download(out, &mut bytes).unwrap();
    device.release(out);
    assay_exact::tensor::from_bytes(&bytes)
}

fn check(device: &Arc<dyn Device>, first: u32, step: u32, count: u32) {
    for (number, (name, function)) in FUNCTIONS.iter().enumerate() {
        let got = patterns(device, number, first, step, count);
        for (at, got) in got.into_iter().enumerate() {
            let pattern = first.wrapping_add(step.wrapping_mul(at as u32));
            let expected = function(pattern);
            assert_eq!(got, expected, "{name} of {pattern:#010x}");
        }
    }
}

#[test]
fn scalar_functions_should_have_the_reference_s_bits_over_all_exponents() {
    // A prime, so that all exponents and many significands come
    for device in Host::open(false).into_iter().chain(gpu()) {
        check(&device, 0, 4_093, (1u64 << 32).div_ceil(4_093) as u32);
    }
}

#[test]
fn scalar_functions_should_have_the_reference_s_bits_near_special_values() {
    let devices: Vec<_> = Host::open(false).into_iter().chain(gpu()).collect();
    let special = [
        0,
        0x0080_0000,
        0x0f80_0000,
        0x3f00_0000,
        0x3f80_0000,
        0x4000_0000,
        0x4b00_0000,
        0x5f80_0000,
        0x7f80_0000,
    ];
    for first in special.into_iter().flat_map(|bits: u32| [bits, bits | 0x8000_0000]) {
        for device in &devices {
            check(device, first.wrapping_sub(500), 1, 1_000);
        }
    }
}

#[test]
#[ignore = "needs a GPU, and minutes for the reference: all 2^32 patterns of every function"]
fn scalar_functions_should_have_the_reference_s_bits_everywhere_on_a_gpu() {
    let Some(device) = gpu() else { return };
    for block in 0..1u32 << 12 {
        check(&device, block << 20, 1, 1 << 20);
    }
}
