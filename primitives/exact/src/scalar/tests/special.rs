//! Functions of zeros, subnormal numbers, infinities and NaNs, where compilers and processors differ.

use super::values::{NANS, NUMBERS, RESULTS};
use crate::{
    expression::{Comparison, Expression, Node},
    scalar::{max, min, to_i32_rne},
    sweep,
};
use alloc::vec;
use core::hint::black_box;

/// The bits, or those that stand for every NaN.
fn bits(x: f32) -> u32 {
    if x.is_nan() {
        f32::NAN.to_bits()
    } else {
        x.to_bits()
    }
}

#[test]
fn function_should_give_the_listed_bits_for_special_values() {
    for (function, (name, results, of_nan)) in sweep::FUNCTIONS.iter().zip(RESULTS) {
        assert_eq!(function.name, name);
        let of_nans = NANS.map(|nan| (nan, of_nan));
        for (argument, expected) in NUMBERS.into_iter().zip(results).chain(of_nans) {
            // Hidden, so that it is not the compiler that computes
            let got = (function.of_pattern)(black_box(argument));
            assert_eq!(
                got, expected,
                "{name} of {argument:08x}: expected {expected:08x}, got {got:08x}"
            );
        }
    }
}

#[test]
fn max_and_min_should_be_the_second_when_either_is_no_number() {
    for nan in NANS.map(f32::from_bits) {
        for (number, expected) in [
            (1.0f32, 0x3f800000),
            (-0.0, 0),
            (f32::NEG_INFINITY, 0xff800000),
            (1e-45, 1),
        ] {
            for function in [max, min] {
                let [nan, number] = black_box([nan, number]);
                assert_eq!(
                    function(nan, number).to_bits(),
                    expected,
                    "of {:08x} and {number:e}",
                    nan.to_bits()
                );
                assert!(
                    function(number, nan).is_nan(),
                    "of {number:e} and {:08x}",
                    nan.to_bits()
                );
            }
            // Beside a constant, of which a compiler knows that it is a number
            assert_eq!(bits(max(black_box(nan), 2.0)), 0x40000000);
            assert_eq!(bits(min(black_box(nan), -0.0)), 0);
        }
    }
}

#[test]
fn max_and_min_should_order_zeros_subnormal_numbers_and_infinities() {
    let (zero, minus_zero, tiny, minus_tiny) = (0, 0x80000000, 1, 0x80000001);
    for (a, b, greater, lesser) in [
        (zero, minus_zero, zero, zero),
        (minus_zero, zero, zero, zero),
        (minus_zero, minus_zero, zero, zero),
        (tiny, minus_tiny, tiny, minus_tiny),
        (minus_tiny, tiny, tiny, minus_tiny),
        (minus_tiny, minus_zero, zero, minus_tiny),
        (tiny, minus_zero, tiny, zero),
        (0x7f800000, 0xff800000, 0x7f800000, 0xff800000),
        (0xff800000, 0xff7fffff, 0xff7fffff, 0xff800000),
    ] {
        let [x, y] = black_box([a, b]).map(f32::from_bits);
        assert_eq!(
            (max(x, y).to_bits(), min(x, y).to_bits()),
            (greater, lesser),
            "of {a:08x} and {b:08x}"
        );
    }
}

#[test]
fn conversion_should_clamp_what_is_no_number_from_below() {
    for nan in NANS {
        assert_eq!(to_i32_rne(f32::from_bits(black_box(nan))), i32::MIN, "of {nan:08x}");
    }
    assert_eq!(to_i32_rne(black_box(f32::INFINITY)), 0x7fffff80);
    assert_eq!(to_i32_rne(black_box(f32::NEG_INFINITY)), i32::MIN);
    assert_eq!(
        [1, 0x80000001, 0x80000000].map(|bits| to_i32_rne(f32::from_bits(black_box(bits)))),
        [0; 3]
    );
}

#[test]
fn choice_should_be_the_last_when_what_is_compared_is_no_number() {
    // The first if it is less than (or equal to) the second, else the third
    for comparison in [Comparison::Less, Comparison::Equal] {
        let expression = Expression(vec![
            Node::Input(0),
            Node::Input(1),
            Node::Input(2),
            Node::Select(comparison, [0, 1, 0, 2]),
        ]);
        for nan in NANS.map(f32::from_bits) {
            for [a, b] in [[nan, 1.0], [1.0, nan], [nan, nan]] {
                assert_eq!(expression.evaluate(&[a, b, 7.0], |_| 0), 7.0, "{:08x}", nan.to_bits());
            }
        }
    }
}
