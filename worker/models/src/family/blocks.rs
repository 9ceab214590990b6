//! Rows of weights as integers of eight bits with a multiplier for each block of 32.
//!
//! Most models that are published in few bits have, in each 32 elements of a row, a scale and perhaps a least value. Their
//! elements are then d·q + m for a q of few bits, and the multiple of d that m is nearest to is found here: of all scales
//! with which the block uses at least half of the eight bits, the one is taken that comes nearest to the elements. Blocks of
//! `Q8_0`, `Q5_0` and `Q4_0` come out as they are, and those of `Q4_1` two and a half times as near as by their largest
//! element. Where elements are in no such order, as in a model that was published in floats, their largest one becomes 127.

use assay_exact::{
    product::{scale, Class, BLOCK},
    row::LEAST_MAGNITUDE,
    scalar::rne,
};

/// Largest integer.
const MOST: f32 = 127.0;

/// Largest multiplier, 2¹⁴: that of the block of the largest scale.
const MOST_MULTIPLIER: f32 = 16_384.0;

/// Least of the largest integers that are tried. A block that is exact with a smaller one is also exact with twice that.
const LEAST_MOST: u32 = 64;

/// Squared error, as a share of the largest element's square, up to which a block counts as exact. Eight bits without any order
/// have 2·10⁻⁴.
const EXACT: f32 = 1e-9;

/// Appends the integers of a row of whole blocks, and a multiplier for each block. Returns the row's magnitude.
pub(super) fn quantise(row: &[f32], integers: &mut Vec<i8>, multipliers: &mut Vec<i16>) -> f32 {
    let scales: Vec<f32> = row.chunks_exact(BLOCK as usize).map(best_scale).collect();
    let largest = scales.iter().copied().fold(0.0, f32::max);
    // A multiplier of 1 stands for a scale of this magnitude ÷ 127
    let magnitude = (largest / MOST_MULTIPLIER * MOST).max(f32::from_bits(LEAST_MAGNITUDE));
    let unit = scale(magnitude);
    for (block, own) in row.chunks_exact(BLOCK as usize).zip(scales) {
        let multiplier = rne(own / unit).clamp(1.0, MOST_MULTIPLIER);
        let step = multiplier * unit;
        integers.extend(block.iter().map(|x| rne(x / step).clamp(-MOST, MOST) as i8));
        multipliers.push(multiplier as i16);
    }
    debug_assert_eq!(Class::Int16.most(), MOST_MULTIPLIER as i32);
    magnitude
}

/// The scale with which integers come nearest to a block's elements; 0 if all are 0.
fn best_scale(block: &[f32]) -> f32 {
    let largest = block.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let by_largest = largest / MOST;
    // What is this small counts as 0 in any row
    if by_largest < f32::MIN_POSITIVE {
        return 0.0;
    }
    // Largest elements are brought to one, lest squares of small ones vanish
    let block: Vec<f32> = block.iter().map(|x| x / largest).collect();
    let first = error(&block, 1.0 / MOST);
    if first <= EXACT || !has_levels(&block) {
        return by_largest;
    }
    let mut best = (first, 1.0 / MOST);
    for most in (LEAST_MOST..MOST as u32).rev() {
        let scale = fitted(&block, 1.0 / most as f32);
        let error = error(&block, scale);
        if error < best.0 && scale * (MOST + 0.5) > 1.0 {
            best = (error, scale);
        }
    }
    best.1 * largest
}

/// Whether elements repeat, as they do if they have few levels.
fn has_levels(block: &[f32]) -> bool {
    let mut bits: Vec<u32> = block.iter().map(|x| x.to_bits()).collect();
    bits.sort_unstable();
    bits.windows(2).any(|pair| pair[0] == pair[1])
}

/// The scale that fits the elements best, by least squares, if each has the integer that it has by `scale`.
fn fitted(block: &[f32], scale: f32) -> f32 {
    let inverse = 1.0 / scale;
    let products = sum(block, |x| x * nearest(x * inverse));
    let squares = sum(block, |x| nearest(x * inverse) * nearest(x * inverse));
    products / squares
}

