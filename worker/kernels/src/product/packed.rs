//! The second operand of a product, cut into digits and laid out for the kernels.

use super::{
    plan::{blocks, DEPTH},
    prepared::Integer,
    Integers, Rows, PANEL,
};
use crate::Isa;
use assay_exact::{
    operator::Fault,
    product::{Class, BLOCK, MAX_DIGITS},
};

/// Digits of a block of a panel, before they are laid out: digit by digit, row by row.
pub(super) type Block = [[[u8; DEPTH]; PANEL]; MAX_DIGITS];

/// Rows of b, in as many bytes as they have digits. Filled again and again, it keeps its memory.
///
/// [`PANEL`] rows are a panel; the last one is filled up by zeros. A panel is its blocks of the depth one after the
/// other, in each of them digit by digit, and of each digit, two elements of the depth at a time, those of all rows.
#[derive(Debug)]
pub struct Packed {
    class: Class,
    columns: usize,
    depth: usize,
    digits: Vec<u8>,
    factors: Vec<f32>,
    /// Of each panel, for each block of the depth, those of its rows; nothing if rows have no multipliers.
    multipliers: Vec<[i16; PANEL]>,
}

impl Default for Packed {
    fn default() -> Self {
        Self::new()
    }
}

impl Packed {
    /// Without rows.
    pub const fn new() -> Self {
        Self {
            class: Class::Int8,
            columns: 0,
            depth: 0,
            digits: Vec::new(),
            factors: Vec::new(),
            multipliers: Vec::new(),
        }
    }

    /// Takes these rows.
    ///
    /// A fault if an integer is outside of its class, or a magnitude is not that of a product's operand; there are no
    /// rows then.
    ///
    /// # Panics
    ///
    /// If there are fewer integers than the dimensions say, or not one magnitude a row.
    pub fn fill(&mut self, isa: Isa, rows: &Rows<'_>) -> Result<(), Fault> {
        rows.check();
        self.class = rows.integers.class();
        self.depth = rows.depth;
        self.columns = 0;
        self.multipliers.clear();
        self.factors.clear();
        rows.factors(0, &mut self.factors)?;
        let panels = rows.rows.div_ceil(PANEL);
        self.factors.resize(panels * PANEL, 1.0);
        let needed = panels * self.panel();
        if self.digits.len() < needed {
            self.digits.resize(needed, 0);
        }
        let in_class = match isa {
            Isa::Portable => self.cut(rows, transpose),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => super::avx2::pack(self, rows),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => super::avx_vnni::pack(self, rows),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => super::avx512::pack(self, rows),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => super::neon::pack(self, rows),
        };
        if !in_class {
            return Err(Fault::Class);
        }
        self.columns = rows.rows;
        Ok(())
    }

    /// Takes these rows with a multiplier for each [`BLOCK`] of their integers: row by row, as many as the depth has.
    ///
    /// A fault as in [`Packed::fill`], or if a multiplier is outside of [`Class::Int16`].
    ///
    /// # Panics
    ///
    /// As [`Packed::fill`], or if the integers are not of class [`Class::Int8`], the depth is no multiple of a block, or
    /// there are not as many multipliers as blocks.
    pub fn fill_multiplied(&mut self, isa: Isa, rows: &Rows<'_>, multipliers: &[i16]) -> Result<(), Fault> {
        assert_eq!(rows.integers.class(), Class::Int8, "multipliers go with eight bits");
        assert!(rows.depth.is_multiple_of(BLOCK as usize), "the depth is whole blocks");
        let blocks = rows.depth / BLOCK as usize;
        assert_eq!(multipliers.len(), rows.rows * blocks, "each block has one multiplier");
        self.fill(isa, rows)?;
        let in_class = |c: &i16| i32::from(*c).abs() <= Class::Int16.most();
        if !multipliers.iter().all(in_class) {
            self.columns = 0;
            return Err(Fault::Class);
        }
        for first in (0..rows.rows).step_by(PANEL) {
            self.multipliers.extend((0..blocks).map(|block| {
                std::array::from_fn(|row| multipliers.get((first + row) * blocks + block).copied().unwrap_or(0))
            }));
        }
        Ok(())
    }

    /// Writes all digits. Whether all integers are in their class.
    #[inline(always)]
    pub(super) fn cut(&mut self, rows: &Rows<'_>, transpose: impl Fn(&[[u8; DEPTH]; PANEL], &mut [u8])) -> bool {
        match rows.integers {
            Integers::Int8(integers) => self.cut_integers(rows, integers, transpose),
            Integers::Int16(integers) => self.cut_integers(rows, integers, transpose),
            Integers::Int24(integers) => self.cut_integers(rows, integers, transpose),
        }
    }

