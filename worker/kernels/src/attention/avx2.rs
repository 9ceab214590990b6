//! Attention with AVX2, a block of rows at a time.
//!
//! Keys and values are brought into panels of 16 columns in which the multiplications of 16 bits find what they
//! take: of keys, a column is a token; of values, an element of the head. Both products are then the same kernel.

use super::{
    portable::{key_power, query_factor, query_power, WEIGHT_BITS},
    task::{Suspect, Task},
    Output,
};
use assay_exact::{
    expression::Unary,
    product::Class,
    row::{dequantise_weights, exponent, is_operand, LEAST_MAGNITUDE},
    scalar::{exp, pow2},
};
use panel::{add, pack_keys, pack_values, tile, Step, Sums, COLUMNS};
use std::{arch::x86_64::*, ops::Range};
use vector::{abs, digits, each, floats, integers, is_finite, load, to_floats};

mod panel;
mod vector;

/// Bytes of scores that a block of rows may have, so that they stay near.
const BLOCK_BYTES: usize = 64 << 10;

/// Rows that a block has at least, and at most.
const BLOCK_ROWS: (usize, usize) = (8, 64);

/// Tokens of a panel of values: of one that is used but once, so few that it stays nearest.
const VALUE_STEPS: (usize, usize) = (64, 256);

/// Floats of a vector.
const LANES: usize = 8;

/// What is kept between calls.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// Keys: for each 16 tokens all elements.
    keys: Vec<Step>,
    /// Values: for each [`VALUE_STEPS`] tokens, for each 16 elements, all tokens.
    values: Vec<Step>,
    /// What scores are multiplied by for each key.
    key_powers: Vec<__m256>,
    /// What weights are multiplied by for each value.
    value_powers: Vec<__m256>,
    /// Digits of a block's queries.
    queries: Vec<__m256i>,
    /// A block's scores, then weights, then products of weights.
    scores: Vec<__m256>,
    /// Digits of a block's products of weights.
    weights: Vec<__m256i>,
    /// A block's sums for each element of a head.
    sums: Vec<[__m256d; 4]>,
    /// For each row of a block, how many keys it sees.
    counts: Vec<usize>,
    /// For each row of a block, what sums are multiplied by.
    powers: Vec<f32>,
    /// For each row of a block, the sum of weights.
    weight_sums: Vec<f32>,
}

/// How long the buffers' rows are.
#[derive(Clone, Copy)]
struct Sizes {
    /// Panels of keys: 16 tokens each.
    key_panels: usize,
    /// Panels of values: 16 elements of a head each.
    value_panels: usize,
    /// Steps of a panel of keys.
    key_steps: usize,
    /// Tokens of a panel of values.
    value_steps: usize,
    /// Whether all rows are in one block, so that a panel is used but once.
    is_single: bool,
}

/// Some of a task's rows.
struct Rows {
    first: usize,
    len: usize,
    /// Whether panels are still to be made.
    is_first: bool,
}

/// See [`super::attend`].
#[target_feature(enable = "avx2")]
pub(super) fn attend(
    task: &Task<'_>,
    magnitudes: &[f32],
    is_bounded: bool,
    output: Output<'_>,
    buffers: &mut Buffers,
) -> Result<(), Suspect> {
    let tokens = task.keys.tokens;
    let key_panels = tokens.div_ceil(COLUMNS);
    let row_bytes = key_panels * COLUMNS * size_of::<f32>();
    let block = (BLOCK_BYTES / row_bytes / 2 * 2).clamp(BLOCK_ROWS.0, BLOCK_ROWS.1);
    let is_single = task.rows() <= block;
    let sizes = Sizes {
        key_panels,
        value_panels: task.keys.dimension.div_ceil(COLUMNS),
        key_steps: task.keys.dimension.div_ceil(COLUMNS) * COLUMNS,
        value_steps: if is_single { VALUE_STEPS.0 } else { VALUE_STEPS.1 },
        is_single,
    };
    buffers.set_up(task, sizes, block.min(task.rows()));
    for first in (0..task.rows()).step_by(block) {
        let rows = Rows {
            first,
            len: block.min(task.rows() - first),
            is_first: first == 0,
        };
        buffers.quantise_queries(task, magnitudes, &rows, sizes);
        buffers.score(task, is_bounded, &rows, sizes)?;
        buffers.weigh(&rows, sizes)?;
        buffers.mix(task, &rows, sizes)?;
        buffers.finish(task, &rows, sizes, &mut *output.o, output.stride);
    }
    Ok(())
}

