//! Classifiers of vectors: gradients, and that they learn.

use super::{forward::*, *};
use crate::{family::mlp::Mlp, layer::Activation};

const BATCH: usize = 5;
const LABELS: [u32; BATCH] = [2, 0, 1, 1, 2];
const COUNTS: [f32; BATCH] = [1.0, 1.0, 0.0, 1.0, 0.5];

fn mlp(activation: Activation, norm: Option<f32>) -> Mlp {
    Mlp {
        widths: vec![4, 7, 6, 3],
        activation,
        norm,
    }
}

/// The scores of one vector.
pub(super) fn scores(mlp: &Mlp, values: &Values, features: &[f64], function: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut x = features.to_vec();
    for at in 0..mlp.widths.len() - 1 {
        let of = |name: &str| &values[name];
        x = plus(
            &times(of(&format!("layers.{at}.weight")), &x),
            of(&format!("layers.{at}.bias")),
        );
        if at + 2 < mlp.widths.len() {
            if let Some(epsilon) = mlp.norm {
                let (gain, bias) = (of(&format!("norms.{at}.weight")), of(&format!("norms.{at}.bias")));
                x = layer_norm(&x, gain, bias, epsilon.into());
            }
            x = x.into_iter().map(&function).collect();
        }
    }
    x
}

fn check(activation: Activation, norm: Option<f32>, function: impl Fn(f64) -> f64) {
    let mlp = mlp(activation, norm);
    let training = mlp.training(BATCH, &PLAIN).unwrap();
    let weights = weights_of(&training.parameters, 0.9);
    let features = numbers(BATCH * 4, 2.0, 1);
    let batch = [
        floats(&[BATCH, 4], &features),
        indices(&[BATCH], &LABELS),
        floats(&[BATCH], &COUNTS),
    ];
    let features = as_f64(&features);
    check_gradients(&training, &weights, &batch, values_of(&weights), |values| {
        let rows = features.chunks(4).zip(LABELS);
        let losses: Vec<_> = rows
            .map(|(features, label)| loss(&scores(&mlp, values, features, &function), label as usize))
            .collect();
        mean(&losses, &COUNTS)
    });
}

#[test]
fn gradients_should_be_those_of_the_loss_when_layers_are_rectified() {
    check(Activation::Relu, None, |x| x.max(0.0));
}

#[test]
fn gradients_should_be_those_of_the_loss_when_layers_have_norms() {
    check(Activation::Gelu, Some(1e-2), gelu);
}

#[test]
fn gradients_should_be_those_of_the_loss_when_layers_are_smooth() {
    check(Activation::Tanh, None, f64::tanh);
    check(Activation::Silu, None, silu);
    check(Activation::GeluTanh, None, |x| {
        let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
        0.5 * x * (1.0 + inner.tanh())
    });
}

/// Points around the origin, and whether their coordinates have the same sign: no linear map tells that.
fn corners() -> [Tensor; 3] {
    let features = [
        1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 0.5, 0.7, -0.6, 0.8, 0.9, -0.4, -0.7, -0.5,
    ];
    let labels = [1, 1, 0, 0, 1, 0, 0, 1];
    [
        floats(&[8, 2], &features),
        indices(&[8], &labels),
        floats(&[8], &[1.0; 8]),
    ]
}

fn learner(settings: &Settings) -> Run {
    let mlp = Mlp {
        widths: vec![2, 8, 2],
        activation: Activation::Relu,
        norm: None,
    };
    let training = mlp.training(8, settings).unwrap();
    let values = initialise(&training.parameters, 3).unwrap();
    let names = training.parameters.iter().map(|spec| spec.name.clone());
    Run::new(training.program, &names.zip(values).collect())
}

const ADAM_W: Settings = Settings {
    optimiser: Optimiser::ADAM_W,
    schedule: Schedule::Linear,
    clip: true,
};

/// A batch with learning rate, weight decay, warm-up, steps, and the largest norm.
fn batch_of_adam() -> Vec<Tensor> {
    let settings = [0.08, 0.01, 3.0, 60.0, 1.0].map(scalar);
    corners().into_iter().chain(settings).collect()
}

#[test]
fn loss_should_fall_when_a_classifier_is_trained() {
    let mut run = learner(&ADAM_W);
    let losses: Vec<_> = (0..30).map(|_| run.step(&batch_of_adam())[0]).collect();
    assert!(losses[29] < 0.1 * losses[0], "{losses:?}");
}

#[test]
fn training_should_have_its_bits() {
    let mut run = learner(&ADAM_W);
    let results = (0..30).map(|_| run.step(&batch_of_adam())).last().unwrap();
    let bits: Vec<_> = results.into_iter().map(f32::to_bits).collect();
    assert_eq!(bits, [987_612_344, 997_004_457]);
}

#[test]
fn training_should_have_the_same_bits_when_it_is_resumed_from_states() {
    let batch = batch_of_adam();
    let mut through = learner(&ADAM_W);
    let results: Vec<_> = (0..6).map(|_| through.step(&batch)).collect();

    let mut first = learner(&ADAM_W);
    let before: Vec<_> = (0..3).map(|_| first.step(&batch)).collect();
    let mut second = learner(&ADAM_W);
    // After the first step, the package is not read any more
    second.weights = second
        .weights
        .iter()
        .map(|weight| {
            let dims: Vec<_> = weight.kind.shape.dims().iter().map(|dim| *dim as usize).collect();
            floats(&dims, &vec![9.0; weight.kind.shape.len() as usize])
        })
        .collect();
    second.states = first.states;
    let after: Vec<_> = (0..3).map(|_| second.step(&batch)).collect();

    assert_eq!([before, after].concat(), results);
    assert_eq!(second.states, through.states);
}

#[test]
fn training_should_have_the_same_bits_when_what_does_not_count_differs() {
    let settings = Settings { clip: false, ..PLAIN };
    let [mut one, mut other] = [learner(&settings), learner(&settings)];
    let hyperparameters = [0.1, 0.0, 0.0].map(scalar);
    let [features, labels, _] = corners();
    let counts = floats(&[8], &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
    let batch: Vec<_> = [features, labels, counts].into_iter().chain(hyperparameters).collect();
    let mut changed = batch.clone();
    let last = changed[1].bytes.len() - 4;
    changed[1].bytes[last] = 0;
    assert_ne!(changed, batch);
    assert_eq!(one.step(&batch), other.step(&changed));
    assert_eq!(one.states, other.states);
}
