//! Elements in other places.

use super::{
    check::{ensure, misfit},
    read_bits, Bindings, Call, Dim, Fault, TensorType, TypeError,
};
use crate::tensor::{Source, MAX_RANK};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};

/// Part of where an element is found: a coordinate of the output, times a factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Term {
    /// The output's dimension, counted from the first (0).
    pub dimension: u8,
    /// The factor.
    pub factor: i32,
}

/// Where in a dimension of the input an element is found: (offset + Σ factor · coordinate) ÷ divisor. If that is no
/// integer, or outside of the dimension, the element is zero.
///
/// A transpose has one term in each; a slice has an offset; windows add two terms; their gradient divides by the
/// stride; a dimension that is repeated has no term in any.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Coordinate {
    /// What is added.
    pub offset: Dim,
    /// Coordinates of the output.
    pub terms: Vec<Term>,
    /// What is divided by; at least 1.
    pub divisor: u32,
}

/// Checks that there is a coordinate for each dimension of the input, made of dimensions of the output.
pub(super) fn check(coordinates: &[Coordinate], x: &TensorType, rank: usize) -> Result<(), TypeError> {
    ensure(coordinates.len() == x.shape.rank(), misfit(0, x))?;
    let is_valid = |coordinate: &Coordinate| {
        coordinate.divisor > 0
            && coordinate.terms.len() <= MAX_RANK
            && coordinate.terms.iter().all(|term| usize::from(term.dimension) < rank)
    };
    ensure(coordinates.iter().all(is_valid), TypeError::Parameter)
}

impl Coordinate {
    /// The place in a dimension of `size` for the element of the output at `at`; `None` is zero.
    pub(crate) fn place(&self, at: &[u64; MAX_RANK], size: u32, bindings: Bindings) -> Option<u64> {
        let of = |term: &Term| i128::from(term.factor) * i128::from(at[usize::from(term.dimension)]);
        let numerator = self.offset.value(bindings) + self.terms.iter().map(of).sum::<i128>();
        let divisor = i128::from(self.divisor);
        let place = u64::try_from(numerator.div_euclid(divisor)).ok()?;
        (numerator.rem_euclid(divisor) == 0 && place < u64::from(size)).then_some(place)
    }
}

impl Call<'_> {
    pub(super) fn view<S: Source + ?Sized>(
        &self,
        coordinates: &[Coordinate],
        index: u64,
        source: &S,
    ) -> Result<u64, Fault> {
        let at = self.output.shape.coordinates(index);
        let input = self.inputs[0];
        let mut own = [0; MAX_RANK];
        for ((place, coordinate), size) in own.iter_mut().zip(coordinates).zip(input.shape.dims()) {
            match coordinate.place(&at, *size, self.bindings) {
                Some(found) => *place = found,
                None => return Ok(0),
            }
        }
        read_bits(source, input.dtype, 0, input.shape.index(&own))
    }
}
