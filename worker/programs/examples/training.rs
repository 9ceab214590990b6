//! Writes `tests/vectors/training.json`: what the reference makes of a few steps of training, bit for bit.
//!
//! ```text
//! cargo run --release -p assay-programs --example training > tests/vectors/training.json
//! ```

#[path = "../tests/golden/mod.rs"]
mod golden;

fn main() -> golden::Result<()> {
    print!("{}", golden::vectors()?);
    Ok(())
}
