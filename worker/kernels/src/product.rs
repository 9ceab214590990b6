//! Products of rows of integers: a matrix a `[M, K]` times the rows of a matrix b `[N, K]`, as
//! [`assay_exact::product`] defines it.
//!
//! All pairs of classes come down to one kernel: a sum over k of 16-bit integers made of a times 8-bit digits of b, in
//! 32 bits. A plan says which integers and which digits; [`Packed`] is b cut into digits, [`Prepared`] is a cut into
//! what b's class asks for, and [`multiply`] goes over both in blocks small enough for the caches, and for 32 bits.
//! b is stored in as many bytes as it has digits: with few rows in a, reading it is all that takes time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx_vnni;
mod blocks;
mod compiled;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod one_digit;
mod packed;
mod plan;
mod portable;
mod prepared;
mod probe;
#[cfg(test)]
mod tests;

pub use packed::Packed;
pub use prepared::Prepared;
pub(crate) use probe::probe;

use crate::Isa;
use assay_exact::{
    operator::Fault,
    product::Class,
    row::{exponent, is_magnitude, is_operand},
    scalar::pow2,
};
use blocks::Window;
use std::ops::Range;

/// Columns of the output (rows of b) that the kernels compute together.
pub const PANEL: usize = 16;

/// The integers of an operand, row by row. Their type goes with their class.
#[derive(Clone, Copy, Debug)]
pub enum Integers<'a> {
    /// Of class [`Class::Int8`].
    Int8(&'a [i8]),
    /// Of class [`Class::Int16`].
    Int16(&'a [i16]),
    /// Of class [`Class::Int24`].
    Int24(&'a [i32]),
}

impl Integers<'_> {
    /// Their class.
    pub fn class(&self) -> Class {
        match self {
            Self::Int8(_) => Class::Int8,
            Self::Int16(_) => Class::Int16,
            Self::Int24(_) => Class::Int24,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Int8(integers) => integers.len(),
            Self::Int16(integers) => integers.len(),
            Self::Int24(integers) => integers.len(),
        }
    }
}

/// An operand: rows of integers, all of one length.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The integers: row r is the `depth` of them from r · `stride` on.
    pub integers: Integers<'a>,
    /// Number of rows: M or N.
    pub rows: usize,
    /// Integers of a row: K.
    pub depth: usize,
    /// Integers from the beginning of a row to that of the next.
    pub stride: usize,
    /// The magnitude of each row, if rows have magnitudes.
    pub magnitudes: Option<&'a [f32]>,
}

impl<'a> Rows<'a> {
    /// Rows that follow one another without gaps.
    pub fn new(integers: Integers<'a>, rows: usize, depth: usize, magnitudes: Option<&'a [f32]>) -> Self {
        Self {
            integers,
            rows,
            depth,
            stride: depth,
            magnitudes,
        }
    }

    /// # Panics
    ///
    /// If there are fewer integers than the dimensions say, or not one magnitude a row.
    fn check(&self) {
        let last = self.rows.saturating_sub(1);
        let needed = if self.rows == 0 || self.depth == 0 {
            0
        } else {
            last * self.stride + self.depth
        };
        assert!(
            self.integers.len() >= needed,
            "{} rows of {} integers, {} apart, need {needed}, got {}",
            self.rows,
            self.depth,
            self.stride,
            self.integers.len()
        );
        if let Some(magnitudes) = self.magnitudes {
            assert_eq!(magnitudes.len(), self.rows, "each row has one magnitude");
        }
    }

    /// What the accumulator is multiplied by for each row, appended to `factors`: a power of two (`extra` digits to
    /// the left), or a scale, or 1 where there is nothing to multiply by, since that changes no bit.
    fn factors(&self, extra: usize, factors: &mut Vec<f32>) -> Result<(), Fault> {
        let class = self.integers.class();
        // A class that is scaled by a power of two goes up to that power
        let shift = 8 * extra as i32 - class.most().trailing_zeros() as i32;
        let Some(magnitudes) = self.magnitudes else {
            let factor = if class == Class::Int8 { 1.0 } else { pow2(shift) };
            factors.resize(factors.len() + self.rows, factor);
            return Ok(());
        };
        if !magnitudes.iter().all(|m| is_magnitude(*m) && is_operand(*m)) {
            return Err(Fault::Magnitude);
        }
        factors.extend(magnitudes.iter().map(|m| match class {
            Class::Int8 => assay_exact::product::scale(*m),
            Class::Int16 | Class::Int24 => pow2(exponent(*m) + shift),
        }));
        Ok(())
    }
}

/// Products of the rows `rows` of a with the rows `columns` of b. The product of row `rows.start` + i and row
/// `columns.start` + j becomes element i · `stride` + j of `out`.
///
/// A fault if one of the products is not finite; what `out` holds then is unspecified. Nothing is allocated.
///
/// # Panics
///
/// If a was not prepared for b's class or has another depth, `rows` or `columns` go beyond the operands,
/// `columns.start` is no multiple of [`PANEL`], or `out` is too short.
pub fn multiply(
    isa: Isa,
    a: &Prepared,
    b: &Packed,
    rows: Range<usize>,
    columns: Range<usize>,
    out: &mut [f32],
    stride: usize,
) -> Result<(), Fault> {
    assert_eq!(a.other(), b.class(), "a was prepared for another class of b");
    assert_eq!(a.depth(), b.depth(), "rows of a and b have one length");
    assert!(rows.end <= a.rows(), "rows {rows:?} of {}", a.rows());
    assert!(columns.end <= b.columns(), "columns {columns:?} of {}", b.columns());
    assert!(columns.start.is_multiple_of(PANEL), "columns {columns:?} cut a panel");
    if rows.is_empty() || columns.is_empty() {
        return Ok(());
    }
    assert!(stride >= columns.len(), "rows of the output overlap");
    assert!(
        out.len() >= (rows.len() - 1) * stride + columns.len(),
        "the output is too short: {}",
        out.len()
    );
    let window = Window { rows, columns, stride };
    let finite = match isa {
        Isa::Portable => blocks::multiply::<portable::Portable>(a, b, &window, out),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 if one_digit::is_for(a, b) => one_digit::multiply(a, b, &window, out),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::multiply(a, b, &window, out),
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni => avx_vnni::multiply(a, b, &window, out),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::multiply(a, b, &window, out),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => neon::multiply(a, b, &window, out),
    };
    if finite {
        Ok(())
    } else {
        Err(Fault::NotFinite)
    }
}
