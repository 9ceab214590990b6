//! Trains two small nets on handwritten digits, in exact arithmetic:
//!
//! ```text
//! cargo run --release -p assay-engine --example mnist -- [mlp|cnn] [SEED …]
//! ```
//!
//! The nets, the batches and the schedule are those of `bench/python/mnist_reference.py`, which describes them and tells what
//! f32 reaches. Prints a JSON line an epoch: the net, the seed, the accuracy on the 10,000 test images, the mean training
//! loss, and the seconds it took to train. Seeds are 1 if none are given. The digits are read from
//! `~/.cache/assay/models/mnist`.

use assay_engine::{
    executor::{Buffer, Executor, Given},
    train::Order,
    Settings, Trainer,
};
use assay_exact::{program::Program, tensor::to_bytes};
use assay_programs::{
    evaluation::result,
    family::{
        conv::{Convolution, Convolutional},
        mlp::Mlp,
    },
    layer::Activation,
    training::{initialise, Optimiser, Schedule, Settings as Recipe, Training, Window, BINDINGS},
};
use serde_json::json;
use std::{collections::HashMap, error::Error, path::PathBuf, time::Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PIXELS: usize = 28 * 28;
const CLASSES: usize = 10;
/// Images of a training step.
const BATCH: usize = 64;
/// Images of a step of an evaluation.
const TEST_BATCH: usize = 200;
const LEARNING_RATE: f32 = 1e-3;
const WEIGHT_DECAY: f32 = 0.01;

/// Images, pixels from 0 to 1, and their labels.
struct Images {
    pixels: Vec<f32>,
    labels: Vec<u32>,
}

impl Images {
    /// "train" or "t10k".
    fn open(part: &str) -> Result<Self> {
        let models = match std::env::var_os("ASSAY_MODELS") {
            Some(models) => PathBuf::from(models),
            None => PathBuf::from(std::env::var_os("HOME").ok_or("neither ASSAY_MODELS nor HOME is set")?)
                .join(".cache/assay/models"),
        };
        let read = |kind: &str, header: usize| -> Result<Vec<u8>> {
            let path = models.join("mnist").join(format!("{part}-{kind}-ubyte"));
            let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(bytes.get(header..).ok_or("too short a file")?.to_vec())
        };
        Ok(Self {
            pixels: read("images-idx3", 16)?
                .into_iter()
                .map(|x| f32::from(x) / 255.0)
                .collect(),
            labels: read("labels-idx1", 8)?.into_iter().map(u32::from).collect(),
        })
    }

    /// The inputs of a step of `size` images; where there are fewer, the rest counts nothing.
    fn batch(&self, images: &[u32], size: usize) -> Vec<Buffer> {
        let all = (0..size).map(|at| images.get(at).map_or(0, |image| *image as usize));
        let pixels = all
            .clone()
            .flat_map(|image| &self.pixels[PIXELS * image..PIXELS * (image + 1)]);
        vec![
            Buffer::F32(pixels.copied().collect()),
            Buffer::U32(all.map(|image| self.labels[image]).collect()),
            Buffer::F32((0..size).map(|at| f32::from(u8::from(at < images.len()))).collect()),
        ]
    }
}

/// A net that is trained: its epochs, the program that trains it, and the one that evaluates it.
fn net(name: &str) -> Result<(u32, Training, Program)> {
    let recipe = Recipe {
        optimiser: Optimiser::ADAM_W,
        schedule: Schedule::Cosine { floor: 0.0 },
        clip: false,
    };
    let activation = Activation::Relu;
    let made = match name {
        "mlp" => {
            let net = Mlp {
                widths: vec![PIXELS, 256, CLASSES],
                activation,
                norm: None,
            };
            net.training(BATCH, &recipe)
                .and_then(|training| Ok((5, training, net.evaluation(TEST_BATCH)?)))
        }
        "cnn" => {
            let convolution = |channels| Convolution {
                channels,
                window: Window {
                    size: 5,
                    stride: 1,
                    padding: 2,
                },
                pool: 2,
            };
            let net = Convolutional {
                height: 28,
                width: 28,
                channels: 1,
                convolutions: vec![convolution(16), convolution(32)],
                activation,
                classes: CLASSES,
            };
            net.training(BATCH, &recipe)
                .and_then(|training| Ok((3, training, net.evaluation(TEST_BATCH)?)))
        }
        _ => return Err(format!("expected mlp or cnn, got {name}").into()),
    };
    Ok(made.map_err(|error| error.to_string())?)
}

/// Weights by name, for a program that evaluates.
struct Trained<'a> {
    names: Vec<String>,
    trainer: &'a Trainer,
}

