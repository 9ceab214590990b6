//! Sine and cosine of an angle given as a 32-bit fraction of a full turn.

/// 2π · 2⁻³²: one step of the phase in radians.
const STEP: f32 = f32::from_bits(0x30c9_0fdb);
/// [`STEP`] to 12 bits, so that its product with a number of 12 bits is exact.
const STEP_HIGH: f32 = f32::from_bits(0x30c9_1000);
/// What [`STEP_HIGH`] leaves of 2π · 2⁻³².
const STEP_LOW: f32 = f32::from_bits(0xa795_777a);

/// A quarter of a turn.
const QUARTER: u32 = 1 << 30;
/// Half a turn.
const HALF: u32 = 1 << 31;
/// The phase is split at this bit: of 2²⁹, an eighth of a turn, 12 bits lie above it.
const SPLIT: i32 = 1 << 17;

/// Coefficients of P in sin θ ≈ θ + θ·θ²·P(θ²) for 0 ≤ θ ≤ π/4, lowest first; relative error 2⁻²⁷·⁹.
const SIN_P: [f32; 3] = [
    f32::from_bits(0xbe2a_aaa3),
    f32::from_bits(0x3c08_83bc),
    f32::from_bits(0xb94c_aa04),
];
/// Coefficients of P in cos θ ≈ 1 − θ²/2 + θ⁴·P(θ²) for 0 ≤ θ ≤ π/4, lowest first; relative error 2⁻³³.
const COS_P: [f32; 3] = [
    f32::from_bits(0x3d2a_aaa5),
    f32::from_bits(0xbab6_0614),
    f32::from_bits(0x37cc_f41e),
];

/// The sine of `phase` · 2⁻³² turns; exactly 0, 1, 0, −1 at the quarters, and odd in the phase.
#[inline]
pub fn sin_turn(phase: u32) -> f32 {
    // Fold the second half turn onto the first with the sign flipped, then the second quarter onto the first.
    let sign = phase & HALF;
    let within_half = phase & (HALF - 1);
    let within_quarter = if within_half > QUARTER {
        HALF - within_half
    } else {
        within_half
    };
    // Beyond an eighth it is the cosine of what is left to the quarter.
    let beyond_eighth = within_quarter > QUARTER / 2;
    let eighth = (if beyond_eighth {
        QUARTER - within_quarter
    } else {
        within_quarter
    }) as i32;

    // θ = theta + theta_low, from a split of the phase into two integers that floats hold exactly.
    let upper = eighth & !(SPLIT - 1);
    let lower = (eighth - upper) as f32;
    let upper = upper as f32;
    let product = upper * STEP_HIGH;
    let rest = upper * STEP_LOW + lower * STEP;
    let theta = product + rest;
    let theta_low = (product - theta) + rest;
    let square = theta * theta;

    let p = SIN_P[2] * square + SIN_P[1];
    let p = p * square + SIN_P[0];
    let sine = theta + (theta * (square * p) + theta_low);

    let p = COS_P[2] * square + COS_P[1];
    let p = p * square + COS_P[0];
    let half_square = 0.5 * square;
    let leading = 1.0 - half_square;
    let correction = ((1.0 - leading) - half_square) + ((square * square) * p - theta * theta_low);
    let cosine = leading + correction;

    let y = if beyond_eighth { cosine } else { sine };
    // Adding +0 turns the −0 of half a turn into +0.
    f32::from_bits(y.to_bits() ^ sign) + 0.0
}

/// The cosine of `phase` · 2⁻³² turns: the sine a quarter of a turn later.
#[inline]
pub fn cos_turn(phase: u32) -> f32 {
    sin_turn(phase.wrapping_add(QUARTER))
}
