//! Linear maps, with adapters of low rank, and functions of their outputs.

use super::{Matrix, Network, Parameter};
use crate::{
    builder::{fixed, Quantised, Tensor},
    formula::Formula,
    layer::Activation,
};
use assay_exact::{
    expression::Unary,
    operator::{Operator, Side},
    product::Class,
};

/// What is added to a matrix that does not train: scale · B · A, Hu et al. 2021 (arXiv:2106.09685).
#[derive(Clone, Copy, Debug)]
pub struct Adapter {
    /// A, F32 `[rank, K]`.
    pub down: Parameter,
    /// B, F32 `[N, rank]`.
    pub up: Parameter,
    /// Its rank.
    pub rank: usize,
    /// What the product is multiplied by.
    pub scale: f32,
}

/// A linear map.
#[derive(Clone, Copy, Debug)]
pub struct Affine {
    /// The matrix `[N, K]`.
    pub matrix: Matrix,
    /// N and K.
    pub shape: (usize, usize),
    /// What is added, F32 `[N]`.
    pub bias: Option<Parameter>,
    /// What adapts the matrix.
    pub adapter: Option<Adapter>,
}

/// What a linear map gives.
#[derive(Clone, Copy, Debug)]
pub struct Mapped {
    /// Its output F32 `[rows, N]`.
    pub y: Tensor,
    /// The adapter's inner elements F32 `[rows, rank]`.
    low: Option<Tensor>,
}

impl Activation {
    /// The function's derivative at `x`.
    fn derivative(self, x: Formula) -> Formula {
        let one = || Formula::constant(1.0);
        match self {
            Self::Gelu => x.unary(Unary::GeluDerivative),
            Self::GeluTanh => x.unary(Unary::GeluTanhDerivative),
            Self::Silu => x.unary(Unary::SiluDerivative),
            Self::Relu => {
                let zero = || Formula::constant(0.0);
                zero().select(assay_exact::expression::Comparison::Less, x, one(), zero())
            }
            Self::Tanh => {
                let tanh = x.unary(Unary::Tanh);
                one() - tanh.clone() * tanh
            }
        }
    }
}

impl Network {
    /// A linear map of `x` F32 `[rows, K]`.
    pub fn affine(&mut self, map: &Affine, x: Tensor) -> Mapped {
        let product = match map.matrix {
            Matrix::Floats(parameter) => {
                let matrix = self.value(parameter);
                self.builder.wide_product(x, matrix)
            }
            Matrix::Integers(matrix) => self.builder.product(x, Class::Int24, matrix),
        };
        let (mut formula, mut inputs, mut low) = (Formula::input(0), vec![product], None);
        if let Some(adapter) = map.adapter {
            let (down, up) = (self.value(adapter.down), self.value(adapter.up));
            let inner = self.builder.wide_product(x, down);
            let outer = self.builder.wide_product(inner, up);
            formula = formula + Formula::input(inputs.len() as u8) * adapter.scale;
            inputs.push(outer);
            low = Some(inner);
        }
        if let Some(bias) = map.bias {
            formula = formula + Formula::input(inputs.len() as u8);
            inputs.push(self.value(bias));
        }
        let y = match inputs[..] {
            [product] => product,
            _ => self.builder.map(formula, &inputs),
        };
        Mapped { y, low }
    }

    /// The gradients of [`Network::affine`], given that of its output, `g` F32 `[rows, N]`. That with respect to `x`, if it is
    /// needed, is returned.
    pub fn affine_backward(
        &mut self,
        map: &Affine,
        (x, mapped): (Tensor, &Mapped),
        g: Tensor,
        rows: usize,
        is_needed: bool,
    ) -> Option<Tensor> {
        let (n, k) = map.shape;
        if let Some(bias) = map.bias.filter(|bias| self.trains(*bias)) {
            let columns = self.builder.transpose(g, (rows, n));
            let sums = self.builder.sum(columns);
            self.gradient(bias, sums);
        }
        if let Matrix::Floats(parameter) = map.matrix {
            if self.trains(parameter) {
                let gradient = self.outer_product((g, n), (x, k), rows);
                self.gradient(parameter, gradient);
            }
        }
        let through_adapter = map
            .adapter
            .zip(mapped.low)
            .and_then(|(adapter, low)| self.adapter_backward((adapter, map.shape), (x, low), g, rows, is_needed));
        if !is_needed {
            return None;
        }
        let through_matrix = match map.matrix {
            Matrix::Floats(parameter) => {
                let matrix = self.value(parameter);
                let columns = self.builder.transpose(matrix, (n, k));
                self.builder.wide_product(g, columns)
            }
            Matrix::Integers(matrix) => self.through_integers(matrix, map.shape, g),
        };
        Some(match through_adapter {
            Some(other) => self.builder.add(through_matrix, other),
            None => through_matrix,
        })
    }

