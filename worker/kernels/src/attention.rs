//! Fused attention: one sequence's queries against its cache of keys and values.
//!
//! The result is that of these operators (see `assay_exact::operator`), of which none but the last leaves anything in
//! memory:
//!
//! | output | operator |
//! |---|---|
//! | magnitudes of queries `[H, L]` | `Magnitude(q)` |
//! | s `[H, L, T]` | `Product { Int24, Int16 }(q, k)`, both scaled |
//! | sc | `Map(s · factor)` |
//! | m `[H, L]` | `Maximum(visible)(sc)` |
//! | w `[H, L, T]` | `Weights(visible)(sc, m)` |
//! | z `[H, L]` | `WeightSum(30)(w)` |
//! | p `[H, L, T]` | `Map(w · Power(magnitudes of v))` |
//! | magnitudes of p `[H, L]` | `Magnitude(p)` |
//! | y `[H, L, D]` | `Product { Int24, Int16 }(p, vᵀ)`, v unscaled |
//! | o `[L, H, D]` | `Map(y ÷ z)` |
//!
//! # Products
//!
//! Of a 24-bit integer with digits a₀ a₁ a₂ and a 16-bit integer b with digits b₀ b₁, the product keeps all pairs of
//! digits but a₂b₁. With the *upper* part A = 256·a₀ + a₁, which fits in 16 bits, and the *lower* part a₂, that is
//! A·b + a₂·b₀ = 256·A·b₀ + (A·b₁ + a₂·b₀). The first form is one instruction that multiplies pairs of 16 bits, but fills
//! 32 bits after a few elements; the second does not within 256.
//!
//! # Faults
//!
//! Only four of the operators can fault (see [`Stage`]). A weight is from 0 to 1, one of each row is 1, so z is at least
//! 1; a power is at most 2¹²⁷, so p is finite; and if the magnitude of p is an operand's, at most 2⁶⁴, so are y and o.
//!
//! Scores of keys that are not visible are computed by the operators as well, and so could fault. From the magnitudes
//! follows a bound of all scores; if that is finite, such scores are left out here, else they are computed too.

mod careful;
mod portable;
mod task;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
mod avx2;

use crate::Isa;
use assay_exact::operator::{Fault, Visible};
use std::{fmt, ops::Range};
use task::{Suspect, Task};

/// Elements over which the second form is summed in 32 bits. The largest of those sums is at most
/// DEPTH · (2¹⁴·2⁷ + 2⁷·2⁶) < 2³¹.
const DEPTH: usize = 256;

/// Keys and values of all tokens up to the end of the step, as they lie in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    /// Keys as integers of two digits, `[tokens, heads, dimension]`.
    pub k: &'a [i16],
    /// Magnitudes of keys, `[tokens, heads]`.
    pub k_magnitudes: &'a [f32],
    /// Values as integers of two digits, `[tokens, heads, dimension]`.
    pub v: &'a [i16],
    /// Magnitudes of values, `[tokens, heads]`.
    pub v_magnitudes: &'a [f32],
    /// Tokens T, from 1 to 2²³ − 1.
    pub tokens: usize,
    /// Heads G of keys and values.
    pub heads: usize,
    /// Elements D of a head, from 1 to 2²³.
    pub dimension: usize,
}

/// Queries of all tokens of the step, which are the last of those that have keys.
#[derive(Clone, Copy, Debug)]
pub struct Queries<'a> {
    /// Queries `[length, heads, dimension]`.
    pub q: &'a [f32],
    /// Tokens L of the step.
    pub length: usize,
    /// Heads H: a multiple R of those of the keys. Head h attends to head h ÷ R of the keys.
    pub heads: usize,
    /// Which keys a query sees.
    pub visible: Visible,
    /// What scores are multiplied by, usually 1 ÷ √D. Finite.
    pub factor: f32,
}

