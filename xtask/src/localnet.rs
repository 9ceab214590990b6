//! Real nodes and workers on this machine, on ports that are free, in a folder of their own.

use crate::{
    daemon::Daemon,
    net::{self, free_port, Rpc},
    process,
    workspace::Binaries,
};
use anyhow::{ensure, Context, Result};
use serde_json::{json, Value};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How long a node may take to answer after its start, in which it compiles the runtime.
const NODE_START: Duration = Duration::from_secs(120);

/// How long a worker may take to fetch and load a model and to say so on the chain.
const WORKER_START: Duration = Duration::from_secs(120);

/// How long a program that submits transactions, or a job, and waits for them, may take.
const CALL: Duration = Duration::from_secs(300);

/// What a hot key is given for its fees, in ASY.
const FUND: &str = "10";

/// How long a chain may take to finalize a block that it has.
const FINALITY: Duration = Duration::from_secs(90);

/// A folder for a network: what its processes store and print.
#[derive(Clone, Debug)]
pub struct Site {
    binaries: Binaries,
    dir: PathBuf,
}

/// Runs one of our programs that talks to a node; returns what it printed.
pub fn output(command: &Command) -> Result<String> {
    process::output_within(command, CALL)
}

/// Metrics in Prometheus' text format, as `port` of this machine serves them.
fn metrics(port: u16) -> Result<String> {
    let response = net::http(port, "GET", "/metrics", b"")?;
    ensure!(
        response.status == 200,
        "metrics: HTTP status {}, expected 200",
        response.status
    );
    String::from_utf8(response.body).context("metrics are not UTF-8")
}

/// The value of `series`, a metric's name with its labels, in such metrics. Labels that are the same in all of a
/// program's metrics are not compared.
pub fn metric(metrics: &str, series: &str) -> Option<f64> {
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels: Vec<_> = labels
        .trim_end_matches('}')
        .split(',')
        .filter(|label| !label.is_empty())
        .collect();
    let is_it = |key: &str| {
        let (got, all) = key.split_once('{').unwrap_or((key, ""));
        let all: Vec<_> = all.trim_end_matches('}').split(',').collect();
        got == name && labels.iter().all(|label| all.contains(label))
    };
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    let mut values = lines.filter_map(|line| line.rsplit_once(' '));
    values
        .find(|(key, _)| is_it(key))
        .and_then(|(_, value)| value.parse().ok())
}

