//! Instruction sets, which of them this machine has, and which of those to use.

use crate::choice;
use std::{fmt, sync::OnceLock};

/// Names the instruction set that [`Isa::detect`] takes, as [`Isa`] displays it.
pub const VARIABLE: &str = "ASSAY_ISA";

/// An instruction set for which there are kernels, from the slowest to the fastest.
///
/// None of them saturates where that could be reached, and none uses fused multiply-add, even where it comes with what
/// the kernels are compiled for: that would round once where the definition rounds twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// What the compiler makes of plain Rust.
    Portable,
    /// AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX2, with products of pairs of 16-bit integers added to sums in one instruction (AVX-VNNI).
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// AVX-512 F, BW, DQ and VL, with the same instruction (AVX512-VNNI).
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// NEON, which every 64-bit Arm processor has.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Isa {
    /// All for which there are kernels on this kind of processor, the fastest last.
    pub const ALL: &'static [Self] = &[
        Self::Portable,
        #[cfg(target_arch = "x86_64")]
        Self::Avx2,
        #[cfg(target_arch = "x86_64")]
        Self::AvxVnni,
        #[cfg(target_arch = "x86_64")]
        Self::Avx512,
        #[cfg(target_arch = "aarch64")]
        Self::Neon,
    ];

    /// Whether this machine has it.
    #[inline]
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        use std::arch::is_x86_feature_detected as has;
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => has!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => has!("avx2") && has!("avxvnni"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                has!("avx2")
                    && has!("avx512f")
                    && has!("avx512bw")
                    && has!("avx512dq")
                    && has!("avx512vl")
                    && has!("avx512vnni")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
        }
    }

    /// All that this machine has, the fastest last.
    pub fn available() -> Vec<Self> {
        Self::ALL.iter().copied().filter(|isa| isa.is_available()).collect()
    }

    /// The one to use: that which [`VARIABLE`] names, or else the fastest of those that this machine has and that pass
    /// their check (see [`crate::check`]). One that does not is passed over with a warning.
    ///
    /// Decided, and checked, once in a process.
    ///
    /// # Panics
    ///
    /// If [`VARIABLE`] names one that is not there or does not pass its check, or if this thread rounds otherwise than to
    /// nearest, or does not keep subnormal numbers.
    pub fn detect() -> Self {
        static CHOSEN: OnceLock<Isa> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            assert!(
                crate::check::is_float_mode_default(),
                "floats: expected rounding to nearest and subnormal numbers, got another mode; a library that was loaded \
                 has changed it"
            );
            let asked = std::env::var_os(VARIABLE).map(|asked| asked.to_string_lossy().into_owned());
            let chosen = choice::choose(asked.as_deref(), &Self::available(), crate::check::check);
            let (isa, refused) = chosen.unwrap_or_else(|error| panic!("{error}"));
            for mismatch in refused {
                log::warn!(target: "kernels", "{mismatch}; not used");
            }
            log::debug!(target: "kernels", "instruction set: {isa}");
            isa
        })
    }

    /// # Panics
    ///
    /// If this machine does not have it.
    #[inline]
    pub(crate) fn assert_available(self) {
        assert!(
            self.is_available(),
            "this processor does not have {self}; choose among Isa::available()"
        );
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512-vnni",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
        })
    }
}
