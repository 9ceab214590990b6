//! Measures the engine for `cargo xtask bench engine`:
//!
//! ```text
//! bench import FOLDER                  packages of MiniLM and SmolLM2, with the precisions that are measured
//! bench serve FOLDER THREADS           measures what it is asked for
//! bench memory FOLDER PACKAGE          memory of generating with a package, in a process that does nothing else
//! ```
//!
//! `serve` prints a JSON line that says what it is, then reads `WORK CLASS SIZE` a line at a time and answers each with a JSON
//! line, as `bench/python/peers.py` does, which has the works and their units. A class is a precision such as `w8a16`, with
//! `+trace` behind it if a trace is recorded; training has `a24`.

mod training;

use assay_engine::{
    generate::{Request, Sampling},
    Embedder, Generator, Settings, Trainer,
};
use assay_exact::opening::{Digest, HashMode};
use assay_models::{import, package::WEIGHTS, Manifest, Package};
use serde_json::{json, Value};
use std::{
    collections::HashMap,
    error::Error,
    io::{BufRead, Write},
    path::{Path, PathBuf},
    time::Instant,
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Models and their precisions.
const PACKAGES: [(&str, &str); 4] = [
    ("minilm", "w8a16"),
    ("minilm", "w8a8"),
    ("smollm2", "w8a16"),
    ("smollm2", "w8a8"),
];

/// What a measurement takes at least.
const LEAST_SECONDS: f64 = 1.0 / 3.0;

/// Tokens of the prompt behind which decoding is measured.
const SHORT_PROMPT: usize = 16;

/// The manifest's file in a package's folder.
const MANIFEST: &str = "manifest.json";

/// Token ids, the same for every program.
pub(crate) fn token_ids(count: usize) -> Vec<u32> {
    (0..count).map(|at| 1_000 + (7 * at % 20_000) as u32).collect()
}

/// Milliseconds of a run of `step`.
fn mean_ms(mut step: impl FnMut() -> Result<()>) -> Result<f64> {
    let (begun, mut runs) = (Instant::now(), 0.0);
    loop {
        step()?;
        runs += 1.0;
        let taken = begun.elapsed().as_secs_f64();
        if taken >= LEAST_SECONDS {
            return Ok(taken * 1e3 / runs);
        }
    }
}

fn import_all(to: &Path) -> Result<()> {
    let models = match std::env::var_os("ASSAY_MODELS") {
        Some(models) => PathBuf::from(models),
        None => PathBuf::from(std::env::var_os("HOME").ok_or("neither ASSAY_MODELS nor HOME is set")?)
            .join(".cache/assay/models"),
    };
    for (model, precision) in PACKAGES {
        let folder = to.join(format!("{model}-{precision}"));
        let imported = import(&models.join(model), model, precision.parse()?, &folder)?;
        std::fs::write(folder.join(MANIFEST), imported.manifest.to_bytes())?;
    }
    Ok(())
}

fn package(folder: &Path, name: &str) -> Result<Package> {
    let folder = folder.join(name);
    let manifest = Manifest::from_bytes(&std::fs::read(folder.join(MANIFEST))?)?;
    Ok(Package::load(manifest, |file| folder.join(&file.name))?)
}

/// What answers requests.
struct Server {
    packages: PathBuf,
    settings: Settings,
    embedders: HashMap<String, Embedder>,
    generators: HashMap<String, Generator>,
    trainers: HashMap<String, (Trainer, training::Batch)>,
    seen: Vec<String>,
}

impl Server {
    /// Answers `WORK CLASS SIZE`.
    fn answer(&mut self, request: &str) -> Result<f64> {
        let [work, class, size] = request.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err("expected WORK CLASS SIZE".into());
        };
        let sizes: Vec<usize> = size.split('x').map(str::parse).collect::<std::result::Result<_, _>>()?;
        // The first run of each is to warm up
        if !self.seen.iter().any(|seen| seen == request) {
            self.measure(work, class, &sizes)?;
            self.seen.push(request.into());
        }
        self.measure(work, class, &sizes)
    }

    fn measure(&mut self, work: &str, class: &str, sizes: &[usize]) -> Result<f64> {
        let (precision, is_traced) = match class.strip_suffix("+trace") {
            Some(precision) => (precision, true),
            None => (class, false),
        };
        match (work, sizes) {
            ("minilm", [count, length]) => {
                let sequences: Vec<_> = token_ids(count * length).chunks(*length).map(<[u32]>::to_vec).collect();
                let embedder = self.embedder(precision)?;
                mean_ms(|| {
                    if is_traced {
                        let (embeddings, _) = embedder.embed_traced(&sequences, Digest::default(), HashMode::Plain)?;
                        embeddings?;
                    } else {
                        embedder.embed(&sequences)?;
                    }
                    Ok(())
                })
            }
            ("decode", [tokens]) => {
                let generator = self.generator(precision)?;
                let record = is_traced.then_some(&HashMode::Plain);
                let mut generation = generator.start(request(SHORT_PROMPT, *tokens))?;
                generator.advance([&mut generation], record);
                let begun = Instant::now();
                while generation.end().is_none() {
                    generator.advance([&mut generation], record);
                }
                Ok(*tokens as f64 / begun.elapsed().as_secs_f64())
            }
            ("prefill", [tokens]) => {
                let generator = self.generator(precision)?;
                let mut generation = generator.start(request(*tokens, 0))?;
                let begun = Instant::now();
                while generation.tokens().is_empty() {
                    generator.advance([&mut generation], None);
                }
                Ok(*tokens as f64 / begun.elapsed().as_secs_f64())
            }
            ("mlp" | "lm", sizes) => {
                if !self.trainers.contains_key(work) {
                    let made = match sizes {
                        [batch] => training::mlp(*batch, self.settings)?,
                        [count, length] => training::language_model(*count, *length, self.settings)?,
                        _ => return Err("expected a size of one or two numbers".into()),
                    };
                    self.trainers.insert(work.into(), made);
                }
                let (trainer, batch) = self.trainers.get_mut(work).expect("it has just been made; qed");
                mean_ms(|| Ok(trainer.step(batch.clone()).map(drop)?))
            }
            _ => Err("known works: minilm, decode, prefill, mlp, lm".into()),
        }
    }

    fn embedder(&mut self, precision: &str) -> Result<&Embedder> {
        if !self.embedders.contains_key(precision) {
            let package = package(&self.packages, &format!("minilm-{precision}"))?;
            let embedder = Embedder::load(&package, self.settings)?;
            self.embedders.insert(precision.into(), embedder);
        }
        Ok(&self.embedders[precision])
    }

    fn generator(&mut self, precision: &str) -> Result<&Generator> {
        if !self.generators.contains_key(precision) {
            let package = package(&self.packages, &format!("smollm2-{precision}"))?;
            let generator = Generator::load(&package, self.settings)?;
            self.generators.insert(precision.into(), generator);
        }
        Ok(&self.generators[precision])
    }
}

