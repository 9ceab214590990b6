//! Products of rows: classes of integers, their digits, and what a product of two rows is.
//!
//! An operand of a product is a row of integers of one of three classes. Wide integers are cut into digits of
//! eight bits, and of the digits' products only those are kept that are as significant as the wider operand asks
//! for. That is the definition; every integer kernel that gives the same accumulator will do.
//!
//! Rows of one digit can be finer where they are smaller: each [`BLOCK`] of them has a multiplier then, an integer by which
//! what it adds to the accumulator is multiplied. The sum stays one of integers.

use crate::{
    row::exponent,
    scalar::{from_i64, pow2, rne},
};
use codec::{Decode, DecodeWithMemTracking, Encode};

/// Digits of the widest class.
pub const MAX_DIGITS: usize = 3;

/// Consecutive integers of a row that share a multiplier, where rows have multipliers: as many as a block of
/// llama.cpp's formats has.
pub const BLOCK: u64 = 32;

/// Longest row with multipliers: a longer sum could overflow 64 bits, since a term is below 2²⁹ and a multiplier at
/// most 2¹⁴.
pub const MAX_MULTIPLIED: u64 = 1 << 19;

/// Class of a product's operand: how a row of floats is made a row of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, DecodeWithMemTracking)]
pub enum Class {
    /// `W8`, `A8`: one digit, −127 to 127, scaled by the row's magnitude ÷ 127.
    Int8,
    /// `W16`, `A16`: two digits, −2¹⁴ to 2¹⁴, scaled by a power of two.
    Int16,
    /// `A24`: three digits, −2²² to 2²², scaled by a power of two.
    Int24,
}

impl Class {
    /// Number of digits D.
    pub const fn digits(self) -> usize {
        match self {
            Self::Int8 => 1,
            Self::Int16 => 2,
            Self::Int24 => 3,
        }
    }

    /// Fractional bits F of classes that are scaled by a power of two.
    const fn fraction(self) -> Option<i32> {
        match self {
            Self::Int8 => None,
            Self::Int16 => Some(14),
            Self::Int24 => Some(22),
        }
    }

    /// Largest absolute value.
    pub const fn most(self) -> i32 {
        match self {
            Self::Int8 => 127,
            Self::Int16 => 1 << 14,
            Self::Int24 => 1 << 22,
        }
    }

    /// An element of a row of this magnitude as an integer.
    pub fn quantise(self, x: f32, magnitude: f32) -> i32 {
        let scaled = match self.fraction() {
            None => x / scale(magnitude),
            Some(fraction) => x * pow2(fraction - exponent(magnitude)),
        };
        rne(scaled) as i32
    }

    /// The float for which an integer of this class stands in a row of this magnitude.
    pub fn dequantise(self, q: i32, magnitude: f32) -> f32 {
        // Every integer of a class is a float
        let q = q as f32;
        match self.fraction() {
            None => q * scale(magnitude),
            Some(fraction) => q * pow2(exponent(magnitude) - fraction),
        }
    }
}

/// Scale s of a row of class [`Class::Int8`]: its magnitude ÷ 127.
pub fn scale(magnitude: f32) -> f32 {
    magnitude / 127.0
}

/// The digits of an integer, the most significant first; as many as the class has.
pub fn digits(q: i32, class: Class) -> [i32; MAX_DIGITS] {
    let mut digits = [0; MAX_DIGITS];
    let mut rest = q;
    for digit in digits[..class.digits()].iter_mut().rev() {
        *digit = ((rest + 128) & 255) - 128;
        rest = (rest - *digit) >> 8;
    }
    digits
}

/// What the product of two integers adds to the accumulator: the sum over digits i of `a` and j of `b` with
/// i + j < S of 2^(8(S−1−i−j)) · aᵢ · bⱼ, where S is the larger number of digits.
pub fn term((a, class_a): (i32, Class), (b, class_b): (i32, Class)) -> i64 {
    let significant = class_a.digits().max(class_b.digits());
    let (a, b) = (digits(a, class_a), digits(b, class_b));
    let mut sum = 0;
    for (i, digit_a) in a[..class_a.digits()].iter().enumerate() {
        for (j, digit_b) in b[..class_b.digits()].iter().enumerate() {
            if let Some(shift) = (significant - 1).checked_sub(i + j) {
                sum += (i64::from(*digit_a) * i64::from(*digit_b)) << (8 * shift);
            }
        }
    }
    sum
}

/// One operand's row, as far as the result depends on it: its class, and its magnitude. A row without
/// magnitude consists of integers whose scaling is accounted for elsewhere: its exponent counts as 0, its scale as 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operand {
    /// The class.
    pub class: Class,
    /// The row's magnitude.
    pub magnitude: Option<f32>,
}

impl Operand {
    /// The power of two by which the accumulator is multiplied for this operand, `extra` digits to the left.
    fn power(self, extra: usize) -> Option<f32> {
        let fraction = self.class.fraction()?;
        Some(pow2(self.magnitude.map_or(0, exponent) - fraction + 8 * extra as i32))
    }

    /// The scale by which the accumulator is multiplied for this operand.
    fn scale(self) -> Option<f32> {
        match self.class {
            Class::Int8 => self.magnitude.map(scale),
            Class::Int16 | Class::Int24 => None,
        }
    }
}

