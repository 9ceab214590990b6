//! Rotary position embedding.

use super::{finite, Call, Fault};
use crate::{
    scalar::{cos_turn, sin_turn},
    tensor::Source,
};

impl Call<'_> {
    pub(super) fn rotate<S: Source + ?Sized>(
        &self,
        axis: u8,
        inverse: bool,
        index: u64,
        source: &S,
    ) -> Result<u64, Fault> {
        let shape = self.output.shape;
        let coordinates = shape.coordinates(index);
        let last = shape.rank() - 1;
        let position = u64::from(self.bindings.position) + coordinates[last - usize::from(axis)];
        let half = shape.row() / 2;
        let (pair, is_second) = (coordinates[last] % half, coordinates[last] >= half);

        let frequency: u64 = source.one(1, pair)?;
        let phase = (position.wrapping_mul(frequency) >> 32) as u32;
        let (sine, cosine) = (sin_turn(phase), cos_turn(phase));
        let sine = if inverse { -sine } else { sine };

        let first_at = index - coordinates[last] + pair;
        let (first, second): (f32, f32) = (source.one(0, first_at)?, source.one(0, first_at + half)?);
        finite(if is_second {
            second * cosine + first * sine
        } else {
            first * cosine - second * sine
        })
    }
}