/// `tokens` behind the one that comes with a prompt; none of them is an end.
fn request(prompt: usize, tokens: usize) -> Request {
    Request {
        prompt: token_ids(prompt),
        max_tokens: tokens as u32 + 1,
        sampling: Sampling::GREEDY,
        end: Some(Vec::new()),
    }
}

fn serve(packages: &Path, threads: usize) -> Result<()> {
    let settings = Settings {
        threads,
        ..Settings::default()
    };
    println!(
        "{}",
        json!({"peer": "Assay", "version": env!("CARGO_PKG_VERSION"), "isa": settings.isa.to_string()})
    );
    let mut server = Server {
        packages: packages.into(),
        settings,
        embedders: HashMap::new(),
        generators: HashMap::new(),
        trainers: HashMap::new(),
        seen: Vec::new(),
    };
    for line in std::io::stdin().lock().lines() {
        let answer = match server.answer(&line?) {
            Ok(value) => json!({ "value": value }),
            Err(error) => json!({"error": error.to_string()}),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Bytes of memory that this process has in use (`VmRSS`), or had at its most (`VmHWM`), by Linux's account.
fn memory(field: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
    Ok(1_024 * kib.ok_or("no such line in /proc/self/status")?.parse::<u64>()?)
}

/// Loads a package, takes in a prompt of 512 tokens and generates 64, and tells what memory that took.
fn memory_of(packages: &Path, name: &str) -> Result<Value> {
    const PROMPT: usize = 512;
    const TOKENS: usize = 64;
    let size = std::fs::metadata(packages.join(name).join(WEIGHTS))?.len();
    let package = package(packages, name)?;
    let settings = Settings {
        threads: 1,
        ..Settings::default()
    };
    let before = memory("VmRSS")?;
    let generator = Generator::load(&package, settings)?;
    let (loaded, peak_of_loading) = (memory("VmRSS")?, memory("VmHWM")?);
    let mut generation = generator.start(request(PROMPT, TOKENS))?;
    while generation.end().is_none() {
        generator.advance([&mut generation], None);
    }
    Ok(json!({
        "package": size, "states": generation.state_bytes(), "before": before, "loaded": loaded,
        "peak_of_loading": peak_of_loading, "peak": memory("VmHWM")?,
    }))
}

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["import", to] => import_all(Path::new(to)),
        ["serve", packages, threads] => serve(Path::new(packages), threads.parse()?),
        ["memory", packages, name] => {
            println!("{}", memory_of(Path::new(packages), name)?);
            Ok(())
        }
        _ => Err("expected `import FOLDER`, `serve FOLDER THREADS` or `memory FOLDER PACKAGE`".into()),
    }
}
