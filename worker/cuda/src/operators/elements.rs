//! Elements one by one.

use super::{Given, Launcher};
use crate::{
    array::{Array, Kind},
    device::{DeviceError, Grid},
    expression::compile,
    kernel::{
        Kernel, LookupArgs, MapArgs, MapInput, PickArgs, PlaceRowsArgs, RotateArgs, ScatterArgs, ViewArgs,
        ViewCoordinate, ViewTerm,
    },
};
use assay_exact::{
    expression::{Expression, Node},
    operator::Coordinate,
    tensor::{DType, MAX_RANK},
};
use bytemuck::Zeroable;

/// An offset beyond this is outside of every tensor, whatever is added and divided by: coordinates are below 2²⁸, factors
/// at most 2³¹, and there are at most five; a place is below 2²⁸, a divisor below 2³².
const FAR: i128 = 1 << 62;

/// Types as `kernels/elements.h` numbers them.
fn number(dtype: DType) -> u32 {
    match dtype {
        DType::F32 => 0,
        DType::I8 => 1,
        DType::I16 => 2,
        DType::U32 => 3,
        DType::U64 => 4,
    }
}

impl Launcher<'_> {
    pub(super) fn map(
        &self,
        expression: &Expression,
        inputs: &[Given],
        kind: &Kind,
        out: &Array,
    ) -> Result<(), DeviceError> {
        let mut arguments = MapArgs {
            out: out.address(),
            fault: self.fault,
            elements: kind.len() as u32,
            rank: kind.rank() as u32,
            inputs: inputs.len() as u32,
            ..MapArgs::zeroed()
        };
        arguments.dims[..kind.rank()].copy_from_slice(kind.dims());
        let asks_where = expression.0.iter().any(|node| matches!(node, Node::Coordinate(_)));
        let is_flat = |input: &Given| input.kind.len() == kind.len() || input.kind.len() == 1;
        let flat = !asks_where && inputs.iter().all(is_flat);
        arguments.flat = flat.into();
        for (to, input) in arguments.input.iter_mut().zip(inputs) {
            *to = MapInput {
                x: input.address(),
                dtype: number(input.kind.dtype),
                strides: if flat {
                    // One stride: that from element to element
                    [(input.kind.len() == kind.len()).into(), 0, 0, 0, 0]
                } else {
                    strides(&input.kind, kind.rank())
                },
            };
        }
        let nodes = compile(expression);
        arguments.nodes = nodes.len() as u32;
        arguments.node[..nodes.len()].copy_from_slice(&nodes);
        self.launch(Grid::over(kind.len()), &arguments)
    }

    pub(super) fn view(
        &self,
        coordinates: &[Coordinate],
        x: &Given,
        kind: &Kind,
        out: &Array,
    ) -> Result<(), DeviceError> {
        let mut arguments = ViewArgs {
            x: x.address(),
            out: out.address(),
            size: kind.size(),
            elements: kind.len() as u32,
            rank: kind.rank() as u32,
            coordinates: coordinates.len() as u32,
            ..ViewArgs::zeroed()
        };
        arguments.dims[..kind.rank()].copy_from_slice(kind.dims());
        let mut stride = 1;
        let places = arguments.coordinate.iter_mut().zip(coordinates).zip(x.kind.dims());
        for ((to, coordinate), size) in places.rev() {
            *to = ViewCoordinate {
                offset: coordinate.offset.value(self.bindings).clamp(-FAR, FAR) as i64,
                divisor: coordinate.divisor,
                size: *size,
                stride,
                terms: coordinate.terms.len() as u32,
                term: [ViewTerm::zeroed(); MAX_RANK],
            };
            for (to, term) in to.term.iter_mut().zip(&coordinate.terms) {
                *to = ViewTerm {
                    factor: term.factor,
                    dimension: term.dimension.into(),
                };
            }
            stride = stride.wrapping_mul(*size);
        }
        self.launch(Grid::over(kind.len()), &arguments)
    }

    pub(super) fn concat(&self, axis: usize, inputs: &[Given], kind: &Kind, out: &Array) -> Result<(), DeviceError> {
        let at = kind.rank() - 1 - axis;
        let bytes = |kind: &Kind| kind.dims()[at..].iter().product::<u32>() * kind.size();
        let rows = kind.dims()[..at].iter().product();
        let row_bytes = bytes(kind);
        let mut offset = 0;
        for input in inputs {
            let own = bytes(&input.kind);
            let arguments = PlaceRowsArgs {
                x: input.address(),
                out: out.address(),
                bytes: own,
                row_bytes,
                offset,
                rows,
                unit: unit(&[
                    input.address(),
                    out.address(),
                    own.into(),
                    row_bytes.into(),
                    offset.into(),
                ]),
                unused: 0,
            };
            let units = u64::from(own / arguments.unit) * u64::from(rows);
            self.launch(Grid::over(units), &arguments)?;
            offset += own;
        }
        Ok(())
    }

    pub(super) fn lookup(&self, inputs: &[Given], kind: &Kind, out: &Array) -> Result<(), DeviceError> {
        let [table, indices] = inputs else {
            unreachable!("a lookup has two inputs")
        };
        let arguments = LookupArgs {
            table: table.address(),
            indices: indices.address(),
            out: out.address(),
            fault: self.fault,
            size: kind.size(),
            width: table.kind.dims()[1..].iter().product(),
            rows: table.kind.dims()[0],
            elements: kind.len() as u32,
        };
        self.launch(Grid::over(kind.len()), &arguments)
    }

    pub(super) fn pick(&self, inputs: &[Given], kind: &Kind, out: &Array) -> Result<(), DeviceError> {
        let arguments = PickArgs {
            x: inputs[0].address(),
            indices: inputs[1].address(),
            out: out.address(),
            fault: self.fault,
            rows: kind.len() as u32,
            length: inputs[0].kind.row(),
        };
        self.launch(Grid::over(kind.len()), &arguments)
    }

    pub(super) fn scatter(&self, inputs: &[Given], kind: &Kind, out: &Array) -> Result<(), DeviceError> {
        let sums = self.zeros(kind.len() as usize * 8)?;
        let [columns, length] = *inputs[0].kind.dims() else {
            unreachable!("a scatter's first input is a matrix")
        };
        let arguments = ScatterArgs {
            x: inputs[0].address(),
            magnitudes: inputs[1].address(),
            indices: inputs[2].address(),
            sums: sums.address(),
            out: out.address(),
            fault: self.fault,
            columns,
            length,
            rows: kind.row(),
            unused: 0,
        };
        self.launch_as(Kernel::ScatterAdd, Grid::over(inputs[0].kind.len()), &arguments)?;
        self.launch_as(Kernel::ScatterFinish, Grid::over(kind.len()), &arguments)
    }

    pub(super) fn rotate(
        &self,
        axis: usize,
        inverse: bool,
        inputs: &[Given],
        kind: &Kind,
        out: &Array,
    ) -> Result<(), DeviceError> {
        let dims = kind.dims();
        let arguments = RotateArgs {
            x: inputs[0].address(),
            frequencies: inputs[1].address(),
            out: out.address(),
            fault: self.fault,
            elements: kind.len() as u32,
            length: kind.row(),
            stride: dims[dims.len() - axis..].iter().product(),
            positions: dims[dims.len() - 1 - axis],
            first: self.bindings.position,
            inverse: inverse.into(),
        };
        self.launch(Grid::over(kind.len() / 2), &arguments)
    }
}

/// Elements from one to the next along each dimension of a tensor of rank `rank`, to which `kind` is repeated.
fn strides(kind: &Kind, rank: usize) -> [u32; MAX_RANK] {
    let mut strides = [0; MAX_RANK];
    let mut stride = 1;
    let left_out = rank - kind.rank();
    for (at, dim) in kind.dims().iter().enumerate().rev() {
        strides[left_out + at] = if *dim == 1 { 0 } else { stride };
        stride *= *dim;
    }
    strides
}

/// Bytes that can be moved at once.
fn unit(multiples: &[u64]) -> u32 {
    let together = multiples.iter().fold(8, |all, multiple| all | multiple);
    1 << together.trailing_zeros()
}
