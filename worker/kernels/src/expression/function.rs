//! Loops over blocks: each function of an expression over rows of arguments.

use crate::{vectorised::vectorised, Isa};
use assay_exact::{
    expression::{Binary, Unary},
    row::exponent,
    scalar::{self, parts},
};

/// An argument of a function over a block: one for all elements, or one for each.
#[derive(Clone, Copy, Debug)]
pub enum Lane<'a> {
    /// The same for all.
    Scalar(f32),
    /// One for each.
    Row(&'a [f32]),
}

/// Elements of which one part of a function is done before the next.
const PART: usize = 512;

/// Defines loops of functions of one argument.
macro_rules! unary_loops {
    ($($name:ident = $function:expr;)*) => {
        vectorised! {$(
            fn $name(x: &[f32], out: &mut [f32]) {
                for (out, x) in out.iter_mut().zip(x) {
                    *out = $function(*x);
                }
            }
        )*}
    };
}

unary_loops! {
    neg = scalar::neg;
    abs = scalar::abs;
    sqrt = scalar::sqrt;
    exp = scalar::exp;
    ln = scalar::ln;
    sigmoid = scalar::sigmoid;
    gelu = scalar::gelu;
    gelu_derivative = scalar::gelu_derivative;
    silu = scalar::silu;
    silu_derivative = scalar::silu_derivative;
    gelu_tanh = scalar::gelu_tanh;
    gelu_tanh_derivative = scalar::gelu_tanh_derivative;
    relu = scalar::relu;
    rne = scalar::rne;
    floor = scalar::floor;
    power = |x| scalar::pow2(exponent(x).clamp(-126, 127));
}

/// Defines loops of functions of one argument that have parts: each part in a loop of its own, because a processor does
/// not look far enough ahead to fill the waits of a long one. The first part is of the argument, the last of the argument
/// and of what the part before has given.
macro_rules! parts_loops {
    ($($name:ident = $first:path $(, $between:path)*; $last:path;)*) => {
        vectorised! {$(
            fn $name(x: &[f32], out: &mut [f32]) {
                for (x, out) in x.chunks(PART).zip(out.chunks_mut(PART)) {
                    for (out, x) in out.iter_mut().zip(x) {
                        *out = $first(*x);
                    }
                    $(for out in out.iter_mut() {
                        *out = $between(*out);
                    })*
                    for (out, x) in out.iter_mut().zip(x) {
                        *out = $last(*x, *out);
                    }
                }
            }
        )*}
    };
}

parts_loops! {
    tanh = parts::tanh_large; parts::tanh_of_large;
    erf = parts::erf_exponent, parts::erf_large; parts::erf_of_large;
}

/// Writes the function's value for each element of `x` to `out`, which must be as long.
pub fn unary(isa: Isa, function: Unary, x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "expected as many results as arguments");
    match function {
        Unary::Neg => neg(isa, x, out),
        Unary::Abs => abs(isa, x, out),
        Unary::Sqrt => sqrt(isa, x, out),
        Unary::Exp => exp(isa, x, out),
        Unary::Ln => ln(isa, x, out),
        Unary::Tanh => tanh(isa, x, out),
        Unary::Erf => erf(isa, x, out),
        Unary::Sigmoid => sigmoid(isa, x, out),
        Unary::Silu => silu(isa, x, out),
        Unary::SiluDerivative => silu_derivative(isa, x, out),
        Unary::Gelu => gelu(isa, x, out),
        Unary::GeluDerivative => gelu_derivative(isa, x, out),
        Unary::GeluTanh => gelu_tanh(isa, x, out),
        Unary::GeluTanhDerivative => gelu_tanh_derivative(isa, x, out),
        Unary::Relu => relu(isa, x, out),
        Unary::Rne => rne(isa, x, out),
        Unary::Floor => floor(isa, x, out),
        Unary::Power => power(isa, x, out),
    }
}

