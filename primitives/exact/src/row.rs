//! What a row has in common: its magnitude, and what is derived of it. Sums of rows.
//!
//! Everything that is summed is made an integer first, by a power of two (or a quotient) that the whole
//! row shares. Integers can be added in any order, so tiling, threads and vectors cannot change a bit.

use crate::scalar::{from_i64, pow2, rne};

/// Elements of a group: a reduction runs over groups of that many consecutive elements, so that each part of
/// it can be recomputed from little data.
pub const GROUP: u64 = 2_048;

/// Most elements of a row that is summed by [`quantise_sum`]: more could overflow 64 bits.
pub const MAX_SUM: u64 = 1 << 23;

/// The least magnitude, 2⁻⁹⁶, as bits: below, all powers of two that are derived would not be normal floats.
pub const LEAST_MAGNITUDE: u32 = 0x0F80_0000;

/// The magnitude from which on a row cannot be a product's operand, 2⁶⁴, as bits: products of two such rows
/// could overflow.
pub const OPERAND_LIMIT: u32 = 0x5F80_0000;

/// Bits of infinity; anything from there on is not finite.
const INFINITY: u32 = 0x7F80_0000;

/// All bits but the sign.
const MAGNITUDE: u32 = 0x7FFF_FFFF;

/// A row has an element that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFinite;

/// The magnitude of a row: the largest absolute value, but at least 2⁻⁹⁶. Of an empty row it is 2⁻⁹⁶.
pub fn magnitude(row: &[f32]) -> Result<f32, NotFinite> {
    let largest = row
        .iter()
        .fold(LEAST_MAGNITUDE, |largest, x| largest.max(x.to_bits() & MAGNITUDE));
    if largest < INFINITY {
        Ok(f32::from_bits(largest))
    } else {
        Err(NotFinite)
    }
}

/// Whether a row of this magnitude can be a product's operand.
pub fn is_operand(magnitude: f32) -> bool {
    magnitude.to_bits() < OPERAND_LIMIT
}

/// Whether `magnitude` can be that of a row at all. What comes from a package has to be checked.
pub fn is_magnitude(magnitude: f32) -> bool {
    (LEAST_MAGNITUDE..INFINITY).contains(&magnitude.to_bits())
}

/// The exponent e of a row of this magnitude: every element is below 2^e in absolute value. From −95 to 128.
pub fn exponent(magnitude: f32) -> i32 {
    (magnitude.to_bits() >> 23) as i32 - 126
}

/// An element as an integer of a sum over its row: rne(x · 2^(30−e)). At most 2³⁰ in absolute value.
pub fn quantise_sum(x: f32, magnitude: f32) -> i64 {
    // In range: |x| < 2^e
    i64::from(rne(x * pow2(30 - exponent(magnitude))) as i32)
}

/// The sum of a row of this magnitude, out of the sum of its integers.
pub fn dequantise_sum(sum: i64, magnitude: f32) -> f32 {
    from_i64(sum) * pow2(exponent(magnitude) - 30)
}

/// An element as an integer of a sum over a column of a table: rne(x · 2^(40−e)), in two steps so that the power of
/// two is always a normal float; both are exact. At most 2⁴⁰ in absolute value.
pub fn quantise_column(x: f32, magnitude: f32) -> i64 {
    rne(x * pow2(30 - exponent(magnitude)) * pow2(10)) as i64
}

/// The sum of a column, out of the sum of its integers.
pub fn dequantise_column(sum: i64, magnitude: f32) -> f32 {
    from_i64(sum) * pow2(-10) * pow2(exponent(magnitude) - 30)
}

/// A weight (0 to 1) as an integer of a sum: rne(w · 2^bits). `bits` is 30 or 40.
pub fn quantise_weight(weight: f32, bits: u32) -> u64 {
    // In range: 0 ≤ w ≤ 1, so the product is from 0 to 2⁴⁰
    rne(weight * pow2(bits as i32)) as u64
}

/// The sum of weights, out of the sum of their integers: f32(N) · 2^−bits.
pub fn dequantise_weights(sum: u64, bits: u32) -> f32 {
    // At most 2⁴⁰ · 2²³
    from_i64(sum as i64) * pow2(-(bits as i32))
}

/// Whether `weight` can be summed by [`quantise_weight`].
pub fn is_weight(weight: f32) -> bool {
    (0.0..=1.0).contains(&weight)
}

