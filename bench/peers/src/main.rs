//! Measures candle at the work of `cargo xtask bench engine`, in f32 on the CPU.
//!
//! ```text
//! RAYON_NUM_THREADS=1 cargo run --release -- [minilm] [mlp] [lm]
//! ```
//!
//! Prints the same JSON lines as `bench/python/peers.py`, whose documentation has their fields and the work: after two
//! runs to warm up, the median of `RUNS` (at least five). The number of threads is rayon's, so it is one for a process.

mod language_model;

use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::{loss, AdamW, Linear, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use candle_transformers::models::bert::{BertModel, Config};
use serde_json::json;
use std::{
    env,
    path::{Path, PathBuf},
    time::Instant,
};

const WARM_UP: usize = 2;
const LEAST_RUNS: usize = 5;

/// Milliseconds of each run of `step`, of which a run does `repeat`.
fn measure(repeat: usize, mut step: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    let runs = env::var("RUNS")
        .ok()
        .and_then(|runs| runs.parse().ok())
        .unwrap_or(LEAST_RUNS)
        .max(LEAST_RUNS);
    for _ in 0..WARM_UP {
        step()?;
    }
    (0..runs)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..repeat {
                step()?;
            }
            Ok(begun.elapsed().as_secs_f64() * 1e3 / repeat as f64)
        })
        .collect()
}

fn report(work: &str, size: &str, runs: &[f64]) -> Result<()> {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    };
    let rounded = |value: f64| (value * 1e3).round() / 1e3;
    let host = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let threads = env::var("RAYON_NUM_THREADS").context("RAYON_NUM_THREADS must say how many threads to use")?;
    let line = json!({
        "work": work, "peer": "candle", "class": "f32", "size": size, "threads": threads.parse::<u32>()?, "unit": "ms",
        "median": rounded(median), "runs": runs.iter().copied().map(rounded).collect::<Vec<_>>(),
        "version": "0.11.1", "host": host.unwrap_or_else(|| env::consts::ARCH.to_owned()),
    });
    println!("{line}");
    Ok(())
}

/// Token ids U32 `[batch, length]`, the same for every peer.
fn token_ids(batch: usize, length: usize) -> Result<Tensor> {
    let ids: Vec<u32> = (0..batch * length).map(|at| (1000 + 7 * at % 20_000) as u32).collect();
    Ok(Tensor::from_vec(ids, (batch, length), &Device::Cpu)?)
}

fn minilm() -> Result<()> {
    let models = match env::var_os("ASSAY_MODELS") {
        Some(models) => PathBuf::from(models),
        None => {
            Path::new(&env::var_os("HOME").context("HOME or ASSAY_MODELS must be set")?).join(".cache/assay/models")
        }
    };
    let folder = models.join("minilm");
    let config: Config = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
    let weights = std::fs::read(folder.join("model.safetensors"))?;
    let builder = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
    let model = BertModel::load(builder, &config)?;
    for (batch, length, repeat) in [(32, 128, 1), (1, 16, 20)] {
        let ids = token_ids(batch, length)?;
        let types = ids.zeros_like()?;
        let runs = measure(repeat, || {
            let hidden = model.forward(&ids, &types, None)?;
            let mean = hidden.mean(1)?;
            mean.broadcast_div(&mean.sqr()?.sum_keepdim(1)?.sqrt()?)?;
            Ok(())
        })?;
        report("minilm", &format!("{batch}x{length}"), &runs)?;
    }
    Ok(())
}

fn adam_w(variables: &VarMap) -> Result<AdamW> {
    // The defaults are those of PyTorch: rate 1e-3, weight decay 0.01.
    Ok(AdamW::new(variables.all_vars(), ParamsAdamW::default())?)
}

fn mlp() -> Result<()> {
    let variables = VarMap::new();
    let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let first: Linear = candle_nn::linear(784, 256, builder.pp("first"))?;
    let second: Linear = candle_nn::linear(256, 10, builder.pp("second"))?;
    let mut optimiser = adam_w(&variables)?;
    let x = Tensor::rand(0f32, 1f32, (64, 784), &Device::Cpu)?;
    let labels = Tensor::from_vec((0..64).map(|at| at % 10).collect::<Vec<u32>>(), 64, &Device::Cpu)?;
    let runs = measure(50, || {
        let scores = second.forward(&first.forward(&x)?.relu()?)?;
        optimiser.backward_step(&loss::cross_entropy(&scores, &labels)?)?;
        Ok(())
    })?;
    report("mlp", "64", &runs)
}

fn lm() -> Result<()> {
    let variables = VarMap::new();
    let model = language_model::LanguageModel::new(&VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
    let mut optimiser = adam_w(&variables)?;
    let ids = token_ids(8, 128)?;
    let runs = measure(1, || {
        let loss = model.loss(&ids)?;
        let mut gradients = loss.backward()?;
        language_model::clip(&variables, &mut gradients, 1.0)?;
        optimiser.step(&gradients)?;
        Ok(())
    })?;
    report("lm", "8x128", &runs)
}

fn main() -> Result<()> {
    let mut works: Vec<String> = env::args().skip(1).collect();
    if works.is_empty() {
        works = ["minilm", "mlp", "lm"].map(str::to_owned).to_vec();
    }
    for work in &works {
        match work.as_str() {
            "minilm" => minilm()?,
            "mlp" => mlp()?,
            "lm" => lm()?,
            other => anyhow::bail!("unknown work {other:?}; known: minilm, mlp, lm"),
        }
    }
    Ok(())
}