/// Makes a buffer at least this long; what is in it is kept.
fn reserve<T: Clone>(buffer: &mut Vec<T>, len: usize, empty: T) {
    if buffer.len() < len {
        buffer.resize(len, empty);
    }
}

impl Buffers {
    #[target_feature(enable = "avx2")]
    fn set_up(&mut self, task: &Task<'_>, sizes: Sizes, rows: usize) {
        let tokens = task.keys.tokens;
        let (panels, blocks) = if sizes.is_single {
            (1, 1)
        } else {
            (sizes.key_panels, tokens.div_ceil(sizes.value_steps))
        };
        let (zero, zeros) = (_mm256_setzero_ps(), _mm256_setzero_si256());
        reserve(&mut self.keys, panels * sizes.key_steps, Step::default());
        reserve(
            &mut self.values,
            blocks * sizes.value_panels * sizes.value_steps,
            Step::default(),
        );
        reserve(&mut self.key_powers, sizes.key_panels * 2, zero);
        reserve(&mut self.value_powers, sizes.key_panels * 2, zero);
        reserve(&mut self.queries, rows * sizes.value_panels * 2, zeros);
        reserve(&mut self.scores, rows * sizes.key_panels * 2, zero);
        reserve(&mut self.weights, rows * sizes.key_panels * 2, zeros);
        reserve(&mut self.sums, rows * sizes.value_panels, [_mm256_setzero_pd(); 4]);
        reserve(&mut self.counts, rows, 0);
        reserve(&mut self.powers, rows, 0.0);
        reserve(&mut self.weight_sums, rows, 0.0);
        let fill = |powers: &mut [__m256], power: &dyn Fn(usize) -> f32| {
            let powers = floats(&mut powers[..sizes.key_panels * 2]);
            for (token, to) in powers.iter_mut().enumerate() {
                *to = if token < tokens { power(token) } else { 0.0 };
            }
        };
        fill(&mut self.key_powers, &|token| {
            key_power(exponent(task.key_magnitude(token)))
        });
        fill(&mut self.value_powers, &|token| {
            Unary::Power.apply(task.value_magnitude(token))
        });
    }

    /// Makes integers of the block's queries.
    #[target_feature(enable = "avx2")]
    fn quantise_queries(&mut self, task: &Task<'_>, magnitudes: &[f32], rows: &Rows, sizes: Sizes) {
        for row in 0..rows.len {
            let magnitude = magnitudes[rows.first + row];
            self.counts[row] = task.count(rows.first + row);
            self.powers[row] = query_power(magnitude);
            let factor = _mm256_set1_ps(query_factor(magnitude));
            let query = task.query(rows.first + row);
            let to = &mut self.queries[row * sizes.value_panels * 2..][..sizes.value_panels * 2];
            for (vector, to) in to.iter_mut().enumerate() {
                *to = digits(load(query, vector * LANES), factor);
            }
        }
    }

    /// Scores of the block's rows: with all keys that any of them sees, or with all keys.
    #[target_feature(enable = "avx2")]
    fn score(&mut self, task: &Task<'_>, is_bounded: bool, rows: &Rows, sizes: Sizes) -> Result<(), Suspect> {
        let len = task.keys.dimension;
        let factor = _mm256_set1_ps(task.queries.factor);
        let mut largest = _mm256_setzero_si256();
        let mut finite = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
        for panel in 0..sizes.key_panels {
            let at = if sizes.is_single { 0 } else { panel * sizes.key_steps };
            if rows.is_first {
                let steps = &mut self.keys[at..at + sizes.key_steps];
                largest = _mm256_max_epu16(largest, pack_keys(task, panel * COLUMNS, steps));
            }
            let place = (panel, at..at + len);
            for row in (0..rows.len).step_by(2) {
                let is_pair = row + 1 < rows.len;
                if is_bounded && self.counts[row + usize::from(is_pair)] <= panel * COLUMNS {
                    continue;
                }
                let mask = if is_pair {
                    self.score_rows::<2>(row, place.clone(), factor, sizes)
                } else {
                    self.score_rows::<1>(row, place.clone(), factor, sizes)
                };
                finite = _mm256_and_ps(finite, mask);
            }
        }
        if is_outside(largest) || _mm256_movemask_ps(finite) != 0xFF {
            return Err(Suspect);
        }
        Ok(())
    }

