//! Rotation against the reference.

use super::*;
use crate::reference::{assert_same, floats, tensor};
use assay_exact::operator::{Bindings, Operator};
use proptest::prelude::*;

proptest! {
    #[test]
    fn rotation_should_be_that_of_the_reference(
        outer in prop::collection::vec(0usize..4, 0..4), pairs in 0usize..70, axis: u8, inverse: bool,
        seed: u64, position: u32, cut: usize,
    ) {
        let mut dims = outer;
        dims.push(2 * pairs);
        let axis = axis % dims.len() as u8;
        let rows: usize = dims[..dims.len() - 1].iter().product();
        let x = floats(rows * 2 * pairs, seed);
        let frequencies: Vec<_> = (0..pairs as u64).map(|pair| seed.wrapping_mul(pair * pair + 1) >> (pair % 40)).collect();
        let bindings = Bindings { length: 0, position };
        let inputs = [&tensor(&dims, &x), &tensor(&[pairs], &frequencies)];
        let shape: Vec<_> = dims.iter().map(|dim| *dim as u32).collect();
        let positions = dims[dims.len() - 1 - usize::from(axis)];
        let cut = cut % (rows + 1);
        assert_same(&Operator::Rotate { axis, inverse }, &inputs, bindings, |isa, out: &mut [f32]| {
            let turns = Turns::new(isa, &frequencies, position.into(), positions, inverse);
            let at = cut * 2 * pairs;
            let (first, second) = out.split_at_mut(at);
            turns.apply_rows(isa, &shape, axis.into(), 0..cut, &x[..at], first)?;
            turns.apply_rows(isa, &shape, axis.into(), cut..rows, &x[at..], second)
        });
    }
}
