//! What the kernels give on hostile values, product apart.

use super::{record, Noise};
use crate::{
    attention::{attend, Block, Keys, Output, Queries, Scratch},
    expression::{self, Evaluator, Lane, Operand},
    rotate::Turns,
    row::{self, Quantised},
    sample, Isa,
};
use assay_exact::{
    expression::{Binary, Comparison, Expression, Node, Unary},
    operator::Visible,
    product::Class,
};

const UNARY: [Unary; 18] = [
    Unary::Neg,
    Unary::Abs,
    Unary::Sqrt,
    Unary::Exp,
    Unary::Ln,
    Unary::Tanh,
    Unary::Erf,
    Unary::Sigmoid,
    Unary::Silu,
    Unary::SiluDerivative,
    Unary::Gelu,
    Unary::GeluDerivative,
    Unary::GeluTanh,
    Unary::GeluTanhDerivative,
    Unary::Relu,
    Unary::Rne,
    Unary::Floor,
    Unary::Power,
];

const BINARY: [Binary; 6] = [
    Binary::Add,
    Binary::Sub,
    Binary::Mul,
    Binary::Div,
    Binary::Max,
    Binary::Min,
];

/// Zeros, ties, subnormals, and where functions change what they do.
const SPECIAL: [f32; 26] = [
    0.0,
    1.0,
    0.5,
    1.5,
    2.5,
    1e-45,
    1e-40,
    f32::MIN_POSITIVE,
    1e-30,
    0.499_999_97,
    8_388_607.5,
    8_388_609.0,
    16_777_216.0,
    2_147_483_648.0,
    1e18,
    87.3,
    88.8,
    103.9,
    126.5,
    127.5,
    f32::MAX,
    f32::INFINITY,
    f32::NAN,
    // Signalling
    f32::from_bits(0x7f80_0001),
    f32::from_bits(0x7fbf_ffff),
    0.346_573_6,
];

/// Floats of all magnitudes, the special ones in between.
fn any(count: usize) -> Vec<f32> {
    let mut noise = Noise(1);
    let mut next = || (noise.next() << 16) ^ noise.next();
    (0..count)
        .map(|at| match SPECIAL.get(at / 2) {
            // Of both signs, and a product would leave no NaN signalling
            Some(x) => f32::from_bits(x.to_bits() ^ (at as u32) << 31),
            // Half of them of any exponent, half of common ones
            None if at % 2 == 0 => f32::from_bits(next()),
            None => f32::from_bits(((120 + next() % 14) << 23) | (next() & 0x807F_FFFF)),
        })
        .collect()
}

/// Floats from −`most` to `most`.
fn tame(count: usize, seed: u32, most: f32) -> Vec<f32> {
    let mut noise = Noise(seed);
    (0..count)
        .map(|_| (noise.next() as f32 / (1 << 23) as f32 - 1.0) * most)
        .collect()
}

/// Appends bits. What is no number is no number, whichever.
fn push(all: &mut Vec<u32>, floats: &[f32]) {
    let bits = |x: &f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
    all.extend(floats.iter().map(bits));
}

/// Appends the results, if there are any.
fn push_done<E>(all: &mut Vec<u32>, done: Result<(), E>, floats: &[f32]) {
    if done.is_ok() {
        push(all, floats);
    }
    record(all, done);
}

/// Appends a result, if there is one.
fn push_one<E>(all: &mut Vec<u32>, done: Result<f32, E>) {
    let x = *done.as_ref().unwrap_or(&0.0);
    push_done(all, done.map(|_| ()), &[x]);
}

