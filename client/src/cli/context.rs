//! What commands need of the world: the chain, a key, blobs, a place to print.

use super::{failure::Failure, output, progress::Progress, Global};
use assay_blobs::{source, FolderStore, Resolver};
use assay_client::{
    chain::{BlockAt, Chain},
    keys::Keypair,
    AccountId, Hash,
};
use assay_types::ArtifactId;
use serde::Serialize;
use std::{env, path::PathBuf, str::FromStr};

/// See the module's description.
pub(super) struct Context {
    global: Global,
}

impl Context {
    pub(super) fn new(global: Global) -> Self {
        Self { global }
    }

    /// A connection to the node.
    pub(super) async fn chain(&self) -> Result<Chain, Failure> {
        Ok(Chain::connect(&self.global.rpc).await?)
    }

    /// The key that signs and pays.
    pub(super) fn key(&self) -> Result<Keypair, Failure> {
        let spec = self.global.key.as_deref().ok_or_else(|| {
            Failure::other(
                "expected a key to sign with: pass --key FILE or set ASSAY_KEY; on a development chain, --key //Alice",
            )
        })?;
        Ok(Keypair::load(spec)?)
    }

    /// The account that `given` names, or that of the key if there is none.
    pub(super) fn account(&self, given: Option<&str>) -> Result<AccountId, Failure> {
        match given {
            None => Ok(self.key()?.account()),
            Some(uri) if uri.starts_with("//") => Ok(Keypair::load(uri)?.account()),
            Some(address) => AccountId::from_str(address).map_err(|reason| {
                Failure::other(format!(
                    "expected an SS58 address or a development key like //Alice, got {address:?}: {reason}"
                ))
            }),
        }
    }

    /// The local folder of blobs.
    pub(super) fn store(&self) -> Result<FolderStore, Failure> {
        let dir = match &self.global.blobs {
            Some(dir) => dir.clone(),
            None => default_blobs().ok_or_else(|| {
                Failure::other("expected a folder for blobs: pass --blobs DIR or set ASSAY_BLOBS, as HOME is not set")
            })?,
        };
        Ok(FolderStore::open(dir)?)
    }

    /// The local folder and the sources to ask beside it.
    pub(super) fn resolver(&self) -> Result<Resolver, Failure> {
        let sources = self.global.blob_sources.iter().map(|address| source(address));
        Ok(Resolver::new(self.store()?, sources.collect::<Result<_, _>>()?))
    }

    /// Shows what goes on, if someone looks.
    pub(super) fn progress(&self) -> Progress {
        Progress::new()
    }

    /// Prints `view` as JSON if that was asked for, otherwise what `text` makes of it.
    pub(super) fn print<T: Serialize>(&self, view: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        if self.global.json {
            let json = serde_json::to_string_pretty(view);
            output::line(&json.map_err(|error| Failure::other(format!("cannot write JSON: {error}")))?)
        } else {
            output::line(text(view).trim_end())
        }
    }

    /// Prints one of several `view`s: JSON takes one line.
    pub(super) fn print_one<T: Serialize>(&self, view: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        if self.global.json {
            let json = serde_json::to_string(view);
            output::line(&json.map_err(|error| Failure::other(format!("cannot write JSON: {error}")))?)
        } else {
            output::line(text(view).trim_end())
        }
    }
}

/// How people name a model: its artifact id, or the hash of its package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModelName {
    Id(ArtifactId),
    Package(Hash),
}

impl FromStr for ModelName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hexadecimal = text.strip_prefix("0x").unwrap_or(text);
        let mut hash = [0; 32];
        if let Ok(id) = text.parse() {
            Ok(Self::Id(id))
        } else if hex::decode_to_slice(hexadecimal, &mut hash).is_ok() {
            Ok(Self::Package(hash.into()))
        } else {
            Err(format!(
                "expected an artifact id like 0, or the hash of a package, got {text:?}"
            ))
        }
    }
}

impl ModelName {
    /// The artifact's id as of `block`.
    pub(super) async fn resolve(&self, block: &BlockAt) -> Result<ArtifactId, Failure> {
        match self {
            Self::Id(id) => Ok(*id),
            Self::Package(hash) => block.artifact_by_package(*hash).await?.ok_or_else(|| {
                Failure::refused(format!(
                    "no artifact has the package {hash:?}; publish it with `assay model publish`"
                ))
            }),
        }
    }
}

/// `$XDG_DATA_HOME/assay/blobs`, or where that is by default.
fn default_blobs() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
    Some(data.join("assay/blobs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_should_be_named_by_id_or_package() {
        assert_eq!("7".parse(), Ok(ModelName::Id(7)));
        let hash = ModelName::Package(Hash::repeat_byte(0xab));
        assert_eq!("ab".repeat(32).parse(), Ok(hash));
        assert_eq!(format!("0x{}", "ab".repeat(32)).parse(), Ok(hash));
        for text in ["", "-1", "all-MiniLM", "0xab", "4294967296"] {
            assert!(text.parse::<ModelName>().is_err(), "{text}");
        }
    }
}