/// What of the queries one call computes: some tokens, in all heads that share a head of the keys.
#[derive(Clone, Debug)]
pub struct Block {
    /// The head of the keys.
    pub group: usize,
    /// Tokens of the step.
    pub rows: Range<usize>,
}

/// Where a call puts its results: token `rows.start + i` and the r-th head of the group at i · `stride` + r · D.
#[derive(Debug)]
pub struct Output<'a> {
    /// The elements.
    pub o: &'a mut [f32],
    /// Elements from one token to the next: H · D in the whole output, R · D in a buffer of the call's own.
    pub stride: usize,
}

/// An operator of the sequence that can fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Magnitudes of queries. Elements are counted in `[H, L]`.
    QueryMagnitude,
    /// Products of queries and keys. Elements are counted in `[H, L, T]`.
    Score,
    /// Scores times the factor. Elements are counted in `[H, L, T]`.
    ScaledScore,
    /// Products of weights and values. Elements are counted in `[H, L, D]`.
    Mix,
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionFault {
    /// The first operator of the sequence that faults.
    pub stage: Stage,
    /// The lowest element of its output, among those of the call's block, that faults.
    pub element: u64,
    /// What is wrong with that element.
    pub fault: Fault,
}

impl AttentionFault {
    /// Of the faults of two blocks, that of both together. All blocks have to be computed before the fault of the
    /// whole is known.
    pub fn first(self, other: Self) -> Self {
        if (other.stage, other.element) < (self.stage, self.element) {
            other
        } else {
            self
        }
    }
}

impl fmt::Display for AttentionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "element {} of {:?}: {}", self.element, self.stage, self.fault)
    }
}

impl std::error::Error for AttentionFault {}

/// Memory that calls reuse: about 4 bytes for each element of the group's keys and values, and 8 bytes for
/// each score of a block of rows: some 100 KiB, or 8 rows of them where tokens are many.
#[derive(Debug, Default)]
pub struct Scratch {
    magnitudes: Vec<f32>,
    portable: portable::Buffers,
    #[cfg(target_arch = "x86_64")]
    avx2: avx2::Buffers,
}

/// Computes attention for a block of queries.
///
/// Each call looks at all keys and values of its group, also those that are not visible: divide by groups before
/// dividing by rows.
///
/// # Errors
///
/// The first fault of the block, in the order of the operators' sequence. The output is unspecified then.
///
/// # Panics
///
/// If lengths do not fit each other, the factor is not finite, or the instruction set is not there.
///
/// Threads must round to nearest and keep subnormals, as they do unless told otherwise.
pub fn attend(
    isa: Isa,
    keys: &Keys<'_>,
    queries: &Queries<'_>,
    block: &Block,
    output: Output<'_>,
    scratch: &mut Scratch,
) -> Result<(), AttentionFault> {
    let task = Task::new(keys, queries, block);
    task.check_output(&output);
    if task.rows() == 0 {
        return Ok(());
    }
    scratch.magnitudes.clear();
    scratch
        .magnitudes
        .extend((0..task.rows()).map(|row| task::magnitude(task.query(row))));
    let magnitudes = &scratch.magnitudes;
    let done = if let Some(largest) = task.largest_operands(magnitudes) {
        let is_bounded = task.is_bounded(largest);
        match isa {
            Isa::Portable => portable::attend(&task, magnitudes, is_bounded, output, &mut scratch.portable),
            // What the compiler makes of it, where it always has NEON
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => portable::attend(&task, magnitudes, is_bounded, output, &mut scratch.portable),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::AvxVnni | Isa::Avx512 => {
                isa.assert_available();
                // SAFETY: the CPU has AVX2, which comes with the others
                unsafe { avx2::attend(&task, magnitudes, is_bounded, output, &mut scratch.avx2) }
            }
        }
    } else {
        Err(Suspect)
    };
    done.map_err(|Suspect| careful::find(&task).expect("a check fails only where an element faults; qed"))
}
