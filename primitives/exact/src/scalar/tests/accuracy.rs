//! Accuracy of the scalar functions against double precision: over a sample in every run, over all inputs on demand.

use super::{super::*, reference, sample, STRIDE};

/// What is claimed of a function: |result − true| ≤ `ulps` · ulp(true) + `absolute`.
struct Claim {
    name: &'static str,
    function: fn(f32) -> f32,
    reference: fn(f64) -> f64,
    /// In units of the last place of the true value (of the least subnormal where it is smaller than that).
    ulps: f64,
    /// What is allowed besides: near a zero of a derivative, or far out in a tail, the relative error means nothing.
    absolute: f64,
    /// The function never decreases.
    monotone: bool,
}

const CLAIMS: [Claim; 11] = [
    Claim {
        name: "exp",
        function: exp,
        reference: f64::exp,
        ulps: 1.0,
        absolute: 0.0,
        monotone: true,
    },
    Claim {
        name: "ln",
        function: ln,
        reference: f64::ln,
        ulps: 1.0,
        absolute: 0.0,
        monotone: true,
    },
    Claim {
        name: "sigmoid",
        function: sigmoid,
        reference: reference::sigmoid,
        ulps: 2.5,
        absolute: 0.0,
        monotone: false,
    },
    Claim {
        name: "silu",
        function: silu,
        reference: reference::silu,
        ulps: 3.0,
        absolute: 0.0,
        monotone: false,
    },
    Claim {
        name: "silu_derivative",
        function: silu_derivative,
        reference: reference::silu_derivative,
        ulps: 5.0,
        absolute: 1.0e-7,
        monotone: false,
    },
    Claim {
        name: "tanh",
        function: tanh,
        reference: f64::tanh,
        ulps: 1.5,
        absolute: 0.0,
        monotone: false,
    },
    Claim {
        name: "erf",
        function: erf,
        reference: reference::erf,
        ulps: 1.5,
        absolute: 0.0,
        monotone: false,
    },
    Claim {
        name: "gelu",
        function: gelu,
        reference: reference::gelu,
        ulps: 5.0,
        absolute: 1.0e-22,
        monotone: false,
    },
    Claim {
        name: "gelu_derivative",
        function: gelu_derivative,
        reference: reference::gelu_derivative,
        ulps: 5.0,
        absolute: 1.0e-7,
        monotone: false,
    },
    Claim {
        name: "gelu_tanh",
        function: gelu_tanh,
        reference: reference::gelu_tanh,
        ulps: 3.0,
        absolute: 1.0e-7,
        monotone: false,
    },
    Claim {
        name: "gelu_tanh_derivative",
        function: gelu_tanh_derivative,
        reference: reference::gelu_tanh_derivative,
        ulps: 3.0,
        absolute: 2.0e-7,
        monotone: false,
    },
];

/// The bound on the error of sine and cosine of a phase.
const TURN_ULPS: f64 = 1.0;

/// The distance of neighbouring floats at `y`.
fn ulp(y: f64) -> f64 {
    let exponent = (y.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.clamp(-126, 127) - 23)
}

/// The error of `got` in absolute terms and in units of the last place; `None` if it is of another kind than `expected`.
///
/// Infinity is right where the true value rounds to it.
fn error(got: f32, expected: f64) -> Option<(f64, f64)> {
    let rounded = expected as f32;
    if got.is_infinite() || rounded.is_infinite() {
        return (got == rounded).then_some((0.0, 0.0));
    }
    let absolute = (f64::from(got) - expected).abs();
    (!absolute.is_nan()).then(|| (absolute, absolute / ulp(expected)))
}

/// The greatest errors seen, and where.
#[derive(Default)]
struct Seen {
    ulps: (f64, f32),
    absolute: (f64, f32),
    /// The greatest error in ulps where the result is not tiny: at least 2⁻⁴⁰.
    ulps_above_tiny: (f64, f32),
    decreases: u64,
    greatest_below_zero: f32,
}

impl Claim {
    fn is_defined(&self, x: f32) -> bool {
        self.name != "ln" || x > 0.0
    }

    fn assert_at(&self, x: f32) -> (f32, f64, f64) {
        let (got, expected) = ((self.function)(x), (self.reference)(f64::from(x)));
        let Some((absolute, ulps)) = error(got, expected) else {
            panic!(
                "{} at {x:e} ({:08x}): expected {expected:e}, got {got:e}",
                self.name,
                x.to_bits()
            );
        };
        assert!(
            absolute <= self.ulps * ulp(expected) + self.absolute,
            "{} at {x:e} ({:08x}): expected {expected:e}, got {got:e}, which is {ulps} ulp away",
            self.name,
            x.to_bits()
        );
        (got, absolute, ulps)
    }

