//! What an operator's output is, given its inputs, and which inputs it can have.

use super::{Bindings, Dim, Operator, Side, TensorType, TypeError};
use crate::{
    product::{Class, BLOCK, MAX_MULTIPLIED},
    row::MAX_SUM,
    tensor::{DType, Shape, MAX_RANK},
};
use alloc::vec::Vec;

impl Operator {
    /// The type of the output for inputs of these types.
    pub fn output(&self, inputs: &[TensorType], bindings: Bindings) -> Result<TensorType, TypeError> {
        match self {
            Self::Map(expression) => {
                let shape = broadcast(inputs)?;
                expression
                    .check(inputs.len(), shape.rank())
                    .map_err(TypeError::Expression)?;
                for (input, tensor) in inputs.iter().enumerate() {
                    expect(input, tensor, &[DType::F32, DType::I8, DType::I16, DType::U32])?;
                }
                output(DType::F32, shape.dims())
            }
            Self::View { shape, coordinates } => {
                let [x] = exactly(inputs)?;
                let dims = sizes(shape, bindings)?;
                super::view::check(coordinates, x, dims.len())?;
                output(x.dtype, &dims)
            }
            Self::Reshape(shape) => {
                let [x] = exactly(inputs)?;
                let reshaped = output(x.dtype, &sizes(shape, bindings)?)?;
                ensure(reshaped.shape.len() == x.shape.len(), misfit(0, x))?;
                Ok(reshaped)
            }
            Self::Concat(axis) => concat(*axis, inputs),
            Self::Magnitude => {
                let [x] = exactly(inputs)?;
                expect(0, x, &[DType::F32])?;
                reduced(0, x, DType::F32)
            }
            Self::Maximum(visible) => {
                let [x] = exactly(inputs)?;
                expect(0, x, &[DType::F32])?;
                ensure(x.shape.row() > 0, misfit(0, x))?;
                super::rows::check_visible(*visible, 0, x)?;
                reduced(0, x, DType::F32)
            }
            Self::ArgMax => {
                let [x] = exactly(inputs)?;
                expect(0, x, &[DType::F32])?;
                ensure(x.shape.row() > 0, misfit(0, x))?;
                reduced(0, x, DType::U32)
            }
            Self::Sum => {
                let [x, magnitudes] = exactly(inputs)?;
                expect(0, x, &[DType::F32])?;
                ensure(x.shape.row() <= MAX_SUM, misfit(0, x))?;
                per_row(1, magnitudes, 0, x)?;
                reduced(0, x, DType::F32)
            }
            Self::Weights(visible) => {
                let [x, maxima] = exactly(inputs)?;
                expect(0, x, &[DType::F32])?;
                super::rows::check_visible(*visible, 0, x)?;
                per_row(1, maxima, 0, x)?;
                output(DType::F32, x.shape.dims())
            }
            Self::WeightSum(bits) => {
                let [x] = exactly(inputs)?;
                expect(0, x, &[DType::F32])?;
                ensure(matches!(bits, 30 | 40), TypeError::Parameter)?;
                // A weight can be the whole of 2⁴⁰, where elements of other sums are always below their bound
                ensure(x.shape.row() < MAX_SUM, misfit(0, x))?;
                reduced(0, x, DType::F32)
            }
            Self::Quantise(class) => {
                let [x, magnitudes] = exactly(inputs)?;
                expect(0, x, &[DType::F32])?;
                per_row(1, magnitudes, 0, x)?;
                let dtype = stored_as(*class).ok_or(TypeError::Parameter)?;
                output(dtype, x.shape.dims())
            }
            Self::Product { a, b } => product(*a, *b, inputs),
            Self::Lookup => {
                let [table, indices] = exactly(inputs)?;
                expect(1, indices, &[DType::U32])?;
                let (_, row) = table.shape.dims().split_first().ok_or(misfit(0, table))?;
                let dims: Vec<_> = indices.shape.dims().iter().chain(row).copied().collect();
                output(table.dtype, &dims)
            }
            Self::Pick => {
                let [x, indices] = exactly(inputs)?;
                expect(0, x, &[DType::F32])?;
                expect(1, indices, &[DType::U32])?;
                let picked = reduced(0, x, DType::F32)?;
                ensure(indices.shape == picked.shape, misfit(1, indices))?;
                Ok(picked)
            }
            Self::Scatter { rows } => {
                let [x, magnitudes, indices] = exactly(inputs)?;
                expect(0, x, &[DType::F32])?;
                let [columns, length] = *x.shape.dims() else {
                    return Err(misfit(0, x));
                };
                ensure(u64::from(length) <= MAX_SUM, misfit(0, x))?;
                per_row(1, magnitudes, 0, x)?;
                expect(2, indices, &[DType::U32])?;
                ensure(indices.shape.dims() == [length], misfit(2, indices))?;
                output(DType::F32, &[columns, size(*rows, bindings)?])
            }
            Self::Rotate { axis, .. } => {
                let [x, frequencies] = exactly(inputs)?;
                expect(0, x, &[DType::F32])?;
                expect(1, frequencies, &[DType::U64])?;
                ensure(usize::from(*axis) < x.shape.rank(), TypeError::Parameter)?;
                ensure(x.shape.row().is_multiple_of(2), misfit(0, x))?;
                let pairs = x.shape.row() / 2;
                ensure(
                    frequencies.shape.rank() == 1 && frequencies.shape.len() == pairs,
                    misfit(1, frequencies),
                )?;
                output(DType::F32, x.shape.dims())
            }
            Self::Chance => {
                let [scores, maxima] = exactly(inputs)?;
                expect(0, scores, &[DType::F32])?;
                per_row(1, maxima, 0, scores)?;
                output(DType::U32, scores.shape.dims())
            }
            Self::Rank => {
                let [scores] = exactly(inputs)?;
                expect(0, scores, &[DType::F32])?;
                output(DType::U32, scores.shape.dims())
            }
            Self::Mass => {
                let [scores, chances] = exactly(inputs)?;
                expect(0, scores, &[DType::F32])?;
                is(1, chances, DType::U32, scores.shape)?;
                ensure(scores.shape.row() < MAX_SUM, misfit(0, scores))?;
                output(DType::U64, scores.shape.dims())
            }
            Self::KeepRanks => {
                let [chances, ranks, most] = exactly(inputs)?;
                expect(0, chances, &[DType::U32])?;
                is(1, ranks, DType::U32, chances.shape)?;
                is(2, most, DType::U32, reduced(0, chances, DType::U32)?.shape)?;
                output(DType::U32, chances.shape.dims())
            }
            Self::KeepMass => {
                let [chances, masses, totals, shares] = exactly(inputs)?;
                expect(0, chances, &[DType::U32])?;
                is(1, masses, DType::U64, chances.shape)?;
                let row = reduced(0, chances, DType::U64)?.shape;
                is(2, totals, DType::U64, row)?;
                is(3, shares, DType::U32, row)?;
                output(DType::U32, chances.shape.dims())
            }
            Self::Total => {
                let [chances] = exactly(inputs)?;
                expect(0, chances, &[DType::U32])?;
                ensure(chances.shape.row() < MAX_SUM, misfit(0, chances))?;
                reduced(0, chances, DType::U64)
            }
            Self::Draw => {
                let [chances, totals, numbers] = exactly(inputs)?;
                expect(0, chances, &[DType::U32])?;
                ensure(chances.shape.row() < MAX_SUM, misfit(0, chances))?;
                let drawn = reduced(0, chances, DType::U32)?;
                is(1, totals, DType::U64, drawn.shape)?;
                is(2, numbers, DType::U64, drawn.shape)?;
                Ok(drawn)
            }
            Self::Random(_) => {
                let [seed, sequences] = exactly(inputs)?;
                is(0, seed, DType::U64, Shape::SCALAR)?;
                expect(1, sequences, &[DType::U32])?;
                output(DType::U64, sequences.shape.dims())
            }
            Self::Count { rows } => {
                let [indices] = exactly(inputs)?;
                expect(0, indices, &[DType::U32])?;
                ensure(indices.shape.rank() == 1, misfit(0, indices))?;
                output(DType::U32, &[size(*rows, bindings)?])
            }
        }
    }
}