/// The sum of the elements' squared errors.
fn error(block: &[f32], scale: f32) -> f32 {
    let inverse = 1.0 / scale;
    sum(block, |x| {
        let error = x - nearest(x * inverse) * scale;
        error * error
    })
}

/// The nearest integer of a number below 2²², by an addition that leaves no place behind the point. Unlike [`rne`] it
/// has no cases, so that compilers make vectors of it.
fn nearest(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    (x + SHIFT) - SHIFT
}

/// The sum of a function of all elements, in eight parts.
fn sum(block: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    const PARTS: usize = 8;
    let mut sums = [0.0f32; PARTS];
    for part in block.chunks_exact(PARTS) {
        for (sum, x) in sums.iter_mut().zip(part) {
            *sum += of(*x);
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: u32) -> Vec<u32> {
        let mut state = seed;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        })
        .take(count)
        .collect()
    }

    /// The root mean square of a row's errors, as a share of that of its elements.
    fn relative_error(row: &[f32]) -> f64 {
        let (mut integers, mut multipliers) = (Vec::new(), Vec::new());
        let magnitude = quantise(row, &mut integers, &mut multipliers);
        assert_eq!((integers.len(), multipliers.len()), (row.len(), row.len() / 32));
        assert!(multipliers.iter().all(|c| (1..=1 << 14).contains(c)));
        let unit = f64::from(scale(magnitude));
        let back = |at: usize| f64::from(integers[at]) * f64::from(multipliers[at / 32]) * unit;
        let squares = row.iter().enumerate().map(|(at, x)| (f64::from(*x) - back(at)).powi(2));
        let of_elements: f64 = row.iter().map(|x| f64::from(*x).powi(2)).sum();
        (squares.sum::<f64>() / of_elements).sqrt()
    }

    #[test]
    fn blocks_should_be_nearly_exact_when_they_are_multiples_of_a_scale() {
        for (levels, centre) in [(255, 127), (32, 16), (16, 8)] {
            let scales = [0.013, 0.0007, 0.4, 0.05];
            let row: Vec<f32> = numbers(128, 7)
                .into_iter()
                .enumerate()
                .map(|(at, n)| scales[at / 32] * ((n % levels) as f32 - centre as f32))
                .collect();
            let error = relative_error(&row);
            assert!(error < 2e-4, "{levels} levels: {error}");
        }
    }

    #[test]
    fn blocks_with_a_least_value_should_be_nearer_than_by_their_largest_element() {
        let mut squares = (0.0, 0.0);
        for seed in 0..40 {
            let n = numbers(34, seed);
            let (d, m) = (0.01 + n[32] as f32 * 1e-9, -(n[33] as f32 * 1e-8));
            let row: Vec<f32> = n[..32].iter().map(|n| d * (n % 16) as f32 + m).collect();
            let largest = row.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
            let of_elements: f64 = row.iter().map(|x| f64::from(*x).powi(2)).sum();
            squares.0 += relative_error(&row).powi(2);
            squares.1 += f64::from(error(&row, largest / MOST)) / of_elements;
        }
        assert!(squares.0 < squares.1 / 4.0, "{squares:?}");
    }

    #[test]
    fn largest_element_should_be_127_when_elements_have_no_levels() {
        let row: Vec<f32> = numbers(64, 3).iter().map(|n| *n as f32 * 1e-7 - 0.7).collect();
        let (mut integers, mut multipliers) = (Vec::new(), Vec::new());
        quantise(&row, &mut integers, &mut multipliers);
        for block in integers.chunks(32) {
            assert_eq!(block.iter().map(|q| q.unsigned_abs()).max(), Some(127));
        }
    }

    #[test]
    fn rows_should_be_zero_when_their_elements_are_or_are_too_small() {
        for tiny in [0.0, 1e-45, 1e-40] {
            let (mut integers, mut multipliers) = (Vec::new(), Vec::new());
            let magnitude = quantise(&[tiny; 32], &mut integers, &mut multipliers);
            assert_eq!(magnitude, f32::from_bits(LEAST_MAGNITUDE));
            assert_eq!((integers, multipliers), (vec![0; 32], vec![1]));
        }
    }
}
