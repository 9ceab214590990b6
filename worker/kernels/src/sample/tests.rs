//! Sampling and what goes by index, against the reference.

use super::*;
use crate::reference::{assert_same, floats, tensor, width};
use assay_exact::{
    operator::{Bindings, Dim, Operator},
    tensor::Element,
};
use proptest::prelude::*;

const NOWHERE: Bindings = Bindings { length: 7, position: 5 };

/// Integers from a seed, below a bound that the seed chooses.
fn integers(count: usize, seed: u64) -> Vec<u64> {
    let mut state = seed | 1;
    let shift = seed >> 58;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state ^ state >> 29) >> shift
    };
    (0..count).map(|_| next()).collect()
}

fn words(count: usize, seed: u64) -> Vec<u32> {
    integers(count, seed & (u64::MAX >> 1))
        .into_iter()
        .map(|x| (x >> 32) as u32)
        .collect()
}

/// Indices below `below`; sometimes one that is not.
fn indices(count: usize, below: usize, seed: u64) -> Vec<u32> {
    let mut all: Vec<_> = words(count, seed)
        .into_iter()
        .map(|x| x % below.max(1) as u32)
        .collect();
    if seed.is_multiple_of(3) && count > 0 {
        all[seed as usize / 3 % count] = below as u32 + (seed >> 60) as u32;
    }
    all
}

/// Lengths of rows for which the reference, which compares all with all, does not take long.
fn short() -> impl Strategy<Value = usize> {
    prop::sample::select(&[0usize, 1, 2, 7, 33, 97, 300][..])
}

#[test]
fn rank_and_mass_should_be_those_of_the_reference_when_a_row_has_two_groups() {
    for seed in 0..8 {
        let mut scores: Vec<_> = floats(2_060, seed)
            .iter()
            .map(|x| if x.is_finite() { *x } else { 1.0 })
            .collect();
        scores[2_059] = scores[3];
        let chances = words(2_060, 9);
        let x = tensor(&[2_060], &scores);
        assert_same(&Operator::Rank, &[&x], NOWHERE, |_, out| {
            ranks(&scores, 2_060, out);
            Ok(())
        });
        assert_same(
            &Operator::Mass,
            &[&x, &tensor(&[2_060], &chances)],
            NOWHERE,
            |_, out| {
                masses(&scores, &chances, 2_060, out);
                Ok(())
            },
        );
    }
}

