//! Functions of one scalar over many bit patterns, folded into a fingerprint: how two builds are compared.
//!
//! Unlike those of [`scalar::FUNCTIONS`](crate::scalar::FUNCTIONS), whose digests are committed, arguments that are not
//! finite count here too: inside an expression they can occur, and what is made of them can be finite again.

use crate::{
    expression::Unary,
    scalar::{
        abs, cos_turn, from_i64, max, min, neg, pow2, scale_by_pow2, sin_turn, to_i32_rne, to_i32_rne_small,
        PatternFunction,
    },
};

/// The bits that stand for every NaN: nothing else about a NaN is defined.
const CANONICAL_NAN: u32 = 0x7fc0_0000;

/// Results that are computed at a time, in a loop of their own so that it becomes SIMD code.
const BLOCK: u64 = 256;

/// Two odd factors, those of SplitMix64, which spread a difference of one bit over all.
const MIX: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];

/// Bit patterns at equal distances: `first`, `first + step`, …, modulo 2³².
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patterns {
    /// The first.
    pub first: u32,
    /// From one to the next. An odd one visits each pattern once before it comes back to the first.
    pub step: u32,
    /// How many.
    pub count: u64,
}

/// A function that is compared.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// From the pattern of an argument to that of the result.
    pub of_pattern: PatternFunction,
    /// The fingerprint of its results.
    fold: fn(Patterns) -> u64,
}

macro_rules! table {
    ($($name:literal: $function:expr,)*) => {
        /// All functions of one scalar: those of expressions, conversions, powers of two, and angles. Functions of two
        /// are there with both made of one pattern.
        pub const FUNCTIONS: &[Function] = &[$(Function {
            name: $name,
            of_pattern: $function,
            fold: |patterns| fold(patterns, $function),
        }),*];
    };
}

table! {
    "neg": |p| of_float(p, |x| Unary::Neg.apply(x)),
    "abs": |p| of_float(p, |x| Unary::Abs.apply(x)),
    "sqrt": |p| of_float(p, |x| Unary::Sqrt.apply(x)),
    "exp": |p| of_float(p, |x| Unary::Exp.apply(x)),
    "ln": |p| of_float(p, |x| Unary::Ln.apply(x)),
    "tanh": |p| of_float(p, |x| Unary::Tanh.apply(x)),
    "erf": |p| of_float(p, |x| Unary::Erf.apply(x)),
    "sigmoid": |p| of_float(p, |x| Unary::Sigmoid.apply(x)),
    "silu": |p| of_float(p, |x| Unary::Silu.apply(x)),
    "silu_derivative": |p| of_float(p, |x| Unary::SiluDerivative.apply(x)),
    "gelu": |p| of_float(p, |x| Unary::Gelu.apply(x)),
    "gelu_derivative": |p| of_float(p, |x| Unary::GeluDerivative.apply(x)),
    "gelu_tanh": |p| of_float(p, |x| Unary::GeluTanh.apply(x)),
    "gelu_tanh_derivative": |p| of_float(p, |x| Unary::GeluTanhDerivative.apply(x)),
    "relu": |p| of_float(p, |x| Unary::Relu.apply(x)),
    "rne": |p| of_float(p, |x| Unary::Rne.apply(x)),
    "floor": |p| of_float(p, |x| Unary::Floor.apply(x)),
    "power": |p| of_float(p, |x| Unary::Power.apply(x)),
    "max": |p| of_float(p, |x| max(x, neg(x))),
    "min": |p| of_float(p, |x| min(x, neg(x))),
    "scale_by_pow2": |p| of_float(p, |x| scale_by_pow2(x, (p.wrapping_mul(0x9e37_79b9) >> 23) as i32 - 256)),
    "pow2": |p| pow2(p as i32).to_bits(),
    "to_i32_rne": |p| to_i32_rne(f32::from_bits(p)) as u32,
    "to_i32_rne_small": |p| small(p).map_or(p, |x| to_i32_rne_small(x) as u32),
    "from_i64": |p| from_i64((u64::from(p) << 32 | u64::from(p)) as i64).to_bits(),
    "from_i64_small": |p| from_i64((p as i32).into()).to_bits(),
    "sin_turn": |p| sin_turn(p).to_bits(),
    "cos_turn": |p| cos_turn(p).to_bits(),
}

#[inline]
fn of_float(pattern: u32, function: impl Fn(f32) -> f32) -> u32 {
    let y = function(f32::from_bits(pattern));
    if y.is_nan() {
        CANONICAL_NAN
    } else {
        y.to_bits()
    }
}

