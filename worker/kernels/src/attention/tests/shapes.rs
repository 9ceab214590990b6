//! Shapes, blocks, extremes of values: results have the bits of the definition.

use super::*;
use proptest::prelude::*;

/// Blocks of rows as large as the kernels make them, and several of them.
const SIZES: [Size; 11] = [
    (1, 0, 1, 1, 1),
    (1, 0, 1, 1, 16),
    (1, 40, 1, 3, 64),
    (2, 3, 2, 1, 8),
    (3, 14, 1, 2, 17),
    (16, 0, 1, 1, 32),
    (17, 16, 2, 2, 5),
    (31, 7, 1, 1, 33),
    (70, 1, 1, 1, 7),
    (23, 278, 1, 3, 3),
    (2, 1, 1, 1, 600),
];

#[test]
fn attention_should_be_exact_in_shapes_around_the_kernels_blocks() {
    for (seed, size) in SIZES.into_iter().enumerate() {
        for visible in [Visible::All, Visible::Causal] {
            Lane::new(size, visible, seed as u64).assert_exact();
        }
    }
}

#[test]
fn attention_should_be_exact_when_a_row_is_longer_than_a_group() {
    Lane::new((2, 2_100, 1, 1, 6), Visible::Causal, 1).assert_exact();
}

#[test]
fn attention_should_be_exact_when_many_rows_have_long_scores() {
    Lane::new((9, 1_100, 1, 2, 2), Visible::Causal, 2).assert_exact();
}

#[test]
fn attention_should_be_exact_when_all_integers_are_extreme() {
    // Sums of one sign over several stretches of 32-bit sums, upper parts and digits at their bounds
    let below_one = f32::from_bits(1.0f32.to_bits() - 1);
    for (k, q) in [
        (16_384, below_one),
        (-16_384, below_one),
        (16_255, 0.999_999),
        (16_000, below_one),
        (127, -1.0),
        (-128, 0.5),
    ] {
        for v in [-16_384, 128] {
            let mut lane = Lane::new((1, 20, 1, 1, 1_100), Visible::All, 3);
            lane.k.fill(k);
            // Scores must not all be the same, else weights would not show that they are wrong
            lane.k[..1_100].fill(0);
            lane.k_magnitudes.fill(1.5);
            lane.v.fill(v);
            lane.v_magnitudes.fill(1.5);
            lane.q.fill(q);
            lane.factor = 1e-3;
            lane.assert_exact();
        }
    }
    let mut lane = Lane::new((2, 300, 1, 1, 3), Visible::All, 3);
    lane.q.fill(-2.0);
    lane.k.fill(-16_384);
    lane.v.fill(-16_384);
    lane.assert_exact();
}

#[test]
fn attention_should_be_exact_when_there_is_nothing_but_zeros() {
    let mut lane = Lane::new((4, 5, 1, 2, 9), Visible::Causal, 4);
    lane.q.fill(-0.0);
    lane.assert_exact();
    lane.k.fill(0);
    lane.v.fill(0);
    lane.assert_exact();
}

#[test]
fn attention_should_be_exact_when_magnitudes_are_the_least() {
    let mut lane = Lane::new((3, 6, 1, 1, 10), Visible::All, 5);
    lane.q.iter_mut().for_each(|x| *x *= 1e-38);
    lane.k_magnitudes.fill(f32::from_bits(row::LEAST_MAGNITUDE));
    lane.v_magnitudes.fill(f32::from_bits(row::LEAST_MAGNITUDE));
    lane.assert_exact();
}

#[test]
fn attention_should_be_exact_when_scores_may_overflow_but_do_not() {
    let mut lane = Lane::new((3, 6, 1, 1, 10), Visible::Causal, 6);
    lane.q.iter_mut().for_each(|x| *x *= 4e18);
    lane.k_magnitudes.fill(1.8e19);
    lane.k.iter_mut().for_each(|k| *k /= 8);
    assert!(lane.attend().is_ok());
    lane.assert_exact();
}

#[test]
fn attention_should_be_exact_when_magnitudes_of_values_are_none() {
    // They are not checked: a power is made of whatever bits there are, as long as weights hide it
    let mut lane = Lane::new((2, 4, 1, 1, 4), Visible::Causal, 7);
    lane.v_magnitudes[..4].copy_from_slice(&[0.0, 1e-40, -0.0, f32::from_bits(1)]);
    lane.v_magnitudes[5] = f32::NAN;
    lane.length = 1;
    lane.tokens = 5;
    lane.q.truncate(4);
    lane.k.truncate(20);
    lane.v.truncate(20);
    lane.k_magnitudes.truncate(5);
    lane.v_magnitudes.truncate(5);
    lane.assert_exact();
}

