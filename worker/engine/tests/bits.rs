//! The bits of real models are the committed ones, with every instruction set and number of threads.

#![allow(clippy::unwrap_used)]

mod golden;

use assay_engine::Settings;
use assay_kernels::Isa;
use golden::Golden;

fn committed(model: &str) -> Vec<Golden> {
    let all: Vec<Golden> = serde_json::from_slice(&std::fs::read(golden::vectors("golden.json")).unwrap()).unwrap();
    all.into_iter().filter(|golden| golden.model == model).collect()
}

/// All settings. The portable kernels are slow, and held against the reference elsewhere: of them one will do.
fn settings(precision: &str) -> Vec<Settings> {
    let isas = Isa::available().into_iter();
    let mut all: Vec<_> = isas
        .flat_map(|isa| [1, 2].map(|threads| Settings { isa, threads }))
        .collect();
    all.retain(|settings| settings.isa != Isa::Portable || (precision == "w8a16" && settings.threads == 2));
    all
}

#[test]
fn embeddings_of_minilm_should_have_the_committed_bits() {
    let all = committed("minilm");
    assert_eq!(all.len(), 5);
    for expected in all {
        let (_files, package) = golden::package("minilm", expected.precision.parse().unwrap());
        for settings in settings(&expected.precision) {
            assert_eq!(golden::embedding(&package, settings), expected, "{settings:?}");
        }
    }
}

#[test]
fn generations_of_stories_should_have_the_committed_bits() {
    let all = committed("stories15m");
    assert_eq!(all.len(), 2);
    for expected in all {
        let (_files, package) = golden::package("stories15m", expected.precision.parse().unwrap());
        for settings in settings(&expected.precision) {
            assert_eq!(golden::generation(&package, settings), expected, "{settings:?}");
        }
    }
}
