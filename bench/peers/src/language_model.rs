//! A Llama-like decoder of 6 layers that candle can train.
//!
//! candle-transformers' own is for inference: its fused norm, rotation and softmax have no gradients. This is made of the
//! operations that have, and of the slower rotation that candle keeps for this purpose.

use anyhow::Result;
use candle_core::{backprop::GradStore, Device, Tensor};
use candle_nn::{init, linear_no_bias, loss, ops, rotary_emb, Embedding, Linear, Module, VarBuilder, VarMap};

const VOCABULARY: usize = 32_000;
const WIDTH: usize = 288;
const HIDDEN: usize = 768;
const LAYERS: usize = 6;
const HEADS: usize = 6;
const HEAD: usize = WIDTH / HEADS;
const CONTEXT: usize = 256;
const EPSILON: f64 = 1e-5;
const ROTARY_BASE: f32 = 10_000.0;

struct Layer {
    attention_norm: Tensor,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    feed_forward_norm: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
}

/// The decoder; its output matrix is its embedding.
pub(crate) struct LanguageModel {
    embedding: Embedding,
    layers: Vec<Layer>,
    norm: Tensor,
    /// F32 `[CONTEXT, HEAD / 2]`.
    cosines: Tensor,
    sines: Tensor,
}

fn rms_norm(x: &Tensor, scale: &Tensor) -> Result<Tensor> {
    let root = (x.sqr()?.mean_keepdim(candle_core::D::Minus1)? + EPSILON)?.sqrt()?;
    Ok(x.broadcast_div(&root)?.broadcast_mul(scale)?)
}

fn scale(builder: &VarBuilder, name: &str) -> Result<Tensor> {
    Ok(builder.get_with_hints(WIDTH, name, init::ONE)?)
}

impl Layer {
    fn new(builder: &VarBuilder) -> Result<Self> {
        let linear = |from, to, name: &str| linear_no_bias(from, to, builder.pp(name));
        Ok(Self {
            attention_norm: scale(builder, "attention_norm")?,
            query: linear(WIDTH, WIDTH, "query")?,
            key: linear(WIDTH, WIDTH, "key")?,
            value: linear(WIDTH, WIDTH, "value")?,
            output: linear(WIDTH, WIDTH, "output")?,
            feed_forward_norm: scale(builder, "feed_forward_norm")?,
            gate: linear(WIDTH, HIDDEN, "gate")?,
            up: linear(WIDTH, HIDDEN, "up")?,
            down: linear(HIDDEN, WIDTH, "down")?,
        })
    }

    /// `x` F32 `[batch, length, WIDTH]`; `mask` F32 `[length, length]` is added to the scores.
    fn forward(&self, x: &Tensor, rotation: (&Tensor, &Tensor), mask: &Tensor) -> Result<Tensor> {
        let (batch, length, _) = x.dims3()?;
        let heads = |linear: &Linear, x: &Tensor| -> Result<Tensor> {
            let y = linear.forward(x)?.reshape((batch, length, HEADS, HEAD))?;
            Ok(y.transpose(1, 2)?.contiguous()?)
        };
        let normed = rms_norm(x, &self.attention_norm)?;
        let query = rotary_emb::rope_slow(&heads(&self.query, &normed)?, rotation.0, rotation.1)?;
        let key = rotary_emb::rope_slow(&heads(&self.key, &normed)?, rotation.0, rotation.1)?;
        let value = heads(&self.value, &normed)?;
        let scores = (query.matmul(&key.t()?)? * (HEAD as f64).powf(-0.5))?.broadcast_add(mask)?;
        let mixed = ops::softmax(&scores, candle_core::D::Minus1)?.matmul(&value)?;
        let x = (x + self
            .output
            .forward(&mixed.transpose(1, 2)?.reshape((batch, length, WIDTH))?)?)?;
        let normed = rms_norm(&x, &self.feed_forward_norm)?;
        let gated = (self.gate.forward(&normed)?.silu()? * self.up.forward(&normed)?)?;
        Ok((&x + self.down.forward(&gated)?)?)
    }
}

impl LanguageModel {
    /// One with random weights.
    pub(crate) fn new(builder: &VarBuilder) -> Result<Self> {
        let embedding = builder.get_with_hints(
            (VOCABULARY, WIDTH),
            "embedding",
            init::Init::Randn { mean: 0.0, stdev: 0.02 },
        )?;
        let layers = (0..LAYERS)
            .map(|at| Layer::new(&builder.pp(at)))
            .collect::<Result<_>>()?;
        let angles: Vec<f32> = (0..CONTEXT * HEAD / 2)
            .map(|at| {
                let (position, pair) = (at / (HEAD / 2), at % (HEAD / 2));
                position as f32 * ROTARY_BASE.powf(-2.0 * pair as f32 / HEAD as f32)
            })
            .collect();
        let angles = Tensor::from_vec(angles, (CONTEXT, HEAD / 2), &Device::Cpu)?;
        Ok(Self {
            embedding: Embedding::new(embedding, WIDTH),
            layers,
            norm: scale(builder, "norm")?,
            cosines: angles.cos()?,
            sines: angles.sin()?,
        })
    }

    /// The mean loss of the successors of `ids` U32 `[batch, length]`.
    pub(crate) fn loss(&self, ids: &Tensor) -> Result<Tensor> {
        let (_, length) = ids.dims2()?;
        let rotation = (&self.cosines.narrow(0, 0, length)?, &self.sines.narrow(0, 0, length)?);
        let mask: Vec<f32> = (0..length * length)
            .map(|at| {
                if at % length > at / length {
                    f32::NEG_INFINITY
                } else {
                    0.0
                }
            })
            .collect();
        let mask = Tensor::from_vec(mask, (length, length), &Device::Cpu)?;
        let mut x = self.embedding.forward(ids)?;
        for layer in &self.layers {
            x = layer.forward(&x, rotation, &mask)?;
        }
        let x = rms_norm(&x, &self.norm)?.narrow(1, 0, length - 1)?.flatten_to(1)?;
        let logits = x.matmul(&self.embedding.embeddings().t()?)?;
        Ok(loss::cross_entropy(
            &logits,
            &ids.narrow(1, 1, length - 1)?.flatten_all()?,
        )?)
    }
}

/// Scales gradients down so that their norm is at most `largest`.
pub(crate) fn clip(variables: &VarMap, gradients: &mut GradStore, largest: f64) -> Result<()> {
    let variables = variables.all_vars();
    let mut sum = 0.0;
    for gradient in variables.iter().filter_map(|variable| gradients.get(variable)) {
        sum += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    let scale = largest / sum.sqrt().max(largest);
    for variable in &variables {
        if let Some(gradient) = gradients.remove(variable) {
            gradients.insert(variable, (gradient * scale)?);
        }
    }
    Ok(())
}
