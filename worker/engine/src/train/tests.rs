//! A small classifier that learns, stops, and goes on.

#![allow(clippy::unwrap_used)]

use super::*;
use assay_kernels::Isa;
use assay_programs::{
    family::mlp::Mlp,
    layer::Activation,
    training::{initialise, Optimiser, Schedule, Settings as Recipe},
};

const BATCH: usize = 8;
const WIDTH: usize = 6;
const CLASSES: u32 = 3;

fn training(clip: bool) -> Training {
    let network = Mlp {
        widths: vec![WIDTH, 16, CLASSES as usize],
        activation: Activation::Gelu,
        norm: None,
    };
    let recipe = Recipe {
        optimiser: Optimiser::ADAM_W,
        schedule: Schedule::Constant,
        clip,
    };
    network.training(BATCH, &recipe).unwrap()
}

fn trainer(settings: Settings) -> Trainer {
    begin(training(true), settings)
}

fn begin(training: Training, settings: Settings) -> Trainer {
    let tensors = initialise(&training.parameters, 5).unwrap();
    let names = training.parameters.iter().map(|spec| spec.name.clone());
    let weights = names.zip(tensors.into_iter().map(|tensor| tensor.bytes)).collect();
    Trainer::new(training, &weights, settings).unwrap()
}

/// Samples whose largest of the first three elements tells their class.
fn batch(samples: &[u32]) -> Vec<Buffer> {
    let features: Vec<f32> = samples
        .iter()
        .flat_map(|sample| {
            (0..WIDTH as u32)
                .map(|at| Draw::new(9, *sample, at, 0).uniform())
                .collect::<Vec<_>>()
        })
        .collect();
    let label = |row: &[f32]| {
        (0..CLASSES)
            .max_by(|a, b| row[*a as usize].total_cmp(&row[*b as usize]))
            .unwrap()
    };
    let labels = features.chunks_exact(WIDTH).map(label).collect();
    let mut inputs = vec![
        Buffer::F32(features),
        Buffer::U32(labels),
        Buffer::F32(vec![1.0; samples.len()]),
    ];
    // Learning rate, weight decay, warm-up, largest norm
    inputs.extend([0.03, 0.0, 0.0, 5.0].map(|x| Buffer::F32(vec![x])));
    inputs
}

const ORDER_OF_TESTS: Order = Order {
    seed: 3,
    samples: 64,
    batch: BATCH as u32,
};

fn train(trainer: &mut Trainer, until: u32) {
    while trainer.steps() < until {
        let per_epoch = ORDER_OF_TESTS.steps_per_epoch();
        let (epoch, at) = (trainer.steps() / per_epoch, (trainer.steps() % per_epoch) as usize);
        let order = ORDER_OF_TESTS.epoch(epoch);
        trainer.step(batch(&order[at * BATCH..(at + 1) * BATCH])).unwrap();
    }
}

/// What a hundred steps come to, whatever computes them.
const AFTER_100_STEPS: &str = "ddabf8c06bd929ce78ec1ec8157a745642adfd0a58b746eeabc9f94c0042550e";

#[test]
fn hundred_steps_should_have_the_committed_bits_and_have_learnt() {
    for isa in Isa::available() {
        for threads in [1, 3] {
            let mut trainer = trainer(Settings { isa, threads });
            train(&mut trainer, 100);
            let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
            let losses = trainer.losses();
            assert!(mean(&losses[92..]) < 0.4 * mean(&losses[..8]), "{losses:?}");
            let hash = blake3::hash(&trainer.checkpoint());
            assert_eq!(hash.to_string(), AFTER_100_STEPS, "{isa}, {threads} threads");
        }
    }
}

#[test]
fn training_should_go_on_from_a_checkpoint_as_if_it_had_not_stopped() {
    let mut whole = trainer(Settings::default());
    train(&mut whole, 12);
    let mut first = trainer(Settings::default());
    train(&mut first, 7);
    let mut second = trainer(Settings::default());
    second.resume(&first.checkpoint()).unwrap();
    train(&mut second, 12);
    assert_eq!(second.checkpoint(), whole.checkpoint());
    let name = &training(true).parameters[0].name;
    assert_eq!(second.parameter(name), whole.parameter(name));
    assert_eq!(second.parameter(name).map(<[f32]>::len), Some(16 * WIDTH));
}

#[test]
fn checkpoint_should_be_refused_when_it_is_none_of_this_training() {
    let mut trainer = trainer(Settings::default());
    train(&mut trainer, 2);
    let whole = trainer.checkpoint();
    let mut refused = |bytes: &[u8]| trainer.resume(bytes).unwrap_err();
    assert!(matches!(refused(b"something else"), CheckpointError::Magic { got: 14 }));
    assert!(matches!(refused(&whole[..20]), CheckpointError::Length { .. }));
    assert!(matches!(
        refused(&whole[..whole.len() - 1]),
        CheckpointError::Length { .. }
    ));
    let mut changed = whole.clone();
    changed[100] ^= 1;
    assert_eq!(refused(&changed), CheckpointError::Damaged);
    changed[17] ^= 1;
    assert!(matches!(refused(&changed), CheckpointError::Program { .. }));
    assert_eq!(trainer.checkpoint(), whole);
}

#[test]
fn training_should_stay_as_it_was_when_a_step_fails() {
    let mut trainer = trainer(Settings::default());
    train(&mut trainer, 1);
    let before = trainer.checkpoint();
    let mut wrong = batch(&[0, 1, 2, 3, 4, 5, 6, 7]);
    wrong[1] = Buffer::U32(vec![CLASSES; BATCH]);
    assert!(matches!(trainer.step(wrong), Err(TrainError::Failed { step: 1, .. })));
    assert!(matches!(trainer.step(batch(&[0])), Err(TrainError::Input(_))));
    assert_eq!(trainer.checkpoint(), before);
}

#[test]
fn training_should_be_the_same_without_clipping_when_no_gradient_is_as_large() {
    let [mut clipped, mut plain] = [true, false].map(|clip| begin(training(clip), Settings::default()));
    for _ in 0..3 {
        let mut inputs = batch(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let with_norm = inputs.clone();
        inputs.pop();
        assert_eq!(plain.step(inputs), clipped.step(with_norm));
    }
    let name = &training(true).parameters[0].name;
    assert!(plain.losses()[2] < plain.losses()[0]);
    assert_eq!(plain.parameter(name), clipped.parameter(name));
}

#[test]
fn order_should_have_every_sample_once_an_epoch_in_another_order_each() {
    let (first, second) = (ORDER_OF_TESTS.epoch(0), ORDER_OF_TESTS.epoch(1));
    assert_ne!(first, second);
    assert_eq!(ORDER_OF_TESTS.epoch(0), first);
    for mut order in [first, second] {
        order.sort_unstable();
        assert_eq!(order, (0..64).collect::<Vec<_>>());
    }
}