/// A chain that nodes can be started for.
#[derive(Clone, Copy, Debug)]
pub enum Chain<'a> {
    /// The preset `development`: this node is its only validator.
    Development,
    /// `development` with other genesis parameters of the market, each by its name in the chain
    /// specification.
    DevelopmentWith(&'a [(&'a str, u32)]),
    /// The preset `local_testnet`.
    LocalTestnet {
        /// Whose keys the node has: `alice` or `bob`.
        validator: &'a str,
        /// Another node.
        bootnode: Option<&'a Node>,
    },
    /// The preset `local_testnet`, followed by a node that is no validator.
    LocalTestnetFollower {
        /// How it gets the chain: `full`, `warp`.
        sync: &'a str,
        /// Other nodes. Warp sync asks for three.
        bootnodes: &'a [&'a Node],
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

    /// Starts a node and waits until it answers. If it does not get so far, it is tried once more on other ports:
    /// another program may have taken one of them in between.
    pub fn start_node(&self, name: &str, chain: Chain<'_>) -> Result<Node> {
        self.try_start_node(name, chain).or_else(|error| {
            eprintln!("{name} is started again on other ports: {error:#}");
            self.try_start_node(name, chain)
        })
    }

    fn try_start_node(&self, name: &str, chain: Chain<'_>) -> Result<Node> {
        let base = self.dir.join(name);
        let blobs = base.join("blobs");
        let (rpc, p2p, blob_port) = (Rpc { port: free_port()? }, free_port()?, free_port()?);
        let metrics_port = free_port()?;
        let mut arguments = vec![
            format!("--base-path={}", base.display()),
            format!("--rpc-port={}", rpc.port),
            format!("--listen-addr=/ip4/127.0.0.1/tcp/{p2p}"),
            format!("--blob-dir={}", blobs.display()),
            format!("--blob-listen=127.0.0.1:{blob_port}"),
            format!("--prometheus-port={metrics_port}"),
            "--no-telemetry".into(),
            // Another network on this machine has the same genesis, and would be found
            "--no-mdns".into(),
            // A validator is not to change its network key by accident; this network is a new one
            "--unsafe-force-node-key-generation".into(),
        ];
        match chain {
            Chain::Development => arguments.push("--dev".into()),
            Chain::DevelopmentWith(parameters) => {
                let spec = self.development_with(name, parameters)?;
                arguments.extend(["--alice".into(), "--force-authoring".into()]);
                arguments.push(format!("--chain={}", spec.display()));
            }
            Chain::LocalTestnet { validator, bootnode } => {
                arguments.extend(["--chain=local".into(), format!("--{validator}"), "--validator".into()]);
                if let Some(node) = bootnode {
                    arguments.push(format!("--bootnodes={}", node.address()?));
                }
            }
            Chain::LocalTestnetFollower { sync, bootnodes } => {
                arguments.extend(["--chain=local".into(), format!("--sync={sync}")]);
                for node in bootnodes {
                    arguments.push(format!("--bootnodes={}", node.address()?));
                }
            }
        }
        let mut command = Command::new(self.program("assay-node")?);
        let mut daemon = Daemon::start(name, command.args(arguments), &self.logs())?;
        daemon.wait_for(
            "answer to JSON-RPC by a node that listens where it was told to",
            NODE_START,
            || {
                // A node whose port for JSON-RPC is taken goes to another one, and somebody else would answer here
                let addresses = rpc.call("system_localListenAddresses", json!([])).ok()?;
                let listens = |address: &Value| address.as_str().is_some_and(|at| at.contains(&format!("/tcp/{p2p}/")));
                addresses.as_array()?.iter().any(listens).then_some(())
            },
        )?;
        Ok(Node {
            daemon,
            rpc,
            p2p,
            blob_port,
            metrics_port,
            blobs,
        })
    }

    /// Writes a chain specification like that of `development` but for some parameters.
    fn development_with(&self, name: &str, parameters: &[(&str, u32)]) -> Result<PathBuf> {
        let mut build = Command::new(self.program("assay-node")?);
        let text = process::output(build.args(["chain-spec", "--chain=dev"]))?;
        let mut spec: Value = serde_json::from_str(&text).context("the chain specification is not JSON")?;
        let market = "/genesis/runtimeGenesis/patch/genesisParameters/market";
        let market = spec
            .pointer_mut(market)
            .context("the chain specification has no parameters of the market")?;
        for (parameter, value) in parameters {
            let entry = market.get_mut(*parameter);
            *entry.with_context(|| format!("the market has no parameter {parameter}"))? = json!(value);
        }
        let file = self.dir.join(format!("{name}.json"));
        fs::create_dir_all(&self.dir)?;
        fs::write(&file, spec.to_string()).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    /// `assay`, as `key` and with the node's blobs, called for `arguments`.
    pub fn assay(&self, node: &Node, key: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(self.program("assay")?);
        command
            .args(arguments)
            .args([format!("--rpc={}", node.rpc().url()), format!("--key={key}")]);
        // What the node serves is what it finds here
        command.arg(format!("--blobs={}", node.blob_dir().display()));
        Ok(command)
    }

    /// Publishes the model in `folder` by `assay model publish`; returns its artifact id.
    pub fn publish(&self, node: &Node, owner: &str, price: &str, folder: &Path) -> Result<u32> {
        let mut publish = self.assay(
            node,
            owner,
            &["model", "publish", "--json", "--finalized", "--price", price],
        )?;
        let text = output(publish.arg(folder))?;
        let published: Value = serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))?;
        let id = published["id"].as_u64().with_context(|| format!("no id in {text}"))?;
        Ok(u32::try_from(id)?)
    }

    /// A worker that signs with `hot_key`, computes `models` and fetches blobs from `node`. Nothing is
    /// started yet.
    pub fn worker(&self, name: &str, hot_key: &str, node: &Node, models: &[u32]) -> Result<Worker> {
        let (port, metrics_port) = (free_port()?, free_port()?);
        let models: Vec<_> = models.iter().map(u32::to_string).collect();
        let configuration = vec![
            format!("--node={}", node.rpc().url()),
            format!("--key={hot_key}"),
            format!("--state-dir={}", self.dir.join(name).display()),
            format!("--blob-sources={}", node.blob_url()),
            format!("--blob-listen=127.0.0.1:{port}"),
            format!("--endpoint=http://127.0.0.1:{port}"),
            format!("--models={}", models.join(",")),
            format!("--metrics=127.0.0.1:{metrics_port}"),
        ];
        Ok(Worker {
            name: name.into(),
            program: self.program("assay-worker")?,
            logs: self.logs(),
            configuration,
            metrics_port,
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
    metrics_port: u16,
}

impl Worker {
    /// Its program called for `arguments`, with its configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(&self.configuration);
        command
    }

    /// Registers it by `assay-worker register`; `cold_key` bonds, asks, and pays the hot key's fees.
    /// Returns what that printed.
    pub fn register(&self, cold_key: &str, bond: &str, ask: &str) -> Result<String> {
        let arguments = [
            "register",
            "--cold-key",
            cold_key,
            "--bond",
            bond,
            "--ask",
            ask,
            "--fund",
            FUND,
        ];
        output(&self.command(&arguments))
    }

    /// The metrics that it serves while it runs.
    pub fn metrics(&self) -> Result<String> {
        metrics(self.metrics_port)
    }

    /// Starts it.
    pub fn start(&self) -> Result<Daemon> {
        Daemon::start(&self.name, &self.command(&["run"]), &self.logs)
    }

    /// Starts it and waits until it is declared ready for `model` in the best chain of `node`.
    pub fn start_and_wait(&self, node: &Node, model: u32) -> Result<Daemon> {
        let mut running = self.start()?;
        running.wait_for("declaration that the model is ready", WORKER_START, || {
            let workers = node.rpc().call("compute_workers", json!([model])).ok()?;
            workers.as_array().filter(|workers| !workers.is_empty()).map(|_| ())
        })?;
        Ok(running)
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    daemon: Daemon,
    rpc: Rpc,
    p2p: u16,
    blob_port: u16,
    metrics_port: u16,
    blobs: PathBuf,
}

impl Node {
    /// Its JSON-RPC.
    pub fn rpc(&self) -> Rpc {
        self.rpc
    }

    /// The metrics that it serves.
    pub fn metrics(&self) -> Result<String> {
        metrics(self.metrics_port)
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

    /// Asks it to end and waits until it has.
    pub fn stop(self) -> Result<()> {
        self.daemon.stop().map(|_| ())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_should_be_found_by_name_and_labels() {
        let metrics = "# HELP height Blocks\nheight{status=\"best\",chain=\"local\"} 7\n\
                       height{status=\"finalized\",chain=\"local\"} 5\nheight_total 1.5\n";
        assert_eq!(metric(metrics, "height{status=\"finalized\"}"), Some(5.0));
        assert_eq!(metric(metrics, "height_total"), Some(1.5));
        assert_eq!(metric(metrics, "height{status=\"none\"}"), None);
    }
}
