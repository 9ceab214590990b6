//! Whole tensors in memory, as the reference computes with them.

use crate::{
    operator::TensorType,
    tensor::{from_bytes, to_bytes, DType, Element, Missing, Shape, ShapeError, Source},
};
use alloc::{borrow::Cow, vec::Vec};
use core::ops::Range;

/// A tensor with all of its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// What it is.
    pub kind: TensorType,
    /// Its elements as they are hashed.
    pub bytes: Vec<u8>,
}

impl Tensor {
    /// A tensor of these elements.
    ///
    /// # Panics
    ///
    /// If there are more or fewer elements than the dimensions say.
    pub fn new<T: Element>(dims: &[u32], elements: &[T]) -> Result<Self, ShapeError> {
        let shape = Shape::new(dims, T::DTYPE)?;
        assert_eq!(
            shape.len(),
            elements.len() as u64,
            "{dims:?} have another number of elements"
        );
        Ok(Self {
            kind: TensorType { dtype: T::DTYPE, shape },
            bytes: to_bytes(elements),
        })
    }

    /// The elements, if they are of this type.
    pub fn elements<T: Element>(&self) -> Option<Vec<T>> {
        (self.kind.dtype == T::DTYPE).then(|| from_bytes(&self.bytes))
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.kind.dtype
    }
}

/// An operator's inputs in their order.
impl Source for [&Tensor] {
    fn read<T: Element>(&self, input: usize, range: Range<u64>) -> Result<Cow<'_, [T]>, Missing> {
        let missing = Missing {
            input,
            start: range.start,
            count: range.end.saturating_sub(range.start),
        };
        let tensor = self
            .get(input)
            .filter(|tensor| tensor.dtype() == T::DTYPE)
            .ok_or(missing)?;
        let size = T::DTYPE.size();
        let place = |index: u64| index.checked_mul(size).and_then(|byte| usize::try_from(byte).ok());
        let bytes = place(range.start)
            .zip(place(range.end))
            .and_then(|(start, end)| tensor.bytes.get(start..end));
        Ok(Cow::Owned(from_bytes(bytes.ok_or(missing)?)))
    }
}
