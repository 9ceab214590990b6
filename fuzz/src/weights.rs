//! Weights as sources have them.

use assay_models::source::Weights;

/// Reads every tensor: its elements are as many as its dimensions say, and finite, or an error says why not.
pub fn read_all(weights: &dyn Weights) {
    for name in weights.names() {
        let shape = weights.shape(&name).expect("a tensor that is named is there; qed");
        match weights.read_f32(&name) {
            Ok(values) => {
                assert_eq!(values.len(), shape.iter().product::<usize>());
                assert!(values.iter().all(|value| value.is_finite()));
            }
            Err(error) => drop(error.to_string()),
        }
    }
    assert!(weights.shape("no such tensor").is_err());
}
