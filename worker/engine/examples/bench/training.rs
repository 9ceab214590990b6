//! Trainings of which steps are measured: a small classifier, and a decoder of six layers.

use crate::{token_ids, Result};
use assay_engine::{Buffer, Settings, Trainer};
use assay_programs::{
    attention::Heads,
    family::{decoder::Decoder, mlp::Mlp},
    layer::Activation,
    training::{initialise, Optimiser, Schedule, Sequences, Settings as Recipe, Storage, Training},
};
use std::collections::HashMap;

/// The inputs of a step.
pub(crate) type Batch = Vec<Buffer>;

/// Begins a training; `weights` are those that do not train.
fn begin(training: Training, mut weights: HashMap<String, Vec<u8>>, settings: Settings) -> Result<Trainer> {
    let tensors = initialise(&training.parameters, 1).map_err(|error| error.to_string())?;
    for (spec, tensor) in training.parameters.iter().zip(tensors) {
        weights.insert(spec.name.clone(), tensor.bytes);
    }
    Ok(Trainer::new(training, &weights, settings)?)
}

fn recipe(clip: bool) -> Recipe {
    Recipe {
        optimiser: Optimiser::ADAM_W,
        schedule: Schedule::Constant,
        clip,
    }
}

/// Learning rate, weight decay, warm-up.
fn hyperparameters() -> impl Iterator<Item = Buffer> {
    [1e-3, 0.01, 0.0].map(|x| Buffer::F32(vec![x])).into_iter()
}

/// 784-256-10.
pub(crate) fn mlp(batch: usize, settings: Settings) -> Result<(Trainer, Batch)> {
    let network = Mlp {
        widths: vec![784, 256, 10],
        activation: Activation::Relu,
        norm: None,
    };
    let training = network
        .training(batch, &recipe(false))
        .map_err(|error| error.to_string())?;
    let pixels = (0..784 * batch).map(|at| (at * 7_919 % 1_000) as f32 / 1_000.0);
    let mut inputs = vec![
        Buffer::F32(pixels.collect()),
        Buffer::U32((0..batch as u32).map(|at| at % 10).collect()),
        Buffer::F32(vec![1.0; batch]),
    ];
    inputs.extend(hyperparameters());
    Ok((begin(training, HashMap::new(), settings)?, inputs))
}

/// A Llama of the sizes of stories15M.
pub(crate) fn language_model(count: usize, length: usize, settings: Settings) -> Result<(Trainer, Batch)> {
    let heads = Heads {
        queries: 6,
        keys: 6,
        dimension: 48,
    };
    let decoder = Decoder {
        vocabulary: 32_000,
        width: 288,
        layers: 6,
        heads,
        inner: 768,
        epsilon: 1e-5,
        qkv_bias: false,
        tied: true,
    };
    let sequences = Sequences { count, length };
    let training = decoder
        .training(sequences, Storage::Floats, None, &recipe(true))
        .map_err(|error| error.to_string())?;
    let pairs = heads.dimension / 2;
    let turns = (0..pairs).map(|pair| 10_000f64.powf(-(pair as f64) / pairs as f64) / std::f64::consts::TAU);
    let frequencies = turns.flat_map(|turn| ((turn * 2f64.powi(64)) as u64).to_le_bytes());
    let weights = HashMap::from([("rotary.frequencies".to_owned(), frequencies.collect())]);

    let tokens = token_ids(count * length);
    // The successor; the last of a sequence has none
    let labels = tokens.iter().skip(1).chain(&tokens[..1]).copied().collect();
    let counts = (1..=tokens.len()).map(|at| f32::from(u8::from(at % length != 0)));
    let mut inputs = vec![
        Buffer::U32(tokens.clone()),
        Buffer::U32(labels),
        Buffer::F32(counts.collect()),
    ];
    inputs.extend(hyperparameters());
    inputs.push(Buffer::F32(vec![1.0]));
    Ok((begin(training, weights, settings)?, inputs))
}
