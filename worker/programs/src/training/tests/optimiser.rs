//! Optimisers, clipping and learning rates, against the same in f64.

use super::*;
use crate::builder::fixed;

const STEPS: usize = 5;

/// A program whose gradients are inputs: a matrix `[2, 3]` and a bias `[4]`.
fn program(settings: &Settings) -> Training {
    let mut network = Network::new(Purpose::Train(*settings), Storage::Floats);
    let matrix = ParameterSpec::matrix("matrix", &[2, 3], Initial::Zeros);
    let bias = ParameterSpec::vector("bias", 4, Initial::Zeros);
    let (matrix, bias) = (network.parameter(matrix, true), network.parameter(bias, true));
    let g_matrix = network.builder.input("matrix", DType::F32, &[fixed(2), fixed(3)]);
    let g_bias = network.builder.input("bias", DType::F32, &[fixed(4)]);
    network.gradient(matrix, g_matrix);
    network.gradient(bias, g_bias);
    let loss = network.builder.sum(g_bias);
    network.train(loss).unwrap()
}

fn gradients(step: usize) -> [Vec<f32>; 2] {
    [numbers(6, 2.0, step as u64), numbers(4, 1.0, 50 + step as u64)]
}

fn inputs(step: usize, hyperparameters: &[f32]) -> Vec<Tensor> {
    let [matrix, bias] = gradients(step);
    let batch = [floats(&[2, 3], &matrix), floats(&[4], &bias)];
    batch
        .into_iter()
        .chain(hyperparameters.iter().map(|x| scalar(*x)))
        .collect()
}

/// Runs some steps and compares both parameters with what `update` makes of them: value, gradient, three states of its own,
/// the step, whether it decays.
fn check(
    settings: &Settings,
    hyperparameters: &[f32],
    maximum_norm: f64,
    update: impl Fn(&mut f64, f64, &mut [f64; 2], usize, bool),
) {
    let training = program(settings);
    let weights = weights_of(&training.parameters, 1.0);
    let mut values = values_of(&weights);
    let mut states = BTreeMap::from([("matrix", [[0.0; 2]; 6].to_vec()), ("bias", [[0.0; 2]; 4].to_vec())]);
    let mut run = Run::new(training.program, &weights);
    for step in 0..STEPS {
        let results = run.step(&inputs(step, hyperparameters));
        let [matrix, bias] = gradients(step);
        let norm = matrix
            .iter()
            .chain(&bias)
            .map(|x| f64::from(*x).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!((f64::from(results[1]) - norm).abs() < 1e-6 * norm);
        let coefficient = (maximum_norm / norm).min(1.0);
        for (name, gradients) in [("matrix", matrix), ("bias", bias)] {
            let values = values.get_mut(name).unwrap();
            for (at, gradient) in gradients.iter().enumerate() {
                let gradient = f64::from(*gradient) * coefficient;
                let state = &mut states.get_mut(name).unwrap()[at];
                update(&mut values[at], gradient, state, step, name == "matrix");
            }
            for (got, expected) in run.state(name).iter().zip(values) {
                assert!(
                    (f64::from(*got) - *expected).abs() < 2e-6,
                    "{name}, step {step}: {got}, {expected}"
                );
            }
        }
    }
}

fn adam_w(maximum_norm: f64, clip: bool) {
    let settings = Settings {
        optimiser: Optimiser::AdamW {
            beta1: 0.8,
            beta2: 0.95,
            epsilon: 1e-6,
        },
        schedule: Schedule::Constant,
        clip,
    };
    let mut hyperparameters = vec![0.1, 0.3, 0.0];
    hyperparameters.extend(clip.then_some(maximum_norm as f32));
    check(
        &settings,
        &hyperparameters,
        maximum_norm,
        |value, g, [m, v], step, decays| {
            *m = *m * 0.8 + g * 0.2;
            *v = *v * 0.95 + g * g * 0.05;
            let power = step as i32 + 1;
            let (m, v) = (*m / (1.0 - 0.8f64.powi(power)), *v / (1.0 - 0.95f64.powi(power)));
            if decays {
                *value *= 1.0 - 0.1 * 0.3;
            }
            *value -= 0.1 * m / (v.sqrt() + 1e-6);
        },
    );
}

#[test]
fn adam_w_should_be_as_it_is_in_f64() {
    adam_w(f64::INFINITY, false);
}

#[test]
fn gradients_should_be_scaled_down_when_their_norm_is_larger_than_allowed() {
    adam_w(1.5, true);
}

#[test]
fn gradients_should_stay_when_their_norm_is_allowed() {
    adam_w(100.0, true);
}

#[test]
fn descent_should_be_as_it_is_in_f64() {
    let settings = Settings {
        optimiser: Optimiser::Sgd { momentum: 0.7 },
        schedule: Schedule::Constant,
        clip: true,
    };
    check(
        &settings,
        &[0.1, 0.3, 0.0, 1.5],
        1.5,
        |value, g, [velocity, _], _, decays| {
            let g = if decays { g + 0.3 * *value } else { g };
            *velocity = *velocity * 0.7 + g;
            *value -= 0.1 * *velocity;
        },
    );
}

/// The learning rates of some steps: how far a gradient of 1 moves a parameter.
fn rates(schedule: Schedule, warm_up: f32, steps: Option<f32>, count: usize) -> Vec<f32> {
    let settings = Settings { schedule, ..PLAIN };
    let training = program(&settings);
    let weights = [("matrix", vec![2, 3]), ("bias", vec![4])].map(|(name, shape)| {
        let zeros = vec![0.0; shape.iter().product()];
        (name.to_owned(), floats(&shape, &zeros))
    });
    let mut run = Run::new(training.program, &BTreeMap::from(weights));
    let mut inputs = vec![floats(&[2, 3], &[1.0; 6]), floats(&[4], &[1.0; 4])];
    inputs.extend([1.0, 0.0, warm_up].map(scalar));
    inputs.extend(steps.map(scalar));
    let mut last = 0.0;
    let mut step = || {
        run.step(&inputs);
        let before = last;
        last = run.state("bias")[0];
        before - last
    };
    (0..count).map(|_| step()).collect()
}

fn assert_near(got: &[f32], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((f64::from(*got) - expected).abs() < 2e-6, "{got}, {expected}");
    }
}

