//! The scalar functions as a table over bit patterns, and digests of their results over ranges of patterns.
//!
//! Two builds (native, WASM, CUDA, a second implementation) agree on a function when [`digest_range`] agrees over all
//! 2³² patterns.

use super::*;

/// A function on bit patterns: the pattern of an argument to the pattern of the result.
pub type PatternFunction = fn(u32) -> u32;

macro_rules! table {
    ($($name:literal: $function:expr,)*) => {
        /// Every scalar function as one of a single 32-bit pattern, in canonical order, with its name.
        ///
        /// A function of a float takes the float with these bits. A pattern that is not finite maps to itself, and a
        /// NaN result is given as 0x7fc00000, because nothing else about a NaN is defined. The others take the pattern
        /// p thus:
        ///
        /// - `max` and `min`: of x and −x.
        /// - `scale_by_pow2`: x, with the exponent ((p · 0x9e3779b9 mod 2³²) ≫ 23) − 256, which is −256 … 255.
        /// - `to_i32_rne`: x; the result is the integer in two's complement, and p itself where x is not finite.
        /// - `from_i64`: the 64-bit integer both of whose halves are p.
        /// - `pow2`: p in two's complement.
        /// - `sin_turn`, `cos_turn`: p is the phase.
        pub const FUNCTIONS: &[(&str, PatternFunction)] = &[$(($name, $function)),*];

        /// The same functions over blocks of patterns, each compiled with its own loop so that it becomes SIMD code.
        const BLOCK_FUNCTIONS: &[fn(u32, &mut [u32])] = &[$(|first, results| fill(first, results, $function)),*];
    };
}

table! {
    "abs": |p| of_float(p, abs),
    "neg": |p| of_float(p, neg),
    "relu": |p| of_float(p, relu),
    "max": |p| of_float(p, |x| max(x, neg(x))),
    "min": |p| of_float(p, |x| min(x, neg(x))),
    "rne": |p| of_float(p, rne),
    "floor": |p| of_float(p, floor),
    "sqrt": |p| of_float(p, sqrt),
    "scale_by_pow2": |p| of_float(p, |x| scale_by_pow2(x, (p.wrapping_mul(0x9e37_79b9) >> 23) as i32 - 256)),
    "to_i32_rne": |p| if is_finite(p) { to_i32_rne(f32::from_bits(p)) as u32 } else { p },
    "from_i64": |p| from_i64((u64::from(p) << 32 | u64::from(p)) as i64).to_bits(),
    "pow2": |p| pow2(p as i32).to_bits(),
    "exp": |p| of_float(p, exp),
    "ln": |p| of_float(p, ln),
    "sigmoid": |p| of_float(p, sigmoid),
    "silu": |p| of_float(p, silu),
    "silu_derivative": |p| of_float(p, silu_derivative),
    "tanh": |p| of_float(p, tanh),
    "erf": |p| of_float(p, erf),
    "gelu": |p| of_float(p, gelu),
    "gelu_derivative": |p| of_float(p, gelu_derivative),
    "gelu_tanh": |p| of_float(p, gelu_tanh),
    "gelu_tanh_derivative": |p| of_float(p, gelu_tanh_derivative),
    "sin_turn": |p| sin_turn(p).to_bits(),
    "cos_turn": |p| cos_turn(p).to_bits(),
}

/// The bits that stand for every NaN.
const CANONICAL_NAN: u32 = 0x7fc0_0000;

/// How many results are hashed at a time: 16 KiB, which is as much as BLAKE3 takes into one SIMD pass.
const BLOCK: u64 = 4_096;

/// The number of bit patterns.
const PATTERNS: u64 = 1 << 32;

#[inline]
fn is_finite(pattern: u32) -> bool {
    pattern & 0x7fff_ffff < 0x7f80_0000
}

#[inline]
fn of_float(pattern: u32, function: impl Fn(f32) -> f32) -> u32 {
    let y = function(f32::from_bits(pattern));
    let bits = if y.is_nan() { CANONICAL_NAN } else { y.to_bits() };
    if is_finite(pattern) {
        bits
    } else {
        pattern
    }
}

/// Writes the results for consecutive patterns from `first` on.
#[inline]
fn fill(first: u32, results: &mut [u32], function: impl Fn(u32) -> u32) {
    for (offset, result) in results.iter_mut().enumerate() {
        *result = function(first.wrapping_add(offset as u32));
    }
}

/// The BLAKE3 hash of the results, four little-endian bytes each, of the function with index `function` in
/// [`FUNCTIONS`] for the `count` patterns from `start` on.
///
/// # Panics
///
/// If there is no such function, or the range goes beyond the last pattern.
pub fn digest_range(function: usize, start: u32, count: u64) -> [u8; 32] {
    assert!(
        function < FUNCTIONS.len(),
        "expected the index of one of the {} scalar functions, got {function}",
        FUNCTIONS.len()
    );
    let end = u64::from(start).checked_add(count).filter(|end| *end <= PATTERNS);
    let end = end.unwrap_or_else(|| panic!("expected at most 2^32 - {start} patterns from {start} on, got {count}"));
    let mut hasher = blake3::Hasher::new();
    let mut results = [0u32; BLOCK as usize];
    let mut bytes = [0u8; 4 * BLOCK as usize];
    let mut next = u64::from(start);
    while next < end {
        let patterns = BLOCK.min(end - next) as usize;
        BLOCK_FUNCTIONS[function](next as u32, &mut results[..patterns]);
        for (result, bytes) in results[..patterns].iter().zip(bytes.chunks_exact_mut(4)) {
            bytes.copy_from_slice(&result.to_le_bytes());
        }
        hasher.update(&bytes[..4 * patterns]);
        next += patterns as u64;
    }
    *hasher.finalize().as_bytes()
}
