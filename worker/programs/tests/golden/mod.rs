//! What the reference makes of a few steps of training, bit for bit.

use assay_exact::{
    memory::Tensor,
    opening::HashMode,
    program::{run_step, Plan},
};
use assay_programs::{
    attention::Heads,
    family::{
        conv::{Convolution, Convolutional},
        decoder::Decoder,
        mlp::Mlp,
    },
    layer::Activation,
    training::{
        initialise, Initial, Optimiser, ParameterSpec, Schedule, Sequences, Settings, Storage, Training, Window,
        BINDINGS,
    },
};
use std::error::Error;

const STEPS: u64 = 3;
const SEED: u64 = 0x0123_4567_89ab_cdef;

/// With the errors of the reference as text.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    let items: Vec<_> = items.iter().map(|item| format!("\"{}\"", text(item))).collect();
    format!("[{}]", items.join(", "))
}

fn scalar(value: f32) -> Result<Tensor> {
    Tensor::new(&[], &[value]).map_err(|error| format!("{error:?}").into())
}

/// Numbers from −1 to 1.
fn numbers(shape: &[u32], seed: u64) -> Result<Tensor> {
    let shape: Vec<_> = shape.iter().map(|dim| *dim as usize).collect();
    let spec = ParameterSpec::matrix("numbers", &shape, Initial::Uniform(1.0));
    let tensors = initialise(&[spec], seed).map_err(|error| format!("{error:?}"))?;
    tensors.into_iter().next().ok_or_else(|| "no tensor".into())
}

/// Indices below `below`.
fn indices(shape: &[u32], below: u32, seed: u32) -> Result<Tensor> {
    let count: u32 = shape.iter().product();
    let elements: Vec<_> = (0..count).map(|at| (at * at + 3 * at + seed) % below).collect();
    Tensor::new(shape, &elements).map_err(|error| format!("{error:?}").into())
}

/// All count but the last.
fn counts(shape: &[u32]) -> Result<Tensor> {
    let count: u32 = shape.iter().product();
    let elements: Vec<_> = (1..=count).map(|at| if at < count { 1.0f32 } else { 0.0 }).collect();
    Tensor::new(shape, &elements).map_err(|error| format!("{error:?}").into())
}

/// Runs some steps; the vector as JSON.
fn vector(name: &str, training: &Training, inputs: impl Fn(u64) -> Result<Vec<Tensor>>) -> Result<String> {
    let program = &training.program;
    let drawn = initialise(&training.parameters, SEED).map_err(|error| format!("{error:?}"))?;
    let frequencies = Tensor::new(&[2], &[2_900_000_000_000_000_000u64, 290_000_000_000_000_000]);
    let frequencies = frequencies.map_err(|error| format!("{error:?}"))?;
    let of_name = |name: &String| {
        let at = training.parameters.iter().position(|spec| spec.name == *name);
        at.map_or(&frequencies, |at| &drawn[at]).clone()
    };
    let weights: Vec<_> = program.weights.iter().map(|weight| of_name(&weight.name)).collect();
    let plan = Plan::new(program, BINDINGS).map_err(|error| format!("{error:?}"))?;
    let mut states: Vec<_> = plan
        .states
        .iter()
        .map(|kind| Tensor {
            kind: *kind,
            bytes: vec![0; (kind.shape.len() * kind.dtype.size()) as usize],
        })
        .collect();
    let (mut given, mut results, mut segments) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..STEPS {
        let inputs = inputs(step)?;
        let ran = run_step(program, BINDINGS, &weights, &inputs, &states).map_err(|error| format!("{error:?}"))?;
        given.push(list(&inputs, |tensor| hex(&tensor.bytes)));
        results.push(list(&ran.results, |tensor| hex(&tensor.bytes)));
        for tensor in ran.handed.iter().flatten() {
            segments.extend_from_slice(HashMode::Plain.digest(&tensor.bytes).as_bytes());
        }
        states = ran.states;
    }
    let values: Vec<u8> = states.iter().flat_map(|tensor| tensor.bytes.clone()).collect();
    let lines = [
        format!("\"name\": \"{name}\""),
        format!("\"program\": \"{}\"", hex(&program.to_bytes())),
        format!("\"weights\": {}", list(&weights, |tensor| hex(&tensor.bytes))),
        format!("\"inputs\": [\n      {}\n    ]", given.join(",\n      ")),
        format!("\"results\": [{}]", results.join(", ")),
        format!("\"handed_on\": \"{}\"", HashMode::Plain.digest(&segments)),
        format!("\"states\": \"{}\"", HashMode::Plain.digest(&values)),
    ];
    Ok(format!("  {{\n    {}\n  }}", lines.join(",\n    ")))
}

/// What is in `tests/vectors/training.json`.
pub(crate) fn vectors() -> Result<String> {
    let settings = |optimiser, schedule, clip| Settings {
        optimiser,
        schedule,
        clip,
    };
    let failed = |error| format!("{error:?}");

    let mlp = Mlp {
        widths: vec![10, 8, 5],
        activation: Activation::Gelu,
        norm: Some(1e-5),
    };
    let cosine = settings(Optimiser::ADAM_W, Schedule::Cosine { floor: 0.1 }, true);
    let mlp = mlp.training(6, &cosine).map_err(failed)?;
    let mlp = vector("mlp", &mlp, |step| {
        let batch = [numbers(&[6, 10], step)?, indices(&[6], 5, step as u32)?, counts(&[6])?];
        let others = [0.01, 0.1, 1.0, 4.0, 0.5].map(scalar);
        batch.into_iter().map(Ok).chain(others).collect()
    })?;

    let convolutional = Convolutional {
        height: 6,
        width: 6,
        channels: 2,
        convolutions: vec![Convolution {
            channels: 3,
            window: Window {
                size: 3,
                stride: 1,
                padding: 1,
            },
            pool: 2,
        }],
        activation: Activation::Relu,
        classes: 4,
    };
    let linear = settings(Optimiser::Sgd { momentum: 0.9 }, Schedule::Linear, false);
    let convolutional = convolutional.training(3, &linear).map_err(failed)?;
    let convolutional = vector("conv", &convolutional, |step| {
        let batch = [
            numbers(&[3, 6, 6, 2], step)?,
            indices(&[3], 4, step as u32)?,
            counts(&[3])?,
        ];
        let others = [0.1, 0.01, 0.0, 5.0].map(scalar);
        batch.into_iter().map(Ok).chain(others).collect()
    })?;

    let decoder = Decoder {
        vocabulary: 7,
        width: 6,
        layers: 2,
        heads: Heads {
            queries: 4,
            keys: 2,
            dimension: 4,
        },
        inner: 5,
        epsilon: 1e-3,
        qkv_bias: true,
        tied: true,
    };
    let constant = settings(Optimiser::ADAM_W, Schedule::Constant, true);
    let sequences = Sequences { count: 2, length: 4 };
    let decoder = decoder.training(sequences, Storage::Floats, None, &constant);
    let decoder = vector("decoder", &decoder.map_err(failed)?, |step| {
        let batch = [
            indices(&[2, 4], 7, step as u32)?,
            indices(&[2, 4], 7, step as u32 + 2)?,
            counts(&[2, 4])?,
        ];
        let others = [0.01, 0.1, 2.0, 1.0].map(scalar);
        batch.into_iter().map(Ok).chain(others).collect()
    })?;

    Ok(format!("[\n{}\n]\n", [mlp, convolutional, decoder].join(",\n")))
}