/// The integers of a class in a tensor, if they can be stored.
pub(super) fn stored_as(class: Class) -> Option<DType> {
    match class {
        Class::Int8 => Some(DType::I8),
        Class::Int16 => Some(DType::I16),
        Class::Int24 => None,
    }
}

pub(super) fn ensure(holds: bool, error: TypeError) -> Result<(), TypeError> {
    if holds {
        Ok(())
    } else {
        Err(error)
    }
}

pub(super) fn misfit(input: usize, tensor: &TensorType) -> TypeError {
    TypeError::Shape {
        input,
        got: tensor.shape,
    }
}

fn exactly<const N: usize>(inputs: &[TensorType]) -> Result<&[TensorType; N], TypeError> {
    inputs.try_into().map_err(|_| TypeError::Inputs {
        expected: N,
        got: inputs.len(),
    })
}

fn expect(input: usize, tensor: &TensorType, allowed: &[DType]) -> Result<(), TypeError> {
    let got = tensor.dtype;
    ensure(allowed.contains(&got), TypeError::DType { input, got })
}

/// Checks that a tensor is of this type and shape.
fn is(input: usize, tensor: &TensorType, dtype: DType, shape: Shape) -> Result<(), TypeError> {
    expect(input, tensor, &[dtype])?;
    ensure(tensor.shape == shape, misfit(input, tensor))
}

