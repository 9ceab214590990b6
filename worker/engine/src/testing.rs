//! A small random BERT for tests, as a folder and as a package.

#![allow(clippy::unwrap_used)]

use crate::{
    package::{CONFIG, TOKENIZER, WEIGHTS},
    Package,
};
use candle_core::{DType, Device, Tensor};
use std::{collections::HashMap, path::Path};

pub(crate) const VOCABULARY: u32 = 10;
pub(crate) const HIDDEN: usize = 8;
pub(crate) const HEADS: usize = 2;
pub(crate) const LAYERS: usize = 2;
pub(crate) const MAX_SEQUENCE: u32 = 12;
const INTERMEDIATE: usize = 16;

/// The parts of a model folder, to be spoilt by tests.
pub(crate) struct Fixture {
    pub(crate) config: serde_json::Value,
    pub(crate) tokenizer: serde_json::Value,
    tensors: HashMap<String, Tensor>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let mut config = crate::architecture::tests::minilm();
        for (field, value) in [
            ("vocab_size", VOCABULARY as usize),
            ("hidden_size", HIDDEN),
            ("num_attention_heads", HEADS),
            ("num_hidden_layers", LAYERS),
            ("intermediate_size", INTERMEDIATE),
            ("max_position_embeddings", MAX_SEQUENCE as usize),
        ] {
            config[field] = value.into();
        }
        let mut shapes: Vec<(String, Vec<usize>)> = vec![
            (
                "embeddings.word_embeddings.weight".into(),
                vec![VOCABULARY as usize, HIDDEN],
            ),
            (
                "embeddings.position_embeddings.weight".into(),
                vec![MAX_SEQUENCE as usize, HIDDEN],
            ),
            ("embeddings.token_type_embeddings.weight".into(), vec![2, HIDDEN]),
            ("embeddings.LayerNorm.weight".into(), vec![HIDDEN]),
            ("embeddings.LayerNorm.bias".into(), vec![HIDDEN]),
        ];
        for layer in 0..LAYERS {
            for (part, out, input) in [
                ("attention.self.query", HIDDEN, HIDDEN),
                ("attention.self.key", HIDDEN, HIDDEN),
                ("attention.self.value", HIDDEN, HIDDEN),
                ("attention.output.dense", HIDDEN, HIDDEN),
                ("intermediate.dense", INTERMEDIATE, HIDDEN),
                ("output.dense", HIDDEN, INTERMEDIATE),
            ] {
                shapes.push((format!("encoder.layer.{layer}.{part}.weight"), vec![out, input]));
                shapes.push((format!("encoder.layer.{layer}.{part}.bias"), vec![out]));
            }
            for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
                shapes.push((format!("encoder.layer.{layer}.{part}.weight"), vec![HIDDEN]));
                shapes.push((format!("encoder.layer.{layer}.{part}.bias"), vec![HIDDEN]));
            }
        }
        // xorshift64*: the same model in every run.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let mut tensor = |shape: Vec<usize>| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| random()).collect();
            Tensor::from_vec(values, shape, &Device::Cpu)
                .unwrap()
                .to_dtype(DType::F16)
                .unwrap()
        };
        Self {
            config,
            tokenizer: crate::tokenizer::tests::json(),
            tensors: shapes.into_iter().map(|(name, shape)| (name, tensor(shape))).collect(),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.tensors.remove(name).unwrap();
    }

    /// Fills a tensor with one value.
    pub(crate) fn set(&mut self, name: &str, value: f32) {
        let tensor = self.tensors.get_mut(name).unwrap();
        *tensor = Tensor::full(value, tensor.shape(), &Device::Cpu).unwrap();
    }

    fn f64(&self, name: &str) -> Tensor {
        self.tensors[name].to_dtype(DType::F64).unwrap()
    }

    pub(crate) fn matrix(&self, name: &str) -> Vec<Vec<f64>> {
        self.f64(name).to_vec2().unwrap()
    }

    pub(crate) fn vector(&self, name: &str) -> Vec<f64> {
        self.f64(name).to_vec1().unwrap()
    }

    pub(crate) fn write(&self, folder: &Path) {
        std::fs::write(folder.join(CONFIG), self.config.to_string()).unwrap();
        std::fs::write(folder.join(TOKENIZER), self.tokenizer.to_string()).unwrap();
        candle_core::safetensors::save(&self.tensors, folder.join(WEIGHTS)).unwrap();
    }

    /// The package of this model, made without loading it.
    pub(crate) fn package(&self) -> Package {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path());
        Package::load(crate::package::manifest_of(folder.path()), |file| {
            folder.path().join(&file.name)
        })
        .unwrap()
    }
}
