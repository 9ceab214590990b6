//! Signing keys: sr25519, from a file that only its owner can read, or a development URI.

use crate::AccountId;
use std::{fs, io, path::PathBuf, str::FromStr};
use subxt_signer::{sr25519, SecretUri};

/// Longest key file that is read, in bytes. A mnemonic with a derivation path has some 200.
const MAX_FILE: u64 = 4096;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Neither a file nor a development URI.
    #[error(
        "expected a key file or a development key like //Alice, got {spec:?}: no such file. \
         Write the secret phrase or 0x-prefixed seed into a file, `chmod 600` it and name it here"
    )]
    NotFound {
        /// What was given.
        spec: String,
    },
    /// The file cannot be read.
    #[error("cannot read the key file {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others can read the secret.
    #[error("the key file {} can be read by others (mode {mode:o}); run `chmod 600 {}`", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file or URI is no secret.
    #[error(
        "{from}: expected a secret phrase of 12 to 24 words, a 0x-prefixed seed of 64 hexadecimal digits, either with \
         /derivation/path, or //Name: {reason}"
    )]
    Invalid {
        /// Where it came from; the secret itself is never shown.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A key that signs transactions.
#[derive(Clone)]
pub struct Keypair(sr25519::Keypair);

impl std::fmt::Debug for Keypair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keypair({})", self.account())
    }
}

impl Keypair {
    /// The key that `spec` names: a development URI like `//Alice`, or else a file with a secret
    /// phrase, a seed or a secret URI, which nobody but its owner may be allowed to read.
    pub fn load(spec: &str) -> Result<Self, KeyError> {
        if spec.starts_with("//") {
            return Self::from_uri(spec, spec);
        }
        let path = PathBuf::from(spec);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Err(KeyError::NotFound { spec: spec.into() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // What looks like a secret must not end up in an error message.
                let looks_secret = spec.contains(' ') || spec.starts_with("0x");
                let spec = if looks_secret {
                    "something that looks like a secret".into()
                } else {
                    spec.into()
                };
                return Err(KeyError::NotFound { spec });
            }
            Err(error) => return Err(KeyError::Io { path, error }),
        };
        let from = path.display().to_string();
        if metadata.len() > MAX_FILE {
            let reason = format!("it has {} bytes, more than {MAX_FILE}", metadata.len());
            return Err(KeyError::Invalid { from, reason });
        }
        check_permissions(&path, &metadata)?;
        let content = fs::read_to_string(&path).map_err(|error| KeyError::Io { path, error })?;
        Self::from_uri(content.trim(), &from)
    }

    /// The account that the key signs for.
    pub fn account(&self) -> AccountId {
        AccountId::new(self.0.public_key().0)
    }

    pub(crate) fn signer(&self) -> &sr25519::Keypair {
        &self.0
    }

    fn from_uri(uri: &str, from: &str) -> Result<Self, KeyError> {
        let invalid = |reason: String| KeyError::Invalid {
            from: from.into(),
            reason,
        };
        if uri.is_empty() {
            return Err(invalid("it is empty".into()));
        }
        let uri = SecretUri::from_str(uri).map_err(|error| invalid(error.to_string()))?;
        sr25519::Keypair::from_uri(&uri)
            .map(Self)
            .map_err(|error| invalid(error.to_string()))
    }
}

#[cfg(unix)]
fn check_permissions(path: &std::path::Path, metadata: &fs::Metadata) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyError::Exposed {
            path: path.into(),
            mode,
        })
    }
}

#[cfg(not(unix))]
fn check_permissions(_: &std::path::Path, _: &fs::Metadata) -> Result<(), KeyError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use sp_core::crypto::Ss58Codec;
    use std::os::unix::fs::PermissionsExt;

    /// Known from every Substrate development chain.
    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    fn file(content: &str, mode: u32) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (dir, path)
    }

    #[test]
    fn development_uri_should_give_the_known_account() {
        assert_eq!(Keypair::load("//Alice").unwrap().account().to_ss58check(), ALICE);
        assert_ne!(Keypair::load("//Alice//stash").unwrap().account().to_ss58check(), ALICE);
    }

    #[test]
    fn file_should_give_the_key_of_its_phrase_or_seed() {
        for content in [
            "//Alice",
            "bottom drive obey lake curtain smoke basket hold race lonely fit walk//Alice\n",
            "0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a",
        ] {
            let (_dir, path) = file(content, 0o600);
            assert_eq!(
                Keypair::load(&path).unwrap().account().to_ss58check(),
                ALICE,
                "{content}"
            );
        }
    }

    #[test]
    fn file_should_be_refused_when_others_can_read_it() {
        for mode in [0o640, 0o604, 0o777] {
            let (_dir, path) = file("//Alice", mode);
            assert!(matches!(Keypair::load(&path), Err(KeyError::Exposed { mode: got, .. }) if got == mode));
        }
    }

    #[test]
    fn secret_should_never_be_shown_when_something_is_wrong() {
        let (_dir, path) = file("bottom drive obey", 0o600);
        let error = Keypair::load(&path).unwrap_err();
        assert!(matches!(error, KeyError::Invalid { .. }));
        assert!(!error.to_string().contains("bottom"), "{error}");
        let error = Keypair::load("bottom drive obey").unwrap_err().to_string();
        assert!(!error.contains("bottom"), "{error}");
        assert!(!format!("{:?}", Keypair::load("//Alice").unwrap()).contains("Alice"));
    }

    #[test]
    fn missing_or_empty_file_should_be_told() {
        assert!(matches!(Keypair::load("/no/such/file"), Err(KeyError::NotFound { .. })));
        let (_dir, path) = file("\n", 0o600);
        assert!(matches!(Keypair::load(&path), Err(KeyError::Invalid { .. })));
    }
}
