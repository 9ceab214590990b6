//! The kernels, and their arguments as `kernels/*.h` has them.

use assay_exact::tensor::MAX_RANK;
use bytemuck::{Pod, Zeroable};

/// Most inputs of a map.
pub const MAX_INPUTS: usize = 16;

/// Most nodes of a map.
pub const MAX_NODES: usize = 64;

/// What kernels take.
pub trait Arguments: Pod {
    /// The first of those that take it.
    const KERNEL: Kernel;
}

macro_rules! kernels {
    ($($arguments:ident: $first:ident $first_name:literal $(, $kernel:ident $name:literal)*;)*) => {
        /// A kernel.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        #[allow(missing_docs, reason = "kernels/*.h say what they do")]
        pub enum Kernel { $($first, $($kernel,)*)* }

        impl Kernel {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$first, $(Self::$kernel,)*)*];

            /// The name of its function.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$first => $first_name, $(Self::$kernel => $name,)*)* }
            }

            /// Bytes of its arguments.
            pub const fn arguments(self) -> usize {
                match self { $(Self::$first $(| Self::$kernel)* => size_of::<$arguments>(),)* }
            }
        }

        $(impl Arguments for $arguments { const KERNEL: Kernel = Kernel::$first; })*
    };
}

kernels! {
    MagnitudeArgs: MagnitudePartial "magnitude_partial", MagnitudeFinish "magnitude_finish";
    LargestArgs: LargestPartial "largest_partial", LargestFinish "largest_finish";
    SumArgs: SumPartial "sum_partial", SumFinish "sum_finish",
        WeightSumPartial "weight_sum_partial", WeightSumFinish "weight_sum_finish";
    WeightsArgs: Weights "weights";
    QuantiseArgs: Quantise "quantise";
    DigitsArgs: Digits "digits";
    MultiplyArgs: Multiply "multiply";
    MultiplyBlocksArgs: MultiplyBlocks "multiply_blocks";
    CombineArgs: Combine "combine";
    MapArgs: Map "map";
    TableArgs: Table "table";
    ViewArgs: View "view";
    PlaceRowsArgs: PlaceRows "place_rows";
    LookupArgs: Lookup "lookup";
    PickArgs: Pick "pick";
    ScatterArgs: ScatterAdd "scatter_add", ScatterFinish "scatter_finish";
    RotateArgs: Rotate "rotate";
    ChanceArgs: Chance "chance";
    SortArgs: SortKeys "sort_keys", SortStep "sort_step";
    RankArgs: Rank "rank", MassSums "mass_sums", MassScan "mass_scan", Mass "mass";
    KeepArgs: KeepRanks "keep_ranks", KeepMass "keep_mass";
    TotalArgs: Total "total";
    DrawArgs: Draw "draw";
    RandomArgs: RandomNumbers "random_numbers";
    CountArgs: Count "count";
    HashArgs: HashChunks "hash_chunks", HashParents "hash_parents";
}

