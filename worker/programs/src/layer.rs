//! The parts of layers: linear maps, norms, tables, activations.

use crate::{
    builder::{fixed, Builder, Quantised, Tensor},
    formula::Formula,
};
use assay_exact::{
    expression::Unary,
    operator::{Dim, Operator},
    product::{Class, BLOCK},
};

/// A function between two linear maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x · Φ(x), by the error function.
    Gelu,
    /// Its approximation by a hyperbolic tangent.
    GeluTanh,
    /// x · sigmoid(x).
    Silu,
    /// max(x, 0).
    Relu,
    /// tanh x.
    Tanh,
}

impl Activation {
    /// The scalar function.
    pub fn function(self) -> Unary {
        match self {
            Self::Gelu => Unary::Gelu,
            Self::GeluTanh => Unary::GeluTanh,
            Self::Silu => Unary::Silu,
            Self::Relu => Unary::Relu,
            Self::Tanh => Unary::Tanh,
        }
    }
}

/// What the name of a linear map's scales has in place of `weight`.
///
/// All elements of a row of weights share one magnitude, so columns of large elements would cost those of small ones their
/// digits. The columns of the second map of a feed-forward layer are therefore divided by powers of two, and what they are
/// multiplied with is scaled by the same: exact, and free where the map before is linear.
pub const SCALES: &str = "scales";

/// A linear map with integers as weights.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// The weights `[N, K]`.
    pub weight: Quantised,
    /// What is added, F32 `[N]`.
    pub bias: Option<Tensor>,
}

/// An integer of a class in a row of magnitude m as a float: q · (m ÷ 127), or q · 2⁻ᶠ · 2ᵉ.
pub(crate) fn dequantised(q: Formula, m: Formula, class: Class) -> Formula {
    match class {
        Class::Int8 => q * (m / 127.0),
        // Both factors are exact for all but the smallest magnitudes
        Class::Int16 => q * (1.0 / 16_384.0) * m.unary(Unary::Power),
        Class::Int24 => q * (1.0 / 4_194_304.0) * m.unary(Unary::Power),
    }
}

impl Builder {
    /// A linear map of `x` F32 `[.., K]`, whose rows are taken as `activations`: F32 `[.., N]`.
    pub fn linear(&mut self, x: Tensor, activations: Class, map: Linear) -> Tensor {
        let y = self.product(x, activations, map.weight);
        match map.bias {
            Some(bias) => self.add(y, bias),
            None => y,
        }
    }

    /// A linear map with a function of its output, times a scale F32 `[N]`: f(y + bias) · scale. The next map's columns are
    /// divided by the scales (see [`SCALES`]).
    pub fn linear_then(
        &mut self,
        x: Tensor,
        activations: Class,
        (weight, bias): (Quantised, Tensor),
        then: Activation,
        scales: Tensor,
    ) -> Tensor {
        let y = self.product(x, activations, weight);
        let input = Formula::input(0) + Formula::input(1);
        self.map(input.unary(then.function()) * Formula::input(2), &[y, bias, scales])
    }

    /// Layer normalisation of `x` F32 `[rows, width]`: (x − mean) · rstd · gain + bias, where the variance is that of
    /// x − mean, and rstd = 1 ÷ √(variance + epsilon).
    pub fn layer_norm(
        &mut self,
        x: Tensor,
        (rows, width): (Dim, usize),
        epsilon: f32,
        gain: Tensor,
        bias: Tensor,
    ) -> Tensor {
        let centred = self.centred(x, (rows, width));
        let rstd = self.inverse_deviation(centred, (rows, width), epsilon);
        self.map(
            Formula::input(0) * Formula::input(1) * Formula::input(2) + Formula::input(3),
            &[centred, rstd, gain, bias],
        )
    }

    /// Normalisation of `x` F32 `[rows, width]` by its root mean square: x · rstd · gain.
    pub fn rms_norm(&mut self, x: Tensor, (rows, width): (Dim, usize), epsilon: f32, gain: Tensor) -> Tensor {
        let rstd = self.inverse_deviation(x, (rows, width), epsilon);
        self.map(
            Formula::input(0) * Formula::input(1) * Formula::input(2),
            &[x, rstd, gain],
        )
    }

