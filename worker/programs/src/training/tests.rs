//! Programs that train, run by the reference: their gradients against differences of losses that are computed in f64, without
//! any of the crate's own code.

#![allow(clippy::unwrap_used)]

mod conv;
mod decoder;
mod evaluation;
mod forward;
mod mlp;
mod optimiser;

use super::*;
use assay_exact::{
    memory::Tensor,
    program::{run_step, Plan},
    tensor::DType,
};
use std::collections::BTreeMap;

/// Values of parameters by name.
type Values = BTreeMap<String, Vec<f64>>;

/// Gradients are the velocities of this optimiser.
const PLAIN: Settings = Settings {
    optimiser: Optimiser::Sgd { momentum: 0.0 },
    schedule: Schedule::Constant,
    clip: false,
};

fn floats(dims: &[usize], values: &[f32]) -> Tensor {
    let dims: Vec<_> = dims.iter().map(|dim| *dim as u32).collect();
    Tensor::new(&dims, values).unwrap()
}

fn indices(dims: &[usize], values: &[u32]) -> Tensor {
    let dims: Vec<_> = dims.iter().map(|dim| *dim as u32).collect();
    Tensor::new(&dims, values).unwrap()
}

fn scalar(value: f32) -> Tensor {
    floats(&[], &[value])
}

fn as_f64(values: &[f32]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x)).collect()
}

/// Numbers from −bound to bound.
fn numbers(count: usize, bound: f32, seed: u64) -> Vec<f32> {
    let spec = ParameterSpec::vector("numbers", count, Initial::Uniform(bound));
    initialise(&[spec], seed).unwrap()[0].elements().unwrap()
}

/// A program with its weights and states.
struct Run {
    program: Program,
    weights: Vec<Tensor>,
    states: Vec<Tensor>,
}

impl Run {
    fn new(program: Program, weights: &BTreeMap<String, Tensor>) -> Self {
        let zeros = |kind: &assay_exact::operator::TensorType| Tensor {
            kind: *kind,
            bytes: vec![0; (kind.shape.len() * kind.dtype.size()) as usize],
        };
        Self {
            weights: program
                .weights
                .iter()
                .map(|weight| weights[&weight.name].clone())
                .collect(),
            states: Plan::new(&program, BINDINGS)
                .unwrap()
                .states
                .iter()
                .map(zeros)
                .collect(),
            program,
        }
    }

    /// Runs a step; its results.
    fn step(&mut self, inputs: &[Tensor]) -> Vec<f32> {
        let step = run_step(&self.program, BINDINGS, &self.weights, inputs, &self.states).unwrap();
        self.states = step.states;
        step.results
            .iter()
            .map(|result| result.elements::<f32>().unwrap()[0])
            .collect()
    }

    fn state(&self, name: &str) -> Vec<f32> {
        let mut states = self.program.states.iter();
        let at = states.position(|state| state.declaration.name == name);
        self.states[at.unwrap_or_else(|| panic!("no state {name}"))]
            .elements()
            .unwrap()
    }
}

/// The weights of a program that is trained, with values that are nothing special.
fn weights_of(parameters: &[ParameterSpec], bound: f32) -> BTreeMap<String, Tensor> {
    let values = parameters.iter().zip(0..).map(|(spec, at)| {
        let values = numbers(spec.elements(), bound, 100 + at);
        (spec.name.clone(), floats(&spec.shape, &values))
    });
    values.collect()
}

fn values_of(weights: &BTreeMap<String, Tensor>) -> Values {
    let floats = weights.iter().filter(|(_, tensor)| tensor.dtype() == DType::F32);
    floats
        .map(|(name, tensor)| (name.clone(), as_f64(&tensor.elements().unwrap())))
        .collect()
}

/// Runs a step of plain descent and compares the loss, and every element of every parameter's gradient, with those of `loss`.
fn check_gradients(
    training: &Training,
    weights: &BTreeMap<String, Tensor>,
    batch: &[Tensor],
    mut values: Values,
    loss: impl Fn(&Values) -> f64,
) {
    const STEP: f64 = 1e-5;
    let mut inputs = batch.to_vec();
    // Learning rate, weight decay, warm-up
    inputs.extend([scalar(0.5), scalar(0.0), scalar(0.0)]);
    let mut run = Run::new(training.program.clone(), weights);
    let results = run.step(&inputs);
    let expected = loss(&values);
    assert!(
        (f64::from(results[0]) - expected).abs() < 1e-5 * (1.0 + expected),
        "{} {expected}",
        results[0]
    );

    let mut squares = 0.0;
    for spec in &training.parameters {
        let gradient = as_f64(&run.state(&format!("{}.velocity", spec.name)));
        let mut differences = Vec::with_capacity(gradient.len());
        for at in 0..gradient.len() {
            let value = values[&spec.name][at];
            let mut moved = |by: f64| {
                values.get_mut(&spec.name).unwrap()[at] = value + by;
                loss(&values)
            };
            differences.push((moved(STEP) - moved(-STEP)) / (2.0 * STEP));
            moved(0.0);
        }
        let largest = differences.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
        assert!(largest > 1e-5, "{} has no influence", spec.name);
        for (at, (got, expected)) in gradient.iter().zip(&differences).enumerate() {
            let error = (got - expected).abs();
            assert!(
                error < 1e-4 * largest + 1e-7,
                "{} at {at}: {got}, {expected}",
                spec.name
            );
        }
        squares += gradient.iter().map(|x| x * x).sum::<f64>();
    }
    let norm = f64::from(results[1]);
    assert!(
        (norm - squares.sqrt()).abs() < 1e-5 * norm,
        "{norm}, {}",
        squares.sqrt()
    );
}
