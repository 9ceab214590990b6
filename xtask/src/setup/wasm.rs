//! The WASM target that the runtime is built for: from rustup or, where that cannot download, made
//! with Debian's compiler.
//!
//! Debian 12 has a newer Rust beside its own (packages `*-web`, kept for browsers) but no standard
//! library for `wasm32v1-none`. It is built once, on an empty crate, and put where that compiler
//! looks for it. Its code must carry bitcode, or linking a runtime across crates fails.

use super::{packages, rust};
use crate::report::Report;
use anyhow::{bail, ensure, Context, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};
use xtask::{process, workspace};

/// The target.
const TARGET: &str = "wasm32v1-none";

/// Name under which rustup knows Debian's compiler.
const TOOLCHAIN: &str = "assay-wasm";

/// Read by the runtime's build: which toolchain to take.
pub(crate) const TOOLCHAIN_VARIABLE: &str = "WASM_BUILD_TOOLCHAIN";

/// Set to `debian`, chooses Debian's compiler even where rustup has the target.
const CHOICE_VARIABLE: &str = "ASSAY_WASM_TOOLCHAIN";

/// Debian's compiler, its linker and the source of the standard library.
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];

/// Where those packages install.
const PREFIX: &str = "/usr";

/// The crates of the standard library that a runtime links.
const CRATES: [&str; 3] = ["core", "alloc", "compiler_builtins"];

/// Makes the target available; returns the toolchain to build it with, if it is not the one in use.
pub(super) fn ensure(report: &Report) -> Result<Option<String>> {
    let choice = env::var(CHOICE_VARIABLE).unwrap_or_default();
    match choice.as_str() {
        "" => {}
        "debian" => return ensure_debian(report).map(Some),
        other => bail!("{CHOICE_VARIABLE}={other}: expected `debian` or nothing"),
    }
    if let Some(name) = env::var(TOOLCHAIN_VARIABLE).ok().filter(|name| !name.is_empty()) {
        check(Some(&name)).with_context(|| format!("{TOOLCHAIN_VARIABLE}={name} cannot build for {TARGET}"))?;
        report.say(&format!("{TARGET}: by toolchain {name}, as {TOOLCHAIN_VARIABLE} says"));
        return Ok(Some(name));
    }
    if check(None).is_ok() {
        report.say(&format!("{TARGET}: is there"));
        return Ok(None);
    }
    if is_linked() && check(Some(TOOLCHAIN)).is_ok() {
        report.say(&format!(
            "{TARGET}: is there, by Debian's compiler (toolchain {TOOLCHAIN})"
        ));
        return Ok(Some(TOOLCHAIN.into()));
    }
    report.say(&format!("{TARGET}: adding it by rustup"));
    let mut add = Command::new("rustup");
    // What it says of its own innards is of no use here
    add.env_remove("RUST_BACKTRACE");
    let added =
        process::output_within(add.args(["target", "add", TARGET]), rust::DOWNLOAD_LIMIT).and_then(|_| check(None));
    let Err(error) = added else { return Ok(None) };
    report.say(&format!("rustup could not: {error:#}"));
    report.say("making it with Debian's compiler instead");
    ensure_debian(report)
        .map(Some)
        .with_context(|| format!("install by hand: `rustup target add {TARGET}`"))
}

fn ensure_debian(report: &Report) -> Result<String> {
    packages::ensure_packages(report, &PACKAGES)?;
    let compiler = format!("{PREFIX}/bin/rustc");
    let version = process::output(Command::new(&compiler).arg("--version"))?;
    ensure!(
        rust::suffices(&version),
        "{compiler} is {}, too old: add Debian's security suite to the package sources, which has a newer rustc-web",
        version.trim()
    );
    if is_linked() {
        report.say(&format!("rustup toolchain {TOOLCHAIN}: is there"));
    } else {
        report.say(&format!("rustup toolchain {TOOLCHAIN}: linking {}", version.trim()));
        process::output(Command::new("rustup").args(["toolchain", "link", TOOLCHAIN, PREFIX]))?;
    }
    link_lld(report)?;
    if check(Some(TOOLCHAIN)).is_ok() {
        report.say(&format!("{TARGET} for {TOOLCHAIN}: is there"));
    } else {
        report.say(&format!("{TARGET} for {TOOLCHAIN}: building {}", CRATES.join(", ")));
        build_standard_library()?;
        check(Some(TOOLCHAIN)).context("the standard library just built does not do")?;
    }
    Ok(TOOLCHAIN.into())
}

