//! Imports a model into a folder of blobs, each named by its BLAKE3 hash, without a chain:
//!
//! ```text
//! cargo run --release -p assay-models --example package -- MODEL NAME PRECISION FOLDER
//! ```
//!
//! It prints the hash of the package. What a sentence encoder is published as is the same.

use assay_models::{import, Imported};
use std::{error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let [model, name, precision, folder] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        return Err("expected MODEL NAME PRECISION FOLDER".into());
    };
    let folder = Path::new(folder);
    let Imported { manifest, files } = import(Path::new(model), name, precision.parse()?, folder)?;
    let blob = |hash: &dyn ToString| folder.join(hash.to_string().trim_start_matches("0x"));
    for file in files {
        std::fs::rename(&file.path, blob(&file.entry.hash))?;
    }
    let package = manifest.content().hash;
    std::fs::write(blob(&package), manifest.to_bytes())?;
    println!("{package}");
    Ok(())
}
