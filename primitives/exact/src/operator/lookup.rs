//! Rows of tables, elements of rows, and the gradient of a table.

use super::{
    finite, read_bits, read_index,
    rows::{checked_magnitude, total, within},
    Call, Fault, Partial,
};
use crate::{
    row::{dequantise_column, quantise_column},
    tensor::Source,
};
use core::ops::Range;

impl Call<'_> {
    pub(super) fn lookup<S: Source + ?Sized>(&self, index: u64, source: &S) -> Result<u64, Fault> {
        let table = self.inputs[0];
        let rows = table.shape.dims()[0];
        let width = table.shape.dims()[1..]
            .iter()
            .map(|dim| u64::from(*dim))
            .product::<u64>()
            .max(1);
        let row = read_index(source, 1, index / width, rows)?;
        read_bits(source, table.dtype, 0, u64::from(row) * width + index % width)
    }

    pub(super) fn pick<S: Source + ?Sized>(&self, index: u64, source: &S) -> Result<u64, Fault> {
        let length = self.inputs[0].shape.row();
        let at = read_index(source, 1, index, length as u32)?;
        finite(source.one(0, index * length + u64::from(at))?)
    }

    pub(super) fn partial_scatter<S: Source + ?Sized>(
        &self,
        index: u64,
        range: Range<u64>,
        source: &S,
    ) -> Result<Partial, Fault> {
        let rows = self.output.shape.row();
        let (column, wanted) = (index / rows, index % rows);
        let magnitude = checked_magnitude(source.one(1, column)?)?;
        let start = column * self.inputs[0].shape.row();
        let indices = source.read::<u32>(2, range.clone())?;
        let elements = source.read::<f32>(0, start + range.start..start + range.end)?;
        let mut sum = 0;
        for (got, x) in indices.iter().zip(elements.iter()) {
            if u64::from(*got) >= rows {
                let below = rows as u32;
                return Err(Fault::Index { got: *got, below });
            }
            if u64::from(*got) == wanted {
                sum += quantise_column(within(*x, magnitude)?, magnitude);
            }
        }
        Ok(Partial::Sum(sum))
    }

    pub(super) fn combine_scatter<S: Source + ?Sized>(
        &self,
        index: u64,
        partials: &[Partial],
        source: &S,
    ) -> Result<u64, Fault> {
        let magnitude = checked_magnitude(source.one(1, index / self.output.shape.row())?)?;
        finite(dequantise_column(total(partials), magnitude))
    }
}