/// Defines loops of functions of two arguments, of which either may be the same for all.
macro_rules! binary_loops {
    ($($both:ident, $second:ident, $first:ident = $function:expr;)*) => {
        vectorised! {$(
            fn $both(a: &[f32], b: &[f32], out: &mut [f32]) {
                for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                    *out = $function(*a, *b);
                }
            }

            fn $second(a: &[f32], b: f32, out: &mut [f32]) {
                for (out, a) in out.iter_mut().zip(a) {
                    *out = $function(*a, b);
                }
            }

            fn $first(a: f32, b: &[f32], out: &mut [f32]) {
                for (out, b) in out.iter_mut().zip(b) {
                    *out = $function(a, *b);
                }
            }
        )*}
    };
}

binary_loops! {
    add, add_scalar, scalar_add = |a: f32, b: f32| a + b;
    sub, sub_scalar, scalar_sub = |a: f32, b: f32| a - b;
    mul, mul_scalar, scalar_mul = |a: f32, b: f32| a * b;
    div, div_scalar, scalar_div = |a: f32, b: f32| a / b;
    max, max_scalar, scalar_max = scalar::max;
    min, min_scalar, scalar_min = scalar::min;
}

/// Writes the function's value for each pair of elements to `out`; rows must be as long.
pub fn binary(isa: Isa, function: Binary, a: Lane<'_>, b: Lane<'_>, out: &mut [f32]) {
    for lane in [a, b] {
        let Lane::Row(row) = lane else { continue };
        assert_eq!(row.len(), out.len(), "expected as many results as arguments");
    }
    macro_rules! choose {
        ($both:ident, $second:ident, $first:ident) => {
            match (a, b) {
                (Lane::Row(a), Lane::Row(b)) => $both(isa, a, b, out),
                (Lane::Row(a), Lane::Scalar(b)) => $second(isa, a, b, out),
                (Lane::Scalar(a), Lane::Row(b)) => $first(isa, a, b, out),
                (Lane::Scalar(a), Lane::Scalar(b)) => out.fill(function.apply(a, b)),
            }
        };
    }
    match function {
        Binary::Add => choose!(add, add_scalar, scalar_add),
        Binary::Sub => choose!(sub, sub_scalar, scalar_sub),
        Binary::Mul => choose!(mul, mul_scalar, scalar_mul),
        Binary::Div => choose!(div, div_scalar, scalar_div),
        Binary::Max => choose!(max, max_scalar, scalar_max),
        Binary::Min => choose!(min, min_scalar, scalar_min),
    }
}

/// `yes` if it holds, else `no`, by masks: of a plain choice the compiler makes a branch instead of a vector.
#[inline(always)]
fn choose(holds: bool, yes: f32, no: f32) -> f32 {
    let mask = u32::from(holds).wrapping_neg();
    f32::from_bits((yes.to_bits() & mask) | (no.to_bits() & !mask))
}

vectorised! {
    /// `yes` where a < b, else `no`.
    pub(super) fn select_less(a: &[f32], b: &[f32], yes: &[f32], no: &[f32], out: &mut [f32]) {
        for ((((out, a), b), yes), no) in out.iter_mut().zip(a).zip(b).zip(yes).zip(no) {
            *out = choose(*a < *b, *yes, *no);
        }
    }

    /// `yes` where a = b, else `no`.
    pub(super) fn select_equal(a: &[f32], b: &[f32], yes: &[f32], no: &[f32], out: &mut [f32]) {
        for ((((out, a), b), yes), no) in out.iter_mut().zip(a).zip(b).zip(yes).zip(no) {
            *out = choose(*a == *b, *yes, *no);
        }
    }

    pub(super) fn from_i8(x: &[i8], out: &mut [f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = f32::from(*x);
        }
    }

    pub(super) fn from_i16(x: &[i16], out: &mut [f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = f32::from(*x);
        }
    }

    pub(super) fn from_u32(x: &[u32], out: &mut [f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = *x as f32;
        }
    }

    /// The nearest floats to `first` and what follows it; dimensions are below 2³².
    pub(super) fn count_up(first: u64, out: &mut [f32]) {
        for (out, at) in out.iter_mut().zip(0u32..) {
            *out = (first as u32).wrapping_add(at) as f32;
        }
    }
}