/// Rows: magnitudes, maxima, sums, weights, integers.
pub(super) fn rows(isa: Isa) -> Vec<u32> {
    /// The integers of a row, and of one whose magnitude is too small for it.
    fn quantise<T: Quantised + Into<i32>>(isa: Isa, row: &[f32], magnitude: f32, all: &mut Vec<u32>) {
        for magnitude in [magnitude, magnitude * 0.999] {
            let mut out = vec![T::default(); row.len()];
            let done = row::quantise(isa, row, magnitude, &mut out);
            if done.is_ok() {
                all.extend(out.iter().map(|q| (*q).into() as u32));
            }
            record(all, done);
        }
    }
    let mut all = Vec::new();
    let mut ties: Vec<_> = (0..331).map(|at| (at % 255 - 127) as f32 * 0.5).collect();
    ties[300] = -127.0;
    let (any, small) = (any(400), tame(515, 2, 1e-38));
    let finite: Vec<_> = any.iter().copied().filter(|x| x.abs() < 1e18).collect();
    for row in [&ties, &small, &any, &finite, &tame(97, 3, 7.0)] {
        let magnitude = row::magnitude(isa, row);
        push_one(&mut all, magnitude);
        push_one(&mut all, row::maximum(isa, row));
        all.push(row::argmax(isa, row).unwrap_or(u32::MAX));
        let Ok(magnitude) = magnitude else { continue };
        push_one(&mut all, row::sum(isa, row, magnitude));
        push_one(&mut all, row::sum(isa, row, magnitude * 0.999));
        quantise::<i8>(isa, row, magnitude, &mut all);
        quantise::<i16>(isa, row, magnitude, &mut all);
        quantise::<i32>(isa, row, magnitude, &mut all);
        let mut weights = vec![0.0; row.len()];
        let done = row::maximum(isa, row).and_then(|maximum| row::weights(isa, row, maximum, 90, &mut weights));
        push_done(&mut all, done, &weights);
        for bits in [30, 40] {
            push_one(&mut all, row::weight_sum(isa, &weights, bits));
            push_one(&mut all, row::weight_sum(isa, row, bits));
        }
    }
    all
}

/// Functions of one and two arguments, choices, and floats of integers.
pub(super) fn expressions(isa: Isa) -> Vec<u32> {
    let mut all = Vec::new();
    let x = any(601);
    let mut y = x.clone();
    y.rotate_left(7);
    let mut out = vec![0.0; x.len()];
    for function in UNARY {
        expression::unary(isa, function, &x, &mut out);
        push(&mut all, &out);
    }
    for function in BINARY {
        for (a, b) in [
            (Lane::Row(&x), Lane::Row(&y)),
            (Lane::Row(&x), Lane::Scalar(-1.1e-3)),
            (Lane::Scalar(3.3e5), Lane::Row(&y)),
        ] {
            expression::binary(isa, function, a, b, &mut out);
            push(&mut all, &out);
        }
    }
    let mut noise = Noise(4);
    let bytes: Vec<_> = x.iter().map(|_| noise.next() as i8).collect();
    let words: Vec<_> = x.iter().map(|_| noise.next() as i16).collect();
    let doubles: Vec<_> = x.iter().map(|_| noise.next() << 8 | 0x7F).collect();
    let inputs = [
        Operand::RowI8(&bytes),
        Operand::RowI16(&words),
        Operand::RowU32(&doubles),
    ];
    for comparison in [Comparison::Less, Comparison::Equal] {
        let nodes = vec![
            Node::Input(0),
            Node::Input(1),
            Node::Input(2),
            Node::Coordinate(0),
            Node::Unary(Unary::Abs, 0),
            Node::Select(comparison, [0, 4, 2, 3]),
            Node::Binary(Binary::Sub, 5, 1),
        ];
        let evaluator = Evaluator::new(&Expression(nodes));
        let done = evaluator.evaluate(isa, &mut Default::default(), &inputs, &[(1 << 24) - 99], &mut out);
        push_done(&mut all, done, &out);
    }
    all
}

/// Rotary position embedding.
pub(super) fn rotation(isa: Isa) -> Vec<u32> {
    let mut all = Vec::new();
    let frequencies: Vec<_> = (1..38u64).map(|pair| u64::MAX / (pair * pair)).collect();
    let row = tame(2 * frequencies.len(), 5, 3.0);
    let mut out = vec![0.0; row.len()];
    for inverse in [false, true] {
        let turns = Turns::new(isa, &frequencies, 32_765, 3, inverse);
        for at in 0..3 {
            let done = turns.apply(isa, at, &row, &mut out);
            push_done(&mut all, done, &out);
        }
    }
    all
}