#[test]
fn prefill_should_equal_decodes_of_one_token_after_the_other() {
    let lane = Lane::new((40, 3, 2, 2, 24), Visible::Causal, 8);
    let whole = lane.attend().unwrap();
    let (row, of_keys) = (lane.heads * lane.dimension, lane.groups * lane.dimension);
    for step in 0..lane.length {
        let tokens = lane.tokens - lane.length + step + 1;
        let one = Lane {
            q: lane.q[step * row..(step + 1) * row].to_vec(),
            k: lane.k[..tokens * of_keys].to_vec(),
            k_magnitudes: lane.k_magnitudes[..tokens * lane.groups].to_vec(),
            v: lane.v[..tokens * of_keys].to_vec(),
            v_magnitudes: lane.v_magnitudes[..tokens * lane.groups].to_vec(),
            length: 1,
            tokens,
            ..lane.clone()
        };
        assert_eq!(
            one.attend().unwrap(),
            whole[step * row..(step + 1) * row],
            "token {step}"
        );
    }
}

#[test]
fn blocks_should_give_the_same_bits_however_rows_are_divided() {
    let lane = Lane::new((90, 5, 2, 3, 12), Visible::Causal, 9);
    let whole = lane.attend();
    for isa in Isa::available() {
        // Scratch of one call must not show in the next
        let mut scratch = Scratch::default();
        for rows in [1, 7, 64, 90] {
            assert_eq!(lane.attend_in_blocks(isa, rows, &mut scratch), whole);
        }
    }
}

#[test]
fn output_should_be_written_only_where_the_block_is() {
    let lane = Lane::new((4, 2, 2, 2, 3), Visible::All, 10);
    for isa in Isa::available() {
        let mut o = vec![f32::NAN; 4 * 12];
        let block = Block { group: 0, rows: 0..4 };
        let output = Output { o: &mut o, stride: 12 };
        attend(
            isa,
            &lane.keys(),
            &lane.queries(),
            &block,
            output,
            &mut Scratch::default(),
        )
        .unwrap();
        assert!(o
            .chunks(12)
            .all(|row| row[..6].iter().all(|x| x.is_finite()) && row[6..].iter().all(|x| x.is_nan())));
    }
}

#[test]
fn output_should_be_the_same_when_the_buffer_is_the_groups_own() {
    let lane = Lane::new((3, 4, 2, 2, 5), Visible::Causal, 12);
    let whole = lane.attend().unwrap();
    for isa in Isa::available() {
        let mut o = vec![0.0f32; 3 * 10];
        let block = Block { group: 1, rows: 0..3 };
        let output = Output { o: &mut o, stride: 10 };
        attend(
            isa,
            &lane.keys(),
            &lane.queries(),
            &block,
            output,
            &mut Scratch::default(),
        )
        .unwrap();
        for (own, row) in o.chunks(10).zip(whole.chunks(20)) {
            assert!(own.iter().zip(&row[10..]).all(|(x, bits)| x.to_bits() == *bits));
        }
    }
}

#[test]
fn block_should_be_done_when_it_has_no_rows() {
    let mut lane = Lane::new((3, 4, 1, 1, 5), Visible::All, 13);
    // What would fault in any row
    lane.k_magnitudes[0] = 0.0;
    for isa in Isa::available() {
        let block = Block { group: 0, rows: 2..2 };
        let output = Output { o: &mut [], stride: 0 };
        let result = attend(
            isa,
            &lane.keys(),
            &lane.queries(),
            &block,
            output,
            &mut Scratch::default(),
        );
        assert_eq!(result, Ok(()));
    }
}

#[test]
fn weights_should_have_the_bits_of_the_scalar_exponential() {
    // One key by far the largest: the other weights run through the exponential's whole range
    let mut lane = Lane::new((1, 999, 1, 1, 2), Visible::All, 11);
    lane.q.copy_from_slice(&[1.0, 0.5]);
    lane.factor = 60.0;
    lane.assert_exact();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn attention_should_be_exact(
        size in (1usize..24, 0usize..40, 1usize..4, 1usize..4, 1usize..40),
        is_causal: bool,
        factor in -3f32..3.0,
        scale in -20i32..20,
        seed: u64,
    ) {
        let visible = if is_causal { Visible::Causal } else { Visible::All };
        let mut lane = Lane::new(size, visible, seed);
        lane.factor = factor;
        lane.q.iter_mut().for_each(|x| *x *= (scale as f32).exp2());
        prop_assert_eq!(lane.attend(), reference(&lane));
    }

    #[test]
    fn attention_should_be_exact_or_fault_alike_when_integers_and_magnitudes_are_anything(
        size in (1usize..5, 0usize..6, 1usize..3, 1usize..3, 1usize..5),
        is_causal: bool,
        seed: u64,
        wild in prop::collection::vec((0usize..5, any::<prop::sample::Index>(), any::<u32>()), 0..4),
    ) {
        let visible = if is_causal { Visible::Causal } else { Visible::All };
        let mut lane = Lane::new(size, visible, seed);
        for (which, at, bits) in wild {
            let float = f32::from_bits(bits);
            match which {
                0 => { let at = at.index(lane.q.len()); lane.q[at] = float; }
                1 => { let at = at.index(lane.k.len()); lane.k[at] = bits as i16; }
                2 => { let at = at.index(lane.v.len()); lane.v[at] = bits as i16; }
                3 => { let at = at.index(lane.k_magnitudes.len()); lane.k_magnitudes[at] = float; }
                _ => { let at = at.index(lane.v_magnitudes.len()); lane.v_magnitudes[at] = float; }
            }
        }
        prop_assert_eq!(lane.attend(), reference(&lane));
    }
}