    /// `x` F32 `[rows, width]` less the mean of each row.
    pub(crate) fn centred(&mut self, x: Tensor, (rows, width): (Dim, usize)) -> Tensor {
        let sum = self.sum(x);
        let sum = self.reshape(sum, &[rows, Dim::constant(1)]);
        self.map(Formula::input(0) - Formula::input(1) / width as f32, &[x, sum])
    }

    /// 1 ÷ √(mean of squares + epsilon) of each row, `[rows, 1]`.
    pub(crate) fn inverse_deviation(&mut self, x: Tensor, (rows, width): (Dim, usize), epsilon: f32) -> Tensor {
        let squares = self.map(Formula::input(0) * Formula::input(0), &[x]);
        let sum = self.sum(squares);
        let mean = Formula::input(0) / width as f32 + epsilon;
        let rstd = self.map(Formula::constant(1.0) / mean.sqrt(), &[sum]);
        self.reshape(rstd, &[rows, Dim::constant(1)])
    }

    /// Rows of a table of integers `[V, width]` as floats F32 `[rows, width]`, by indices U32 `[rows]`.
    pub fn embedding(&mut self, table: Quantised, indices: Tensor, (rows, width): (Dim, usize)) -> Tensor {
        let integers = self.push(Operator::Lookup, &[table.integers, indices]);
        let magnitudes = self.push(Operator::Lookup, &[table.magnitudes, indices]);
        let Some(multipliers) = table.multipliers else {
            return self.dequantise(integers, magnitudes, table.class, (rows, width));
        };
        let (one, block) = (Dim::constant(1), BLOCK as usize);
        let blocks = fixed(width / block);
        let multipliers = self.push(Operator::Lookup, &[multipliers, indices]);
        let integers = self.reshape(integers, &[rows, blocks, fixed(block)]);
        let multipliers = self.reshape(multipliers, &[rows, blocks, one]);
        let magnitudes = self.reshape(magnitudes, &[rows, one, one]);
        let [q, m, c] = [0, 1, 2].map(Formula::input);
        // Each factor is exact, and so is their product
        let formula = dequantised(q * c, m, table.class);
        let elements = self.map(formula, &[integers, magnitudes, multipliers]);
        self.reshape(elements, &[rows, fixed(width)])
    }

    /// The first rows of a table of integers `[V, width]`, as floats F32 `[rows, width]`.
    pub fn first_rows(&mut self, table: Quantised, (rows, width): (Dim, usize)) -> Tensor {
        let integers = self.slice(table.integers, Dim::default(), &[rows, fixed(width)]);
        let magnitudes = self.slice(table.magnitudes, Dim::default(), &[rows]);
        self.dequantise(integers, magnitudes, table.class, (rows, width))
    }

    /// Integers `[rows, width]` of a class as floats, with the magnitudes `[rows]`.
    fn dequantise(&mut self, integers: Tensor, magnitudes: Tensor, class: Class, (rows, _): (Dim, usize)) -> Tensor {
        let magnitudes = self.reshape(magnitudes, &[rows, Dim::constant(1)]);
        let formula = dequantised(Formula::input(0), Formula::input(1), class);
        self.map(formula, &[integers, magnitudes])
    }

    /// The sum of the rows of `x` F32 `[L, width]`: F32 `[width]`. Scaled to length one it is what their mean is.
    pub fn sum_of_rows(&mut self, x: Tensor, width: usize) -> Tensor {
        let columns = self.permute(x, &[fixed(width), Dim::LENGTH], &[1, 0]);
        self.sum(columns)
    }

    /// A vector F32 `[width]` scaled to length one.
    pub fn direction(&mut self, x: Tensor) -> Tensor {
        /// Length below which a vector is not scaled up, as in sentence-transformers.
        const MIN_LENGTH: f32 = 1e-12;
        let squares = self.map(Formula::input(0) * Formula::input(0), &[x]);
        let length = self.sum(squares);
        self.map(
            Formula::input(0) / Formula::input(1).sqrt().max(Formula::constant(MIN_LENGTH)),
            &[x, length],
        )
    }
}
