//! Tests of the scalar functions: identities, special values and conversions; accuracy and golden digests beside.

mod accuracy;
mod golden;
mod reference;
mod special;
mod values;

use super::{basic::sqrt_by_integers, *};

/// The distance between the patterns of [`sample`]; being odd, it visits all kinds of low bits.
const STRIDE: usize = 16_411;

/// Arguments at which a definition switches or a result starts to over- or underflow.
const THRESHOLDS: [u32; 20] = [
    0x3f0c_cccd, // tanh: 0.55
    0x3f35_04f3, // ln: √½
    0x3f80_0000, // 1
    0x3fb5_04f3, // ln: √2
    0x4080_0000, // erf: 4
    0x407a_e148, // erf: about 3.92
    0x4110_2cb4, // tanh: about 9.01
    0x4130_0000, // gelu_tanh: 11
    0x4160_0000, // gelu: about 14
    0x4170_0000, // gelu: 15
    0x4180_0000, // tanh: 16
    0x42ae_ac50, // exp: −87.3365, the first subnormal result
    0x42b1_7217, // exp: 88.7228, the last finite result
    0x42b2_0000, // exp: 89
    0x42cf_f1b5, // exp: −103.972, the first zero
    0x42fc_0000, // silu: 126
    0x4a80_0000, // to_i32_rne_small: 2²²
    0x4b00_0000, // rne: 2²³
    0x4f00_0000, // to_i32_rne: 2³¹
    0x7f7f_ffff, // the greatest finite number
];

/// Finite floats: a fixed stride over all patterns, the surroundings of zero, of every power of two and of every
/// threshold, each with both signs.
fn sample() -> impl Iterator<Item = f32> {
    let strided = (0..=u32::MAX).step_by(STRIDE);
    let powers = (0..=254u32).flat_map(|exponent| around(exponent << 23, 4));
    let thresholds = THRESHOLDS.iter().flat_map(|bits| around(*bits, 200));
    let special = powers.chain(thresholds).chain(0..1_000);
    strided
        .chain(special.flat_map(|bits| [bits, bits | 0x8000_0000]))
        .map(f32::from_bits)
        .filter(|x| x.is_finite())
}

fn around(bits: u32, distance: u32) -> impl Iterator<Item = u32> {
    bits.saturating_sub(distance)..=bits + distance
}

#[track_caller]
fn assert_bits(got: f32, expected: f32, argument: f32) {
    assert_eq!(
        got.to_bits(),
        expected.to_bits(),
        "at {argument:e} ({:08x}): expected {expected:e}, got {got:e}",
        argument.to_bits()
    );
}

#[test]
fn rne_should_round_half_to_even() {
    sample()
        .chain((-40..40).map(|n| n as f32 / 2.0))
        .for_each(|x| assert_bits(rne(x), x.round_ties_even(), x));
}

#[test]
fn floor_should_round_down() {
    sample()
        .chain((-40..40).map(|n| n as f32 / 4.0))
        .for_each(|x| assert_bits(floor(x), x.floor(), x));
}

#[test]
fn sqrt_should_be_the_same_by_integers_and_by_hardware() {
    sample().filter(|x| *x >= 0.0).for_each(|x| {
        assert_bits(sqrt_by_integers(x), x.sqrt(), x);
        assert_bits(sqrt(x), x.sqrt(), x);
    });
    assert!(sqrt_by_integers(-1.0).is_nan() && sqrt(-1.0).is_nan());
}

#[test]
fn max_min_and_relu_should_give_plus_zero_when_the_result_is_zero() {
    for (a, b) in [(0.0, -0.0), (-0.0, 0.0), (-0.0, -0.0)] {
        assert_eq!(max(a, b).to_bits(), 0, "max({a}, {b})");
        assert_eq!(min(a, b).to_bits(), 0, "min({a}, {b})");
    }
    assert_eq!(relu(-0.0).to_bits(), 0);
    assert_eq!(relu(-1.0).to_bits(), 0);
}

#[test]
fn max_min_and_relu_should_choose_by_order() {
    let values = [-2.0, -1e-45, 1e-45, 3.0];
    for (i, a) in values.into_iter().enumerate() {
        for (j, b) in values.into_iter().enumerate() {
            assert_eq!(max(a, b), values[i.max(j)]);
            assert_eq!(min(a, b), values[i.min(j)]);
        }
        assert_eq!(relu(a), if i < 2 { 0.0 } else { a });
    }
}

