//! Expressions over elements, and inputs one after the other.

use super::{finite, read_bits, Call, Fault};
use crate::{
    expression::Expression,
    tensor::{DType, Shape, Source, MAX_RANK},
};
use alloc::vec::Vec;

impl Call<'_> {
    pub(super) fn map<S: Source + ?Sized>(
        &self,
        expression: &Expression,
        index: u64,
        source: &S,
    ) -> Result<u64, Fault> {
        let shape = self.output.shape;
        let coordinates = shape.coordinates(index);
        let inputs: Vec<_> = self
            .inputs
            .iter()
            .enumerate()
            .map(|(input, tensor)| {
                let at = repeated(&tensor.shape, &shape, &coordinates);
                let bits = read_bits(source, tensor.dtype, input, at)?;
                Ok(as_float(bits, tensor.dtype))
            })
            .collect::<Result<_, Fault>>()?;
        finite(expression.evaluate(&inputs, |from_last| coordinates[shape.rank() - 1 - from_last]))
    }

    pub(super) fn concat<S: Source + ?Sized>(&self, axis: u8, index: u64, source: &S) -> Result<u64, Fault> {
        let mut coordinates = self.output.shape.coordinates(index);
        let at = self.output.shape.rank() - 1 - usize::from(axis);
        let mut input = 0;
        // The output is as long along this dimension as all inputs together
        while let Some(rest) = coordinates[at].checked_sub(self.inputs[input].shape.dims()[at].into()) {
            coordinates[at] = rest;
            input += 1;
        }
        read_bits(
            source,
            self.output.dtype,
            input,
            self.inputs[input].shape.index(&coordinates),
        )
    }
}

/// The element of a tensor of shape `inner` that stands for the one at `coordinates` when the tensor is repeated to
/// `outer`.
fn repeated(inner: &Shape, outer: &Shape, coordinates: &[u64; MAX_RANK]) -> u64 {
    let left_out = outer.rank() - inner.rank();
    let mut own = [0; MAX_RANK];
    for (at, dim) in inner.dims().iter().enumerate() {
        own[at] = if *dim == 1 { 0 } else { coordinates[left_out + at] };
    }
    inner.index(&own)
}

/// The float nearest to an element.
fn as_float(bits: u64, dtype: DType) -> f32 {
    match dtype {
        DType::F32 => f32::from_bits(bits as u32),
        DType::I8 => f32::from(bits as u8 as i8),
        DType::I16 => f32::from(bits as u16 as i16),
        DType::U32 | DType::U64 => crate::scalar::from_i64(bits as i64),
    }
}
