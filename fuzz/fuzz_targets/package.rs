//! Packages: the manifest as bytes; and with a program and weights, hashes put right, the package.

#![no_main]

use assay_exact::opening::Digest;
use assay_fuzz::{folder::Folder, parts::parts};
use assay_models::{
    package::{Content, FILES, PROGRAM, WEIGHTS},
    Manifest, Package, PackageError,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{json, Value};
use std::sync::LazyLock;

/// Largest file of weights that is written.
const MOST: u64 = 1 << 20;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new("package"));

fn hex(digest: &Digest) -> String {
    digest.to_string()[2..].into()
}

fn put(manifest: &mut Value, name: &str, content: Content) {
    let file = FILES
        .iter()
        .position(|file| *file == name)
        .expect("files have these names; qed");
    manifest["files"][file]["hash"] = hex(&content.hash).into();
    manifest["files"][file]["size"] = content.size.into();
}

fn load(manifest: Manifest, program: &[u8]) {
    FOLDER.put(PROGRAM, Some(program));
    FOLDER.put(WEIGHTS, Some(&[]));
    let mut changed = serde_json::to_value(&manifest).expect("a manifest has a JSON form; qed");
    for _ in 0..10 {
        let Ok(manifest) = serde_json::from_value::<Manifest>(changed.clone()) else {
            return;
        };
        let weights = manifest.files()[1].clone();
        let error = match Package::load(manifest, |file| FOLDER.path().join(&file.name)) {
            Ok(package) => {
                for weight in 0..package.program().weights.len() {
                    assert!(package.weight(weight).is_ok());
                }
                return;
            }
            Err(error) => error,
        };
        let _ = error.to_string();
        match error {
            PackageError::Mismatch { name, got, .. } => put(&mut changed, &name, got),
            PackageError::Size { expected, .. } if expected <= MOST => {
                FOLDER.put(WEIGHTS, Some(&vec![1; expected as usize]));
                let content = Content {
                    size: expected,
                    ..weights.content()
                };
                put(&mut changed, WEIGHTS, content);
            }
            PackageError::Weights { got, .. } => changed["weights"] = hex(&got).into(),
            PackageError::Profile {
                expected: (profile, step),
                ..
            } => {
                changed["profile"] = serde_json::to_value(profile).expect("numbers have a JSON form; qed");
                changed["step"] = step.into();
            }
            PackageError::Task { .. } if changed["task"] == "embed" => changed["task"] = json!("generate"),
            _ => return,
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let [manifest, program] = parts(data);
    match Manifest::from_bytes(manifest) {
        Ok(accepted) => {
            assert_eq!(accepted.to_bytes(), manifest);
            load(accepted, program);
        }
        Err(error) => drop(error.to_string()),
    }
});
