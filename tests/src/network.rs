//! Networks for tests: one for each file of tests, started by the first test that uses it.

use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};
use xtask::{localnet::Site, workspace::Binaries};

/// A network that the tests of a file share.
#[derive(Debug)]
pub struct Shared<Network> {
    network: RwLock<Option<Network>>,
    dir: &'static str,
    start: fn(&Site) -> Result<Network>,
}

impl<Network> Shared<Network> {
    /// A network in the folder `dir`, which `start` starts. Nothing is started yet.
    pub const fn new(dir: &'static str, start: fn(&Site) -> Result<Network>) -> Self {
        Self {
            network: RwLock::new(None),
            dir,
            start,
        }
    }

    /// Runs a test that has the network to itself.
    pub fn test_alone(&self, test: impl FnOnce(&mut Network) -> Result<()>) {
        // A test that failed left behind a network that may still be good
        let mut network = self.network.write().unwrap_or_else(PoisonError::into_inner);
        self.report(self.started(&mut network).and_then(test));
    }

    /// Runs a test that goes on at the same time as others, and does not disturb them.
    pub fn test_beside_others(&self, test: impl FnOnce(&Network) -> Result<()>) {
        let read = || self.network.read().unwrap_or_else(PoisonError::into_inner);
        let mut network = read();
        let mut started = Ok(());
        // To write is to wait for all others, so it is not done only to look
        if network.is_none() {
            drop(network);
            let mut starting = self.network.write().unwrap_or_else(PoisonError::into_inner);
            started = self.started(&mut starting).map(|_| ());
            drop(starting);
            network = read();
        }
        self.report(started.and_then(|()| test(network.as_ref().context("the network has just been started")?)));
    }

    fn started<'a>(&self, network: &'a mut Option<Network>) -> Result<&'a mut Network> {
        if network.is_none() {
            let dir = Path::new(self.dir);
            if dir.exists() {
                fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
            }
            *network = Some((self.start)(&Site::new(Binaries::of_this_test()?, dir))?);
        }
        network.as_mut().context("a network that has been started is there")
    }

    /// Fails with the error and where the logs are.
    fn report(&self, done: Result<()>) {
        if let Err(error) = done {
            let logs = PathBuf::from(self.dir).join("logs");
            panic!("{error:#}\nwhat the processes printed: {}", logs.display());
        }
    }
}
