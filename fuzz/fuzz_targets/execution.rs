//! Programs whose operators fit together: they are what they were after encoding, and run to an end at other lengths
//! than they were made for, too.

#![no_main]

use assay_exact::{operator::Bindings, program::Program};
use assay_fuzz::{calls::bindings, programs::program, step::try_step};
use libfuzzer_sys::{arbitrary::Unstructured, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let Some((seed, rest)) = data.split_first_chunk() else {
        return;
    };
    let seed = u64::from_le_bytes(*seed);
    let u = &mut Unstructured::new(rest);
    let Ok((program, bindings)) = bindings(u).and_then(|step| Ok((program(u, step)?, step))) else {
        return;
    };
    let bytes = program.to_bytes();
    assert_eq!(Program::from_bytes(&bytes), Ok(program.clone()));
    try_step(&program, bindings, seed);
    try_step(&program, Bindings { length: 4, position: 3 }, seed);
});
