//! Evaluations, against the same in f64.

use super::{decoder, forward, *};
use crate::{evaluation::result, family::mlp::Mlp, layer::Activation};
use assay_exact::product::Class;

#[test]
fn evaluation_should_count_over_all_steps() {
    let mlp = Mlp {
        widths: vec![3, 5, 4],
        activation: Activation::Relu,
        norm: None,
    };
    let training = mlp.training(4, &PLAIN).unwrap();
    let weights = weights_of(&training.parameters, 1.0);
    let values = values_of(&weights);
    let mut run = Run::new(mlp.evaluation(4).unwrap(), &weights);
    let (mut losses, mut hits, mut count) = (0.0, 0.0, 0.0);
    for step in 0..3 {
        let features = numbers(12, 2.0, step);
        let labels = [3, 1, 0, 2];
        let counts = [1.0, 1.0, 1.0, if step == 2 { 0.0 } else { 1.0 }];
        let results = run.step(&[
            floats(&[4, 3], &features),
            indices(&[4], &labels),
            floats(&[4], &counts),
        ]);
        for ((row, label), counts) in as_f64(&features).chunks(3).zip(labels).zip(counts) {
            let scores = super::mlp::scores(&mlp, &values, row, |x| x.max(0.0));
            let best = (0..4).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
            losses += f64::from(counts) * forward::loss(&scores, label as usize);
            hits += if best == label as usize { counts } else { 0.0 };
            count += counts;
        }
        assert!((f64::from(results[result::LOSS]) - losses).abs() < 1e-5 * losses);
        assert_eq!([results[result::HITS], results[result::COUNT]], [hits, count]);
    }
    assert!(
        hits > 0.0 && hits < count,
        "of {count}, {hits} were right: that tells nothing"
    );
}

#[test]
fn evaluation_should_give_the_loss_of_a_decoder_when_it_is_stored_as_integers() {
    let cases = [
        (Storage::Floats, false),
        (Storage::Integers(Class::Int8), false),
        (Storage::Integers(Class::Int16), true),
    ];
    for (storage, tied) in cases {
        let model = decoder::decoder(tied, true);
        let sequences = Sequences { count: 2, length: 4 };
        let program = model.evaluation(sequences, storage, None).unwrap();
        let (weights, values) = decoder::package(&program, storage);
        let mut run = Run::new(program, &weights);
        let results = run.step(&decoder::batch());
        let losses = decoder::losses(&model, &values, 0.0);
        // The fifth token does not count
        let expected = losses.iter().sum::<f64>() - losses[4];
        assert!(
            (f64::from(results[result::LOSS]) - expected).abs() < 1e-5 * expected,
            "{storage:?}"
        );
        assert_eq!(results[result::COUNT], 7.0);
    }
}
