//! How near real models in exact arithmetic are to floats, against what PyTorch computed (`bench/python`):
//!
//! ```text
//! cargo run --release -p assay-engine --example accuracy -- minilm|stories15m|smollm2|massive [PRECISION …]
//! ```
//!
//! MiniLM: cosines of 1,000 texts. Decoders, every token given (teacher-forced): how often the likeliest token is the same, and
//! the perplexity's ratio; where the reference has scores, also the cosines of those.

use assay_engine::{
    executor::{Buffer, Executor, Given},
    Embedder, Settings,
};
use assay_models::{family, Config, Package, Source};
use assay_programs::family::{decoder::Purpose, Precision};
use serde::Deserialize;
use std::{
    collections::HashMap,
    error::Error,
    path::{Path, PathBuf},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A file of references: safetensors with integers as well as floats.
struct Reference {
    header: HashMap<String, Entry>,
    data: Vec<u8>,
}

#[derive(Deserialize)]
struct Entry {
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

impl Reference {
    fn open(model: &str) -> Result<Self> {
        let path = cache()?.join("reference").join(model).join("reference.safetensors");
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}; see bench/python", path.display()))?;
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or("too short a file")?;
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let mut header: HashMap<String, serde_json::Value> = serde_json::from_slice(header)?;
        header.remove("__metadata__");
        let entry = |(name, value)| Ok((name, serde_json::from_value(value)?));
        Ok(Self {
            header: header.into_iter().map(entry).collect::<Result<_>>()?,
            data: data.to_vec(),
        })
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        Ok(self.header.get(name).ok_or_else(|| format!("no tensor {name}"))?)
    }

    fn words(&self, name: &str) -> Result<Vec<u32>> {
        let [start, end] = self.entry(name)?.data_offsets;
        Ok(assay_exact::tensor::from_bytes(&self.data[start..end]))
    }

    fn floats(&self, name: &str) -> Result<Vec<f32>> {
        Ok(self.words(name)?.into_iter().map(f32::from_bits).collect())
    }

    /// Rows of different lengths.
    fn ragged(&self, name: &str) -> Result<Vec<Vec<u32>>> {
        let all = self.words(name)?;
        let ends = self.words(&format!("{name}.offsets"))?;
        Ok(ends
            .windows(2)
            .map(|ends| all[ends[0] as usize..ends[1] as usize].to_vec())
            .collect())
    }
}

fn cache() -> Result<PathBuf> {
    let home = std::env::var_os("HOME").ok_or("HOME is not set")?;
    Ok(Path::new(&home).join(".cache/assay"))
}

fn source(model: &str) -> Result<Source> {
    Ok(Source::open(&cache()?.join("models").join(model))?)
}

fn minilm(precision: Precision) -> Result<()> {
    let reference = Reference::open("minilm")?;
    let files = tempfile::tempdir()?;
    let imported = assay_models::import(&cache()?.join("models/minilm"), "minilm", precision, files.path())?;
    let package = Package::load(imported.manifest, |file| files.path().join(&file.name))?;
    let embedder = Embedder::load(&package, Settings::default())?;
    let got = embedder.embed(&reference.ragged("ids")?)?;
    let expected = reference.floats("embeddings")?;
    let width = embedder.dimensions();
    let dot = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let mut cosines: Vec<f64> = got
        .chunks_exact(width)
        .zip(expected.chunks_exact(width))
        .map(dot)
        .collect();
    cosines.sort_by(f64::total_cmp);
    let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
    println!(
        "minilm {precision}: {} texts, 1 - cosine: mean {:.2e}, median {:.2e}, 99th of 100 {:.2e}, worst {:.2e}",
        cosines.len(),
        1.0 - mean,
        1.0 - cosines[cosines.len() / 2],
        1.0 - cosines[cosines.len() / 100],
        1.0 - cosines[0]
    );
    Ok(())
}

fn decoder(model: &str, precision: Precision) -> Result<()> {
    /// Weights of a program made from a model.
    struct Made(Vec<Vec<u8>>);
    impl assay_engine::executor::WeightSource for Made {
        type Error = std::convert::Infallible;
        fn read(&self, weight: usize) -> std::result::Result<Vec<u8>, Self::Error> {
            Ok(self.0[weight].clone())
        }
    }
    let reference = Reference::open(model)?;
    let source = source(model)?;
    let config = Config::of(&source)?;
    let program = family::program(&config, precision, Purpose::Score)?;
    let mut maker = family::WeightMaker::new(&config, source.weights(), precision);
    let weights = program
        .weights
        .iter()
        .map(|weight| maker.make(weight))
        .collect::<std::result::Result<_, _>>()?;
    let executor = Executor::load(program, &Made(weights), Settings::default())?;

    let length = reference.entry("ids")?.shape[1];
    let vocabulary = config.vocabulary() as usize;
    let (ids, top1) = (reference.words("ids")?, reference.words("top1")?);
    let log_probs = reference.floats("log_probs")?;
    let scores_in_floats = match reference.header.contains_key("scores") {
        true => reference.floats("scores")?,
        false => Vec::new(),
    };
    let mut angles = Vec::new();
    let windows = ids
        .chunks_exact(length)
        .zip(top1.chunks_exact(length - 1))
        .zip(log_probs.chunks_exact(length - 1));
    let (mut same, mut count, mut ours, mut theirs) = (0usize, 0usize, 0.0f64, 0.0f64);
    for ((ids, top1), log_probs) in windows {
        let mut session = executor.session();
        let taken = &ids[..length - 1];
        let given = Given {
            session: &mut session,
            length: taken.len() as u32,
            inputs: vec![Buffer::U32(taken.to_vec())],
        };
        let output = executor.step(vec![given], None).remove(0)?;
        let Some((_, Buffer::F32(scores))) = output.results.into_iter().next() else {
            return Err("expected scores".into());
        };
        for (at, row) in scores.chunks_exact(vocabulary).enumerate() {
            angles.extend(
                scores_in_floats
                    .chunks_exact(vocabulary)
                    .nth(count)
                    .map(|other| 1.0 - cosine(row, other)),
            );
            let most = row.iter().copied().fold(f32::MIN, f32::max);
            let best = row.iter().position(|score| *score == most).unwrap_or_default();
            let sum: f64 = row.iter().map(|score| f64::from(score - most).exp()).sum();
            ours += f64::from(row[ids[at + 1] as usize] - most) - sum.ln();
            theirs += f64::from(log_probs[at]);
            same += usize::from(best == top1[at] as usize);
            count += 1;
        }
    }
    let perplexity = |sum: f64| (-sum / count as f64).exp();
    println!(
        "{model} {precision}: {count} tokens, same likeliest {:.2} %, perplexity {:.4} against {:.4}: x {:.5}",
        100.0 * same as f64 / count as f64,
        perplexity(ours),
        perplexity(theirs),
        perplexity(ours) / perplexity(theirs)
    );
    angles.sort_by(f64::total_cmp);
    if let [.., worst] = angles[..] {
        let (mean, median) = (angles.iter().sum::<f64>() / count as f64, angles[count / 2]);
        println!("  1 - cosine of scores: mean {mean:.2e}, median {median:.2e}, worst {worst:.2e}");
    }
    Ok(())
}

/// The cosine of two vectors.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (model, precisions) = arguments
        .split_first()
        .ok_or("expected a model: minilm, stories15m, smollm2 or massive")?;
    let precisions = if precisions.is_empty() {
        Precision::ALL.to_vec()
    } else {
        precisions
            .iter()
            .map(|name| name.parse())
            .collect::<std::result::Result<_, _>>()?
    };
    for precision in precisions {
        match model.as_str() {
            "minilm" => minilm(precision)?,
            model => decoder(model, precision)?,
        }
    }
    Ok(())
}
