//! The worker's configuration: defaults, then a TOML file, then the environment, then flags.
//!
//! Each key of the file `key = …` is also `--key` and `ASSAY_WORKER_KEY`. `ASSAY_RPC` and
//! `ASSAY_KEY`, which all of Assay's programs read, stand in for `node` and `key`.

use assay_types::ArtifactId;
use clap::Args;
use figment::{
    providers::{Env, Format, Serialized, Toml},
    Figment,
};
use serde::{
    de::{self, DeserializeOwned, SeqAccess, Visitor},
    Deserialize, Deserializer, Serialize,
};
use std::{
    fmt,
    marker::PhantomData,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Begins the names of environment variables.
const PREFIX: &str = "ASSAY_WORKER_";

/// Names the file, and is no key of it.
const CONFIG_VARIABLE: &str = "ASSAY_WORKER_CONFIG";

/// Turns a listener off.
const OFF: &str = "off";

/// The configuration as flags. What is not given comes from elsewhere.
#[derive(Args, Clone, Debug, Default, Serialize)]
#[command(next_help_heading = "Configuration (flag, environment ASSAY_WORKER_… or TOML key)")]
pub(crate) struct Flags {
    /// TOML file with these keys [default: ~/.config/assay/worker.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = CONFIG_VARIABLE)]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,

    /// The node's WebSocket URL; ASSAY_RPC does as well [default: ws://127.0.0.1:9944]
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,

    /// The hot key: a key file, or a development key such as //Alice; ASSAY_KEY does as well
    #[arg(long, global = true, value_name = "FILE|//NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,

    /// Folder of the journal [default: ~/.local/share/assay/worker]
    #[arg(long, global = true, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    state_dir: Option<PathBuf>,

    /// Folder of blobs: packages, inputs and outputs [default: blobs, in state_dir]
    #[arg(long, global = true, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_dir: Option<PathBuf>,

    /// Where to fetch blobs, in this order: folders, or http:// URLs of folders
    #[arg(long, global = true, value_name = "DIR|URL", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_sources: Option<Vec<String>>,

    /// Address on which to serve blob_dir over HTTP, so that output can be fetched [default: off]
    #[arg(long, global = true, value_name = "ADDR:PORT|off")]
    #[serde(skip_serializing_if = "Option::is_none")]
    blob_listen: Option<String>,

    /// URL under which others reach blob_listen, as registered on chain
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,

    /// Ids of the models to run
    #[arg(long, global = true, value_name = "ID", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<Vec<ArtifactId>>,

    /// Address of Prometheus metrics [default: 127.0.0.1:9616]
    #[arg(long, global = true, value_name = "ADDR:PORT|off")]
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<String>,

    /// Jobs computed at the same time [default: 1]
    #[arg(long, global = true, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_jobs: Option<u32>,

    /// Threads to compute with, over all jobs [default: one a core]
    #[arg(long, global = true, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<u32>,

    /// Number of the GPU to compute on, from 0; for workers built with the feature `cuda` [default: none]
    #[arg(long, global = true, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu: Option<u32>,

    /// What to log: a level, or targets and levels; RUST_LOG does as well [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,

    /// How to log [default: text]
    #[arg(long, global = true, value_name = "text|json")]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_format: Option<String>,
}

/// The configuration as it is read, before its values are understood.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Values {
    node: String,
    key: Option<String>,
    state_dir: PathBuf,
    blob_dir: Option<PathBuf>,
    #[serde(deserialize_with = "list")]
    blob_sources: Vec<String>,
    blob_listen: String,
    endpoint: Option<String>,
    #[serde(deserialize_with = "list")]
    models: Vec<ArtifactId>,
    metrics: String,
    max_jobs: u32,
    threads: u32,
    gpu: Option<u32>,
    log: String,
    log_format: String,
}

