//! Real nodes and workers on this machine, on ports that are free, in a folder of their own.

use crate::{
    daemon::Daemon,
    net::{free_port, Rpc},
    workspace::Binaries,
};
use anyhow::{Context, Result};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How long a node may take to answer after its start.
const NODE_START: Duration = Duration::from_secs(60);

/// How long a chain may take to finalize a block that it has.
const FINALITY: Duration = Duration::from_secs(90);

/// A folder for a network: what its processes store and print.
#[derive(Clone, Debug)]
pub struct Site {
    binaries: Binaries,
    dir: PathBuf,
}

/// A chain that nodes can be started for.
#[derive(Clone, Copy, Debug)]
pub enum Chain<'a> {
    /// The preset `development`: this node is its only validator.
    Development,
    /// The preset `local_testnet`.
    LocalTestnet {
        /// Whose keys the node has: `alice` or `bob`.
        validator: &'a str,
        /// Another node.
        bootnode: Option<&'a Node>,
    },
}

impl Site {
    /// A network of these programs in `dir`.
    pub fn new(binaries: Binaries, dir: impl Into<PathBuf>) -> Self {
        Self {
            binaries,
            dir: dir.into(),
        }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where what the processes print is kept.
    pub fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// Path of one of our programs.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        self.binaries.path(name)
    }

    /// Starts a node and waits until it answers.
    pub fn start_node(&self, name: &str, chain: Chain<'_>) -> Result<Node> {
        let base = self.dir.join(name);
        let blobs = base.join("blobs");
        let (rpc, p2p, blob_port) = (Rpc { port: free_port()? }, free_port()?, free_port()?);
        let mut arguments = vec![
            format!("--base-path={}", base.display()),
            format!("--rpc-port={}", rpc.port),
            format!("--listen-addr=/ip4/127.0.0.1/tcp/{p2p}"),
            format!("--blob-dir={}", blobs.display()),
            format!("--blob-listen=127.0.0.1:{blob_port}"),
            "--no-prometheus".into(),
            "--no-telemetry".into(),
            // Another network on this machine has the same genesis, and would be found
            "--no-mdns".into(),
        ];
        match chain {
            Chain::Development => arguments.push("--dev".into()),
            Chain::LocalTestnet { validator, bootnode } => {
                arguments.extend(["--chain=local".into(), format!("--{validator}"), "--validator".into()]);
                if let Some(node) = bootnode {
                    arguments.push(format!("--bootnodes={}", node.address()?));
                }
            }
        }
        let mut daemon = Daemon::start(name, &self.program("assay-node")?, &arguments, &self.logs())?;
        daemon.wait_for("answer to JSON-RPC", NODE_START, || {
            rpc.call("system_health", json!([])).ok()
        })?;
        Ok(Node {
            daemon,
            rpc,
            p2p,
            blob_port,
            blobs,
        })
    }

    /// A worker that signs with `hot_key`, computes `models` and fetches blobs from `node`. Nothing is
    /// started yet.
    pub fn worker(&self, name: &str, hot_key: &str, node: &Node, models: &[u32]) -> Result<Worker> {
        let port = free_port()?;
        let models: Vec<_> = models.iter().map(u32::to_string).collect();
        let configuration = vec![
            format!("--node={}", node.rpc().url()),
            format!("--key={hot_key}"),
            format!("--state-dir={}", self.dir.join(name).display()),
            format!("--blob-sources={}", node.blob_url()),
            format!("--blob-listen=127.0.0.1:{port}"),
            format!("--endpoint=http://127.0.0.1:{port}"),
            format!("--models={}", models.join(",")),
            "--metrics=off".into(),
        ];
        Ok(Worker {
            name: name.into(),
            program: self.program("assay-worker")?,
            logs: self.logs(),
            configuration,
        })
    }
}

/// A worker: how it is configured, which stays the same over restarts.
#[derive(Clone, Debug)]
pub struct Worker {
    name: String,
    program: PathBuf,
    logs: PathBuf,
    configuration: Vec<String>,
}

impl Worker {
    /// Its program called for `arguments`, with its configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(&self.configuration);
        command
    }

    /// Starts it.
    pub fn start(&self) -> Result<Daemon> {
        let arguments = [&["run".to_string()], &self.configuration[..]].concat();
        Daemon::start(&self.name, &self.program, &arguments, &self.logs)
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    daemon: Daemon,
    rpc: Rpc,
    p2p: u16,
    blob_port: u16,
    blobs: PathBuf,
}

impl Node {
    /// Its JSON-RPC.
    pub fn rpc(&self) -> Rpc {
        self.rpc
    }

    /// The folder of blobs that it serves.
    pub fn blob_dir(&self) -> &Path {
        &self.blobs
    }

    /// URL under which it serves that folder.
    pub fn blob_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.blob_port)
    }

    /// The process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Where other nodes find it.
    pub fn address(&self) -> Result<String> {
        let id = self.rpc.call("system_localPeerId", json!([]))?;
        let id = id.as_str().context("system_localPeerId gave no string")?;
        Ok(format!("/ip4/127.0.0.1/tcp/{}/p2p/{id}", self.p2p))
    }

    /// Waits until block `number` is final.
    pub fn wait_finalized(&mut self, number: u64) -> Result<()> {
        let rpc = self.rpc;
        self.daemon
            .wait_for(&format!("finalized block {number}"), FINALITY, || {
                rpc.finalized().ok().filter(|finalized| *finalized >= number)
            })?;
        Ok(())
    }
}
