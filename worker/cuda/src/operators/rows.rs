//! Reductions of rows, and what is made of a row with their help.

use super::{digits, Given, Launcher};
use crate::{
    array::Array,
    device::{DeviceError, Grid},
    kernel::{Kernel, LargestArgs, MagnitudeArgs, QuantiseArgs, SumArgs, Visibility, WeightsArgs},
};
use assay_exact::{operator::Visible, product::Class};

/// Bytes of a sum or a key.
const WIDE: usize = 8;

impl Launcher<'_> {
    fn visibility(&self, visible: Visible, x: &Given) -> Visibility {
        let matrix_rows = match x.kind.dims() {
            [.., rows, _] => *rows,
            _ => 1,
        };
        Visibility {
            causal: (visible == Visible::Causal).into(),
            matrix_rows,
            position: self.bindings.position,
        }
    }

    pub(super) fn magnitude(&self, x: &Given, out: &Array) -> Result<(), DeviceError> {
        let (rows, length) = (x.kind.rows(), x.kind.row());
        let arguments = MagnitudeArgs {
            x: x.address(),
            largest: out.address(),
            fault: self.fault,
            rows,
            length,
        };
        self.device.fill(out.address(), 0, out.bytes())?;
        self.launch_as(Kernel::MagnitudePartial, Grid::rows(rows, length), &arguments)?;
        self.launch_as(Kernel::MagnitudeFinish, Grid::over(rows.into()), &arguments)
    }

    pub(super) fn largest(
        &self,
        visible: Visible,
        x: &Given,
        values: Option<&Array>,
        indices: Option<&Array>,
    ) -> Result<(), DeviceError> {
        let (rows, length) = (x.kind.rows(), x.kind.row());
        let keys = self.zeros(rows as usize * WIDE)?;
        let address = |array: Option<&Array>| array.map_or(0, Array::address);
        let arguments = LargestArgs {
            x: x.address(),
            keys: keys.address(),
            values: address(values),
            indices: address(indices),
            fault: self.fault,
            rows,
            length,
            visibility: self.visibility(visible, x),
            padding: 0,
        };
        self.launch_as(Kernel::LargestPartial, Grid::rows(rows, length), &arguments)?;
        self.launch_as(Kernel::LargestFinish, Grid::over(rows.into()), &arguments)
    }

    pub(super) fn sum(&self, x: &Given, magnitudes: &Given, out: &Array) -> Result<(), DeviceError> {
        let kernels = (Kernel::SumPartial, Kernel::SumFinish);
        self.sums(kernels, x, magnitudes.address(), 0, out)
    }

    pub(super) fn weight_sum(&self, bits: u8, x: &Given, out: &Array) -> Result<(), DeviceError> {
        let kernels = (Kernel::WeightSumPartial, Kernel::WeightSumFinish);
        self.sums(kernels, x, 0, bits.into(), out)
    }

    fn sums(
        &self,
        (partial, finish): (Kernel, Kernel),
        x: &Given,
        magnitudes: u64,
        bits: u32,
        out: &Array,
    ) -> Result<(), DeviceError> {
        let (rows, length) = (x.kind.rows(), x.kind.row());
        let sums = self.zeros(rows as usize * WIDE)?;
        let arguments = SumArgs {
            x: x.address(),
            magnitudes,
            sums: sums.address(),
            out: out.address(),
            fault: self.fault,
            rows,
            length,
            bits,
            padding: 0,
        };
        self.launch_as(partial, Grid::rows(rows, length), &arguments)?;
        self.launch_as(finish, Grid::over(rows.into()), &arguments)
    }

    pub(super) fn weights(&self, visible: Visible, inputs: &[Given], out: &Array) -> Result<(), DeviceError> {
        let x = &inputs[0];
        let arguments = WeightsArgs {
            x: x.address(),
            maxima: inputs[1].address(),
            out: out.address(),
            fault: self.fault,
            rows: x.kind.rows(),
            length: x.kind.row(),
            visibility: self.visibility(visible, x),
            padding: 0,
        };
        self.launch(Grid::over(x.kind.len()), &arguments)
    }

    pub(super) fn quantise(&self, class: Class, inputs: &[Given], out: &Array) -> Result<(), DeviceError> {
        let x = &inputs[0];
        let arguments = QuantiseArgs {
            x: x.address(),
            magnitudes: inputs[1].address(),
            out: out.address(),
            fault: self.fault,
            rows: x.kind.rows(),
            length: x.kind.row(),
            digits: digits(class),
            padding: 0,
        };
        self.launch(Grid::over(x.kind.len()), &arguments)
    }
}