/// The configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// The node's WebSocket URL.
    pub(crate) node: String,
    /// The hot key, as given, if it is.
    pub(crate) key: Option<String>,
    /// Folder of the journal.
    pub(crate) state_dir: PathBuf,
    /// Folder of blobs.
    pub(crate) blob_dir: PathBuf,
    /// Where to fetch blobs.
    pub(crate) blob_sources: Vec<String>,
    /// Where to serve blobs.
    pub(crate) blob_listen: Option<SocketAddr>,
    /// URL under which blobs are served.
    pub(crate) endpoint: Option<String>,
    /// Models to run.
    pub(crate) models: Vec<ArtifactId>,
    /// Where to serve metrics.
    pub(crate) metrics: Option<SocketAddr>,
    /// Jobs computed at the same time.
    pub(crate) max_jobs: usize,
    /// Threads to compute with.
    pub(crate) threads: usize,
    /// The GPU to compute on, if it is to be one.
    pub(crate) gpu: Option<usize>,
    /// What to log.
    pub(crate) log: String,
    /// Whether to log as JSON.
    pub(crate) log_json: bool,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file that was asked for is not there.
    #[error("--config: expected a TOML file, got {path}, which is not there", path = .0.display())]
    NoFile(PathBuf),
    /// A value has the wrong type, or a key is unknown. Says which, where, and what was expected.
    #[error("{0}")]
    Read(String),
    /// A value of the right type that makes no sense.
    #[error("`{key}`: expected {expected}, got {got:?}")]
    Value {
        /// The key.
        key: &'static str,
        /// What would do.
        expected: &'static str,
        /// What was given.
        got: String,
    },
    /// A value that is needed now.
    #[error("`{key}`: expected {expected}, got nothing; \
         give --{flag}, {PREFIX}{variable} or `{key} = …` in the TOML file", flag = key.replace('_', "-"), variable = key.to_uppercase())]
    Missing {
        /// The key.
        key: &'static str,
        /// What would do.
        expected: &'static str,
    },
}

impl Config {
    /// Puts the configuration together from all its sources.
    pub(crate) fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            Some(file) if !file.is_file() => return Err(ConfigError::NoFile(file.clone())),
            Some(file) => file.clone(),
            None => home("XDG_CONFIG_HOME", ".config").join("assay/worker.toml"),
        };
        Self::merge(&file, flags)
    }

    fn merge(file: &Path, flags: &Flags) -> Result<Self, ConfigError> {
        let common = |variable: &'static str, key: &'static str| Env::raw().only(&[variable]).map(move |_| key.into());
        let values: Values = Figment::from(Serialized::defaults(Values::default()))
            .merge(Toml::file(file))
            .merge(common("ASSAY_RPC", "node"))
            .merge(common("ASSAY_KEY", "key"))
            .merge(common("RUST_LOG", "log"))
            .merge(Env::prefixed(PREFIX).ignore(&["config"]))
            .merge(Serialized::defaults(flags))
            .extract()
            // All values are of one profile, whose name says nothing to the reader.
            .map_err(|error| ConfigError::Read(error.to_string().replace("\"default.", "\"")))?;
        values.understand()
    }

    /// The hot key's place.
    pub(crate) fn key(&self) -> Result<&str, ConfigError> {
        let expected = "the worker's hot key (a key file, or a development key such as //Alice)";
        self.key.as_deref().ok_or(ConfigError::Missing { key: "key", expected })
    }
}

impl Default for Values {
    fn default() -> Self {
        Self {
            node: "ws://127.0.0.1:9944".into(),
            key: None,
            state_dir: home("XDG_DATA_HOME", ".local/share").join("assay/worker"),
            blob_dir: None,
            blob_sources: Vec::new(),
            blob_listen: OFF.into(),
            endpoint: None,
            models: Vec::new(),
            metrics: "127.0.0.1:9616".into(),
            max_jobs: 1,
            threads: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
            gpu: None,
            log: "info".into(),
            log_format: "text".into(),
        }
    }
}