/// Attention, with more tokens and elements of a head than panels have, and with a query that is too large.
pub(super) fn attention(isa: Isa) -> Vec<u32> {
    const TOKENS: usize = 75;
    const LENGTH: usize = 3;
    const GROUPS: usize = 2;
    const HEADS: usize = 4;
    const DIMENSION: usize = 35;
    let most = Class::Int16.most();
    let integers = |seed| -> Vec<i16> {
        let mut noise = Noise(seed);
        let next = |_| match noise.next() % 8 {
            0 => most,
            1 => -most,
            // Digits 63, −128 and −64, 127
            2 => 63 * 256 - 128,
            3 => -64 * 256 + 127,
            _ => (noise.next() % (2 * most as u32 + 1)) as i32 - most,
        };
        (0..TOKENS * GROUPS * DIMENSION).map(next).map(|q| q as i16).collect()
    };
    let (k, v) = (integers(6), integers(7));
    let magnitudes = |factor: f32| -> Vec<f32> {
        let powers = (0..TOKENS * GROUPS).map(|at| factor * 2f32.powi((at % 13) as i32 - 6));
        powers.collect()
    };
    let (k_magnitudes, v_magnitudes) = (magnitudes(0.03), magnitudes(1.3));
    let keys = Keys {
        k: &k,
        k_magnitudes: &k_magnitudes,
        v: &v,
        v_magnitudes: &v_magnitudes,
        tokens: TOKENS,
        heads: GROUPS,
        dimension: DIMENSION,
    };
    let mut q = tame(LENGTH * HEADS * DIMENSION, 8, 2.0);
    let (mut all, mut scratch) = (Vec::new(), Scratch::default());
    for is_too_large in [false, true] {
        if is_too_large {
            q[HEADS * DIMENSION + 1] = 1e30;
        }
        for visible in [Visible::Causal, Visible::All] {
            let queries = Queries {
                q: &q,
                length: LENGTH,
                heads: HEADS,
                visible,
                factor: 0.17,
            };
            for group in 0..GROUPS {
                let mut o = [0.0; LENGTH * HEADS / GROUPS * DIMENSION];
                let block = Block { group, rows: 0..LENGTH };
                let output = Output {
                    o: &mut o,
                    stride: HEADS / GROUPS * DIMENSION,
                };
                let done = attend(isa, &keys, &queries, &block, output, &mut scratch);
                push_done(&mut all, done, &o);
            }
        }
    }
    all
}

/// Chances, what is kept of them, draws, and scattered sums.
pub(super) fn sampling(isa: Isa) -> Vec<u32> {
    const WIDTH: usize = 611;
    let mut all = Vec::new();
    let scores = tame(WIDTH, 9, 20.0);
    let maximum = scores.iter().fold(0.0f32, |most, x| most.max(*x));
    let (mut chances, mut ranks, mut kept) = ([0; WIDTH], [0; WIDTH], [0; WIDTH]);
    record(
        &mut all,
        sample::chances(isa, &scores, WIDTH, &[maximum * 0.9], &mut chances),
    );
    record(&mut all, sample::chances(isa, &scores, WIDTH, &[maximum], &mut chances));
    all.extend(chances);
    sample::ranks(&scores, WIDTH, &mut ranks);
    sample::keep_ranks(isa, &chances, &ranks, WIDTH, &[40], &mut kept);
    all.extend(kept);
    let (mut masses, mut total) = ([0; WIDTH], [0]);
    sample::masses(&scores, &chances, WIDTH, &mut masses);
    sample::totals(isa, &chances, WIDTH, &mut total);
    sample::keep_mass(isa, &chances, &masses, WIDTH, (&total, &[60_000]), &mut kept);
    all.extend(kept);
    for random in [0, 1 << 40, u64::MAX / 3, u64::MAX] {
        all.push(sample::draw(isa, &chances, total[0], random).unwrap_or(u32::MAX));
    }
    let x = tame(6 * WIDTH, 10, 0.9);
    let mut sums = [0.0; 5 * 6];
    let indices: Vec<_> = (0..WIDTH as u32).map(|at| at % 5).collect();
    let done = sample::scatter(isa, &x, &[1.0; 6], &indices, 5, &mut sums);
    push_done(&mut all, done, &sums);
    all
}