    /// gᵀ · x, for `g` F32 `[rows, N]` and `x` F32 `[rows, K]`: F32 `[N, K]`.
    pub(super) fn outer_product(&mut self, (g, n): (Tensor, usize), (x, k): (Tensor, usize), rows: usize) -> Tensor {
        let (g, x) = (
            self.builder.transpose(g, (rows, n)),
            self.builder.transpose(x, (rows, k)),
        );
        self.builder.wide_product(g, x)
    }

    fn adapter_backward(
        &mut self,
        (adapter, (n, k)): (Adapter, (usize, usize)),
        (x, low): (Tensor, Tensor),
        g: Tensor,
        rows: usize,
        is_needed: bool,
    ) -> Option<Tensor> {
        let g = self.builder.map(Formula::input(0) * adapter.scale, &[g]);
        let up_gradient = self.outer_product((g, n), (low, adapter.rank), rows);
        self.gradient(adapter.up, up_gradient);
        let up = self.value(adapter.up);
        let up = self.builder.transpose(up, (n, adapter.rank));
        let g_low = self.builder.wide_product(g, up);
        let down_gradient = self.outer_product((g_low, adapter.rank), (x, k), rows);
        self.gradient(adapter.down, down_gradient);
        is_needed.then(|| {
            let down = self.value(adapter.down);
            let down = self.builder.transpose(down, (adapter.rank, k));
            self.builder.wide_product(g_low, down)
        })
    }

    /// g · W for integers W `[N, K]`. Its rows' scales lie along what is summed, so they are `g`'s, and the integers enter
    /// without.
    fn through_integers(&mut self, matrix: Quantised, (n, k): (usize, usize), g: Tensor) -> Tensor {
        let (g_element, m) = (Formula::input(0), Formula::input(1));
        let scale = match matrix.class {
            Class::Int8 => m / 127.0,
            Class::Int16 | Class::Int24 => m.unary(Unary::Power),
        };
        let scaled = self.builder.map(g_element * scale, &[g, matrix.magnitudes]);
        let magnitudes = self.builder.magnitude(scaled);
        let columns = self.builder.permute(matrix.integers, &[fixed(k), fixed(n)], &[1, 0]);
        let operator = Operator::Product {
            a: Side {
                class: Class::Int24,
                scaled: true,
            },
            b: Side {
                class: matrix.class,
                scaled: false,
            },
        };
        self.builder.push(operator, &[scaled, columns, magnitudes])
    }

    /// A function of each element.
    pub fn activation(&mut self, function: Activation, x: Tensor) -> Tensor {
        self.builder.map(Formula::input(0).unary(function.function()), &[x])
    }

    /// The gradient of [`Network::activation`] with respect to `x`, given that of its output.
    pub fn activation_backward(&mut self, function: Activation, x: Tensor, g: Tensor) -> Tensor {
        self.builder
            .map(Formula::input(0) * function.derivative(Formula::input(1)), &[g, x])
    }

    /// silu(gate) · up: Shazeer 2020 (arXiv:2002.05202).
    pub fn gated(&mut self, gate: Tensor, up: Tensor) -> Tensor {
        self.builder
            .map(Formula::input(0).unary(Unary::Silu) * Formula::input(1), &[gate, up])
    }

    /// The gradients of [`Network::gated`] with respect to the gate and to what passes it.
    pub fn gated_backward(&mut self, (gate, up): (Tensor, Tensor), g: Tensor) -> (Tensor, Tensor) {
        let (g_element, gate_element) = (Formula::input(0), Formula::input(1));
        let to_gate = g_element.clone() * Formula::input(2) * gate_element.clone().unary(Unary::SiluDerivative);
        let to_up = g_element * gate_element.unary(Unary::Silu);
        (
            self.builder.map(to_gate, &[g, gate, up]),
            self.builder.map(to_up, &[g, gate]),
        )
    }
}
