//! How a product of two classes is made of products of 16-bit integers and 8-bit digits.
//!
//! Of an integer q with digits q₀ (the top one), q₁, q₂, the definition keeps products of digits i of a and j of b
//! with i + j < S. Collected by b's digits, what each of them is multiplied by fits 16 bits, or is 2⁸ times
//! something that does plus something that does:
//!
//! | a × b | accumulator |
//! |---|---|
//! | 8 × 8, 16 × 8 | a·b₀ |
//! | 24 × 8 | 2⁸·h·b₀ + l·b₀ |
//! | 8 × 16 | 2⁸a·b₀ + a·b₁ |
//! | 16 × 16 | a·b₀ + h·b₁ |
//! | 24 × 16 | 2⁸·h·b₀ + (l·b₀ + h·b₁) |
//! | 8 × 24 | 2¹⁶·a·b₀ + (2⁸a·b₁ + a·b₂) |
//! | 16 × 24 | 2⁸·a·b₀ + (a·b₁ + h·b₂) |
//! | 24 × 24 | 2⁸·h·b₀ + (l·b₀ + h·b₁ + t·b₂) |
//!
//! where l is a's lowest digit, h is a without it, and t is h without its lowest digit.

use assay_exact::product::Class;

/// Elements of the depth that are summed in 32 bits. The largest sum an element can add is that of 8 × 24:
/// 127·128·257, and 512 of those are below 2³¹.
pub(super) const DEPTH: usize = 512;

/// Accumulators up to 2 to the power of this become floats by way of an f64.
pub(super) const MAX_BITS_IN_F64: u32 = 51;

/// Depths up to which an accumulator is below 2⁵¹ for all classes: no product of two integers exceeds 127 · 2²².
pub(super) const MAX_DEPTH_IN_F64: usize = 1 << 21;

/// A 16-bit integer made of an integer of a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Itself.
    Whole,
    /// Itself times 2⁸.
    Raised,
    /// Its lowest digit.
    Low,
    /// What is left without the lowest digit.
    High,
    /// What is left of that without its lowest digit.
    Top,
}

impl Part {
    /// The part of an integer.
    #[inline(always)]
    pub(super) fn of(self, q: i32) -> i16 {
        let without_lowest = |q: i32| (q + 128) >> 8;
        match self {
            Self::Whole => q as i16,
            Self::Raised => (q << 8) as i16,
            Self::Low => i16::from(q as i8),
            Self::High => without_lowest(q) as i16,
            Self::Top => without_lowest(without_lowest(q)) as i16,
        }
    }
}

/// A sum in 32 bits: `count` parts of a, from `part` on, times as many digits of b, from `digit` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    /// First part.
    pub(super) part: usize,
    /// First digit.
    pub(super) digit: usize,
    /// How many of both.
    pub(super) count: usize,
    /// By how many bits the sum is raised in the accumulator.
    pub(super) shift: u32,
}

/// What the kernel does for two classes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// What is made of each integer of a.
    pub(super) parts: &'static [Part],
    /// What is summed.
    pub(super) passes: &'static [Pass],
}

const fn pass(part: usize, digit: usize, count: usize, shift: u32) -> Pass {
    Pass {
        part,
        digit,
        count,
        shift,
    }
}

/// The plan for these classes of a and b.
pub(super) fn plan(a: Class, b: Class) -> Plan {
    use Class::{Int16, Int24, Int8};
    use Part::{High, Low, Raised, Top, Whole};
    let (parts, passes): (&[Part], &[Pass]) = match (a, b) {
        (Int8 | Int16, Int8) => (&[Whole], const { &[pass(0, 0, 1, 0)] }),
        (Int24, Int8) => (&[Low, High], const { &[pass(0, 0, 1, 0), pass(1, 0, 1, 8)] }),
        (Int8, Int16) => (&[Raised, Whole], const { &[pass(0, 0, 2, 0)] }),
        (Int16, Int16) => (&[Whole, High], const { &[pass(0, 0, 2, 0)] }),
        (Int24, Int16) => (&[Low, High], const { &[pass(0, 0, 2, 0), pass(1, 0, 1, 8)] }),
        (Int8, Int24) => (&[Raised, Whole], const { &[pass(0, 1, 2, 0), pass(1, 0, 1, 16)] }),
        (Int16, Int24) => (&[Whole, High], const { &[pass(0, 1, 2, 0), pass(0, 0, 1, 8)] }),
        (Int24, Int24) => (&[Low, High, Top], const { &[pass(0, 0, 3, 0), pass(1, 0, 1, 8)] }),
    };
    Plan { parts, passes }
}

/// A block of the depth: where it starts, and how long it is, filled up to pairs.
pub(super) fn blocks(depth: usize) -> impl Iterator<Item = (usize, usize)> {
    let even = depth.next_multiple_of(2);
    (0..even)
        .step_by(DEPTH)
        .map(move |start| (start, DEPTH.min(even - start)))
}