    /// Scores of one or two rows with a panel of keys. Returns which are finite.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn score_rows<const ROWS: usize>(
        &mut self,
        first: usize,
        (panel, steps): (usize, Range<usize>),
        factor: __m256,
        sizes: Sizes,
    ) -> __m256 {
        let mut queries: [&[i32]; ROWS] = [&[]; ROWS];
        for (row, query) in queries.iter_mut().enumerate() {
            *query = part(&self.queries, first + row, sizes.value_panels, 0..steps.len());
        }
        let sums: Sums<ROWS> = tile(queries, &self.keys[steps]);
        let mut finite = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
        for row in 0..ROWS {
            let power = _mm256_set1_ps(self.powers[first + row]);
            let sums = to_floats(sums[row]);
            let scores = &mut self.scores[((first + row) * sizes.key_panels + panel) * 2..][..2];
            let powers = &self.key_powers[panel * 2..][..2];
            for half in 0..2 {
                let score = _mm256_mul_ps(sums[half], power);
                let score = _mm256_mul_ps(score, powers[half]);
                scores[half] = _mm256_mul_ps(score, factor);
                finite = _mm256_and_ps(finite, is_finite(scores[half]));
            }
        }
        finite
    }

    /// From scores to digits of weights times powers of values, with zeros for what the row does not see.
    #[target_feature(enable = "avx2")]
    fn weigh(&mut self, rows: &Rows, sizes: Sizes) -> Result<(), Suspect> {
        let seen_by_last = self.counts[rows.len - 1].div_ceil(COLUMNS);
        for row in 0..rows.len {
            let count = self.counts[row];
            let seen = count.div_ceil(COLUMNS);
            let at = row * sizes.key_panels;
            let scores = &mut self.scores[at * 2..(at + seen) * 2];
            // e to this is +0
            floats(scores)[count..].fill(f32::NEG_INFINITY);
            let (sum, magnitude) = weigh_row(scores, &self.value_powers);
            if !is_operand(magnitude) {
                return Err(Suspect);
            }
            self.weight_sums[row] = dequantise_weights(sum, WEIGHT_BITS);
            self.powers[row] = query_power(magnitude);
            let factor = _mm256_set1_ps(query_factor(magnitude));
            let (of_seen, of_rest) = self.weights[at * 2..][..seen_by_last * 2].split_at_mut(seen * 2);
            for (x, to) in scores.iter().zip(of_seen) {
                *to = digits(*x, factor);
            }
            of_rest.fill(_mm256_setzero_si256());
        }
        Ok(())
    }

    /// Sums of the block's rows with all columns of values.
    #[target_feature(enable = "avx2")]
    fn mix(&mut self, task: &Task<'_>, rows: &Rows, sizes: Sizes) -> Result<(), Suspect> {
        let mut largest = _mm256_setzero_si256();
        let tokens = sizes.value_steps;
        let size = sizes.value_panels * sizes.value_steps;
        self.sums[..rows.len * sizes.value_panels].fill([_mm256_setzero_pd(); 4]);
        for (block, start) in (0..task.keys.tokens).step_by(tokens).enumerate() {
            let at = if sizes.is_single { 0 } else { block * size };
            if rows.is_first {
                let steps = &mut self.values[at..at + size];
                largest = _mm256_max_epu16(largest, pack_values(task, start, sizes.value_steps, steps));
            }
            for panel in 0..sizes.value_panels {
                let at = at + panel * sizes.value_steps;
                for row in (0..rows.len).step_by(2) {
                    let is_pair = row + 1 < rows.len;
                    let count = self.counts[row + usize::from(is_pair)].saturating_sub(start);
                    let len = count.min(tokens);
                    let place = (panel, at..at + len, start..start + len);
                    if len == 0 {
                        continue;
                    }
                    if is_pair {
                        self.mix_rows::<2>(row, place, sizes);
                    } else {
                        self.mix_rows::<1>(row, place, sizes);
                    }
                }
            }
        }
        if is_outside(largest) {
            return Err(Suspect);
        }
        Ok(())
    }

    /// Adds to the sums of one or two rows what a panel of values gives.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn mix_rows<const ROWS: usize>(
        &mut self,
        first: usize,
        (panel, steps, tokens): (usize, Range<usize>, Range<usize>),
        sizes: Sizes,
    ) {
        let mut weights: [&[i32]; ROWS] = [&[]; ROWS];
        for (row, weights) in weights.iter_mut().enumerate() {
            *weights = part(&self.weights, first + row, sizes.key_panels, tokens.clone());
        }
        let parts: Sums<ROWS> = tile(weights, &self.values[steps]);
        for (row, parts) in parts.into_iter().enumerate() {
            add(&mut self.sums[(first + row) * sizes.value_panels + panel], parts);
        }
    }

    /// From sums to the output.
    #[target_feature(enable = "avx2")]
    fn finish(&self, task: &Task<'_>, rows: &Rows, sizes: Sizes, o: &mut [f32], stride: usize) {
        let dimension = task.keys.dimension;
        let of_values = _mm256_set1_ps(key_power(0));
        for row in 0..rows.len {
            let at = task.output_at(rows.first + row, stride);
            let o = &mut o[at..at + dimension];
            let power = _mm256_set1_ps(self.powers[row]);
            let weight_sum = _mm256_set1_ps(self.weight_sums[row]);
            for panel in 0..sizes.value_panels {
                let mut y = to_floats(self.sums[row * sizes.value_panels + panel]);
                for y in &mut y {
                    *y = _mm256_mul_ps(_mm256_mul_ps(*y, power), of_values);
                    *y = _mm256_div_ps(*y, weight_sum);
                }
                let end = dimension.min((panel + 1) * COLUMNS);
                let o = &mut o[panel * COLUMNS..end];
                o.copy_from_slice(&floats(&mut y)[..o.len()]);
            }
        }
    }
}