    #[inline(always)]
    fn cut_integers<T: Integer>(
        &mut self,
        rows: &Rows<'_>,
        integers: &[T],
        transpose: impl Fn(&[[u8; DEPTH]; PANEL], &mut [u8]),
    ) -> bool {
        let panel = self.panel();
        if panel == 0 {
            return true;
        }
        let count = self.class.digits();
        let mut block: Block = [[[0; DEPTH]; PANEL]; MAX_DIGITS];
        let mut in_class = true;
        for (first, out) in (0..rows.rows).step_by(PANEL).zip(self.digits.chunks_exact_mut(panel)) {
            let width = PANEL.min(rows.rows - first);
            block.iter_mut().for_each(|digit| digit[width..].fill([0; DEPTH]));
            for (start, length) in blocks(self.depth) {
                let end = self.depth.min(start + length);
                for row in 0..width {
                    let integers = &integers[(first + row) * rows.stride..][start..end];
                    in_class &= T::are_in_class(integers);
                    cut_row(integers, self.class, row, &mut block);
                }
                let out = &mut out[start * count * PANEL..][..length * count * PANEL];
                for (digit, out) in block.iter().zip(out.chunks_exact_mut(length * PANEL)) {
                    transpose(digit, out);
                }
            }
        }
        in_class
    }

    /// The class of the rows.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Number of rows, which are columns of the output: N.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Integers of a row: K.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The integers of a row of eight bits: with this, a matrix that is also read row by row need not be kept twice.
    ///
    /// # Panics
    ///
    /// If the rows are of another class, there is no row `row`, or `out` has another length than a row.
    pub fn read_row(&self, row: usize, out: &mut [i8]) {
        assert_eq!(self.class, Class::Int8, "only rows of eight bits are read");
        assert!(row < self.columns, "row {row} of {}", self.columns);
        assert_eq!(out.len(), self.depth, "expected room for a row");
        let panel = self.panel();
        let digits = &self.digits[row / PANEL * panel..][..panel];
        let within = 2 * (row % PANEL);
        for (start, length) in blocks(self.depth) {
            let pairs = digits[start * PANEL..][..length * PANEL].chunks_exact(2 * PANEL);
            for (pair, out) in pairs.zip(out[start..].chunks_mut(2)) {
                for (digit, out) in pair[within..].iter().zip(out) {
                    *out = *digit as i8;
                }
            }
        }
    }

    /// Bytes of a panel.
    pub(super) fn panel(&self) -> usize {
        self.depth.next_multiple_of(2) * self.class.digits() * PANEL
    }

    /// All panels.
    pub(super) fn digits(&self) -> &[u8] {
        &self.digits
    }

    /// The multipliers of panel `panel`, block by block, if rows have multipliers.
    pub(super) fn multipliers(&self, panel: usize) -> Option<&[[i16; PANEL]]> {
        let blocks = self.depth / BLOCK as usize;
        (!self.multipliers.is_empty()).then(|| &self.multipliers[panel * blocks..][..blocks])
    }

    /// What the accumulator is multiplied by for each row, filled up to whole panels.
    pub(super) fn factors(&self) -> &[f32] {
        &self.factors
    }
}

/// Row `row` of each digit's part of the block; an odd number of integers is followed by a zero.
#[inline(always)]
fn cut_row<T: Integer>(integers: &[T], class: Class, row: usize, block: &mut Block) {
    let [first, second, third] = block;
    let (first, second, third) = (&mut first[row], &mut second[row], &mut third[row]);
    // The lowest digit is the integer's lowest byte, and 128 more carries into the next as it must
    match class {
        Class::Int8 => {
            for (q, first) in integers.iter().zip(first.iter_mut()) {
                *first = (*q).into() as u8;
            }
        }
        Class::Int16 => {
            for ((q, first), second) in integers.iter().zip(first.iter_mut()).zip(second.iter_mut()) {
                let q: i32 = (*q).into();
                *first = ((q + 128) >> 8) as u8;
                *second = q as u8;
            }
        }
        Class::Int24 => {
            let digits = first.iter_mut().zip(second.iter_mut()).zip(third.iter_mut());
            for (q, ((first, second), third)) in integers.iter().zip(digits) {
                let q: i32 = (*q).into();
                let high = (q + 128) >> 8;
                *first = ((high + 128) >> 8) as u8;
                *second = high as u8;
                *third = q as u8;
            }
        }
    }
    if let Some(after) = first.get_mut(integers.len()) {
        *after = 0;
        second[integers.len()] = 0;
        third[integers.len()] = 0;
    }
}

/// Pairs of elements of all rows, pair by pair, as many as `out` has room for.
pub(super) fn transpose(rows: &[[u8; DEPTH]; PANEL], out: &mut [u8]) {
    for (pair, out) in out.chunks_exact_mut(2 * PANEL).enumerate() {
        for (row, out) in rows.iter().zip(out.chunks_exact_mut(2)) {
            out.copy_from_slice(&row[2 * pair..][..2]);
        }
    }
}
