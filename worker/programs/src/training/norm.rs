//! Norms and their gradients.

use super::{Network, Parameter};
use crate::{
    builder::{fixed, Tensor},
    formula::Formula,
};
use assay_exact::operator::Dim;

/// What a norm by the root mean square gives.
#[derive(Clone, Copy, Debug)]
pub struct RmsNormed {
    /// Its output F32 `[rows, width]`.
    pub y: Tensor,
    /// 1 ÷ √(mean square + epsilon), F32 `[rows, 1]`.
    rstd: Tensor,
}

/// What a layer norm gives.
#[derive(Clone, Copy, Debug)]
pub struct LayerNormed {
    /// Its output F32 `[rows, width]`.
    pub y: Tensor,
    /// The input less its rows' means.
    centred: Tensor,
    /// 1 ÷ √(variance + epsilon), F32 `[rows, 1]`.
    rstd: Tensor,
}

impl Network {
    /// The sum of each row, F32 `[rows, 1]`.
    fn row_sum(&mut self, x: Tensor, rows: usize) -> Tensor {
        let sum = self.builder.sum(x);
        self.builder.reshape(sum, &[fixed(rows), Dim::constant(1)])
    }

    /// The gradient of a bias or a gain: the sum of each column.
    fn column_sums(&mut self, parameter: Parameter, shape: (usize, usize), formula: Formula, inputs: &[Tensor]) {
        if self.trains(parameter) {
            let elements = match inputs {
                [x] => *x,
                inputs => self.builder.map(formula, inputs),
            };
            let columns = self.builder.transpose(elements, shape);
            let sums = self.builder.sum(columns);
            self.gradient(parameter, sums);
        }
    }

    /// x · rstd · gain, for `x` F32 `[rows, width]`.
    pub fn rms_norm(&mut self, x: Tensor, (rows, width): (usize, usize), epsilon: f32, gain: Parameter) -> RmsNormed {
        let shape = (fixed(rows), width);
        let gain = self.value(gain);
        RmsNormed {
            y: self.builder.rms_norm(x, shape, epsilon, gain),
            rstd: self.builder.inverse_deviation(x, shape, epsilon),
        }
    }

    /// The gradients of [`Network::rms_norm`], given that of its output. That with respect to `x` is returned.
    pub fn rms_norm_backward(
        &mut self,
        (x, normed): (Tensor, &RmsNormed),
        (rows, width): (usize, usize),
        gain: Parameter,
        g: Tensor,
    ) -> Tensor {
        let unit = Formula::input(1) * Formula::input(2);
        self.column_sums(
            gain,
            (rows, width),
            Formula::input(0) * unit.clone(),
            &[g, x, normed.rstd],
        );
        let gain = self.value(gain);
        let scaled = Formula::input(0) * Formula::input(3);
        let products = self
            .builder
            .map(scaled.clone() * unit.clone(), &[g, x, normed.rstd, gain]);
        let dot = self.row_sum(products, rows);
        let mean = Formula::input(4) / width as f32;
        self.builder.map(
            (scaled - unit * mean) * Formula::input(2),
            &[g, x, normed.rstd, gain, dot],
        )
    }

    /// (x − mean) · rstd · gain + bias, for `x` F32 `[rows, width]`.
    pub fn layer_norm(
        &mut self,
        x: Tensor,
        (rows, width): (usize, usize),
        epsilon: f32,
        (gain, bias): (Parameter, Parameter),
    ) -> LayerNormed {
        let shape = (fixed(rows), width);
        let (gain, bias) = (self.value(gain), self.value(bias));
        let centred = self.builder.centred(x, shape);
        LayerNormed {
            y: self.builder.layer_norm(x, shape, epsilon, gain, bias),
            centred,
            rstd: self.builder.inverse_deviation(centred, shape, epsilon),
        }
    }

    /// The gradients of [`Network::layer_norm`], given that of its output. That with respect to `x` is returned.
    pub fn layer_norm_backward(
        &mut self,
        normed: &LayerNormed,
        (rows, width): (usize, usize),
        (gain, bias): (Parameter, Parameter),
        g: Tensor,
    ) -> Tensor {
        let LayerNormed { centred, rstd, .. } = *normed;
        let unit = Formula::input(1) * Formula::input(2);
        self.column_sums(bias, (rows, width), Formula::input(0), &[g]);
        self.column_sums(
            gain,
            (rows, width),
            Formula::input(0) * unit.clone(),
            &[g, centred, rstd],
        );
        let gain = self.value(gain);
        let scaled = self.builder.map(Formula::input(0) * Formula::input(1), &[g, gain]);
        let sum = self.row_sum(scaled, rows);
        let products = self
            .builder
            .map(Formula::input(0) * unit.clone(), &[scaled, centred, rstd]);
        let dot = self.row_sum(products, rows);
        let mean = |input: u8| Formula::input(input) / width as f32;
        self.builder.map(
            (Formula::input(0) - mean(3) - unit * mean(4)) * Formula::input(2),
            &[scaled, centred, rstd, sum, dot],
        )
    }
}