impl Values {
    fn understand(self) -> Result<Config, ConfigError> {
        check("node", "a URL that begins with ws:// or wss://", &self.node, |node| {
            is_url(node, &["ws", "wss"])
        })?;
        if let Some(endpoint) = &self.endpoint {
            check(
                "endpoint",
                "a URL that begins with http:// or https://",
                endpoint,
                |url| is_url(url, &["http", "https"]),
            )?;
        }
        for source in &self.blob_sources {
            check(
                "blob_sources",
                "folders, or URLs that begin with http:// or https://",
                source,
                |source| assay_blobs::source(source).is_ok(),
            )?;
        }
        check("max_jobs", "a number from 1 to 256", &self.max_jobs, |jobs| {
            (1..=256).contains(jobs)
        })?;
        check("threads", "a number from 1 to 1024", &self.threads, |threads| {
            (1..=1024).contains(threads)
        })?;
        if let Some(gpu) = self.gpu {
            let expected = "nothing: this worker was built without the feature `cuda`, see docs/gpu.md";
            check("gpu", expected, &gpu, |_| cfg!(feature = "cuda"))?;
        }
        check("log_format", "text or json", &self.log_format, |format| {
            ["text", "json"].contains(&format.as_str())
        })?;
        check(
            "log",
            "a level (error, warn, info, debug, trace) or a filter such as worker=debug",
            &self.log,
            |log| tracing_subscriber::EnvFilter::try_new(log).is_ok(),
        )?;
        Ok(Config {
            node: self.node,
            key: self.key,
            blob_dir: self.blob_dir.unwrap_or_else(|| self.state_dir.join("blobs")),
            state_dir: self.state_dir,
            blob_sources: self.blob_sources,
            blob_listen: listener("blob_listen", &self.blob_listen)?,
            endpoint: self.endpoint,
            models: self.models,
            metrics: listener("metrics", &self.metrics)?,
            max_jobs: self.max_jobs as usize,
            threads: self.threads as usize,
            gpu: self.gpu.map(|number| number as usize),
            log: self.log,
            log_json: self.log_format == "json",
        })
    }
}

fn check<T: ToString>(
    key: &'static str,
    expected: &'static str,
    value: &T,
    is_valid: impl FnOnce(&T) -> bool,
) -> Result<(), ConfigError> {
    is_valid(value).then_some(()).ok_or_else(|| ConfigError::Value {
        key,
        expected,
        got: value.to_string(),
    })
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, rest)| schemes.contains(&scheme) && !rest.is_empty())
}

fn listener(key: &'static str, value: &str) -> Result<Option<SocketAddr>, ConfigError> {
    if value == OFF {
        return Ok(None);
    }
    let expected = "an address and a port such as 127.0.0.1:9616, or off";
    value.parse().map(Some).map_err(|_| ConfigError::Value {
        key,
        expected,
        got: value.into(),
    })
}

/// A base folder of the user: what `variable` says, or `default` in their home.
fn home(variable: &str, default: &str) -> PathBuf {
    match std::env::var_os(variable).filter(|folder| !folder.is_empty()) {
        Some(folder) => folder.into(),
        None => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(default),
    }
}

/// A list, a single value, or values with commas between them, which is how environment variables
/// have them.
fn list<'de, D: Deserializer<'de>, T: DeserializeOwned + FromStr>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);

    impl<'de, T: DeserializeOwned + FromStr> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list, or values with commas between them")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Vec<T>, A::Error> {
            std::iter::from_fn(|| values.next_element().transpose()).collect()
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            let values = text.split(',').map(str::trim).filter(|value| !value.is_empty());
            values
                .map(|value| {
                    value
                        .parse()
                        .map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))
                })
                .collect()
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Vec<T>, E> {
            self.visit_str(&number.to_string())
        }
    }

    deserializer.deserialize_any(List(PhantomData))
}

#[cfg(test)]
mod tests;