    fn assert_over(&self, ascending: impl Iterator<Item = f32>) -> Seen {
        let mut seen = Seen {
            greatest_below_zero: f32::NEG_INFINITY,
            ..Default::default()
        };
        let mut before = f32::NEG_INFINITY;
        for x in ascending.filter(|x| self.is_defined(*x)) {
            let (got, absolute, ulps) = self.assert_at(x);
            if ulps > seen.ulps.0 {
                seen.ulps = (ulps, x);
            }
            if absolute > seen.absolute.0 {
                seen.absolute = (absolute, x);
            }
            if ulps > seen.ulps_above_tiny.0 && got.abs() >= 9.1e-13 {
                seen.ulps_above_tiny = (ulps, x);
            }
            if x <= 0.0 {
                seen.greatest_below_zero = seen.greatest_below_zero.max(got);
            }
            seen.decreases += u64::from(got < before);
            before = got;
        }
        assert!(
            !self.monotone || seen.decreases == 0,
            "{} decreases {} times",
            self.name,
            seen.decreases
        );
        seen
    }
}

fn assert_claim(name: &str) {
    let claim = CLAIMS
        .iter()
        .find(|claim| claim.name == name)
        .expect("the tests name claims of the table; qed");
    let mut ascending: Vec<f32> = sample().collect();
    ascending.sort_by(f32::total_cmp);
    claim.assert_over(ascending.into_iter());
}

macro_rules! accuracy_tests {
    ($($test:ident: $function:literal,)*) => {$(
        #[test]
        fn $test() {
            assert_claim($function);
        }
    )*};
}

accuracy_tests! {
    exp_should_be_accurate_and_never_decrease: "exp",
    ln_should_be_accurate_and_never_decrease: "ln",
    sigmoid_should_be_accurate: "sigmoid",
    silu_should_be_accurate: "silu",
    silu_derivative_should_be_accurate: "silu_derivative",
    tanh_should_be_accurate: "tanh",
    erf_should_be_accurate: "erf",
    gelu_should_be_accurate: "gelu",
    gelu_derivative_should_be_accurate: "gelu_derivative",
    gelu_tanh_should_be_accurate: "gelu_tanh",
    gelu_tanh_derivative_should_be_accurate: "gelu_tanh_derivative",
}

/// The greatest errors in ulps of sine and cosine over `phases`, and where.
fn assert_turns(phases: impl Iterator<Item = u32>) -> [(f64, u32); 2] {
    let mut seen = [(0.0, 0); 2];
    for phase in phases {
        let values = [
            (sin_turn(phase), reference::sin_turn(phase)),
            (cos_turn(phase), reference::sin_turn(phase.wrapping_add(1 << 30))),
        ];
        for ((got, expected), seen) in values.into_iter().zip(&mut seen) {
            let ulps = error(got, expected).map_or(f64::INFINITY, |(_, ulps)| ulps);
            assert!(
                ulps <= TURN_ULPS,
                "phase {phase:08x}: expected {expected:e}, got {got:e}, {ulps} ulp away"
            );
            if ulps > seen.0 {
                *seen = (ulps, phase);
            }
        }
    }
    seen
}

#[test]
fn sine_and_cosine_should_be_accurate() {
    let near = [0u32, 1 << 29, 1 << 30, 3 << 29, 1 << 31].into_iter();
    let near = near.flat_map(|phase| (0..400u32).map(move |offset| phase.wrapping_add(offset).wrapping_sub(200)));
    assert_turns((0..=u32::MAX).step_by(STRIDE).chain(near));
}

/// All finite floats in ascending order.
fn every_float() -> impl Iterator<Item = f32> {
    let finite = 0x7f80_0000u32;
    (0x8000_0000..0x8000_0000 + finite)
        .rev()
        .chain(0..finite)
        .map(f32::from_bits)
}

#[test]
#[ignore = "all 2^32 inputs of each function: about half an hour; `cargo xtask exhaustive` runs it"]
fn every_input_should_be_within_its_claim() {
    for claim in &CLAIMS {
        let seen = claim.assert_over(every_float());
        println!(
            "{}: {:.4} ulp at {:e}; {:.4} ulp at {:e} where |y| >= 2^-40; {:.3e} at {:e}; {} decreases; at most {} below zero",
            claim.name,
            seen.ulps.0,
            seen.ulps.1,
            seen.ulps_above_tiny.0,
            seen.ulps_above_tiny.1,
            seen.absolute.0,
            seen.absolute.1,
            seen.decreases,
            seen.greatest_below_zero
        );
        if claim.name == "exp" {
            assert_eq!(seen.greatest_below_zero, 1.0);
        }
    }
    let [sine, cosine] = assert_turns(0..=u32::MAX);
    println!(
        "sin_turn: {:.4} ulp at {:08x}; cos_turn: {:.4} ulp at {:08x}",
        sine.0, sine.1, cosine.0, cosine.1
    );
}

#[test]
#[ignore = "all 2^32 inputs: some minutes; `cargo xtask exhaustive` runs it"]
fn every_input_should_agree_with_the_standard_library() {
    use super::{super::basic::sqrt_by_integers, assert_bits};
    for x in every_float() {
        assert_bits(rne(x), x.round_ties_even(), x);
        assert_bits(floor(x), x.floor(), x);
        let integer = f64::from(x).round_ties_even().clamp(-2_147_483_648.0, 2_147_483_520.0) as i32;
        assert_eq!(to_i32_rne(x), integer, "at {x:e}");
        if x >= 0.0 {
            assert_bits(sqrt_by_integers(x), x.sqrt(), x);
        }
    }
}
