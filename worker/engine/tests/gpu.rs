//! The bits of real models on a GPU are the committed ones. Says so and passes where there is none.

#![allow(clippy::unwrap_used)]

mod golden;

use assay_engine::{
    cuda::{device::Device, nvidia::Nvidia},
    Embedder, Generator,
};
use golden::Golden;
use std::sync::Arc;

/// The GPU, if there is one. `ASSAY_TEST_GPU=1` makes it a failure that there is none.
fn gpu() -> Option<Arc<dyn Device>> {
    match Nvidia::open(0) {
        Ok(device) => {
            println!("on {}", device.name());
            Some(device)
        }
        Err(error) => {
            assert!(std::env::var_os("ASSAY_TEST_GPU").is_none(), "{error}");
            println!("not tested, because there is no GPU: {error}");
            None
        }
    }
}

fn committed(model: &str) -> Vec<Golden> {
    let all: Vec<Golden> = serde_json::from_slice(&std::fs::read(golden::vectors("golden.json")).unwrap()).unwrap();
    all.into_iter().filter(|golden| golden.model == model).collect()
}

#[test]
fn embeddings_of_minilm_should_have_the_committed_bits_on_a_gpu() {
    let Some(device) = gpu() else { return };
    for expected in committed("minilm") {
        let (_files, package) = golden::package("minilm", expected.precision.parse().unwrap());
        let embedder = Embedder::load_on(&package, device.clone()).unwrap();
        assert_eq!(golden::embedding_by(&package, &embedder), expected);
    }
}

#[test]
fn generations_of_stories_should_have_the_committed_bits_on_a_gpu() {
    let Some(device) = gpu() else { return };
    for expected in committed("stories15m") {
        let (_files, package) = golden::package("stories15m", expected.precision.parse().unwrap());
        let generator = Generator::load_on(&package, device.clone()).unwrap();
        assert_eq!(golden::generation_by(&package, &generator), expected);
    }
}
