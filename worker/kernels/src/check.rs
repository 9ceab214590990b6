//! Whether an instruction set gives the bits of the portable kernels, on this machine, now.
//!
//! The tests hold every kernel against the reference, but on the machines that run them. An engine runs on others: with
//! processors that the tests have only seen emulated, whose microcode has errors, or under emulators that have. So
//! before it uses an instruction set, a few milliseconds of hostile values go through each kind of kernel.

mod probes;

use crate::{product, Isa};
use std::{fmt, hint::black_box};

/// A kernel that gives other bits than the portable one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The instruction set.
    pub isa: Isa,
    /// What the kernel computes.
    pub kernel: &'static str,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "instruction set {}: expected the bits of the portable kernels, got others of {} on this machine",
            self.isa, self.kernel
        )
    }
}

impl std::error::Error for Mismatch {}

/// Some kernels.
#[derive(Clone, Copy)]
struct Probe {
    /// What they compute.
    kernel: &'static str,
    /// What they give on hostile values.
    run: fn(Isa) -> Vec<u32>,
}

const PROBES: [Probe; 6] = [
    Probe {
        kernel: "products",
        run: product::probe,
    },
    Probe {
        kernel: "rows",
        run: probes::rows,
    },
    Probe {
        kernel: "expressions",
        run: probes::expressions,
    },
    Probe {
        kernel: "rotation",
        run: probes::rotation,
    },
    Probe {
        kernel: "attention",
        run: probes::attention,
    },
    Probe {
        kernel: "sampling",
        run: probes::sampling,
    },
];

/// Holds an instruction set that this machine has against the portable kernels.
///
/// # Errors
///
/// The first kind of kernel that gives other bits.
///
/// # Panics
///
/// If this machine does not have the instruction set.
pub fn check(isa: Isa) -> Result<(), Mismatch> {
    isa.assert_available();
    compare(isa, &PROBES)
}

/// Whether this thread computes with floats as the definition does: it rounds to nearest, ties to even, and keeps subnormal
/// numbers.
///
/// A library that was compiled to be fast can change that when it is loaded; threads have it from the one that starts them.
pub fn is_float_mode_default() -> bool {
    // Hidden, so that it is not the compiler that computes
    let float = |bits: u32| f32::from_bits(black_box(bits));
    let (one, half_a_step) = (0x3f80_0000, 0x3380_0000);
    let results = [
        // Subnormal numbers as arguments, and as a result
        (float(1) + float(1), 2),
        (float(0x0080_0000) * float(0x3f00_0000), 0x0040_0000),
        // The middle between two numbers, just above it, and just under it on both sides of zero
        (float(one) + float(half_a_step), one),
        (float(one) + float(half_a_step + 1), one + 1),
        (float(one) + float(half_a_step - 1), one),
        (-float(one) - float(half_a_step - 1), 1 << 31 | one),
    ];
    results.into_iter().all(|(got, expected)| got.to_bits() == expected)
}

fn compare(isa: Isa, probes: &[Probe]) -> Result<(), Mismatch> {
    if isa == Isa::Portable {
        return Ok(());
    }
    match probes
        .iter()
        .find(|probe| (probe.run)(isa) != (probe.run)(Isa::Portable))
    {
        Some(Probe { kernel, .. }) => Err(Mismatch { isa, kernel }),
        None => Ok(()),
    }
}

/// Records whether something succeeded.
pub(crate) fn record<E>(all: &mut Vec<u32>, done: Result<(), E>) {
    all.push(u32::from(done.is_ok()));
}

/// Numbers from a seed.
pub(crate) struct Noise(pub(crate) u32);

impl Noise {
    /// The next of them.
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The lowest bits repeat soon
        self.0 >> 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_should_pass_when_kernels_are_right() {
        for isa in Isa::available() {
            assert_eq!(check(isa), Ok(()));
        }
    }

    #[test]
    fn check_should_name_the_kernel_that_gives_other_bits() {
        let right = Probe {
            kernel: "right",
            run: |_| vec![1, 2],
        };
        // One bit of one result, of every instruction set but the portable one
        let wrong = Probe {
            kernel: "wrong",
            run: |isa| vec![1, 2 | u32::from(isa != Isa::Portable)],
        };
        for isa in Isa::available() {
            let expected = match isa {
                Isa::Portable => Ok(()),
                _ => Err(Mismatch { isa, kernel: "wrong" }),
            };
            assert_eq!(compare(isa, &[right, wrong, right]), expected);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn float_mode_should_be_noticed_when_it_is_another() {
        use std::arch::asm;
        /// What is found in another mode; the thread's own is there again afterwards.
        fn is_default_in(mode: u32) -> bool {
            let mut before = 0u32;
            // SAFETY: within the two lines nothing but the function runs, whose results are looked at as bits
            unsafe { asm!("stmxcsr [{}]", "ldmxcsr [{}]", in(reg) &raw mut before, in(reg) &raw const mode) };
            // Through a pointer that the compiler does not know, so that nothing of it moves out of here
            let found = black_box(is_float_mode_default as fn() -> bool)();
            // SAFETY: as above
            unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const before) };
            found
        }
        assert!(is_default_in(0x1f80), "all exceptions are masked");
        assert!(is_default_in(0x1fbf), "exceptions that have been leave flags");
        for other in [0x9f80, 0x1fc0, 0x3f80, 0x5f80, 0x7f80] {
            assert!(!is_default_in(other), "{other:x}");
        }
        assert!(is_float_mode_default());
    }

    #[test]
    fn probes_should_have_results_that_differ() {
        for Probe { kernel, run } in PROBES {
            let mut results = run(Isa::Portable);
            let count = results.len();
            results.sort_unstable();
            results.dedup();
            assert!(
                results.len() > 100 && count > 150,
                "{kernel}: {} of {count}",
                results.len()
            );
        }
    }
}
