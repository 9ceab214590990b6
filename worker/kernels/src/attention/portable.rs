//! Attention in plain Rust, row by row.

use super::{
    task::{magnitude, Suspect, Task},
    Output, DEPTH,
};
use assay_exact::{
    expression::Unary,
    product::Class,
    row::{dequantise_weights, exponent, is_operand},
    scalar::{exp, pow2, to_i32_rne, to_i32_rne_small},
};

/// Bits of a weight in the sum of weights.
pub(super) const WEIGHT_BITS: u32 = 30;

/// What is kept between calls.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Digits of a row of queries.
    query: Digits,
    /// Scores of a row, then weights, then products of weights.
    scores: Vec<f32>,
    /// Digits of a row of products of weights.
    weights: Digits,
    /// What scores are multiplied by for each key.
    key_powers: Vec<f32>,
    /// What weights are multiplied by for each value.
    value_powers: Vec<f32>,
    /// Sums in 32 bits, that count 256 and that count 1, for each element of a head.
    parts: (Vec<i32>, Vec<i32>),
    /// Sums for each element of a head.
    sums: Vec<i64>,
}

/// A row of 24-bit integers: upper 16 bits, and the lowest digit.
#[derive(Debug, Default)]
struct Digits {
    upper: Vec<i16>,
    lower: Vec<i16>,
}

impl Digits {
    /// Makes integers of a row of this magnitude. Returns what the row's sums are multiplied by.
    fn set(&mut self, row: &[f32], magnitude: f32) -> f32 {
        let factor = query_factor(magnitude);
        let integers = row.iter().map(|x| to_i32_rne_small(x * factor));
        self.upper.clear();
        self.upper.extend(integers.clone().map(|q| ((q + 128) >> 8) as i16));
        self.lower.clear();
        self.lower.extend(integers.map(|q| (((q + 128) & 255) - 128) as i16));
        query_power(magnitude)
    }
}

/// What elements of a row of this magnitude are multiplied by to be integers of three digits.
pub(super) fn query_factor(magnitude: f32) -> f32 {
    pow2(22 - exponent(magnitude))
}

/// What sums are multiplied by for a first operand of this magnitude: an integer of three digits counts 2^(e−22), and
/// the accumulator leaves out one digit.
pub(super) fn query_power(magnitude: f32) -> f32 {
    pow2(exponent(magnitude) - 22 + 8)
}

/// What sums are multiplied by for a second operand of exponent `e`.
pub(super) fn key_power(e: i32) -> f32 {
    pow2(e - 14)
}

/// The digits of a 16-bit integer that is in its class, in 16 bits so that compilers multiply 16 bits by 16 bits.
fn digits(b: i16) -> (i16, i16) {
    let high = b.wrapping_add(128) >> 8;
    (high, b.wrapping_sub(high << 8))
}

/// The product of integers of 16 bits.
fn times(a: i16, b: i16) -> i32 {
    i32::from(a) * i32::from(b)
}

/// The accumulator of two rows.
fn dot(a: &Digits, b: &[i16]) -> i64 {
    let blocks = a.upper.chunks(DEPTH).zip(a.lower.chunks(DEPTH)).zip(b.chunks(DEPTH));
    blocks
        .map(|((upper, lower), b)| {
            let (mut high, mut low) = (0, 0);
            for ((upper, lower), b) in upper.iter().zip(lower).zip(b) {
                let (b0, b1) = digits(*b);
                high += times(*upper, b0);
                low += times(*upper, b1) + times(*lower, b0);
            }
            i64::from(high) * 256 + i64::from(low)
        })
        .sum()
}

