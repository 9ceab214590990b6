//! The first operand of a product, cut into what the second one's class asks for.

use super::{
    plan::{blocks, plan, Part},
    Integers, Rows,
};
use crate::Isa;
use assay_exact::{operator::Fault, product::Class};

/// Rows of a, ready to be multiplied by any number of matrices of one class. Filled again and again, it keeps its
/// memory.
///
/// A row is its blocks of the depth one after the other, and in each of them, part by part, 16-bit integers; an odd
/// depth is filled up by a zero.
#[derive(Debug)]
pub struct Prepared {
    class: Class,
    other: Class,
    rows: usize,
    depth: usize,
    parts: Vec<i16>,
    factors: Vec<f32>,
}

impl Default for Prepared {
    fn default() -> Self {
        Self::new()
    }
}

impl Prepared {
    /// Without rows.
    pub const fn new() -> Self {
        Self {
            class: Class::Int8,
            other: Class::Int8,
            rows: 0,
            depth: 0,
            parts: Vec::new(),
            factors: Vec::new(),
        }
    }

    /// Takes these rows, to be multiplied by matrices of class `other`.
    ///
    /// A fault if an integer is outside of its class, or a magnitude is not that of a product's operand; there are no
    /// rows then.
    ///
    /// # Panics
    ///
    /// If there are fewer integers than the dimensions say, or not one magnitude a row.
    pub fn fill(&mut self, isa: Isa, rows: &Rows<'_>, other: Class) -> Result<(), Fault> {
        rows.check();
        self.class = rows.integers.class();
        self.other = other;
        self.depth = rows.depth;
        self.rows = 0;
        self.factors.clear();
        // Digits that are dropped: as many as the operand of fewer digits has, but one
        let dropped = self.class.digits().min(other.digits()) - 1;
        rows.factors(dropped, &mut self.factors)?;
        let needed = rows.rows * self.stride();
        if self.parts.len() < needed {
            self.parts.resize(needed, 0);
        }
        let in_class = match isa {
            Isa::Portable => self.cut(rows),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::avx2::cut(self, rows),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => super::avx_vnni::cut(self, rows),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::avx512::cut(self, rows),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => super::neon::cut(self, rows),
        };
        if !in_class {
            return Err(Fault::Class);
        }
        self.rows = rows.rows;
        Ok(())
    }

    /// Writes all parts. Whether all integers are in their class.
    #[inline(always)]
    pub(super) fn cut(&mut self, rows: &Rows<'_>) -> bool {
        match rows.integers {
            Integers::Int8(integers) => self.cut_integers(rows, integers),
            Integers::Int16(integers) => self.cut_integers(rows, integers),
            Integers::Int24(integers) => self.cut_integers(rows, integers),
        }
    }

    #[inline(always)]
    fn cut_integers<T: Integer>(&mut self, rows: &Rows<'_>, integers: &[T]) -> bool {
        let stride = self.stride();
        if stride == 0 {
            return true;
        }
        let parts = plan(self.class, self.other).parts;
        let mut in_class = true;
        for (row, out) in self.parts.chunks_exact_mut(stride).take(rows.rows).enumerate() {
            let integers = &integers[row * rows.stride..][..rows.depth];
            in_class &= T::are_in_class(integers);
            for (start, length) in blocks(self.depth) {
                let integers = &integers[start..self.depth.min(start + length)];
                let out = &mut out[start * parts.len()..][..length * parts.len()];
                for (part, out) in parts.iter().zip(out.chunks_exact_mut(length)) {
                    cut_row(*part, integers, out);
                }
            }
        }
        in_class
    }

    /// The class of the rows.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The class of matrices by which they can be multiplied.
    pub fn other(&self) -> Class {
        self.other
    }

    /// Number of rows: M.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Integers of a row: K.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// 16-bit integers of a row.
    pub(super) fn stride(&self) -> usize {
        self.depth.next_multiple_of(2) * plan(self.class, self.other).parts.len()
    }

    /// All rows, [`Prepared::stride`] apart.
    pub(super) fn parts(&self) -> &[i16] {
        &self.parts
    }

    /// What the accumulator is multiplied by for each row.
    pub(super) fn factors(&self) -> &[f32] {
        &self.factors
    }
}

/// What the integers of a class are stored in.
pub(super) trait Integer: Copy + Into<i32> {
    /// Whether all of them are in their class.
    fn are_in_class(integers: &[Self]) -> bool;
}

macro_rules! integer {
    ($($type:ty, $unsigned:ty, $class:ident;)*) => {$(
        impl Integer for $type {
            #[inline(always)]
            fn are_in_class(integers: &[Self]) -> bool {
                const MOST: $type = Class::$class.most() as $type;
                // How far each is above the least of the class, going round below it. Without an early exit, and in
                // its own width, this is two instructions for a whole vector
                let above = |q: &$type| q.wrapping_add(MOST) as $unsigned;
                integers.iter().fold(0, |largest, q| above(q).max(largest)) <= 2 * MOST as $unsigned
            }
        }
    )*};
}

integer! {
    i8, u8, Int8;
    i16, u16, Int16;
    i32, u32, Int24;
}

/// The part of each integer; what is left of `out` becomes zero.
#[inline(always)]
fn cut_row<T: Integer>(part: Part, integers: &[T], out: &mut [i16]) {
    macro_rules! each {
        ($part:expr) => {
            for (out, q) in out.iter_mut().zip(integers) {
                *out = $part.of((*q).into());
            }
        };
    }
    // A loop for each, so that none decides anew for each integer
    match part {
        Part::Whole => each!(Part::Whole),
        Part::Raised => each!(Part::Raised),
        Part::Low => each!(Part::Low),
        Part::High => each!(Part::High),
        Part::Top => each!(Part::Top),
    }
    out[integers.len()..].fill(0);
}