fn gather<T: Element + Default>(table: &[T], dims: &[usize], indices: &[u32]) {
    let inputs = [&tensor(dims, table), &tensor(&[indices.len()], indices)];
    assert_same(&Operator::Lookup, &inputs, NOWHERE, |_, out: &mut [T]| {
        lookup(table, (dims[0], dims[1..].iter().product()), indices, out)
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn chance_should_be_that_of_the_reference(rows in 0usize..4, width in width(), seed: u64, too_low: bool) {
        let x = floats(rows * width, seed);
        let least = if too_low { -3.0 } else { 4.0 };
        let maxima: Vec<f32> = (0..rows)
            .map(|row| x[row * width..][..width].iter().copied().fold(least, f32::max) - f32::from(u8::from(too_low)))
            .collect();
        let inputs = [&tensor(&[rows, width], &x), &tensor(&[rows], &maxima)];
        assert_same(&Operator::Chance, &inputs, NOWHERE, |isa, out| chances(isa, &x, width, &maxima, out));
    }

    #[test]
    fn rank_and_mass_should_be_those_of_the_reference(rows in 0usize..3, width in short(), seed: u64) {
        let scores = floats(rows * width, seed);
        let chances = words(rows * width, seed);
        let x = tensor(&[rows, width], &scores);
        assert_same(&Operator::Rank, &[&x], NOWHERE, |_, out| {
            ranks(&scores, width, out);
            Ok(())
        });
        assert_same(&Operator::Mass, &[&x, &tensor(&[rows, width], &chances)], NOWHERE, |_, out| {
            masses(&scores, &chances, width, out);
            Ok(())
        });
    }

    #[test]
    fn kept_chances_should_be_those_of_the_reference(rows in 0usize..4, width in width(), seed: u64, other: u64) {
        let (chances, of_rank) = (words(rows * width, seed), words(rows * width, other));
        let masses = integers(rows * width, other);
        let most: Vec<_> = words(rows, seed ^ other).iter().map(|x| if x % 4 == 0 { 0 } else { *x }).collect();
        let (totals, shares) = (integers(rows, seed), words(rows, other));
        let of_chances = tensor(&[rows, width], &chances);
        let inputs = [&of_chances, &tensor(&[rows, width], &of_rank), &tensor(&[rows], &most)];
        assert_same(&Operator::KeepRanks, &inputs, NOWHERE, |isa, out| {
            keep_ranks(isa, &chances, &of_rank, width, &most, out);
            Ok(())
        });
        // Masses just below, at and above the bound too
        let masses: Vec<_> = masses.iter().enumerate().map(|(at, mass)| {
            let bound = (u128::from(shares[at / width]) * u128::from(totals[at / width])) >> 16;
            if mass % 2 == 0 { (bound as u64).wrapping_add(mass % 3).wrapping_sub(1) } else { *mass }
        }).collect();
        let inputs = [&of_chances, &tensor(&[rows, width], &masses), &tensor(&[rows], &totals), &tensor(&[rows], &shares)];
        assert_same(&Operator::KeepMass, &inputs, NOWHERE, |isa, out| {
            keep_mass(isa, &chances, &masses, width, (&totals, &shares), out);
            Ok(())
        });
    }

    #[test]
    fn total_and_draw_should_be_those_of_the_reference(rows in 0usize..4, width in width(), seed: u64, random: u64) {
        let chances = words(rows * width, seed);
        let of_chances = tensor(&[rows, width], &chances);
        assert_same(&Operator::Total, &[&of_chances], NOWHERE, |isa, out| {
            super::totals(isa, &chances, width, out);
            Ok(())
        });
        let mut totals = vec![0; rows];
        super::totals(Isa::detect(), &chances, width, &mut totals);
        if seed.is_multiple_of(5) {
            totals.iter_mut().for_each(|total| *total *= 2);
        }
        let randoms = integers(rows, random);
        let inputs = [&of_chances, &tensor(&[rows], &totals), &tensor(&[rows], &randoms)];
        assert_same(&Operator::Draw, &inputs, NOWHERE, |isa, out| {
            draws(isa, &chances, width, (&totals, &randoms), out)
        });
    }

    #[test]
    fn random_should_be_that_of_the_reference(count in 0usize..9, seed: u64, stream: u32) {
        let sequences = words(count, seed);
        let inputs = [&tensor(&[], &[seed]), &tensor(&[count], &sequences)];
        assert_same(&Operator::Random(stream), &inputs, NOWHERE, |_, out| {
            randoms(seed, &sequences, NOWHERE.position.wrapping_add(NOWHERE.length), stream, out);
            Ok(())
        });
    }

    #[test]
    fn lookup_should_be_that_of_the_reference(
        length in 0usize..6, inner in prop::collection::vec(0usize..5, 0..3), count in 0usize..9, seed: u64,
    ) {
        let dims: Vec<_> = [length].into_iter().chain(inner).collect();
        let indices = indices(count, length, seed);
        let table = integers(dims.iter().product(), seed);
        gather(&table, &dims, &indices);
        gather(&table.iter().map(|x| *x as i8).collect::<Vec<_>>(), &dims, &indices);
    }

    #[test]
    fn pick_should_be_that_of_the_reference(rows in 0usize..5, width in width(), seed: u64) {
        let (x, indices) = (floats(rows * width, seed), indices(rows, width, seed));
        assert_same(&Operator::Pick, &[&tensor(&[rows, width], &x), &tensor(&[rows], &indices)], NOWHERE, |_, out| {
            pick(&x, width, &indices, out)
        });
    }

    #[test]
    fn count_should_be_that_of_the_reference(length in width(), below in 0usize..9, seed: u64) {
        let indices = indices(length, below, seed);
        let operator = Operator::Count { rows: Dim::constant(below as i32) };
        assert_same(&operator, &[&tensor(&[length], &indices)], NOWHERE, |_, out| count(&indices, out));
    }

    #[test]
    fn scattered_sums_should_be_those_of_the_reference(
        columns in 0usize..4, length in short(), below in 0usize..5, seed: u64, odd: u64,
    ) {
        let (x, indices) = (floats(columns * length, seed), indices(length, below, seed >> 3));
        let mut magnitudes: Vec<_> = (0..columns)
            .map(|row| x[row * length..][..length].iter().fold(1e-20, |most, x| x.abs().max(most)))
            .collect();
        if odd.is_multiple_of(3) && columns > 0 {
            magnitudes[odd as usize / 3 % columns] = [1e-40, 1.0, f32::INFINITY, 2e-2][(odd >> 60) as usize % 4];
        }
        let inputs = [&tensor(&[columns, length], &x), &tensor(&[columns], &magnitudes), &tensor(&[length], &indices)];
        let operator = Operator::Scatter { rows: Dim::constant(below as i32) };
        assert_same(&operator, &inputs, NOWHERE, |isa, out| scatter(isa, &x, &magnitudes, &indices, below, out));
    }

    #[test]
    fn concatenation_should_be_that_of_the_reference(
        outer in prop::collection::vec(0usize..4, 0..3), inner in prop::collection::vec(0usize..4, 0..3),
        sizes in prop::collection::vec(0usize..4, 1..4), seed: u64, cut: usize,
    ) {
        let (parts, within): (usize, usize) = (outer.iter().product(), inner.iter().product());
        let tensors: Vec<_> = sizes.iter().map(|size| {
            let dims: Vec<_> = outer.iter().chain([size]).chain(&inner).copied().collect();
            tensor(&dims, &words(dims.iter().product(), seed ^ *size as u64))
        }).collect();
        let elements: Vec<Vec<u32>> = tensors.iter().map(|tensor| tensor.elements().expect("indices")).collect();
        let inputs: Vec<_> = elements.iter().zip(&sizes).map(|(all, size)| (&all[..], size * within)).collect();
        let cut = cut % (parts + 1);
        let at = cut * sizes.iter().sum::<usize>() * within;
        let operator = Operator::Concat(inner.len() as u8);
        assert_same(&operator, &tensors.iter().collect::<Vec<_>>(), NOWHERE, |_, out| {
            let (first, second) = out.split_at_mut(at);
            concat(&inputs, 0..cut, first);
            concat(&inputs, cut..parts, second);
            Ok(())
        });
    }
}
