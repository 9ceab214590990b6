//! One loop, compiled once for each instruction set.
//!
//! The compiler makes SIMD code of plain loops over slices, for whatever instruction set a function is compiled for.
//! Nothing in Rust lets it fuse or reorder operations on floats, so the bits stay those of the plain loop.

/// Defines a function that takes an [`Isa`](crate::Isa) before its own arguments and runs its body as compiled for it.
///
/// An instruction set that the machine has not is answered with the portable code: the bits are the same. Sets of which
/// only products make use are compiled as AVX2, which they include; NEON is what portable code may use anyway.
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
                $crate::Isa::Avx2 | $crate::Isa::AvxVnni | $crate::Isa::Avx512 if isa.is_available() => {
                    // SAFETY: that the machine has AVX2 has just been checked.
                    unsafe { avx2($($arg),*) }
                }
                _ => portable($($arg),*),
            }
        }
    )*};
}

pub(crate) use vectorised;

#[cfg(test)]
mod tests {
    use crate::Isa;
    use std::hint::black_box;

    vectorised! {
        fn multiply_then_add(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
            for (((out, a), b), c) in out.iter_mut().zip(a).zip(b).zip(c) {
                *out = *a * *b + *c;
            }
        }
    }

    #[test]
    fn product_and_sum_should_be_rounded_both_when_the_processor_could_fuse_them() {
        // (1 + 2⁻¹²)² − (1 + 2⁻¹¹) is 2⁻²⁴, which the product's rounding loses
        let (x, y) = (1.0 + 2f32.powi(-12), -(1.0 + 2f32.powi(-11)));
        assert_eq!(x.mul_add(x, y), 2f32.powi(-24));
        // Hidden, so that it is not the compiler that computes
        let (a, c) = black_box(([x; 67], [y; 67]));
        for isa in Isa::available() {
            let mut out = [f32::NAN; 67];
            multiply_then_add(isa, &a, &a, &c, &mut out);
            assert_eq!(out, [0.0; 67], "{isa}");
        }
    }
}