fn output(dtype: DType, dims: &[u32]) -> Result<TensorType, TypeError> {
    let shape = Shape::new(dims, dtype).map_err(TypeError::Output)?;
    Ok(TensorType { dtype, shape })
}

fn size(dim: Dim, bindings: Bindings) -> Result<u32, TypeError> {
    dim.size(bindings).ok_or(TypeError::Dimension(dim))
}

fn sizes(dims: &[Dim], bindings: Bindings) -> Result<Vec<u32>, TypeError> {
    dims.iter().map(|dim| size(*dim, bindings)).collect()
}

/// What is left of a tensor when each row becomes one element.
fn reduced(input: usize, tensor: &TensorType, dtype: DType) -> Result<TensorType, TypeError> {
    let (_, outer) = tensor.shape.dims().split_last().ok_or(misfit(input, tensor))?;
    output(dtype, outer)
}

/// Checks that `tensor` has one float for each row of `rows`.
fn per_row(input: usize, tensor: &TensorType, of: usize, rows: &TensorType) -> Result<(), TypeError> {
    expect(input, tensor, &[DType::F32])?;
    let wanted = reduced(of, rows, DType::F32)?;
    ensure(tensor.shape == wanted.shape, misfit(input, tensor))
}

/// The dimensions to which all inputs are repeated.
fn broadcast(inputs: &[TensorType]) -> Result<Shape, TypeError> {
    let rank = inputs
        .iter()
        .map(|tensor| tensor.shape.rank())
        .max()
        .unwrap_or_default();
    let mut dims = [1; MAX_RANK];
    for (input, tensor) in inputs.iter().enumerate() {
        let aligned = dims[..rank].iter_mut().rev().zip(tensor.shape.dims().iter().rev());
        for (common, dim) in aligned {
            ensure(*common == *dim || *common == 1 || *dim == 1, misfit(input, tensor))?;
            if *dim != 1 {
                *common = *dim;
            }
        }
    }
    Shape::new(&dims[..rank], DType::F32).map_err(TypeError::Output)
}

