//! Where values come from, and what is said about bad ones.

#![allow(clippy::unwrap_used)]

use super::*;
use std::sync::Mutex;

/// The environment belongs to the whole process.
static ENVIRONMENT: Mutex<()> = Mutex::new(());

/// The configuration from a file with this content, these variables and these flags.
fn load(toml: &str, variables: &[(&str, &str)], flags: Flags) -> Result<Config, ConfigError> {
    let _alone = ENVIRONMENT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.toml");
    std::fs::write(&file, toml).unwrap();
    for (name, value) in variables {
        std::env::set_var(name, value);
    }
    let config = Config::load(&Flags {
        config: Some(file),
        ..flags
    });
    for (name, _) in variables {
        std::env::remove_var(name);
    }
    config
}

fn message(toml: &str, variables: &[(&str, &str)]) -> String {
    load(toml, variables, Flags::default()).unwrap_err().to_string()
}

#[test]
fn config_should_have_defaults() {
    let config = load("", &[], Flags::default()).unwrap();
    assert_eq!(config.node, "ws://127.0.0.1:9944");
    assert_eq!(config.metrics, Some("127.0.0.1:9616".parse().unwrap()));
    assert_eq!(config.blob_listen, None);
    assert_eq!(config.blob_dir, config.state_dir.join("blobs"));
    assert!(matches!(config.key(), Err(ConfigError::Missing { key: "key", .. })));
}

#[test]
fn config_should_take_the_later_source() {
    let toml = "node = \"ws://file\"\nkey = \"//File\"\nmodels = [1, 2]";
    assert_eq!(load(toml, &[], Flags::default()).unwrap().node, "ws://file");

    let common = [("ASSAY_RPC", "ws://common"), ("ASSAY_KEY", "//Common")];
    let config = load(toml, &common, Flags::default()).unwrap();
    assert_eq!(
        (config.node.as_str(), config.key().unwrap()),
        ("ws://common", "//Common")
    );

    let own = [
        common[0],
        ("ASSAY_WORKER_NODE", "ws://own"),
        ("ASSAY_WORKER_MODELS", "3"),
    ];
    let config = load(toml, &own, Flags::default()).unwrap();
    assert_eq!((config.node.as_str(), config.models), ("ws://own", vec![3]));

    let flags = Flags {
        node: Some("wss://flag".into()),
        models: Some(vec![4, 5]),
        ..Flags::default()
    };
    let config = load(toml, &own, flags).unwrap();
    assert_eq!((config.node.as_str(), config.models), ("wss://flag", vec![4, 5]));
}

#[test]
fn lists_should_be_read_from_variables() {
    for (value, expected) in [
        ("7", vec![7]),
        ("7,8", vec![7, 8]),
        ("[7, 8]", vec![7, 8]),
        ("", vec![]),
    ] {
        let config = load("models = [1]", &[("ASSAY_WORKER_MODELS", value)], Flags::default()).unwrap();
        assert_eq!(config.models, expected, "{value:?}");
    }
    let sources = [("ASSAY_WORKER_BLOB_SOURCES", "/srv/blobs, http://localhost:80/blobs")];
    let config = load("", &sources, Flags::default()).unwrap();
    assert_eq!(config.blob_sources, ["/srv/blobs", "http://localhost:80/blobs"]);
}

#[test]
fn listeners_should_be_turned_off_by_a_word() {
    let config = load("metrics = \"off\"\nblob_listen = \"0.0.0.0:80\"", &[], Flags::default()).unwrap();
    assert_eq!(
        (config.metrics, config.blob_listen),
        (None, Some("0.0.0.0:80".parse().unwrap()))
    );
}

#[test]
fn bad_values_should_be_named_with_what_was_expected() {
    let cases = [
        ("node = \"127.0.0.1\"", "node", "ws://", "127.0.0.1"),
        ("max_jobs = 0", "max_jobs", "1 to 256", "0"),
        ("max_jobs = \"many\"", "max_jobs", "u32", "many"),
        #[cfg(not(feature = "cuda"))]
        ("gpu = 0", "gpu", "without the feature", "0"),
        ("threads = -1", "threads", "u32", "-1"),
        ("models = [\"minilm\"]", "models", "u32", "minilm"),
        ("models = \"minilm\"", "models", "a list", "minilm"),
        ("metrics = \"9616\"", "metrics", "127.0.0.1:9616", "9616"),
        ("endpoint = \"example.com\"", "endpoint", "http://", "example.com"),
        (
            "blob_sources = [\"ftp://example.com\"]",
            "blob_sources",
            "http://",
            "ftp://example.com",
        ),
        ("log = \"worker=loud\"", "log", "level", "worker=loud"),
        ("log_format = \"xml\"", "log_format", "json", "xml"),
        ("nodes = \"ws://x\"", "nodes", "node", "nodes"),
    ];
    for (toml, key, expected, got) in cases {
        let message = message(toml, &[]);
        for part in [key, expected, got] {
            assert!(message.contains(part), "{toml}: expected {part:?} in {message:?}");
        }
    }
    let message = message("", &[("ASSAY_WORKER_THREADS", "four")]);
    assert!(
        message.contains("THREADS") && message.contains("u32") && message.contains("four"),
        "{message}"
    );
}

#[test]
fn config_should_fail_when_the_file_is_not_there() {
    let flags = Flags {
        config: Some("no/such/file.toml".into()),
        ..Flags::default()
    };
    assert!(matches!(Config::load(&flags), Err(ConfigError::NoFile(_))));
}
