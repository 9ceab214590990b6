//! Which weights belong to which pallet, and whether they are those of its present code.
//!
//! A weight file's first lines carry a digest of the code that was measured. A change of that code
//! without new weights is found by comparing, without measuring anything.

use crate::{digest, workspace};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The pallets whose weights are measured on this runtime: folder under `pallets/`, crate.
pub const PALLETS: [(&str, &str); 3] = [
    ("artifacts", "pallet_artifacts"),
    ("workers", "pallet_workers"),
    ("compute-market", "pallet_compute_market"),
];

/// Begins the line that carries the digest.
pub const DIGEST_LINE: &str = "// Measured code (SHA-256): ";

/// Files and folders of a pallet that do not change what its calls cost.
const NOT_MEASURED: [&str; 4] = ["mock.rs", "tests.rs", "tests", "weights.rs"];

/// The weight file of a pallet's crate.
pub fn file(pallet: &str) -> PathBuf {
    workspace::root()
        .join("runtime/src/weights")
        .join(format!("{pallet}.rs"))
}

/// Digest of the code of the pallet in `pallets/<folder>`, without comments, mocks and tests.
pub fn code_digest(folder: &str) -> Result<String> {
    let source = workspace::root().join("pallets").join(folder).join("src");
    let mut files = Vec::new();
    collect(&source, &mut files)?;
    files.sort();
    let mut code = String::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(&source).expect("it was found under `source`; qed");
        code.push_str(&format!("{}\n", name.display()));
        code.extend(
            text.lines()
                .map(str::trim)
                .filter(|line| is_code(line))
                .flat_map(|line| [line, "\n"]),
        );
    }
    digest::sha256(code.as_bytes())
}

/// The digest that a weight file carries, if it carries one.
pub fn recorded_digest(weights: &str) -> Option<&str> {
    weights
        .lines()
        .find_map(|line| line.strip_prefix(DIGEST_LINE))
        .map(str::trim)
}

fn is_code(line: &str) -> bool {
    !line.is_empty() && !line.starts_with("//")
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if NOT_MEASURED.iter().any(|left_out| name == *left_out) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            files.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_should_not_count_as_code() {
        assert!(is_code("let a = 1; // why"));
        assert!(!is_code("/// Docs."));
        assert!(!is_code(""));
    }

    #[test]
    fn recorded_digest_should_be_read_from_its_line() {
        let weights = format!("// Licence\n{DIGEST_LINE}abc \n\n//! Weights");
        assert_eq!(recorded_digest(&weights), Some("abc"));
        assert_eq!(recorded_digest("//! Weights"), None);
    }
}