#[test]
fn abs_and_neg_should_change_the_sign_bit_only() {
    sample().for_each(|x| {
        assert_bits(abs(x), x.abs(), x);
        assert_bits(neg(x), -x, x);
    });
}

#[test]
fn pow2_should_be_exact_over_the_whole_range() {
    for e in -160..=140 {
        assert_bits(pow2(e), 2f64.powi(e) as f32, e as f32);
    }
    assert_eq!(pow2(i32::MIN), 0.0);
    assert_eq!(pow2(i32::MAX), f32::INFINITY);
}

#[test]
fn scale_by_pow2_should_round_once_when_the_power_is_normal() {
    for e in [-126, -125, -64, -30, -1, 0, 1, 22, 90, 126, 127] {
        sample().for_each(|x| assert_bits(scale_by_pow2(x, e), (f64::from(x) * 2f64.powi(e)) as f32, x));
    }
}

#[test]
fn scale_by_pow2_should_multiply_twice_when_the_power_is_not_normal() {
    let least = pow2(-126);
    sample().for_each(|x| {
        assert_bits(scale_by_pow2(x, -130), x * least * pow2(-4), x);
        assert_bits(scale_by_pow2(x, 140), x * pow2(127) * pow2(13), x);
        assert_bits(scale_by_pow2(x, i32::MIN), x * least * least, x);
        assert_bits(scale_by_pow2(x, i32::MAX), x * pow2(127) * pow2(127), x);
    });
    // Where two roundings differ from one: 2⁻²³·(1 + 2⁻²³) · 2⁻¹²⁷ is just above half of the least subnormal, but it is
    // exactly half after the first of them.
    let x = f32::from_bits(0x3400_0001);
    let once = (f64::from(x) * 2f64.powi(-127)) as f32;
    assert_eq!((scale_by_pow2(x, -127).to_bits(), once.to_bits()), (0, 1));
}

#[test]
fn to_i32_rne_should_round_half_to_even_and_clamp() {
    sample().chain((-40..40).map(|n| n as f32 / 4.0)).for_each(|x| {
        let expected = f64::from(x).round_ties_even().clamp(-2_147_483_648.0, 2_147_483_520.0) as i32;
        assert_eq!(to_i32_rne(x), expected, "at {x:e}");
        if abs(x) <= 4_194_304.0 {
            assert_eq!(to_i32_rne_small(x), expected, "at {x:e}");
        }
    });
}

#[test]
fn from_i64_should_round_once_to_nearest_even() {
    let ties = [
        (0, 0.0),
        (16_777_217, 16_777_216.0),
        (16_777_219, 16_777_220.0),
        (-16_777_217, -16_777_216.0),
        (i64::MAX, 9_223_372_036_854_775_808.0),
        (i64::MIN, -9_223_372_036_854_775_808.0),
        // By way of f64 the last bit is lost first, and what is left is a tie that goes to even.
        ((1 << 60) + (1 << 36) + 1, 1_152_921_642_045_800_448.0),
    ];
    for (n, expected) in ties {
        assert_bits(from_i64(n), expected, n as f32);
    }
}

#[test]
fn exp_should_be_one_at_zero_and_never_above_one_below() {
    assert_eq!(exp(0.0).to_bits(), 1f32.to_bits());
    assert_eq!(exp(-0.0).to_bits(), 1f32.to_bits());
    sample()
        .filter(|x| *x <= 0.0)
        .for_each(|x| assert!(exp(x) <= 1.0, "at {x:e}: {:e}", exp(x)));
}

#[test]
fn exp_should_overflow_and_underflow_where_documented() {
    assert!(exp(f32::from_bits(0x42b1_7217)).is_finite());
    assert_eq!(exp(f32::from_bits(0x42b1_7218)), f32::INFINITY);
    assert_eq!(exp(f32::MAX), f32::INFINITY);
    assert_eq!(exp(f32::from_bits(0xc2cf_f1b4)).to_bits(), 1);
    assert_eq!(exp(f32::from_bits(0xc2cf_f1b5)).to_bits(), 0);
    assert_eq!(exp(f32::MIN).to_bits(), 0);
}

#[test]
fn ln_should_have_no_value_when_the_argument_is_not_positive() {
    assert_eq!(ln(0.0), f32::NEG_INFINITY);
    assert_eq!(ln(-0.0), f32::NEG_INFINITY);
    assert!(ln(-1.0).is_nan());
    assert_eq!(ln(1.0).to_bits(), 0);
}

