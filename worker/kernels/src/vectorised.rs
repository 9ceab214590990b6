//! One loop, compiled once for each instruction set.
//!
//! The compiler makes SIMD code of plain loops over slices, for whatever instruction set a function is compiled for.
//! Nothing in Rust lets it fuse or reorder operations on floats, so the bits stay those of the plain loop.

/// Defines a function that takes an [`Isa`](crate::Isa) before its own arguments and runs its body as compiled for it.
///
/// An instruction set that the machine has not is answered with the portable code: the bits are the same.
macro_rules! vectorised {
    ($($(#[$meta:meta])* $visibility:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$meta])*
        $visibility fn $name(isa: $crate::Isa, $($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn portable($($arg: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2($($arg: $type),*) $(-> $result)? {
                portable($($arg),*)
            }

            match isa {
                #[cfg(target_arch = "x86_64")]
                $crate::Isa::Avx2 if std::arch::is_x86_feature_detected!("avx2") => {
                    // SAFETY: that the machine has AVX2 has just been checked.
                    unsafe { avx2($($arg),*) }
                }
                _ => portable($($arg),*),
            }
        }
    )*};
}

pub(crate) use vectorised;
