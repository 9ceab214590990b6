//! Compiles the kernels, if the feature `cuda` is on: to PTX, which is checked for fused operations, and to machine code.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Processors that get machine code of their own; newer ones translate the PTX of the last.
const ARCHITECTURES: [&str; 2] = ["80", "90"];

/// What no kernel may have: operations on floats that round once where the definition rounds twice, that are approximate,
/// or that make subnormal numbers zero.
const FORBIDDEN: [&str; 6] = ["fma.", "mad.rn.f32", ".approx", ".ftz", ".full.f32", ".f64"];

const HELP: &str =
    "the feature `cuda` needs nvcc: set NVCC to it, CUDA_HOME to its toolkit, or activate a Python environment \
                    with the packages that docs/gpu.md names";

fn main() {
    println!("cargo:rerun-if-changed=kernels");
    for variable in ["NVCC", "CUDA_HOME", "CUDA_PATH", "VIRTUAL_ENV", "PATH"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    let nvcc = find().expect(HELP);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR; qed"));
    for architecture in ARCHITECTURES {
        let ptx = out.join(format!("kernels.{architecture}.ptx"));
        compile(&nvcc, &ptx, &["-ptx".into(), format!("-arch=compute_{architecture}")]);
        check(&ptx);
    }
    let mut targets = vec!["-fatbin".to_string()];
    for architecture in ARCHITECTURES {
        targets.push(format!("-gencode=arch=compute_{architecture},code=sm_{architecture}"));
    }
    let last = ARCHITECTURES[ARCHITECTURES.len() - 1];
    targets.push(format!("-gencode=arch=compute_{last},code=compute_{last}"));
    compile(&nvcc, &out.join("kernels.fatbin"), &targets);
}

/// Where nvcc is.
fn find() -> Option<PathBuf> {
    if let Some(nvcc) = env::var_os("NVCC") {
        return Some(nvcc.into());
    }
    let toolkits = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(env::var_os);
    let mut folders: Vec<PathBuf> = toolkits.map(|home| Path::new(&home).join("bin")).collect();
    if let Some(environment) = env::var_os("VIRTUAL_ENV") {
        let versions = fs::read_dir(Path::new(&environment).join("lib"))
            .into_iter()
            .flatten()
            .flatten();
        folders.extend(versions.map(|version| version.path().join("site-packages/nvidia/cu13/bin")));
    }
    if let Some(path) = env::var_os("PATH") {
        folders.extend(env::split_paths(&path));
    }
    folders
        .into_iter()
        .map(|folder| folder.join("nvcc"))
        .find(|nvcc| nvcc.is_file())
}

fn compile(nvcc: &Path, to: &Path, targets: &[String]) {
    let kernels = Path::new("kernels/kernels.cu");
    let done = Command::new(nvcc)
        .args(["-std=c++17", "--fmad=false", "-O3"])
        .args(targets)
        .arg("-o")
        .args([to, kernels])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; {HELP}", nvcc.display()));
    assert!(
        done.status.success(),
        "{} failed:\n{}{}",
        nvcc.display(),
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Checks that no kernel has an operation that would not give the same bits as on a CPU.
fn check(ptx: &Path) {
    let text = fs::read_to_string(ptx).expect("nvcc has written it; qed");
    let mut rounded = 0;
    for line in text.lines() {
        for forbidden in FORBIDDEN {
            assert!(
                !line.contains(forbidden),
                "{}: `{}` must not be in a kernel: {forbidden} does not give the same bits everywhere",
                ptx.display(),
                line.trim()
            );
        }
        let mut parts = line.split_whitespace();
        let operation = parts.find(|part| !part.starts_with('@')).unwrap_or_default();
        let name = operation.split('.').next().unwrap_or_default();
        if operation.ends_with(".f32") && matches!(name, "add" | "sub" | "mul" | "div" | "sqrt" | "cvt") {
            // Without `.rn` a later compiler may fuse it
            assert!(
                operation.contains(".rn") || name == "cvt",
                "{}: `{operation}` is not rounded",
                ptx.display()
            );
            rounded += 1;
        }
    }
    assert!(
        rounded > 100,
        "{}: expected the kernels' operations, got {rounded}",
        ptx.display()
    );
}
