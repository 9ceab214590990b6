//! What the reference gives, and elements on which kernels are held against it.

use crate::Isa;
use assay_exact::{
    memory::Tensor,
    operator::{Bindings, Call, Fault, Operator},
    tensor::{to_bytes, Element, Shape},
};
use proptest::prelude::*;

/// Lengths of rows: one, odd, prime, one more than vectors and blocks have, and longer than a group.
pub(crate) const WIDTHS: [usize; 10] = [1, 2, 7, 8, 33, 97, 256, 515, 2_048, 4_133];

/// What the reference gives.
pub(crate) fn expected(operator: &Operator, inputs: &[&Tensor], bindings: Bindings) -> Result<Vec<u8>, Fault> {
    let kinds: Vec<_> = inputs.iter().map(|tensor| tensor.kind).collect();
    Call::new(operator, &kinds, bindings)
        .expect("a valid call")
        .evaluate(inputs)
}

/// Asserts that a kernel gives what the reference gives, for each instruction set.
#[track_caller]
pub(crate) fn assert_same<T: Element + Default>(
    operator: &Operator,
    inputs: &[&Tensor],
    bindings: Bindings,
    kernel: impl Fn(Isa, &mut [T]) -> Result<(), Fault>,
) {
    let expected = expected(operator, inputs, bindings);
    let kinds: Vec<_> = inputs.iter().map(|tensor| tensor.kind).collect();
    let shape = operator.output(&kinds, bindings).expect("a valid call").shape;
    for isa in Isa::available() {
        let mut out = vec![T::default(); shape.len() as usize];
        let got = kernel(isa, &mut out).map(|()| to_bytes(&out));
        match (&got, &expected) {
            (Ok(got), Ok(expected)) => {
                let differs = got.iter().zip(expected).position(|(a, b)| a != b);
                assert_eq!(
                    differs.map(|at| at / size_of::<T>()),
                    None,
                    "{isa}: {operator:?} of {kinds:?}"
                );
            }
            _ => assert_eq!(
                got.is_ok() as u8,
                expected.is_ok() as u8,
                "{isa}: {operator:?} of {kinds:?}: {got:?}"
            ),
        }
        assert_eq!(got, expected, "{isa}: {operator:?} of {kinds:?}");
    }
}

/// Floats of different kinds from a seed: mostly tame, sometimes any finite ones, sometimes with one that is not finite.
pub(crate) fn floats(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    let kind = next() % 8;
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        1.5,
        -2.5,
        1e-45,
        -1e-40,
        f32::MIN_POSITIVE,
        1e-30,
        16_777_216.0,
        -8_388_609.0,
        1e18,
        126.5,
        127.5,
    ];
    let mut all: Vec<_> = (0..count)
        .map(|_| {
            let bits = next();
            let tame = (bits >> 8) as f32 / (1 << 21) as f32 - 4.0;
            match kind {
                0..=2 => tame,
                3 | 4 => special[bits as usize % special.len()],
                5 => Some(f32::from_bits(bits)).filter(|x| x.is_finite()).unwrap_or(tame),
                6 => (tame * 2.0).round() / 2.0,
                _ => -tame.abs(),
            }
        })
        .collect();
    let poison = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        -f32::NAN,
        // Signalling
        f32::from_bits(0x7f80_0001),
        f32::from_bits(0xffbf_ffff),
        f32::MAX,
        f32::MIN,
    ];
    if next() % 8 == 0 && count > 0 {
        let at = [0, next() as usize % count, count - 1][next() as usize % 3];
        all[at] = poison[next() as usize % poison.len()];
    }
    all
}

/// A tensor.
pub(crate) fn tensor<T: Element>(dims: &[usize], elements: &[T]) -> Tensor {
    let dims: Vec<_> = dims.iter().map(|dim| *dim as u32).collect();
    Tensor::new(&dims, elements).expect("a small tensor")
}

/// A shape.
pub(crate) fn shape(dims: &[usize]) -> Shape {
    let dims: Vec<_> = dims.iter().map(|dim| *dim as u32).collect();
    Shape::new(&dims, assay_exact::tensor::DType::F32).expect("a small shape")
}

/// One of [`WIDTHS`], and sometimes 0.
pub(crate) fn width() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0), 20 => prop::sample::select(&WIDTHS[..])]
}