impl assay_engine::executor::WeightSource for Trained<'_> {
    type Error = std::convert::Infallible;

    fn read(&self, weight: usize) -> std::result::Result<Vec<u8>, Self::Error> {
        Ok(self
            .trainer
            .parameter(&self.names[weight])
            .map(to_bytes)
            .unwrap_or_default())
    }
}

/// Share of images whose highest score is their label's.
fn accuracy(program: &Program, trainer: &Trainer, images: &Images) -> Result<f32> {
    let names = program.weights.iter().map(|weight| weight.name.clone()).collect();
    let executor = Executor::load(program.clone(), &Trained { names, trainer }, Settings::default())?;
    let mut session = executor.session();
    let mut accuracy = 0.0;
    let all: Vec<u32> = (0..images.labels.len() as u32).collect();
    for batch in all.chunks(TEST_BATCH) {
        let given = Given {
            session: &mut session,
            length: BINDINGS.length,
            inputs: images.batch(batch, TEST_BATCH),
        };
        let output = executor.step(vec![given], None).remove(0)?;
        let scalar = |at: usize| match &output.results[at] {
            (_, Buffer::F32(x)) => x[0],
            other => unreachable!("an evaluation gives floats, got {other:?}"),
        };
        accuracy = scalar(result::HITS) / scalar(result::COUNT);
    }
    Ok(accuracy)
}

fn train(name: &str, seed: u64, (train, test): (&Images, &Images)) -> Result<()> {
    let (epochs, training, evaluation) = net(name)?;
    let tensors = initialise(&training.parameters, seed).map_err(|error| error.to_string())?;
    let names = training.parameters.iter().map(|spec| spec.name.clone());
    let weights: HashMap<_, _> = names.zip(tensors.into_iter().map(|tensor| tensor.bytes)).collect();
    let mut trainer = Trainer::new(training, &weights, Settings::default())?;
    let order = Order {
        seed,
        samples: train.labels.len() as u32,
        batch: BATCH as u32,
    };
    let steps = train.labels.len().div_ceil(BATCH) * epochs as usize;
    for epoch in 0..epochs {
        let begun = Instant::now();
        let mut loss = 0.0;
        for images in order.epoch(epoch).chunks(BATCH) {
            let mut inputs = train.batch(images, BATCH);
            let warm_up = 0.0;
            inputs.extend([LEARNING_RATE, WEIGHT_DECAY, warm_up, steps as f32].map(|x| Buffer::F32(vec![x])));
            loss += f64::from(trainer.step(inputs)?.loss) * images.len() as f64;
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{}",
            json!({
                "net": name, "seed": seed, "epoch": epoch + 1, "epochs": epochs,
                "accuracy": accuracy(&evaluation, &trainer, test)?, "loss": loss / train.labels.len() as f64,
                "seconds": seconds,
            })
        );
    }
    Ok(())
}

fn main() -> Result<()> {
    let (nets, seeds): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|word| word.parse::<u64>().is_err());
    let or = |given: Vec<String>, usual: &[&str]| match given.is_empty() {
        true => usual.iter().map(|word| (*word).to_owned()).collect(),
        false => given,
    };
    let images = (Images::open("train")?, Images::open("t10k")?);
    for net in or(nets, &["mlp", "cnn"]) {
        for seed in or(seeds.clone(), &["1"]) {
            train(&net, seed.parse()?, (&images.0, &images.1))?;
        }
    }
    Ok(())
}
