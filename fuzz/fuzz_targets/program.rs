//! Encoded programs: what is accepted has that one encoding, can be planned and costed at any lengths, and runs to an end.

#![no_main]

use assay_exact::{operator::Bindings, program::Program};
use assay_fuzz::step::try_step;
use libfuzzer_sys::fuzz_target;

/// Length and position of the steps that are tried.
const STEPS: [(u32, u32); 7] = [
    (1, 0),
    (3, 0),
    (1, 2),
    (0, 0),
    (16, 0),
    (1, u32::MAX),
    (u32::MAX, u32::MAX),
];

fuzz_target!(|data: &[u8]| {
    let program = match Program::from_bytes(data) {
        Ok(program) => program,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    assert_eq!(program.to_bytes(), data);
    assert_eq!(program.check(), Ok(()));
    let seed = u64::from_le_bytes(*program.id().first_chunk().expect("a hash has 32 bytes; qed"));
    for (step, (length, position)) in STEPS.into_iter().enumerate() {
        try_step(&program, Bindings { length, position }, seed.wrapping_add(step as u64));
    }
});