macro_rules! arguments {
    ($($(#[$docs:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$docs])*
        #[derive(Clone, Copy, Debug)]
        #[repr(C)]
        #[allow(missing_docs, reason = "kernels/*.h say what they are")]
        pub struct $name { $(pub $field: $type),* }

        const _: () = assert!(size_of::<$name>() == 0 $(+ size_of::<$type>())*, "fields must leave no gap");
        // SAFETY: all fields are integers or made of integers, for which zeros stand for a value
        unsafe impl Zeroable for $name {}
        // SAFETY: fields are integers or made of integers, laid out as in C, and between them is no gap
        unsafe impl Pod for $name {}
    )*};
}

arguments! {
    /// Which elements of a row count.
    Visibility { causal: u32, matrix_rows: u32, position: u32 }

    /// Magnitudes of rows.
    MagnitudeArgs { x: u64, largest: u64, fault: u64, rows: u32, length: u32 }

    /// The largest elements of rows, or where they are.
    LargestArgs {
        x: u64, keys: u64, values: u64, indices: u64, fault: u64, rows: u32, length: u32, visibility: Visibility,
        padding: u32,
    }

    /// Sums of rows, of weights or others.
    SumArgs {
        x: u64, magnitudes: u64, sums: u64, out: u64, fault: u64, rows: u32, length: u32, bits: u32, padding: u32,
    }

    /// Weights of rows.
    WeightsArgs {
        x: u64, maxima: u64, out: u64, fault: u64, rows: u32, length: u32, visibility: Visibility, padding: u32,
    }

    /// Rows as integers that are stored.
    QuantiseArgs { x: u64, magnitudes: u64, out: u64, fault: u64, rows: u32, length: u32, digits: u32, padding: u32 }

    /// Rows as planes of digits.
    DigitsArgs {
        x: u64, magnitudes: u64, planes: u64, faulty: u64, plane_stride: u64, part_stride: u64, kind: u32, digits: u32,
        parts: u32, rows: u32, length: u32, padded: u32,
    }

    /// Products of rows of bytes: `x` with `rows` rows, `w` with `columns`; each row has `depth` bytes and begins
    /// `leading` bytes behind the one before. All of `columns`, `rows`, `depth` and `leading` are multiples of 16, the
    /// depth is at most 65,536; strides are from one of the `batch` to the next, of sums in sums.
    MultiplyArgs {
        w: u64, x: u64, out: u64, w_stride: u64, x_stride: u64, out_stride: u64, batch: u32, columns: u32, rows: u32,
        depth: u32, leading: u32, unused: u32,
    }

    /// Products of rows of bytes whose blocks have multipliers.
    MultiplyBlocksArgs {
        w: u64, x: u64, multipliers: u64, accumulators: u64, fault: u64, w_stride: u64, x_stride: u64,
        plane_stride: u64, digits: u32, rows: u32, columns: u32, blocks: u32, first: u32, unused: u32,
    }

    /// Sums of digits' products as floats.
    CombineArgs {
        sums: [u64; 3], part_stride: [u64; 3], accumulators: u64, a_magnitudes: u64, b_magnitudes: u64, a_faulty: u64,
        b_faulty: u64, out: u64, fault: u64, a_digits: u32, b_digits: u32, parts: u32, rows: u32, columns: u32,
        padded: u32, continues: u32, unfinished: u32, first: u32, unused: u32,
    }

    /// Where a map reads an input.
    MapInput { x: u64, dtype: u32, strides: [u32; MAX_RANK] }

    /// A node of an expression.
    MapNode { operation: u8, to: u8, a: u8, b: u8, value: u32 }

    /// An expression over elements.
    MapArgs {
        out: u64, fault: u64, elements: u32, rank: u32, dims: [u32; MAX_RANK], inputs: u32, flat: u32, nodes: u32,
        input: [MapInput; MAX_INPUTS], node: [MapNode; MAX_NODES],
    }

    /// A scalar function over patterns.
    TableArgs { out: u64, function: u32, first: u32, count: u32, step: u32 }

    /// A coordinate of the output, times a factor.
    ViewTerm { factor: i32, dimension: u32 }

    /// Where in a dimension of the input an element is.
    ViewCoordinate { offset: i64, divisor: u32, size: u32, stride: u32, terms: u32, term: [ViewTerm; MAX_RANK] }

    /// Elements in other places.
    ViewArgs {
        x: u64, out: u64, size: u32, elements: u32, rank: u32, dims: [u32; MAX_RANK], coordinates: u32, unused: u32,
        coordinate: [ViewCoordinate; MAX_RANK],
    }

    /// Rows in longer rows.
    PlaceRowsArgs { x: u64, out: u64, bytes: u32, row_bytes: u32, offset: u32, rows: u32, unit: u32, unused: u32 }

    /// Rows of a table.
    LookupArgs { table: u64, indices: u64, out: u64, fault: u64, size: u32, width: u32, rows: u32, elements: u32 }

    /// One element of each row.
    PickArgs { x: u64, indices: u64, out: u64, fault: u64, rows: u32, length: u32 }

    /// Sums of columns by index.
    ScatterArgs {
        x: u64, magnitudes: u64, indices: u64, sums: u64, out: u64, fault: u64, columns: u32, length: u32, rows: u32,
        unused: u32,
    }

    /// Rotations of pairs.
    RotateArgs {
        x: u64, frequencies: u64, out: u64, fault: u64, elements: u32, length: u32, stride: u32, positions: u32,
        first: u32, inverse: u32,
    }

    /// Chances of tokens.
    ChanceArgs { x: u64, maxima: u64, out: u64, fault: u64, rows: u32, length: u32 }

    /// Rows of scores in order.
    SortArgs {
        x: u64, keys: u64, rows: u32, length: u32, width: u32, run: u32, distance: u32, unused: u32,
    }

    /// Ranks and masses by that order.
    RankArgs {
        keys: u64, chances: u64, ranks: u64, masses: u64, sums: u64, rows: u32, length: u32, width: u32, segments: u32,
    }

    /// Chances that are kept.
    KeepArgs { chances: u64, ranks: u64, masses: u64, totals: u64, most: u64, out: u64, rows: u32, length: u32 }

    /// Sums of chances.
    TotalArgs { chances: u64, sums: u64, rows: u32, length: u32, groups: u32, unused: u32 }

    /// Draws.
    DrawArgs {
        chances: u64, sums: u64, totals: u64, numbers: u64, out: u64, fault: u64, rows: u32, length: u32, groups: u32,
        unused: u32,
    }

    /// Random numbers.
    RandomArgs { seed: u64, sequences: u64, out: u64, elements: u32, position: u32, stream: u32, unused: u32 }

    /// How often indices occur.
    CountArgs { indices: u64, counts: u64, fault: u64, length: u32, rows: u32 }

    /// Chunks of a blob, or values of a level, to be hashed.
    HashArgs { input: u64, out: u64, bytes: u64, count: u32, flags: u32, key: [u32; 8] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_should_be_numbered_in_order() {
        assert!(Kernel::ALL
            .iter()
            .enumerate()
            .all(|(at, kernel)| *kernel as usize == at));
    }

    #[test]
    fn arguments_should_fit_into_a_launch() {
        // CUDA passes at most 4 KiB
        assert!(Kernel::ALL.iter().all(|kernel| kernel.arguments() <= 4_096));
    }
}
