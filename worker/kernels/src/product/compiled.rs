//! What surrounds the kernels, compiled once for each instruction set.

/// Defines `multiply`, `cut` and `pack` as compiled for some features of the processor, all of which the instruction set
/// must have, with its kernel and its way to bring pairs of elements together.
macro_rules! compiled_for {
    ($isa:expr, $features:literal, $tile:ty, $transpose:path) => {
        /// [`blocks::multiply`](crate::product::blocks::multiply).
        pub(super) fn multiply(
            a: &$crate::product::Prepared,
            b: &$crate::product::Packed,
            window: &$crate::product::blocks::Window,
            out: &mut [f32],
        ) -> bool {
            #[target_feature(enable = $features)]
            fn run(
                a: &$crate::product::Prepared,
                b: &$crate::product::Packed,
                window: &$crate::product::blocks::Window,
                out: &mut [f32],
            ) -> bool {
                $crate::product::blocks::multiply::<$tile>(a, b, window, out)
            }
            $isa.assert_available();
            // SAFETY: this machine has the features.
            unsafe { run(a, b, window, out) }
        }

        /// [`Prepared::cut`](crate::product::Prepared::cut).
        pub(super) fn cut(prepared: &mut $crate::product::Prepared, rows: &$crate::product::Rows<'_>) -> bool {
            #[target_feature(enable = $features)]
            fn run(prepared: &mut $crate::product::Prepared, rows: &$crate::product::Rows<'_>) -> bool {
                prepared.cut(rows)
            }
            $isa.assert_available();
            // SAFETY: this machine has the features.
            unsafe { run(prepared, rows) }
        }

        /// [`Packed::cut`](crate::product::Packed::cut).
        pub(super) fn pack(packed: &mut $crate::product::Packed, rows: &$crate::product::Rows<'_>) -> bool {
            #[target_feature(enable = $features)]
            fn run(packed: &mut $crate::product::Packed, rows: &$crate::product::Rows<'_>) -> bool {
                packed.cut(rows, |rows, out| $transpose(rows, out))
            }
            $isa.assert_available();
            // SAFETY: this machine has the features.
            unsafe { run(packed, rows) }
        }
    };
}

pub(super) use compiled_for;
