//! Rows against the reference.

use super::*;
use crate::reference::{assert_same, expected, floats, tensor, width};
use assay_exact::{
    memory::Tensor,
    operator::{Bindings, Operator, Visible},
    tensor::from_bytes,
};
use proptest::prelude::*;

const NOWHERE: Bindings = Bindings { length: 0, position: 0 };

/// The rows' magnitudes where they have some, or else those of a seed; sometimes with one that does not fit.
fn magnitudes_of(x: &Tensor, rows: usize, seed: u64) -> Vec<f32> {
    let mut all = match expected(&Operator::Magnitude, &[x], NOWHERE) {
        Ok(bytes) => from_bytes(&bytes),
        Err(_) => vec![f32::MAX; rows],
    };
    let odd = [
        0.0,
        1e-30,
        1.0,
        1.8446744e19,
        1e-45,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
        -1.0,
    ];
    if seed.is_multiple_of(4) && rows > 0 {
        all[seed as usize / 4 % rows] = odd[seed as usize / 64 % odd.len()];
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn magnitude_should_be_that_of_the_reference(rows in 0usize..4, width in width(), seed: u64) {
        let x = floats(rows * width, seed);
        assert_same(&Operator::Magnitude, &[&tensor(&[rows, width], &x)], NOWHERE, |isa, out| {
            magnitudes(isa, &x, width, out)
        });
    }

    #[test]
    fn maximum_should_be_that_of_the_reference(
        parts in 1usize..3, rows in 1usize..4, width in width(), seed: u64, position in 0u32..40, causal: bool,
    ) {
        let width = width.max(1);
        let x = floats(parts * rows * width, seed);
        let bindings = Bindings { length: 0, position };
        let visible = if causal { Visible::Causal } else { Visible::All };
        assert_same(&Operator::Maximum(visible), &[&tensor(&[parts, rows, width], &x)], bindings, |isa, out| {
            let count = |row: usize| visible.count((row % rows) as u64, width as u64, bindings) as usize;
            maxima(isa, &x, width, count, out)
        });
    }

    #[test]
    fn argmax_should_be_that_of_the_reference(rows in 0usize..4, width in width(), seed: u64) {
        let width = width.max(1);
        let x = floats(rows * width, seed);
        assert_same(&Operator::ArgMax, &[&tensor(&[rows, width], &x)], NOWHERE, |isa, out| {
            argmaxima(isa, &x, width, out)
        });
    }

    #[test]
    fn sum_should_be_that_of_the_reference(rows in 0usize..4, width in width(), seed: u64, odd: u64) {
        let x = floats(rows * width, seed);
        let of_rows = tensor(&[rows, width], &x);
        let m = magnitudes_of(&of_rows, rows, odd);
        assert_same(&Operator::Sum, &[&of_rows, &tensor(&[rows], &m)], NOWHERE, |isa, out| {
            sums(isa, &x, width, &m, out)
        });
    }

    #[test]
    fn weights_should_be_those_of_the_reference(
        parts in 1usize..3, rows in 1usize..4, width in width(), seed: u64, position in 0u32..40, causal: bool,
    ) {
        let x = floats(parts * rows * width, seed);
        let m: Vec<f32> = (0..parts * rows)
            .map(|row| x[row * width..][..width].iter().copied().fold(-3.0, f32::max))
            .collect();
        let bindings = Bindings { length: 0, position };
        let visible = if causal { Visible::Causal } else { Visible::All };
        let inputs = [&tensor(&[parts, rows, width], &x), &tensor(&[parts, rows], &m)];
        assert_same(&Operator::Weights(visible), &inputs, bindings, |isa, out: &mut [f32]| {
            let count = |row: usize| visible.count((row % rows) as u64, width as u64, bindings) as usize;
            weights_of_rows(isa, &x, width, &m, count, out)
        });
    }

    #[test]
    fn weight_sum_should_be_that_of_the_reference(rows in 0usize..4, width in width(), seed: u64, forty: bool) {
        let all = floats(rows * width, seed).into_iter();
        let x: Vec<_> = all.map(|x| if x.abs() < 1e10 { (x.abs() * 0.3).fract() } else { x }).collect();
        let bits = if forty { 40 } else { 30 };
        assert_same(&Operator::WeightSum(bits), &[&tensor(&[rows, width], &x)], NOWHERE, |isa, out| {
            weight_sums(isa, &x, width, bits, out)
        });
    }

    #[test]
    fn integers_should_be_those_of_the_reference(rows in 0usize..4, width in width(), seed: u64, odd: u64) {
        let x = floats(rows * width, seed);
        let of_rows = tensor(&[rows, width], &x);
        let m = magnitudes_of(&of_rows, rows, odd);
        let inputs = [&of_rows, &tensor(&[rows], &m)];
        assert_same(&Operator::Quantise(Class::Int8), &inputs, NOWHERE, |isa, out: &mut [i8]| {
            quantise_rows(isa, &x, width, &m, out)
        });
        assert_same(&Operator::Quantise(Class::Int16), &inputs, NOWHERE, |isa, out: &mut [i16]| {
            quantise_rows(isa, &x, width, &m, out)
        });
        // No tensor stores the widest class: the reference of the fault is another class, of the integers the definition
        let fault = expected(&Operator::Quantise(Class::Int16), &inputs, NOWHERE).err();
        for isa in Isa::available() {
            let mut out = vec![0i32; x.len()];
            prop_assert_eq!(quantise_rows(isa, &x, width, &m, &mut out).err(), fault);
            if fault.is_none() {
                for (at, (q, x)) in out.iter().zip(&x).enumerate() {
                    prop_assert_eq!(*q, Class::Int24.quantise(*x, m[at / width]));
                }
            }
        }
    }
}

#[test]
fn weight_sum_should_fail_when_a_weight_is_just_outside() {
    for weight in [1.0f32.next_up(), -f32::from_bits(1), 1.0, -0.0] {
        let x = [0.5, weight, 0.25];
        assert_same(
            &Operator::WeightSum(30),
            &[&tensor(&[1, 3], &x)],
            NOWHERE,
            |isa, out| weight_sums(isa, &x, 3, 30, out),
        );
    }
}

#[test]
fn argmax_should_ignore_a_later_group_when_it_starts_with_no_number() {
    let mut x = vec![0.0; 4_096];
    (x[2_048], x[3_000], x[17]) = (f32::NAN, 5.0, 1.0);
    assert_same(&Operator::ArgMax, &[&tensor(&[1, 4_096], &x)], NOWHERE, |isa, out| {
        argmaxima(isa, &x, 4_096, out)
    });
}

#[test]
fn sum_should_hold_when_all_elements_are_as_large_as_they_can_be() {
    let x = vec![f32::MAX; 70_000];
    let minus: Vec<_> = x
        .iter()
        .enumerate()
        .map(|(at, x)| if at % 2 == 0 { *x } else { -x })
        .collect();
    for x in [x, minus] {
        let inputs = [&tensor(&[1, x.len()], &x), &tensor(&[1], &[f32::MAX])];
        assert_same(&Operator::Sum, &inputs, NOWHERE, |isa, out| {
            sums(isa, &x, x.len(), &[f32::MAX], out)
        });
    }
}