#[test]
fn learning_rate_should_rise_over_the_warm_up_and_stay_when_it_is_constant() {
    assert_near(
        &rates(Schedule::Constant, 4.0, None, 6),
        &[0.25, 0.5, 0.75, 1.0, 1.0, 1.0],
    );
    assert_near(&rates(Schedule::Constant, 0.0, None, 2), &[1.0, 1.0]);
}

#[test]
fn learning_rate_should_fall_to_zero_when_it_is_linear() {
    let expected = [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0];
    assert_near(&rates(Schedule::Linear, 2.0, Some(6.0), 8), &expected);
}

#[test]
fn learning_rate_should_fall_as_a_cosine_does() {
    let expected: Vec<_> = (0..12)
        .map(|step| {
            let passed = f64::from(step).min(10.0) / 10.0;
            0.1 + 0.9 * 0.5 * (1.0 + (std::f64::consts::PI * passed).cos())
        })
        .collect();
    assert_near(&rates(Schedule::Cosine { floor: 0.1 }, 0.0, Some(10.0), 12), &expected);
}

#[test]
fn learning_rate_should_be_finite_when_the_warm_up_is_the_whole_training() {
    assert_near(&rates(Schedule::Linear, 2.0, Some(2.0), 3), &[0.5, 1.0, 1.0]);
}

#[test]
#[should_panic(expected = "forgotten trains, but has no gradient")]
fn training_should_not_be_built_when_a_gradient_is_missing() {
    let mut network = Network::new(Purpose::Train(PLAIN), Storage::Floats);
    network.parameter(ParameterSpec::vector("forgotten", 2, Initial::Zeros), true);
    let x = network.builder.input("x", DType::F32, &[fixed(2)]);
    let loss = network.builder.sum(x);
    let _ = network.train(loss);
}