fn is_linked() -> bool {
    process::output(Command::new("rustup").args(["toolchain", "list"])).is_ok_and(|list| {
        list.lines()
            .any(|line| line.split_whitespace().next() == Some(TOOLCHAIN))
    })
}

/// Debian does not package the linker for WASM where its compiler looks for it; rustup's does.
fn link_lld(report: &Report) -> Result<()> {
    let place = |prefix: &Path, host: &str| prefix.join("lib/rustlib").join(host).join("bin/rust-lld");
    let host = rust::host()?;
    let to = place(Path::new(PREFIX), &host);
    if to.exists() {
        report.say(&format!("{}: is there", to.display()));
        return Ok(());
    }
    let from = place(&rust::sysroot()?, &host);
    ensure!(
        from.exists(),
        "no {}: `rustup component add rustc` by hand",
        from.display()
    );
    report.say(&format!("{}: linking to {}", to.display(), from.display()));
    let folder = to.parent().expect("rust-lld lies in a folder; qed");
    process::output(packages::as_root("mkdir")?.arg("-p").arg(folder))?;
    process::output(packages::as_root("ln")?.arg("-sfn").args([&from, &to]))?;
    Ok(())
}

fn build_standard_library() -> Result<()> {
    let scratch = Scratch::new("wasm-std")?;
    scratch.write_crate(false)?;
    let mut build = scratch.cargo(Some(TOOLCHAIN), "build");
    build
        .args(["-Zbuild-std=core,alloc", "--target", TARGET])
        // The flag is an unstable one; the compiler is a stable one
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Cembed-bitcode=yes");
    process::output(&mut build)?;
    let built = scratch.dir.join("target").join(TARGET).join("release/deps");
    let to = Path::new(PREFIX).join("lib/rustlib").join(TARGET);
    // Complete before it is where the compiler looks for it
    let staged = to.join("lib.new");
    process::output(packages::as_root("rm")?.arg("-rf").arg(&staged))?;
    process::output(packages::as_root("mkdir")?.arg("-p").arg(&staged))?;
    for name in CRATES {
        let library = find_library(&built, name)?;
        process::output(packages::as_root("cp")?.args([&library, &staged]))?;
    }
    process::output(packages::as_root("rm")?.arg("-rf").arg(to.join("lib")))?;
    process::output(packages::as_root("mv")?.args([staged, to.join("lib")]))?;
    Ok(())
}

fn find_library(dir: &Path, name: &str) -> Result<PathBuf> {
    let begin = format!("lib{name}-");
    let is_library = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        file.starts_with(&begin) && file.ends_with(".rlib")
    };
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let found = entries.flatten().map(|entry| entry.path()).find(is_library);
    found.with_context(|| format!("no {begin}*.rlib in {}", dir.display()))
}

/// Builds and links a small library for the target, as the runtime's build does first of all.
fn check(toolchain: Option<&str>) -> Result<()> {
    let scratch = Scratch::new("wasm-check")?;
    scratch.write_crate(true)?;
    process::output(scratch.cargo(toolchain, "build").args(["--target", TARGET])).map(|_| ())
}

/// A folder with a crate, removed when dropped.
struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    fn new(name: &str) -> Result<Self> {
        let dir = workspace::target_dir()?
            .join("xtask")
            .join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(dir.join("src")).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self { dir })
    }

    /// An empty library, or one with as much in it as linking needs.
    fn write_crate(&self, linked: bool) -> Result<()> {
        let (kind, code) = if linked {
            (
                "cdylib",
                "#![no_std]\n#[panic_handler]\nfn panic(_: &core::panic::PanicInfo<'_>) -> ! {\n    loop {}\n}\n",
            )
        } else {
            ("rlib", "#![no_std]\n")
        };
        let manifest = format!(
            "[package]\nname = \"scratch\"\nedition = \"2021\"\n[lib]\ncrate-type = [\"{kind}\"]\n\
             [profile.release]\npanic = \"abort\"\n[workspace]\n"
        );
        fs::write(self.dir.join("Cargo.toml"), manifest)?;
        fs::write(self.dir.join("src/lib.rs"), code)?;
        Ok(())
    }

    fn cargo(&self, toolchain: Option<&str>, subcommand: &str) -> Command {
        let mut command = match toolchain {
            Some(name) => {
                let mut command = Command::new("rustup");
                command.args(["run", name, "cargo"]);
                command
            }
            None => Command::new("cargo"),
        };
        command
            .args([subcommand, "--release"])
            .current_dir(&self.dir)
            .env("CARGO_TARGET_DIR", self.dir.join("target"))
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        command
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind costs a little room under the target folder and nothing else
        let _ = fs::remove_dir_all(&self.dir);
    }
}
