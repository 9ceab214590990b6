//! Networks for tests: one for each file of tests, which its tests use one after the other.

use anyhow::{Context, Result};
use std::{
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};
use xtask::{localnet::Site, workspace::Binaries};

/// A network that is started by the first test which uses it.
#[derive(Debug)]
pub struct Shared<Network>(Mutex<Option<Network>>);

impl<Network> Shared<Network> {
    /// Nothing is started yet.
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Runs a test with the network to itself, and fails with its error and where the logs are.
    pub fn test(&self, logs: &Path, start: fn() -> Result<Network>, test: impl FnOnce(&mut Network) -> Result<()>) {
        // A test that failed left behind a network that may still be good
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match &mut *guard {
            Some(network) => test(network),
            None => start().and_then(|network| test(guard.insert(network))),
        };
        if let Err(error) = done {
            panic!("{error:?}\nwhat the processes printed: {}", logs.display());
        }
    }
}

impl<Network> Default for Shared<Network> {
    fn default() -> Self {
        Self::new()
    }
}

/// An empty folder `dir` for a network of the programs built with this test.
pub fn site(dir: &Path) -> Result<Site> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    Ok(Site::new(Binaries::of_this_test()?, dir))
}