/// See [`super::attend`].
pub(super) fn attend(
    task: &Task<'_>,
    magnitudes: &[f32],
    is_bounded: bool,
    output: Output<'_>,
    buffers: &mut Buffers,
) -> Result<(), Suspect> {
    let (tokens, dimension) = (task.keys.tokens, task.keys.dimension);
    if !(0..tokens).all(|token| is_in_class(task.key(token)) && is_in_class(task.value(token))) {
        return Err(Suspect);
    }
    buffers.key_powers.clear();
    let key_powers = (0..tokens).map(|token| key_power(exponent(task.key_magnitude(token))));
    buffers.key_powers.extend(key_powers);
    buffers.value_powers.clear();
    let value_powers = (0..tokens).map(|token| Unary::Power.apply(task.value_magnitude(token)));
    buffers.value_powers.extend(value_powers);

    for (row, of_query) in magnitudes.iter().enumerate() {
        let count = task.count(row);
        let power = buffers.query.set(task.query(row), *of_query);
        let scored = if is_bounded { count } else { tokens };
        score(task, (power, scored), buffers);
        if !is_bounded && !buffers.scores.iter().all(|x| x.is_finite()) {
            return Err(Suspect);
        }
        buffers.scores.truncate(count);
        let sum = weigh(buffers);
        let mixed = magnitude(&buffers.scores);
        if !is_operand(mixed) {
            return Err(Suspect);
        }
        let power = buffers.weights.set(&buffers.scores, mixed);
        mix(task, buffers);
        let at = task.output_at(row, output.stride);
        for (o, y) in output.o[at..at + dimension].iter_mut().zip(&buffers.sums) {
            *o = *y as f32 * power * key_power(0) / sum;
        }
    }
    Ok(())
}

fn is_in_class(row: &[i16]) -> bool {
    row.iter().fold(0, |largest, q| largest.max(q.unsigned_abs())) <= Class::Int16.most() as u16
}

/// Scores of a row with the first `count` keys.
fn score(task: &Task<'_>, (power, count): (f32, usize), buffers: &mut Buffers) {
    let (query, powers) = (&buffers.query, &buffers.key_powers);
    let scores =
        (0..count).map(|token| dot(query, task.key(token)) as f32 * power * powers[token] * task.queries.factor);
    buffers.scores.clear();
    buffers.scores.extend(scores);
}

/// Scores become weights, and those are multiplied by the powers of values. Returns the sum of weights.
fn weigh(buffers: &mut Buffers) -> f32 {
    let scores = &mut buffers.scores;
    let largest = scores
        .iter()
        .fold(f32::NEG_INFINITY, |m, x| if *x > m { *x } else { m })
        + 0.0;
    scores.iter_mut().for_each(|x| *x = exp(*x - largest));
    let one = pow2(WEIGHT_BITS as i32);
    let sum: i64 = scores.iter().map(|w| i64::from(to_i32_rne(w * one))).sum();
    scores
        .iter_mut()
        .zip(&buffers.value_powers)
        .for_each(|(w, power)| *w *= power);
    dequantise_weights(sum as u64, WEIGHT_BITS)
}

/// Accumulators of a row of weights with all columns of values.
fn mix(task: &Task<'_>, buffers: &mut Buffers) {
    let dimension = task.keys.dimension;
    let (high, low) = &mut buffers.parts;
    buffers.sums.clear();
    buffers.sums.resize(dimension, 0);
    for start in (0..buffers.weights.upper.len()).step_by(DEPTH) {
        let end = (start + DEPTH).min(buffers.weights.upper.len());
        for part in [&mut *high, &mut *low] {
            part.clear();
            part.resize(dimension, 0);
        }
        for token in start..end {
            let (upper, lower) = (buffers.weights.upper[token], buffers.weights.lower[token]);
            for ((high, low), v) in high.iter_mut().zip(low.iter_mut()).zip(task.value(token)) {
                let (b0, b1) = digits(*v);
                *high += times(upper, b0);
                *low += times(upper, b1) + times(lower, b0);
            }
        }
        for (sum, (high, low)) in buffers.sums.iter_mut().zip(high.iter().zip(low.iter())) {
            *sum += i64::from(*high) * 256 + i64::from(*low);
        }
    }
}
