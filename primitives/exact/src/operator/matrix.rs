//! Products of rows.

use super::{
    finite, read_row,
    rows::{operand_magnitude, total, within},
    Call, Fault, Partial, Side,
};
use crate::{
    product::{finish, term, Class, Operand, BLOCK},
    tensor::{DType, Source},
};
use alloc::vec::Vec;
use core::ops::Range;

impl Call<'_> {
    /// The rows of both operands that make element `index`.
    fn operand_rows(&self, index: u64) -> (u64, u64) {
        let rows_of = |input: usize| {
            let dims = self.inputs[input].shape.dims();
            u64::from(dims[dims.len() - 2]).max(1)
        };
        let (row_a, in_b) = (index / rows_of(1), index % rows_of(1));
        let parts = |input: usize| (self.inputs[input].shape.rows() / rows_of(input)).max(1);
        let shared_by = (parts(0) / parts(1)).max(1);
        let part_b = row_a / rows_of(0) / shared_by;
        (row_a, part_b * rows_of(1) + in_b)
    }

    /// The magnitudes of both rows, where there are any.
    fn magnitudes<S: Source + ?Sized>(
        &self,
        (a, b): (Side, Side),
        rows: (u64, u64),
        source: &S,
    ) -> Result<(Option<f32>, Option<f32>), Fault> {
        let read = |wanted: bool, input: usize, row: u64| -> Result<Option<f32>, Fault> {
            if !wanted {
                return Ok(None);
            }
            operand_magnitude(source.one(input, row)?).map(Some)
        };
        Ok((
            read(a.scaled, 2, rows.0)?,
            read(b.scaled, 2 + usize::from(a.scaled), rows.1)?,
        ))
    }

    /// Part of an operand's row as integers of its class.
    fn integers<S: Source + ?Sized>(
        &self,
        input: usize,
        side: Side,
        magnitude: Option<f32>,
        row: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Vec<i32>, Fault> {
        let tensor = self.inputs[input];
        let row = (row, tensor.shape.row());
        let in_class = |q: i32| {
            if q.abs() <= side.class.most() {
                Ok(q)
            } else {
                Err(Fault::Class)
            }
        };
        match tensor.dtype {
            DType::I8 => read_row::<i8, _>(source, input, row, range)?
                .iter()
                .map(|q| in_class((*q).into()))
                .collect(),
            DType::I16 => read_row::<i16, _>(source, input, row, range)?
                .iter()
                .map(|q| in_class((*q).into()))
                .collect(),
            _ => {
                // The types have been checked: this is a tensor of floats, and those have magnitudes
                let magnitude = magnitude.ok_or(Fault::Magnitude)?;
                read_row::<f32, _>(source, input, row, range)?
                    .iter()
                    .map(|x| Ok(side.class.quantise(within(*x, magnitude)?, magnitude)))
                    .collect()
            }
        }
    }

    pub(super) fn partial_product<S: Source + ?Sized>(
        &self,
        sides: (Side, Side),
        index: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Partial, Fault> {
        let rows = self.operand_rows(index);
        let magnitudes = self.magnitudes(sides, rows, source)?;
        let a = self.integers(0, sides.0, magnitudes.0, rows.0, range.clone(), source)?;
        let b = self.integers(1, sides.1, magnitudes.1, rows.1, range.clone(), source)?;
        let terms = a
            .iter()
            .zip(&b)
            .map(|(a, b)| term((*a, sides.0.class), (*b, sides.1.class)));
        let Some(multipliers) = self.multipliers(sides, rows.1, range, source)? else {
            return Ok(Partial::Sum(terms.sum()));
        };
        let multiplied = terms
            .enumerate()
            .map(|(at, term)| multipliers[at / BLOCK as usize] * term);
        Ok(Partial::Sum(multiplied.sum()))
    }

    /// The multipliers of a part of a row of b that begins with a block, if there are any.
    fn multipliers<S: Source + ?Sized>(
        &self,
        (a, b): (Side, Side),
        row: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Option<Vec<i64>>, Fault> {
        let input = 2 + usize::from(a.scaled) + usize::from(b.scaled);
        let Some(tensor) = self.inputs.get(input) else {
            return Ok(None);
        };
        let blocks = range.start / BLOCK..range.end.div_ceil(BLOCK);
        let in_class = |c: &i16| {
            if i32::from(*c).abs() <= Class::Int16.most() {
                Ok(i64::from(*c))
            } else {
                Err(Fault::Class)
            }
        };
        read_row::<i16, _>(source, input, (row, tensor.shape.row()), blocks)?
            .iter()
            .map(in_class)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    pub(super) fn combine_products<S: Source + ?Sized>(
        &self,
        sides: (Side, Side),
        index: u64,
        partials: &[Partial],
        source: &S,
    ) -> Result<u64, Fault> {
        let magnitudes = self.magnitudes(sides, self.operand_rows(index), source)?;
        let operand = |side: Side, magnitude| Operand {
            class: side.class,
            magnitude,
        };
        let (a, b) = (operand(sides.0, magnitudes.0), operand(sides.1, magnitudes.1));
        finite(finish(total(partials), a, b))
    }
}
