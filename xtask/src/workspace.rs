//! Where things are: the repository, the target folder, the binaries, the caches.

use anyhow::{bail, Context, Result};
use std::{
    env,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// Root of the repository: the folder with the lock file over the crate that cargo runs, or else over
/// the one that was compiled. (Why not always that: checkouts share a target folder, so another one's
/// program may be the one that runs.)
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let compiled = Path::new(env!("CARGO_MANIFEST_DIR"));
        let running = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let candidates = running.as_deref().into_iter().chain([compiled]);
        let root = candidates
            .flat_map(Path::ancestors)
            .find(|dir| dir.join("Cargo.lock").is_file());
        root.unwrap_or(compiled).to_owned()
    })
}

/// The one target folder: `CARGO_TARGET_DIR`, or a folder under the user's cache which all clean
/// checkouts share, so that none of them compiles the dependencies again.
pub fn target_dir() -> Result<PathBuf> {
    let dir = match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => cache_dir()?.join("target"),
    };
    std::path::absolute(&dir).with_context(|| format!("target folder {}", dir.display()))
}

/// This project's folder in the user's cache.
pub fn cache_dir() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => PathBuf::from(env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set: set one")?)
            .join(".cache"),
    };
    Ok(base.join("assay"))
}

/// The built programs of one target folder.
#[derive(Clone, Debug)]
pub struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// Those that `cargo build --release` put into `target_dir`.
    pub fn of_target(target_dir: &Path) -> Self {
        Self {
            dir: target_dir.join("release"),
        }
    }

    /// Those built together with the running test, which lies one folder deeper.
    pub fn of_this_test() -> Result<Self> {
        let test = env::current_exe().context("path of the running test")?;
        let dir = test
            .parent()
            .and_then(Path::parent)
            .context("a test lies in <target>/<profile>/deps")?;
        Ok(Self { dir: dir.to_path_buf() })
    }

    /// Path of program `name`; an error if it has not been built.
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        if !path.is_file() {
            bail!(
                "{} is not there: `cargo xtask test` (or `cargo build --release --workspace --bins`) builds it",
                path.display()
            );
        }
        Ok(path)
    }
}