fn concat(axis: u8, inputs: &[TensorType]) -> Result<TensorType, TypeError> {
    let first = inputs.first().ok_or(TypeError::Inputs { expected: 1, got: 0 })?;
    let mut dims = first.shape.dims().to_vec();
    let at = dims
        .len()
        .checked_sub(1 + usize::from(axis))
        .ok_or(TypeError::Parameter)?;
    for (input, tensor) in inputs.iter().enumerate().skip(1) {
        expect(input, tensor, &[first.dtype])?;
        let other = tensor.shape.dims();
        let fits = other.len() == dims.len() && (0..at).chain(at + 1..dims.len()).all(|dim| other[dim] == dims[dim]);
        ensure(fits, misfit(input, tensor))?;
        dims[at] = dims[at].checked_add(other[at]).ok_or(misfit(input, tensor))?;
    }
    output(first.dtype, &dims)
}

/// Checks one operand of a product: its class, its magnitudes. Returns what stands before its rows, their number and
/// their length.
fn operand<'a>(
    input: usize,
    tensor: &'a TensorType,
    side: Side,
    magnitudes: Option<(usize, &TensorType)>,
) -> Result<(&'a [u32], u32, u32), TypeError> {
    let got = tensor.dtype;
    let fits = match got {
        DType::F32 => side.scaled,
        stored => stored_as(side.class) == Some(stored),
    };
    ensure(fits, TypeError::DType { input, got })?;
    if let Some((at, magnitudes)) = magnitudes {
        per_row(at, magnitudes, input, tensor)?;
    }
    match tensor.shape.dims() {
        [outer @ .., rows, length] => Ok((outer, *rows, *length)),
        _ => Err(misfit(input, tensor)),
    }
}

fn product(a: Side, b: Side, inputs: &[TensorType]) -> Result<TensorType, TypeError> {
    let expected = 2 + usize::from(a.scaled) + usize::from(b.scaled);
    let got = inputs.len();
    let multipliers = inputs.get(expected);
    ensure(
        got == expected + usize::from(multipliers.is_some()),
        TypeError::Inputs { expected, got },
    )?;
    let of_b = 2 + usize::from(a.scaled);
    let magnitudes_a = a.scaled.then(|| (2, &inputs[2]));
    let magnitudes_b = b.scaled.then(|| (of_b, &inputs[of_b]));
    let (outer_a, rows_a, length_a) = operand(0, &inputs[0], a, magnitudes_a)?;
    let (outer_b, rows_b, length_b) = operand(1, &inputs[1], b, magnitudes_b)?;
    let parts = |outer: &[u32]| outer.iter().map(|dim| u64::from(*dim)).product::<u64>();
    let shared = match parts(outer_b) {
        0 => parts(outer_a) == 0,
        parts_b => parts(outer_a).is_multiple_of(parts_b),
    };
    ensure(length_a == length_b && shared, misfit(1, &inputs[1]))?;
    // Longer sums than these could overflow 64 bits
    ensure(u64::from(length_a) <= MAX_SUM, misfit(0, &inputs[0]))?;
    if let Some(multipliers) = multipliers {
        expect(1, &inputs[1], &[DType::I8])?;
        expect(expected, multipliers, &[DType::I16])?;
        let length = u64::from(length_b);
        ensure(
            length.is_multiple_of(BLOCK) && length <= MAX_MULTIPLIED,
            misfit(1, &inputs[1]),
        )?;
        let wanted = outer_b.iter().copied().chain([rows_b, length_b / BLOCK as u32]);
        ensure(
            wanted.eq(multipliers.shape.dims().iter().copied()),
            misfit(expected, multipliers),
        )?;
    }
    let dims: Vec<_> = outer_a.iter().copied().chain([rows_a, rows_b]).collect();
    output(DType::F32, &dims)
}
