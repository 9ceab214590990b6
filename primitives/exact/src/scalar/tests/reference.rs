//! The scalar functions in double precision, by other means than the ones under test.

use std::f64::consts::{PI, SQRT_2, TAU};

/// From here on the continued fraction converges quickly; below, the series does.
const SERIES_BELOW: f64 = 2.0;
const FRACTION_TERMS: u32 = 60;

/// erf x = 2/√π · e^(−x²) · Σ 2ⁿ·x²ⁿ⁺¹ ÷ (1·3·…·(2n+1)); all terms have one sign, so nothing cancels.
fn erf_series(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > sum.abs() * 1e-17 {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// erfc x = e^(−x²)/√π ÷ (x + ½/(x + 1/(x + 3/2/(x + …)))) for x ≥ 2.
fn erfc_fraction(x: f64) -> f64 {
    let denominator = (1..=FRACTION_TERMS)
        .rev()
        .fold(x, |rest, n| x + f64::from(n) / 2.0 / rest);
    (-x * x).exp() / PI.sqrt() / denominator
}

pub(super) fn erf(x: f64) -> f64 {
    if x.abs() < SERIES_BELOW {
        erf_series(x)
    } else {
        (1.0 - erfc_fraction(x.abs())).copysign(x)
    }
}

pub(super) fn erfc(x: f64) -> f64 {
    if x >= SERIES_BELOW {
        erfc_fraction(x)
    } else {
        1.0 - erf(x)
    }
}

/// Φ, the distribution function of the standard normal distribution.
fn normal(x: f64) -> f64 {
    erfc(-x / SQRT_2) / 2.0
}

pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The derivative of x·σ(v) for an odd function v of x, given |v| and |x|·v′.
fn logistic_derivative(x: f64, v: f64, slope: f64) -> f64 {
    let t = (-v).exp();
    let inner = if x < 0.0 {
        t * (1.0 + t - slope)
    } else {
        1.0 + t + slope * t
    };
    inner / ((1.0 + t) * (1.0 + t))
}

pub(super) fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

pub(super) fn silu_derivative(x: f64) -> f64 {
    let a = x.abs().min(700.0);
    logistic_derivative(x, a, a)
}

pub(super) fn gelu(x: f64) -> f64 {
    x * normal(x)
}

pub(super) fn gelu_derivative(x: f64) -> f64 {
    normal(x) + x * (-x * x / 2.0).exp() / TAU.sqrt()
}

pub(super) fn gelu_tanh(x: f64) -> f64 {
    let a = x.abs().min(20.0);
    let v = 2.0 * (2.0 / PI).sqrt() * (a + 0.044715 * a * a * a);
    x / (1.0 + (-v.copysign(x)).exp())
}

pub(super) fn gelu_tanh_derivative(x: f64) -> f64 {
    let a = x.abs().min(20.0);
    let scale = 2.0 * (2.0 / PI).sqrt();
    logistic_derivative(
        x,
        scale * (a + 0.044715 * a * a * a),
        scale * (a + 3.0 * 0.044715 * a * a * a),
    )
}

/// The sine of `phase` · 2⁻³² turns, folded so that the argument near half a turn is exact.
pub(super) fn sin_turn(phase: u32) -> f64 {
    let signed = i64::from(phase as i32);
    let half = 1i64 << 31;
    let folded = if 2 * signed.abs() > half {
        signed.signum() * half - signed
    } else {
        signed
    };
    (folded as f64 * TAU / 4_294_967_296.0).sin()
}

#[test]
fn error_function_should_match_published_values() {
    // Abramowitz and Stegun, tables 7.1 and 7.3, continued with a multiple-precision library.
    for (x, expected) in [
        (1e-8, 0.9999999887162083),
        (0.5, 0.4795001221869535),
        (1.9, 0.0072095707647425325),
        (2.0, 0.004677734981047266),
        (3.0, 2.209049699858544e-05),
        (10.0, 2.088487583762545e-45),
        (-1.0, 1.8427007929497148),
    ] {
        let got = erfc(x);
        assert!(
            (got / expected - 1.0).abs() < 1e-12,
            "erfc({x}): expected {expected}, got {got}"
        );
    }
}
