//! Whether an instruction set gives the bits of the portable kernels, on this machine, now.
//!
//! The tests hold every kernel against the reference, but on the machines that run them. An engine runs on others: with
//! processors that the tests have only seen emulated, whose microcode has errors, or under emulators that have. So
//! before it uses an instruction set, a few milliseconds of hostile values go through each kind of kernel.

mod probes;

use crate::{product, Isa};
use std::fmt;

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
