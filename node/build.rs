//! Tells the binary its version: the crate's, and the commit it was built from.

use std::{env, path::Path};
use substrate_build_script_utils::{generate_cargo_keys, rerun_if_git_head_changed};

/// Names the commit where the sources are no git checkout.
const COMMIT: &str = "SUBSTRATE_CLI_GIT_COMMIT_HASH";

fn main() {
    println!("cargo:rerun-if-env-changed={COMMIT}");
    if is_checkout() {
        rerun_if_git_head_changed();
    } else if env::var_os(COMMIT).is_none() {
        // A release tarball: the version alone, and no warning about git.
        env::set_var(COMMIT, "");
    }
    generate_cargo_keys();
}

fn is_checkout() -> bool {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it for every build script; qed");
    Path::new(&manifest)
        .ancestors()
        .any(|folder| folder.join(".git").exists())
}
