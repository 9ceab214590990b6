//! Measures candle at the work of `cargo xtask bench engine`, in f32 on the CPU.
//!
//! Prints a JSON line that says what it is, then answers a line `WORK CLASS SIZE` with a JSON line each, as
//! `bench/python/peers.py` does, which has the works. The number of threads is rayon's, so it is one for a process:
//!
//! ```text
//! echo minilm f32 32x128 | RAYON_NUM_THREADS=1 cargo run --release --manifest-path bench/peers/Cargo.toml
//! ```

mod language_model;

use anyhow::{bail, Context, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::{loss, AdamW, Linear, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use candle_transformers::models::bert::{BertModel, Config};
use serde_json::json;
use std::{
    collections::{hash_map::Entry, HashMap},
    env,
    io::BufRead,
    path::{Path, PathBuf},
    time::Instant,
};

/// What a measurement takes at least.
const LEAST_SECONDS: f64 = 1.0 / 3.0;

/// One run of a work.
type Step = Box<dyn FnMut() -> Result<()>>;

/// Milliseconds of a run of `step`.
fn mean_ms(step: &mut Step) -> Result<f64> {
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

/// Token ids U32 `[batch, length]`, the same for every program.
fn token_ids(batch: usize, length: usize) -> Result<Tensor> {
    let ids: Vec<u32> = (0..batch * length).map(|at| (1000 + 7 * at % 20_000) as u32).collect();
    Ok(Tensor::from_vec(ids, (batch, length), &Device::Cpu)?)
}

fn minilm(batch: usize, length: usize) -> Result<Step> {
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
    let ids = token_ids(batch, length)?;
    let types = ids.zeros_like()?;
    Ok(Box::new(move || {
        let hidden = model.forward(&ids, &types, None)?;
        let mean = hidden.mean(1)?;
        mean.broadcast_div(&mean.sqr()?.sum_keepdim(1)?.sqrt()?)?;
        Ok(())
    }))
}

fn adam_w(variables: &VarMap) -> Result<AdamW> {
    // The defaults are those of PyTorch: rate 1e-3, weight decay 0.01.
    Ok(AdamW::new(variables.all_vars(), ParamsAdamW::default())?)
}

fn mlp(batch: usize) -> Result<Step> {
    let variables = VarMap::new();
    let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let first: Linear = candle_nn::linear(784, 256, builder.pp("first"))?;
    let second: Linear = candle_nn::linear(256, 10, builder.pp("second"))?;
    let mut optimiser = adam_w(&variables)?;
    let x = Tensor::rand(0f32, 1f32, (batch, 784), &Device::Cpu)?;
    let labels: Vec<u32> = (0..batch as u32).map(|at| at % 10).collect();
    let labels = Tensor::from_vec(labels, batch, &Device::Cpu)?;
    Ok(Box::new(move || {
        let scores = second.forward(&first.forward(&x)?.relu()?)?;
        optimiser.backward_step(&loss::cross_entropy(&scores, &labels)?)?;
        Ok(())
    }))
}

fn lm(count: usize, length: usize) -> Result<Step> {
    let variables = VarMap::new();
    let model = language_model::LanguageModel::new(&VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
    let mut optimiser = adam_w(&variables)?;
    let ids = token_ids(count, length)?;
    Ok(Box::new(move || {
        let loss = model.loss(&ids)?;
        let mut gradients = loss.backward()?;
        language_model::clip(&variables, &mut gradients, 1.0)?;
        optimiser.step(&gradients)?;
        Ok(())
    }))
}

fn made(request: &str) -> Result<Step> {
    let [work, "f32", size] = request.split_whitespace().collect::<Vec<_>>()[..] else {
        bail!("expected WORK f32 SIZE, got {request}");
    };
    let sizes: Vec<usize> = size.split('x').map(str::parse).collect::<Result<_, _>>()?;
    match (work, &sizes[..]) {
        ("minilm", [batch, length]) => minilm(*batch, *length),
        ("mlp", [batch]) => mlp(*batch),
        ("lm", [count, length]) => lm(*count, *length),
        _ => bail!("no such work: {request}"),
    }
}

fn main() -> Result<()> {
    println!("{}", json!({"peer": "candle", "version": "0.11.1"}));
    let mut steps: HashMap<String, Step> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let request = line?;
        let mut measure = || match steps.entry(request.clone()) {
            Entry::Occupied(mut step) => mean_ms(step.get_mut()),
            Entry::Vacant(place) => {
                let step = place.insert(made(&request)?);
                // To warm up
                step()?;
                mean_ms(step)
            }
        };
        match measure() {
            Ok(value) => println!("{}", json!({ "value": value })),
            Err(error) => println!("{}", json!({"error": format!("{error:#}")})),
        }
    }
    Ok(())
}
