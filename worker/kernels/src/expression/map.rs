//! Expressions over whole tensors, whose inputs are repeated along dimensions that they have not.

use super::{Evaluator, Operand, Scratch};
use crate::Isa;
use assay_exact::{
    operator::Fault,
    tensor::{Shape, MAX_RANK},
};
use std::{cell::RefCell, ops::Range};

thread_local! {
    /// Kept from map to map: of a few elements, making it would take longer than what is computed.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// An input's elements.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// Floats.
    F32(&'a [f32]),
    /// Integers of one digit.
    I8(&'a [i8]),
    /// Integers of two digits.
    I16(&'a [i16]),
    /// Indices and counts.
    U32(&'a [u32]),
}

impl<'a> Data<'a> {
    /// The element at `at`.
    fn one(self, at: usize) -> Operand<'a> {
        Operand::Scalar(match self {
            Self::F32(x) => x[at],
            Self::I8(x) => f32::from(x[at]),
            Self::I16(x) => f32::from(x[at]),
            Self::U32(x) => x[at] as f32,
        })
    }

    /// The `length` elements from `at` on.
    fn row(self, at: usize, length: usize) -> Operand<'a> {
        match self {
            Self::F32(x) => Operand::Row(&x[at..][..length]),
            Self::I8(x) => Operand::RowI8(&x[at..][..length]),
            Self::I16(x) => Operand::RowI16(&x[at..][..length]),
            Self::U32(x) => Operand::RowU32(&x[at..][..length]),
        }
    }
}

/// An input with its dimensions.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The dimensions.
    pub shape: Shape,
    /// The elements.
    pub data: Data<'a>,
}

/// A dimension of the output, with the distance of neighbours along it in each input: 0 where the input is repeated.
#[derive(Clone, Debug)]
struct Axis {
    size: u64,
    strides: Vec<u64>,
}

/// The output's dimensions, the outermost first.
fn axes(inputs: &[Input<'_>], output: &Shape) -> Vec<Axis> {
    let mut axes: Vec<_> = output
        .dims()
        .iter()
        .map(|size| Axis {
            size: u64::from(*size),
            strides: vec![0; inputs.len()],
        })
        .collect();
    for (at, input) in inputs.iter().enumerate() {
        let mut stride = 1;
        for (axis, dim) in axes.iter_mut().rev().zip(input.shape.dims().iter().rev()) {
            if *dim != 1 {
                axis.strides[at] = stride;
            }
            stride *= u64::from(*dim);
        }
    }
    axes
}

/// The same elements in the same order with as few dimensions as possible: neighbours become one where every input runs
/// through both of them as through one.
fn merged(axes: Vec<Axis>) -> Vec<Axis> {
    let mut merged: Vec<Axis> = Vec::with_capacity(axes.len());
    for axis in axes.into_iter().filter(|axis| axis.size != 1) {
        if let Some(outer) = merged.last_mut() {
            let mut strides = outer.strides.iter().zip(&axis.strides);
            if strides.all(|(outer, inner)| *outer == *inner * axis.size) {
                outer.size *= axis.size;
                outer.strides = axis.strides;
                continue;
            }
        }
        merged.push(axis);
    }
    merged
}

/// The rows `rows` of an expression's output of the dimensions `output`: whole rows of its last dimension, into `out`.
///
/// Inputs are aligned with the output at their last dimensions; a dimension of 1, or one that an input has not, is
/// repeated. Fails when a result is not finite.
///
/// # Panics
///
/// If an input's dimensions do not fit the output, or `out` has not the size of those rows.
pub fn map(
    isa: Isa,
    evaluator: &Evaluator,
    inputs: &[Input<'_>],
    output: &Shape,
    rows: Range<u64>,
    out: &mut [f32],
) -> Result<(), Fault> {
    let row = output.row();
    assert_eq!(
        out.len() as u64,
        (rows.end - rows.start) * row,
        "expected the size of the rows"
    );
    if out.is_empty() {
        return Ok(());
    }
    let all = axes(inputs, output);
    let axes = if evaluator.reads_coordinates() {
        all
    } else {
        merged(all)
    };
    let mut scratch = SCRATCH.take();
    let mut operands = Vec::with_capacity(inputs.len());
    let (mut index, mut rest) = (rows.start * row, out);
    while !rest.is_empty() {
        // Coordinates of the next element, counted from the last dimension
        let mut coordinates = [0; MAX_RANK];
        let mut left = index;
        for (coordinate, axis) in coordinates.iter_mut().zip(axes.iter().rev()) {
            *coordinate = left % axis.size;
            left /= axis.size;
        }
        let until_end = axes.last().map_or(1, |last| last.size - coordinates[0]);
        let length = rest.len().min(until_end as usize);
        operands.clear();
        operands.extend(inputs.iter().enumerate().map(|(input, Input { data, .. })| {
            let from_last = axes.iter().rev().zip(&coordinates);
            let at: u64 = from_last.map(|(axis, at)| axis.strides[input] * at).sum();
            match axes.last() {
                Some(last) if last.strides[input] != 0 => data.row(at as usize, length),
                _ => data.one(at as usize),
            }
        }));
        let (run, others) = rest.split_at_mut(length);
        evaluator.evaluate(isa, &mut scratch, &operands, &coordinates, run)?;
        index += length as u64;
        rest = others;
    }
    SCRATCH.set(scratch);
    Ok(())
}
