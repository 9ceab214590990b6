//! A network being written: its parameters, where they come from, and their gradients.

use super::{ParameterSpec, Settings};
use crate::{
    builder::{fixed, Builder, Quantised, Tensor},
    formula::Formula,
    layer::dequantised,
};
use assay_exact::{
    expression::Comparison,
    operator::{Dim, Operator},
    product::Class,
    tensor::DType,
};

/// What a network is written for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Purpose {
    /// Parameters that train are states; each step changes them, in this way.
    Train(Settings),
    /// Parameters are weights of the package, and stay.
    Evaluate,
}

/// How a package has its matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// F32.
    Floats,
    /// Integers of a class that can be stored, with the magnitudes of their rows.
    Integers(Class),
}

/// A parameter of a network that is F32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter(usize);

/// A matrix of a network.
#[derive(Clone, Copy, Debug)]
pub enum Matrix {
    /// As floats: one that trains, or that the package has so.
    Floats(Parameter),
    /// As the package's integers.
    Integers(Quantised),
}

/// Where a parameter is before it trains.
#[derive(Clone, Copy, Debug)]
enum Stored {
    Floats(Tensor),
    Integers(Quantised),
}

#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) spec: ParameterSpec,
    stored: Stored,
    /// The group that it was declared in.
    pub(super) group: usize,
    /// If it trains.
    pub(super) state: Option<Tensor>,
    /// What the optimiser keeps of it.
    pub(super) kept: Vec<Tensor>,
    pub(super) gradient: Option<Tensor>,
}

/// A network being written.
#[derive(Debug)]
pub struct Network {
    /// Its program.
    pub builder: Builder,
    /// How it is trained, if it is.
    pub(super) settings: Option<Settings>,
    storage: Storage,
    /// The number of steps before this one, F32 `[]`, if it trains.
    pub(super) step: Option<Tensor>,
    parameters: Vec<Declared>,
    group: usize,
}

/// Dimensions of a parameter.
pub(super) fn dims(sizes: &[usize]) -> Vec<Dim> {
    sizes.iter().map(|size| fixed(*size)).collect()
}

impl Network {
    /// A network in which there is nothing yet.
    pub fn new(purpose: Purpose, storage: Storage) -> Self {
        let mut builder = Builder::new();
        let settings = match purpose {
            Purpose::Train(settings) => Some(settings),
            Purpose::Evaluate => None,
        };
        Self {
            step: settings.map(|_| builder.state("step", DType::F32, &[])),
            builder,
            settings,
            storage,
            parameters: Vec::new(),
            group: 0,
        }
    }

    /// Begins a group of parameters, usually those of a layer. The norms of a group's gradients are a segment, and so are its
    /// updates; groups that are alike cost little in the program's encoding.
    pub fn next_group(&mut self) {
        self.group += 1;
    }

    /// Declares a matrix, or several, that trains if `trains`. As the package has it: a weight of its name (and one of its
    /// magnitudes).
    pub fn matrix(&mut self, spec: ParameterSpec, trains: bool) -> Matrix {
        let trains = trains && self.settings.is_some();
        match self.storage {
            Storage::Integers(class) if spec.shape.len() == 2 => {
                let integers = self.builder.quantised(&spec.name, class, spec.shape[0], spec.shape[1]);
                if trains {
                    Matrix::Floats(self.declare(spec, Stored::Integers(integers), true))
                } else {
                    Matrix::Integers(integers)
                }
            }
            _ => Matrix::Floats(self.parameter(spec, trains)),
        }
    }

    /// Declares a parameter that the package has as floats: a gain, a bias, a matrix that is not the package's own.
    pub fn parameter(&mut self, spec: ParameterSpec, trains: bool) -> Parameter {
        let weight = self.builder.weight(spec.name.clone(), DType::F32, &dims(&spec.shape));
        self.declare(spec, Stored::Floats(weight), trains)
    }

