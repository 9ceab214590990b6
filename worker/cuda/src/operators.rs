//! Operators on a device: each is one kernel or a few.

mod elements;
mod product;
mod rows;
mod sample;

pub(crate) use product::{as_planes, planes_of_second, Planes};

use crate::{
    array::{Array, Kind},
    device::{launch, launch_as, Device, DeviceError, Grid, Memory},
    kernel::{Arguments, Kernel},
};
use assay_exact::{
    operator::{Bindings, Operator},
    product::Class,
};
use std::sync::Arc;

/// Bytes of a fault: the lowest faulty element, as 32 bits; all ones if there is none.
pub(crate) const FAULT_BYTES: usize = 4;

/// An operator's input.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) kind: Kind,
    pub(crate) array: Array,
    /// Its digits, if they have been made before.
    pub(crate) planes: Option<Arc<Planes>>,
}

impl Given {
    fn address(&self) -> u64 {
        self.array.address()
    }
}

/// Where an operator's kernels run, and what is the same for all of them.
#[derive(Debug)]
pub(crate) struct Launcher<'a> {
    pub(crate) device: &'a Arc<dyn Device>,
    /// Tokens of the step, and before it.
    pub(crate) bindings: Bindings,
    /// Where the lowest faulty element goes.
    pub(crate) fault: u64,
}

fn digits(class: Class) -> u32 {
    class.digits() as u32
}

impl Launcher<'_> {
    /// Tells the device to compute an operator of these inputs into `out`, which is as large as `kind` says.
    pub(crate) fn run(
        &self,
        operator: &Operator,
        inputs: &[Given],
        kind: &Kind,
        out: &Array,
    ) -> Result<(), DeviceError> {
        if kind.is_empty() {
            return Ok(());
        }
        match operator {
            Operator::Map(expression) => self.map(expression, inputs, kind, out),
            Operator::View { coordinates, .. } => self.view(coordinates, &inputs[0], kind, out),
            Operator::Reshape(_) => self
                .device
                .copy(inputs[0].address(), out.address(), inputs[0].array.bytes()),
            Operator::Concat(axis) => self.concat(usize::from(*axis), inputs, kind, out),
            Operator::Magnitude => self.magnitude(&inputs[0], out),
            Operator::Maximum(visible) => self.largest(*visible, &inputs[0], Some(out), None),
            Operator::ArgMax => self.largest(assay_exact::operator::Visible::All, &inputs[0], None, Some(out)),
            Operator::Sum => self.sum(&inputs[0], &inputs[1], out),
            Operator::WeightSum(bits) => self.weight_sum(*bits, &inputs[0], out),
            Operator::Weights(visible) => self.weights(*visible, inputs, out),
            Operator::Quantise(class) => self.quantise(*class, inputs, out),
            Operator::Product { a, b } => self.product((*a, *b), inputs, kind, out),
            Operator::Lookup => self.lookup(inputs, kind, out),
            Operator::Pick => self.pick(inputs, kind, out),
            Operator::Scatter { .. } => self.scatter(inputs, kind, out),
            Operator::Rotate { axis, inverse } => self.rotate(usize::from(*axis), *inverse, inputs, kind, out),
            Operator::Chance => self.chance(inputs, out),
            Operator::Rank => self.rank(&inputs[0], out),
            Operator::Mass => self.mass(inputs, out),
            Operator::KeepRanks => self.keep_ranks(inputs, out),
            Operator::KeepMass => self.keep_mass(inputs, out),
            Operator::Total => self.total(&inputs[0], out),
            Operator::Draw => self.draw(inputs, out),
            Operator::Random(stream) => self.random(*stream, inputs, kind, out),
            Operator::Count { .. } => self.count(&inputs[0], kind, out),
        }
    }

    fn launch<A: Arguments>(&self, grid: Grid, arguments: &A) -> Result<(), DeviceError> {
        launch(&**self.device, grid, arguments)
    }

    fn launch_as<A: Arguments>(&self, kernel: Kernel, grid: Grid, arguments: &A) -> Result<(), DeviceError> {
        launch_as(&**self.device, kernel, grid, arguments)
    }

    /// Memory of this operator alone.
    fn zeros(&self, bytes: usize) -> Result<Memory, DeviceError> {
        Memory::zeros(self.device, bytes)
    }
}