#[test]
fn functions_should_never_give_nan_but_for_ln_and_sqrt() {
    for (name, function) in FUNCTIONS
        .iter()
        .filter(|(name, _)| !["ln", "sqrt", "to_i32_rne"].contains(name))
    {
        sample().for_each(|x| {
            assert!(!f32::from_bits(function(x.to_bits())).is_nan(), "{name} at {x:e}");
        });
    }
}

#[test]
fn tanh_and_erf_should_be_odd() {
    sample().for_each(|x| {
        assert_bits(tanh(-x), -tanh(x), x);
        assert_bits(erf(-x), -erf(x), x);
    });
}

#[test]
fn saturating_functions_should_reach_their_limits() {
    for x in [40.0, 1e10, f32::MAX] {
        assert_eq!((tanh(x), erf(x), silu(x), gelu(x), gelu_tanh(x)), (1.0, 1.0, x, x, x));
        assert_eq!((gelu_derivative(x), gelu_tanh_derivative(x)), (1.0, 1.0));
    }
    for x in [-127.0, -1e10, f32::MIN] {
        assert_eq!((sigmoid(x), silu(x), gelu(x), gelu_tanh(x)), (0.0, 0.0, 0.0, 0.0));
        assert_eq!(
            (silu_derivative(x), gelu_derivative(x), gelu_tanh_derivative(x)),
            (0.0, 0.0, 0.0)
        );
    }
    assert_eq!((sigmoid(127.0), silu_derivative(127.0)), (1.0, 1.0));
}

#[test]
fn sine_and_cosine_should_be_exact_at_the_quarters() {
    let quarters = [0, 1 << 30, 1 << 31, 3 << 30];
    assert_eq!(
        quarters.map(|phase| sin_turn(phase).to_bits()),
        [0.0f32, 1.0, 0.0, -1.0].map(f32::to_bits)
    );
    assert_eq!(
        quarters.map(|phase| cos_turn(phase).to_bits()),
        [1.0f32, 0.0, -1.0, 0.0].map(f32::to_bits)
    );
}

#[test]
fn sine_should_be_odd_and_cosine_even() {
    for phase in (1..=u32::MAX).step_by(STRIDE).filter(|phase| *phase != 1 << 31) {
        let opposite = phase.wrapping_neg();
        assert_eq!(
            sin_turn(opposite).to_bits(),
            (-sin_turn(phase)).to_bits(),
            "phase {phase:08x}"
        );
        assert_eq!(
            cos_turn(opposite).to_bits(),
            cos_turn(phase).to_bits(),
            "phase {phase:08x}"
        );
    }
}

/// Also: the loop that the compiler vectorises gives the bits of a single evaluation.
#[test]
fn digest_range_should_hash_the_results_in_order() {
    let ranges = [
        (0x3f80_0000u32, 0usize),
        (0x3f80_0000, 1),
        (0x3f7f_0003, 10_000),
        (u32::MAX - 4_095, 4_096),
    ];
    for (index, (name, function)) in FUNCTIONS.iter().enumerate() {
        for (start, count) in ranges {
            let bytes: Vec<u8> = (start..=u32::MAX)
                .take(count)
                .flat_map(|p| function(p).to_le_bytes())
                .collect();
            let digest = digest_range(index, start, count as u64);
            assert_eq!(
                digest,
                *blake3::hash(&bytes).as_bytes(),
                "{name}: {count} patterns from {start:08x} on"
            );
        }
    }
}

#[test]
fn table_should_leave_patterns_that_are_not_finite_and_canonicalise_nan() {
    let function = |name: &str| {
        FUNCTIONS
            .iter()
            .find(|(other, _)| *other == name)
            .expect("a name of the table; qed")
            .1
    };
    for pattern in [0x7f80_0000, 0xff80_0000, 0x7fc0_0001, 0xffff_ffff] {
        assert_eq!(function("exp")(pattern), pattern);
        assert_eq!(function("to_i32_rne")(pattern), pattern);
    }
    assert_eq!(function("sqrt")((-1f32).to_bits()), 0x7fc0_0000);
    assert_eq!(function("to_i32_rne")((-1f32).to_bits()), u32::MAX);
}

#[test]
#[should_panic(expected = "expected at most 2^32 - 2 patterns from 2 on, got 4294967295")]
fn digest_range_should_refuse_when_the_range_ends_beyond_the_last_pattern() {
    digest_range(0, 2, u64::from(u32::MAX));
}

#[test]
#[should_panic(expected = "expected the index of one of the 25 scalar functions, got 25")]
fn digest_range_should_refuse_when_there_is_no_such_function() {
    digest_range(FUNCTIONS.len(), 0, 1);
}
