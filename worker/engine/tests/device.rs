//! The bits of real models by the kernels for GPUs, run on this machine, are the committed ones.

#![allow(clippy::unwrap_used)]

mod golden;
#[path = "../../cuda/tests/host/mod.rs"]
mod host;

use assay_engine::{Embedder, Generator};
use golden::Golden;
use host::Host;

fn committed(model: &str) -> Vec<Golden> {
    let all: Vec<Golden> = serde_json::from_slice(&std::fs::read(golden::vectors("golden.json")).unwrap()).unwrap();
    all.into_iter().filter(|golden| golden.model == model).collect()
}

#[test]
#[ignore = "takes minutes: every thread of a GPU one after the other"]
fn embeddings_of_minilm_should_have_the_committed_bits_by_the_kernels() {
    let Some(device) = Host::open(false) else { return };
    for expected in committed("minilm") {
        let (_files, package) = golden::package("minilm", expected.precision.parse().unwrap());
        let embedder = Embedder::load_on(&package, device.clone()).unwrap();
        assert_eq!(golden::embedding_by(&package, &embedder), expected);
        println!("{}: as committed", expected.precision);
    }
}

#[test]
#[ignore = "takes minutes: every thread of a GPU one after the other"]
fn generations_of_stories_should_have_the_committed_bits_by_the_kernels() {
    let Some(device) = Host::open(true) else { return };
    for expected in committed("stories15m") {
        let (_files, package) = golden::package("stories15m", expected.precision.parse().unwrap());
        let generator = Generator::load_on(&package, device.clone()).unwrap();
        assert_eq!(golden::generation_by(&package, &generator), expected);
        println!("{}: as committed", expected.precision);
    }
}
