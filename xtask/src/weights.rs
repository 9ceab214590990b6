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

/// Where a pallet answers runtime APIs: nothing that is weighed calls it.
const QUERIES: &str = "queries.rs";

/// Files and folders of a pallet that do not change what its calls cost.
const NOT_MEASURED: [&str; 6] = ["mock.rs", "tests.rs", "tests", "try_state.rs", "weights.rs", QUERIES];

/// The weight file of a pallet's crate.
pub fn file(pallet: &str) -> PathBuf {
    workspace::root()
        .join("runtime/src/weights")
        .join(format!("{pallet}.rs"))
}

/// Digest of the code of the pallet in `pallets/<folder>` on which the cost of its calls depends: without
/// comments, mocks, tests, checks of the state and answers to runtime APIs.
pub fn code_digest(folder: &str) -> Result<String> {
    let source = source(folder);
    let mut files = Vec::new();
    collect(&source, &mut files)?;
    files.sort();
    let mut code = String::new();
    for file in files {
        let name = file.strip_prefix(&source).expect("it was found under `source`; qed");
        code.push_str(&format!("{}\n", name.display()));
        code.push_str(&code_of(&file)?);
    }
    digest::sha256(code.as_bytes())
}

/// The lines of a file that are code.
fn code_of(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| is_code(line));
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

fn source(folder: &str) -> PathBuf {
    workspace::root().join("pallets").join(folder).join("src")
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
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Files of a pallet whose code is weighed. Benchmarks may ask queries while they prepare.
    fn weighed_files(folder: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(&source(folder), &mut files).unwrap();
        files.retain(|file| !file.ends_with("benchmarking.rs"));
        files
    }

    #[test]
    fn queries_should_not_be_called_by_code_that_is_weighed() {
        let mut queries = 0;
        for (folder, _) in PALLETS {
            let file = source(folder).join(QUERIES);
            if !file.exists() {
                continue;
            }
            let code = code_of(&file).unwrap();
            let names = code
                .split("fn ")
                .skip(1)
                .filter_map(|rest| rest.split(['(', '<']).next());
            for name in names {
                queries += 1;
                for caller in weighed_files(folder) {
                    let code = code_of(&caller).unwrap();
                    let called = [format!("::{name}("), format!("::{name})")]
                        .iter()
                        .any(|call| code.contains(call));
                    assert!(
                        !called,
                        "{} calls `{name}`, which does not belong in {QUERIES} then",
                        caller.display()
                    );
                }
            }
        }
        assert!(
            queries > 0,
            "no pallet has {QUERIES}: does the list of what is left out still fit?"
        );
    }

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
