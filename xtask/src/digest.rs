//! SHA-256 by the system's own program: set-up must not depend on much.

use crate::process;
use anyhow::{Context, Result};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// SHA-256 of a file, in hexadecimal.
pub fn sha256_file(file: &Path) -> Result<String> {
    let line = process::output(Command::new("sha256sum").arg("--").arg(file))?;
    first_word(&line)
}

/// SHA-256 of `bytes`, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> Result<String> {
    let mut command = Command::new("sha256sum");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start `sha256sum`")?;
    child.stdin.take().expect("stdin is piped; qed").write_all(bytes)?;
    let output = child.wait_with_output()?;
    first_word(&String::from_utf8_lossy(&output.stdout))
}

fn first_word(line: &str) -> Result<String> {
    Ok(line
        .split_whitespace()
        .next()
        .with_context(|| format!("sha256sum said {line:?}"))?
        .to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// From FIPS 180-2, appendix B.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn sha256_should_be_that_of_the_standard() {
        let file = std::env::temp_dir().join(format!("assay-sha256-{}", std::process::id()));
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(sha256_file(&file).unwrap(), ABC);
        std::fs::remove_file(file).unwrap();
        assert_eq!(sha256(b"abc").unwrap(), ABC);
    }
}