/// The float, if it is one that [`to_i32_rne_small`] takes.
#[inline]
fn small(pattern: u32) -> Option<f32> {
    let x = f32::from_bits(pattern);
    (abs(x) <= 4_194_304.0).then_some(x)
}

/// What a pattern and its result add to a fingerprint: each pair another number.
#[inline]
fn mix(pattern: u32, result: u32) -> u64 {
    let pair = u64::from(pattern) << 32 | u64::from(result);
    let mixed = (pair ^ pair >> 30).wrapping_mul(MIX[0]);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(MIX[1]);
    mixed ^ mixed >> 31
}

#[inline]
fn fold(patterns: Patterns, function: impl Fn(u32) -> u32) -> u64 {
    let Patterns { first, step, count } = patterns;
    let mut results = [0u32; BLOCK as usize];
    let (mut sum, mut done) = (0u64, 0);
    while done < count {
        let block = BLOCK.min(count - done);
        let start = first.wrapping_add(step.wrapping_mul(done as u32));
        let pattern = |offset: u32| start.wrapping_add(step.wrapping_mul(offset));
        let results = &mut results[..block as usize];
        for (offset, result) in (0u32..).zip(results.iter_mut()) {
            *result = function(pattern(offset));
        }
        for (offset, result) in (0u32..).zip(results.iter()) {
            sum = sum.wrapping_add(mix(pattern(offset), *result));
        }
        done += block;
    }
    sum
}

/// The fingerprint of a function's results: a sum over the patterns, so that those of parts add up, wrapping, to that of
/// the whole. A single wrong result always changes it; that several cancel each other is as likely as for any 64
/// bits. `None` if there is no such function.
pub fn fingerprint(function: usize, patterns: Patterns) -> Option<u64> {
    FUNCTIONS.get(function).map(|function| (function.fold)(patterns))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scalar;
    use alloc::{format, string::String, vec::Vec};
    use codec::Decode;

    #[test]
    fn functions_should_be_those_of_expressions_and_of_scalars() {
        let names: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
        // Snake case of the variants' names, as long as bytes are those of variants
        let unary = (0u8..).map_while(|byte| Unary::decode(&mut &[byte][..]).ok());
        let unary: Vec<_> = unary.map(|unary| snake(&format!("{unary:?}"))).collect();
        assert_eq!(names[..unary.len()], unary);
        for (name, _) in scalar::FUNCTIONS {
            assert!(names.contains(name), "{name} is not compared");
        }
    }

    fn snake(name: &str) -> String {
        let mut snake = String::new();
        for letter in name.chars() {
            if letter.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        snake
    }

    #[test]
    fn function_should_be_the_committed_one_where_its_argument_is_finite() {
        for (name, committed) in scalar::FUNCTIONS {
            let own = FUNCTIONS.iter().find(|function| function.name == *name).unwrap();
            for pattern in (0..=u32::MAX).step_by(65_537) {
                if f32::from_bits(pattern).is_finite() {
                    assert_eq!((own.of_pattern)(pattern), committed(pattern), "{name} of {pattern:08x}");
                }
            }
        }
    }

    #[test]
    fn fingerprint_should_be_the_sum_of_its_parts() {
        let of = |first, step, count| fingerprint(3, Patterns { first, step, count }).unwrap();
        let parts = [of(0x3f7f_ff00, 1, 1), of(0x3f7f_ff01, 1, 600), of(0x3f80_0159, 1, 399)];
        let sum = parts.into_iter().fold(0, u64::wrapping_add);
        assert_eq!(sum, of(0x3f7f_ff00, 1, 1_000));
        assert_eq!(of(7, 2, 500).wrapping_add(of(8, 2, 500)), of(7, 1, 1_000));
        assert_eq!(of(u32::MAX, 3, 2), of(u32::MAX, 0, 1).wrapping_add(of(2, 0, 1)));
    }

    #[test]
    fn fingerprint_should_change_with_one_bit_of_one_result() {
        let patterns = Patterns {
            first: 100,
            step: 1,
            count: 300,
        };
        let of = |wrong: u32| fold(patterns, |pattern| if pattern == 250 { wrong } else { pattern });
        assert!((0..32).all(|bit| of(250 ^ 1 << bit) != of(250)));
    }

    #[test]
    fn fingerprint_should_be_refused_when_there_is_no_such_function() {
        let patterns = Patterns {
            first: 0,
            step: 1,
            count: 1,
        };
        assert!(fingerprint(FUNCTIONS.len() - 1, patterns).is_some());
        assert_eq!(fingerprint(FUNCTIONS.len(), patterns), None);
    }
}