/// The product of two rows out of the accumulator: f32(acc), then multiplied, in this order, by what there is
/// of 2^(e_a−F_a+8(min(D_a,D_b)−1)), 2^(e_b−F_b), s_a, s_b.
pub fn finish(accumulator: i64, a: Operand, b: Operand) -> f32 {
    let dropped = a.class.digits().min(b.class.digits()) - 1;
    [a.power(dropped), b.power(0), a.scale(), b.scale()]
        .into_iter()
        .flatten()
        .fold(from_i64(accumulator), |y, factor| y * factor)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::row::magnitude;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const CLASSES: [Class; 3] = [Class::Int8, Class::Int16, Class::Int24];

    fn value(digits: [i32; MAX_DIGITS], class: Class) -> i32 {
        digits[..class.digits()]
            .iter()
            .fold(0, |value, digit| value * 256 + digit)
    }

    fn dot(a: &[f32], class_a: Class, b: &[f32], class_b: Class) -> f32 {
        let (m_a, m_b) = (magnitude(a).unwrap(), magnitude(b).unwrap());
        let accumulator = a
            .iter()
            .zip(b)
            .map(|(x, y)| {
                term(
                    (class_a.quantise(*x, m_a), class_a),
                    (class_b.quantise(*y, m_b), class_b),
                )
            })
            .sum();
        let operand = |class, magnitude| Operand {
            class,
            magnitude: Some(magnitude),
        };
        finish(accumulator, operand(class_a, m_a), operand(class_b, m_b))
    }

    #[test]
    fn digits_should_lead_back_and_stay_in_range() {
        for class in CLASSES {
            let step = if class == Class::Int24 { 997 } else { 1 };
            let ends = [-class.most(), class.most()];
            for q in (-class.most()..=class.most()).step_by(step).chain(ends) {
                let digits = digits(q, class);
                assert_eq!(value(digits, class), q);
                assert!(digits.iter().all(|digit| (-128..=127).contains(digit)));
                let top = if class == Class::Int8 { 127 } else { 64 };
                assert!(digits[0].abs() <= top);
            }
        }
    }

    #[test]
    fn term_should_be_the_whole_product_when_one_operand_has_one_digit() {
        assert_eq!(term((-12_345, Class::Int16), (77, Class::Int8)), -12_345 * 77);
        assert_eq!(term((3, Class::Int8), (4_000_001, Class::Int24)), 3 * 4_000_001);
    }

    #[test]
    fn term_should_drop_what_is_less_significant() {
        // 300 = 1·256 + 44, 515 = 2·256 + 3: of four products the least is dropped
        let kept = 256 * 2 + 3 + 44 * 2;
        assert_eq!(term((300, Class::Int16), (515, Class::Int16)), kept);
        // 65 536 has the digits 1 0 0
        assert_eq!(term((65_536, Class::Int24), (65_536, Class::Int24)), 1 << 16);
        assert_eq!(term((1, Class::Int24), (1, Class::Int24)), 0);
        assert_eq!(term((65_536, Class::Int24), (1, Class::Int16)), 1 << 8);
    }

    #[test]
    fn finish_should_leave_a_row_without_magnitude_unscaled() {
        let a = Operand {
            class: Class::Int24,
            magnitude: Some(1.0),
        };
        let b = Operand {
            class: Class::Int16,
            magnitude: None,
        };
        // e_a = 1: 2^(1−22+8) · 2^−14 = 2^−27
        assert_eq!(finish(1 << 27, a, b), 1.0);
    }

    #[test]
    fn product_of_extremes_should_be_finite() {
        let largest = f32::from_bits(crate::row::OPERAND_LIMIT - 1);
        for class_a in CLASSES {
            for class_b in CLASSES {
                let y = dot(&[largest; 8], class_a, &[-largest; 8], class_b);
                // 8 · 2^128 overflows: for the operator to refuse
                assert!(y.is_infinite());
                assert!(dot(&[largest], class_a, &[1.0], class_b).is_finite());
                let tiny = dot(&[1e-38; 3], class_a, &[1e-38; 3], class_b);
                assert_eq!(tiny, 0.0);
            }
        }
    }

    proptest! {
        #[test]
        fn quantised_elements_should_stay_in_their_class(row in prop::collection::vec(
            any::<u32>().prop_map(f32::from_bits).prop_filter("an operand", |x| x.is_finite() && x.abs() < 1.8e19), 1..40))
        {
            let magnitude = magnitude(&row).unwrap();
            for class in CLASSES {
                for x in &row {
                    let q = class.quantise(*x, magnitude);
                    prop_assert!(q.abs() <= class.most());
                    let step = class.dequantise(1, magnitude);
                    prop_assert!((class.dequantise(q, magnitude) - x).abs() <= step * 0.5001);
                }
            }
        }

        #[test]
        fn product_should_be_as_near_as_its_classes_allow(
            pairs in prop::collection::vec((-4f32..4.0, -4f32..4.0), 1..300),
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let exact: f64 = a.iter().zip(&b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            // Absolute error per term, for rows whose elements are below 4
            let bounds = [
                (Class::Int8, Class::Int8, 0.2),
                (Class::Int16, Class::Int8, 0.1),
                (Class::Int16, Class::Int16, 2e-2),
                (Class::Int24, Class::Int16, 2e-3),
                (Class::Int24, Class::Int24, 5e-5),
            ];
            for (class_a, class_b, bound) in bounds {
                let error = f64::from(dot(&a, class_a, &b, class_b)) - exact;
                prop_assert!(error.abs() <= bound * a.len() as f64, "{class_a:?} × {class_b:?}: {error}");
            }
        }
    }
}