    fn declare(&mut self, spec: ParameterSpec, stored: Stored, trains: bool) -> Parameter {
        let shape = dims(&spec.shape);
        let settings = self.settings.filter(|_| trains);
        let state = settings.map(|_| self.builder.state(spec.name.clone(), DType::F32, &shape));
        let kinds = settings.map_or(&[][..], |settings| settings.optimiser.keeps());
        let kept = kinds
            .iter()
            .map(|kind| self.builder.state(format!("{}.{kind}", spec.name), DType::F32, &shape))
            .collect();
        self.parameters.push(Declared {
            spec,
            stored,
            group: self.group,
            state,
            kept,
            gradient: None,
        });
        Parameter(self.parameters.len() - 1)
    }

    /// Whether a parameter trains.
    pub fn trains(&self, parameter: Parameter) -> bool {
        self.state(parameter).is_some()
    }

    /// All parameters in the order in which they were declared.
    pub(super) fn declared(&self) -> impl Iterator<Item = (Parameter, &Declared)> {
        self.parameters
            .iter()
            .enumerate()
            .map(|(at, declared)| (Parameter(at), declared))
    }

    /// The state that a parameter is, if it trains.
    pub(super) fn state(&self, parameter: Parameter) -> Option<Tensor> {
        self.parameters[parameter.0].state
    }

    /// A parameter as it is in this step. States begin as zeros, so what trains is read from the package in the first
    /// step. Every segment does this for itself: a parameter is never handed on.
    pub fn value(&mut self, parameter: Parameter) -> Tensor {
        let Declared {
            spec, stored, state, ..
        } = &self.parameters[parameter.0];
        let (formula, mut inputs) = match *stored {
            Stored::Floats(weight) => (Formula::input(0), vec![weight]),
            Stored::Integers(Quantised {
                integers,
                magnitudes,
                class,
                ..
            }) => {
                let per_row = [fixed(spec.shape[0]), Dim::constant(1)];
                let magnitudes = self.builder.reshape(magnitudes, &per_row);
                let (q, m) = (Formula::input(0), Formula::input(1));
                (dequantised(q, m, class), vec![integers, magnitudes])
            }
        };
        match (*state, self.step) {
            (Some(state), Some(step)) => {
                let at = inputs.len() as u8;
                inputs.extend([state, step]);
                let first = Formula::constant(1.0);
                let formula = Formula::input(at + 1).select(Comparison::Less, first, formula, Formula::input(at));
                self.builder.map(formula, &inputs)
            }
            _ if inputs.len() == 1 => inputs[0],
            _ => self.builder.map(formula, &inputs),
        }
    }

    /// Says what the loss's gradient with respect to a parameter is; what was said before is added. Nothing happens if
    /// it does not train.
    pub fn gradient(&mut self, parameter: Parameter, gradient: Tensor) {
        if !self.trains(parameter) {
            return;
        }
        let sum = match self.parameters[parameter.0].gradient {
            Some(before) => self.builder.add(before, gradient),
            None => gradient,
        };
        self.parameters[parameter.0].gradient = Some(sum);
    }

    /// Rows of a table `[V, width]`, by indices U32 `[rows]`: F32 `[rows, width]`.
    pub fn embedding(&mut self, table: Matrix, indices: Tensor, (rows, width): (usize, usize)) -> Tensor {
        match table {
            Matrix::Floats(parameter) => {
                let table = self.value(parameter);
                self.builder.push(Operator::Lookup, &[table, indices])
            }
            Matrix::Integers(integers) => self.builder.embedding(integers, indices, (fixed(rows), width)),
        }
    }

    /// The gradient of [`Network::embedding`], given that of its output: columns are summed by index.
    pub fn embedding_backward(&mut self, table: Matrix, indices: Tensor, (rows, width): (usize, usize), g: Tensor) {
        let Matrix::Floats(parameter) = table else {
            return;
        };
        if !self.trains(parameter) {
            return;
        }
        let entries = fixed(self.parameters[parameter.0].spec.shape[0]);
        let columns = self.builder.transpose(g, (rows, width));
        let magnitudes = self.builder.magnitude(columns);
        let sums = self
            .builder
            .push(Operator::Scatter { rows: entries }, &[columns, magnitudes, indices]);
        let gradient = self.builder.permute(sums, &[entries, fixed(width)], &[1, 0]);
        self.gradient(parameter, gradient);
    }
}
