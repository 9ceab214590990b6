//! What remains, against what ranks and masses leave.

use super::*;
use crate::{
    reference::floats,
    sample::{keep_mass, keep_ranks, masses, ranks},
};
use proptest::prelude::*;

/// Scores of a kind that the seed chooses: any, few different ones, or some that are no numbers.
fn scores(count: usize, seed: u64) -> Vec<f32> {
    let mut x = floats(count, seed);
    match seed % 4 {
        0 => x.iter_mut().for_each(|x| *x = (*x * 2.0).round().clamp(-2.0, 2.0)),
        1 => x.iter_mut().step_by(5).for_each(|x| *x = f32::NAN),
        2 => x.iter_mut().for_each(|x| *x = 8.0 + *x * 1e-3),
        _ => {}
    }
    x
}

/// Chances, many of which are 0.
fn chances(count: usize, seed: u64) -> Vec<u32> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            let chance = (state >> 34) as u32;
            if chance % 4 < seed as u32 % 4 {
                0
            } else {
                chance
            }
        })
        .collect()
}

#[track_caller]
fn assert_same_by_rank(scores: &[f32], chances: &[u32], width: usize, most: &[u32]) {
    let mut of_rank = vec![0; scores.len()];
    ranks(scores, width, &mut of_rank);
    for isa in Isa::available() {
        let [mut expected, mut got] = [vec![7; scores.len()], vec![8; scores.len()]];
        keep_ranks(isa, chances, &of_rank, width, most, &mut expected);
        keep_likeliest(isa, chances, scores, width, most, &mut got);
        assert_eq!(got, expected, "{isa}: {most:?} of {width}");
    }
}

#[track_caller]
fn assert_same_by_mass(scores: &[f32], chances: &[u32], width: usize, totals: &[u64], shares: &[u32]) {
    let mut of_mass = vec![0; scores.len()];
    masses(scores, chances, width, &mut of_mass);
    for isa in Isa::available() {
        let [mut expected, mut got] = [vec![7; scores.len()], vec![8; scores.len()]];
        keep_mass(isa, chances, &of_mass, width, (totals, shares), &mut expected);
        keep_heaviest(isa, chances, scores, width, (totals, shares), &mut got);
        assert_eq!(got, expected, "{isa}: {shares:?} of {totals:?}, {width} wide");
    }
}

#[test]
fn kept_should_be_those_of_lowest_index_when_all_scores_are_the_same() {
    let (scores, chances) = ([0.0, -0.0, 0.0, -0.0], [5; 4]);
    let mut out = [0; 4];
    keep_likeliest(Isa::detect(), &chances, &scores, 4, &[1], &mut out);
    assert_eq!(out, [5, 0, 0, 0]);
    keep_likeliest(Isa::detect(), &chances, &scores, 4, &[3], &mut out);
    assert_eq!(out, [5, 5, 5, 0]);
    // Half of 20 is reached by two; a little more takes a third
    keep_heaviest(Isa::detect(), &chances, &scores, 4, (&[20], &[1 << 15]), &mut out);
    assert_eq!(out, [5, 5, 0, 0]);
    keep_heaviest(Isa::detect(), &chances, &scores, 4, (&[20], &[(1 << 15) + 1]), &mut out);
    assert_eq!(out, [5, 5, 5, 0]);
}

#[test]
fn kept_should_be_those_that_ranks_and_masses_leave_when_rows_are_vocabularies() {
    const WIDTH: usize = 40_000;
    for seed in 0..4 {
        let (scores, chances) = (scores(WIDTH, seed), chances(WIDTH, seed));
        let total = chances.iter().map(|chance| u64::from(*chance)).sum();
        for most in [1, 2, 50, 1_000, 39_999, 40_000, 0] {
            assert_same_by_rank(&scores, &chances, WIDTH, &[most]);
        }
        for share in [0, 1, 100, 30_000, 65_000, 65_535, 65_536] {
            assert_same_by_mass(&scores, &chances, WIDTH, &[total], &[share]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn kept_should_be_those_that_ranks_and_masses_leave(
        rows in 0usize..4, width in 0usize..200, seed: u64, most in prop::collection::vec(0u32..210, 4),
        shares in prop::collection::vec(0u32..70_000, 4), odd: bool,
    ) {
        let (scores, chances) = (scores(rows * width, seed), chances(rows * width, seed >> 7));
        assert_same_by_rank(&scores, &chances, width, &most[..rows]);
        let totals: Vec<u64> = (0..rows).map(|row| {
            let row = &chances[row * width..][..width];
            let total = row.iter().map(|chance| u64::from(*chance)).sum::<u64>();
            if odd { total / 3 } else { total }
        }).collect();
        assert_same_by_mass(&scores, &chances, width, &totals, &shares[..rows]);
    }
}
