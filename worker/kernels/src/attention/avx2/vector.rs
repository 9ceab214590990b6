//! Vectors of AVX2: loads that stop at a row's end, views as scalars, conversions.

use std::arch::x86_64::*;

/// Elements `at..at + 8` of a row; zeros behind its end.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn load(row: &[f32], at: usize) -> __m256 {
    match row.get(at..at + 8) {
        // SAFETY: these are 8 floats
        Some(whole) => unsafe { _mm256_loadu_ps(whole.as_ptr()) },
        None => {
            let mut padded = [0.0; 8];
            let rest = row.get(at..).unwrap_or_default();
            padded[..rest.len()].copy_from_slice(rest);
            // SAFETY: these are 8 floats
            unsafe { _mm256_loadu_ps(padded.as_ptr()) }
        }
    }
}

/// Elements `at..at + 16` of a row; zeros behind its end.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn load_integers(row: &[i16], at: usize) -> __m256i {
    match row.get(at..at + 16) {
        // SAFETY: these are 16 integers of 16 bits
        Some(whole) => unsafe { _mm256_loadu_si256(whole.as_ptr().cast()) },
        None => {
            let mut padded = [0i16; 16];
            let rest = row.get(at..).unwrap_or_default();
            padded[..rest.len()].copy_from_slice(rest);
            // SAFETY: these are 16 integers of 16 bits
            unsafe { _mm256_loadu_si256(padded.as_ptr().cast()) }
        }
    }
}

/// The floats of vectors.
#[inline]
pub(super) fn floats(vectors: &mut [__m256]) -> &mut [f32] {
    // SAFETY: a vector is 8 floats, any bits are floats, and the alignment is larger
    unsafe { std::slice::from_raw_parts_mut(vectors.as_mut_ptr().cast(), vectors.len() * 8) }
}

/// The 32-bit integers of vectors.
#[inline]
pub(super) fn integers(vectors: &[__m256i]) -> &[i32] {
    // SAFETY: a vector is 8 integers of 32 bits, and the alignment is larger
    unsafe { std::slice::from_raw_parts(vectors.as_ptr().cast(), vectors.len() * 8) }
}

/// The floats of a vector, one by one.
#[inline]
pub(super) fn each(x: __m256) -> impl Iterator<Item = f32> {
    // SAFETY: a vector is 8 floats
    unsafe { std::mem::transmute::<__m256, [f32; 8]>(x) }.into_iter()
}

/// The sum of four integers of 64 bits.
#[inline]
pub(super) fn sum(x: __m256i) -> u64 {
    // SAFETY: a vector is 4 integers of 64 bits
    unsafe { std::mem::transmute::<__m256i, [u64; 4]>(x) }.into_iter().sum()
}

/// Absolute values.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn abs(x: __m256) -> __m256 {
    _mm256_andnot_ps(_mm256_set1_ps(-0.0), x)
}

/// All bits of an element set where it is finite.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn is_finite(x: __m256) -> __m256 {
    _mm256_cmp_ps::<_CMP_LT_OQ>(abs(x), _mm256_set1_ps(f32::INFINITY))
}

/// The floats nearest to integers below 2⁵³ that are held as doubles: rounded once.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn to_floats(sums: [__m256d; 4]) -> [__m256; 2] {
    [
        _mm256_set_m128(_mm256_cvtpd_ps(sums[1]), _mm256_cvtpd_ps(sums[0])),
        _mm256_set_m128(_mm256_cvtpd_ps(sums[3]), _mm256_cvtpd_ps(sums[2])),
    ]
}

/// Floats times `factor` as integers of three digits: the upper part in the lower 16 bits, the lowest digit in the
/// upper ones.
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn digits(x: __m256, factor: __m256) -> __m256i {
    // Nearest, ties to even: threads run in that mode. At most 2²²
    let q = _mm256_cvtps_epi32(_mm256_mul_ps(x, factor));
    let upper = _mm256_srai_epi32::<8>(_mm256_add_epi32(q, _mm256_set1_epi32(128)));
    let lower = _mm256_sub_epi32(q, _mm256_slli_epi32::<8>(upper));
    _mm256_blend_epi16::<0xAA>(upper, _mm256_slli_epi32::<16>(lower))
}