/// Part of a row of digits, of which each has `panels` times 16.
#[inline]
fn part(digits: &[__m256i], row: usize, panels: usize, range: Range<usize>) -> &[i32] {
    &integers(&digits[row * panels * 2..][..panels * 2])[range]
}

/// Whether one of these absolute values is outside of the class of keys and values.
#[target_feature(enable = "avx2")]
fn is_outside(largest: __m256i) -> bool {
    let most = _mm256_set1_epi16(Class::Int16.most() as i16);
    let inside = _mm256_cmpeq_epi16(_mm256_max_epu16(largest, most), most);
    _mm256_movemask_epi8(inside) != -1
}

/// Scores become weights, and those are multiplied by the powers of values. Returns the sum of the weights' integers,
/// and the magnitude of the products.
#[target_feature(enable = "avx2")]
fn weigh_row(scores: &mut [__m256], powers: &[__m256]) -> (u64, f32) {
    let mut largest = _mm256_set1_ps(f32::NEG_INFINITY);
    for x in scores.iter() {
        largest = _mm256_max_ps(*x, largest);
    }
    let largest = each(largest).fold(f32::NEG_INFINITY, |m, x| if x > m { x } else { m }) + 0.0;
    for x in floats(scores) {
        *x = exp(*x - largest);
    }

    let one = _mm256_set1_ps(pow2(WEIGHT_BITS as i32));
    let even = _mm256_set1_epi64x(0xFFFF_FFFF);
    let mut sum = _mm256_setzero_si256();
    let mut magnitude = _mm256_set1_ps(f32::from_bits(LEAST_MAGNITUDE));
    for (w, power) in scores.iter_mut().zip(powers) {
        // Nearest, ties to even: threads run in that mode. At most 2³⁰
        let q = _mm256_cvtps_epi32(_mm256_mul_ps(*w, one));
        sum = _mm256_add_epi64(sum, _mm256_and_si256(q, even));
        sum = _mm256_add_epi64(sum, _mm256_srli_epi64::<32>(q));
        *w = _mm256_mul_ps(*w, *power);
        magnitude = _mm256_max_ps(magnitude, abs(*w));
    }
    let sum = vector::sum(sum);
    (sum, each(magnitude).fold(0.0, |m, x| if x > m { x } else { m }))
}
