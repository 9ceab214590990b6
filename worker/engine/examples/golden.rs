//! Writes `tests/vectors/golden.json`: what the bits of real models are.
//!
//! ```text
//! cargo run --release -p assay-engine --example golden > tests/vectors/golden.json
//! ```

#[path = "../tests/golden/mod.rs"]
mod golden;

use assay_engine::Settings;
use assay_programs::family::Precision;

fn main() {
    let embeddings = Precision::ALL.map(|precision| {
        let (_files, package) = golden::package("minilm", precision);
        golden::embedding(&package, Settings::default())
    });
    let generations = [Precision::W8A16, Precision::W16A24].map(|precision| {
        let (_files, package) = golden::package("stories15m", precision);
        golden::generation(&package, Settings::default())
    });
    let all: Vec<_> = embeddings.into_iter().chain(generations).collect();
    println!(
        "{}",
        serde_json::to_string_pretty(&all).expect("strings have a JSON form; qed")
    );
}