/// `fsum`: the sum of a row in one go. The mean is this, divided by the number of elements as a float.
pub fn sum(row: &[f32]) -> Result<f32, NotFinite> {
    let magnitude = magnitude(row)?;
    let sum = row.iter().map(|x| quantise_sum(*x, magnitude)).sum();
    Ok(dequantise_sum(sum, magnitude))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    fn finite() -> impl Strategy<Value = f32> {
        any::<u32>()
            .prop_map(f32::from_bits)
            .prop_filter("finite", |x| x.is_finite())
    }

    #[test]
    fn magnitude_should_have_a_floor_and_refuse_what_is_not_finite() {
        assert_eq!(magnitude(&[]).map(f32::to_bits), Ok(LEAST_MAGNITUDE));
        assert_eq!(magnitude(&[1e-40, -0.0]).map(f32::to_bits), Ok(LEAST_MAGNITUDE));
        assert_eq!(magnitude(&[1.0, -3.0, 2.0]), Ok(3.0));
        assert_eq!(magnitude(&[1.0, f32::INFINITY]), Err(NotFinite));
        assert_eq!(magnitude(&[f32::NAN, 1.0]), Err(NotFinite));
        assert_eq!(magnitude(&[f32::MAX]), Ok(f32::MAX));
    }

    #[test]
    fn exponent_should_bound_every_element_strictly() {
        assert_eq!(exponent(1.0), 1);
        assert_eq!(exponent(0.75), 0);
        assert_eq!(exponent(f32::from_bits(LEAST_MAGNITUDE)), -95);
        assert_eq!(exponent(f32::MAX), 128);
    }

    #[test]
    fn operand_should_be_refused_from_two_to_the_64th_on() {
        assert!(is_operand(f32::from_bits(OPERAND_LIMIT - 1)));
        assert!(!is_operand(f32::from_bits(OPERAND_LIMIT)));
        assert_eq!(f32::from_bits(OPERAND_LIMIT), 18_446_744_073_709_551_616.0);
    }

    #[test]
    fn sum_should_be_exact_where_thirty_bits_hold_everything() {
        assert_eq!(sum(&[]).map(f32::to_bits), Ok(0));
        assert_eq!(sum(&[0.5, 0.25, -2.0]), Ok(-1.25));
        assert_eq!(sum(&vec![1.0; 100_000]), Ok(100_000.0));
        assert_eq!(
            sum(&[f32::MAX, f32::MAX]),
            Ok(f32::INFINITY),
            "for the operator to refuse"
        );
        assert_eq!(sum(&[f32::MAX, -f32::MAX]), Ok(0.0));
    }

    #[test]
    fn weights_should_sum_to_one_when_there_is_one() {
        for bits in [30, 40] {
            assert_eq!(dequantise_weights(quantise_weight(1.0, bits), bits), 1.0);
            assert_eq!(quantise_weight(f32::from_bits(1), bits), 0);
        }
        assert!(is_weight(1.0) && is_weight(0.0) && !is_weight(1.000_000_1) && !is_weight(f32::NAN));
    }

    proptest! {
        #[test]
        fn sum_should_not_depend_on_order(mut row in prop::collection::vec(finite(), 0..300), seed: u64) {
            let before = sum(&row).map(f32::to_bits);
            let mut state = seed;
            for last in (1..row.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                row.swap(last, (state >> 33) as usize % (last + 1));
            }
            prop_assert_eq!(sum(&row).map(f32::to_bits), before);
        }

        #[test]
        fn sum_should_be_near_the_true_one(row in prop::collection::vec(-1e3f32..1e3, 1..400)) {
            let exact: f64 = row.iter().map(|x| f64::from(*x)).sum();
            let largest = row.iter().fold(0.0f64, |largest, x| largest.max(f64::from(x.abs())));
            let bound = largest * row.len() as f64 / f64::from(1 << 29) + exact.abs() / f64::from(1 << 23);
            prop_assert!((f64::from(sum(&row).unwrap()) - exact).abs() <= bound);
        }

        #[test]
        fn integers_should_stay_in_their_range(row in prop::collection::vec(finite(), 1..50)) {
            let magnitude = magnitude(&row).unwrap();
            for x in row {
                prop_assert!(quantise_sum(x, magnitude).abs() <= 1 << 30);
                prop_assert!(quantise_column(x, magnitude).abs() <= 1 << 40);
                let both_steps = f64::from(x) * (f64::from(40 - exponent(magnitude))).exp2();
                prop_assert_eq!(quantise_column(x, magnitude), both_steps.round_ties_even() as i64);
            }
        }

        #[test]
        fn column_should_lead_back(x in finite()) {
            let row: Vec<f32> = vec![x];
            let magnitude = magnitude(&row).unwrap();
            let back = dequantise_column(quantise_column(x, magnitude), magnitude);
            // An element that is the largest of its row has all its bits among the forty
            if x.abs() >= f32::from_bits(LEAST_MAGNITUDE) {
                prop_assert_eq!(back.to_bits(), x.to_bits());
            }
        }
    }
}
