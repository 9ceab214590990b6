//! Models with massive activations: what precisions make of them.
//!
//! A small Qwen2 decoder in which a feed-forward layer writes 12,000 into one channel of the first token and of delimiters
//! (Sun et al. 2024, arXiv:2402.17762), with large biases of keys, against the same model in f64.

#![allow(clippy::unwrap_used)]

use assay_engine::{
    executor::{Buffer, Executor, Given, WeightSource},
    Settings,
};
use assay_models::{
    config::{Config, DecoderConfig, Family},
    family::{self, WeightMaker},
    SourceError, Weights,
};
use assay_programs::family::{decoder::Purpose, Precision};
use std::{collections::BTreeMap, convert::Infallible};

const WIDTH: usize = 64;
const INNER: usize = 96;
const LAYERS: usize = 3;
const HEADS: usize = 2;
const DIMENSION: usize = 32;
const VOCABULARY: usize = 64;
const THETA: f64 = 1e6;
const EPSILON: f32 = 1e-6;

/// The token whose activations are massive; the channel that says so, and the one that becomes massive.
const DELIMITER: usize = 0;
const MARK: usize = 5;
const MASSIVE: usize = 40;
const HEIGHT: f32 = 12_000.0;

struct Model(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Weights for Model {
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, SourceError> {
        let found = self.0.get(name).map(|(shape, _)| shape.clone());
        found.ok_or_else(|| SourceError::Missing {
            file: "memory".into(),
            name: name.into(),
            count: self.0.len(),
        })
    }

    fn read_f32(&self, name: &str) -> Result<Vec<f32>, SourceError> {
        self.shape(name).map(|_| self.0[name].1.clone())
    }
}

/// About normally distributed numbers from a seed.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        let mut uniform = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 40) as f32 / (1 << 24) as f32
        };
        (0..12).map(|_| uniform()).sum::<f32>() - 6.0
    }

    fn vector(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        (0..count).map(|_| deviation * self.next()).collect()
    }
}

/// The nearest number with the eight bits that weights of published models have. (Why: one weight makes an activation
/// massive, and another takes it back. Both must be what they are to more than one part in 12,000.)
fn to_bf16(x: f32) -> f32 {
    f32::from_bits((x.to_bits() + 0x8000) & 0xffff_0000)
}

impl Model {
    fn new() -> Self {
        let mut noise = Noise(7);
        let mut model = Self(BTreeMap::new());
        let around_one = |noise: &mut Noise| noise.vector(WIDTH, 0.2).iter().map(|x| 1.0 + x).collect::<Vec<_>>();
        let mut add = |name: String, shape: &[usize], elements: Vec<f32>| {
            assert_eq!(elements.len(), shape.iter().product::<usize>());
            let elements = elements.into_iter().map(to_bf16).collect();
            model.0.insert(name, (shape.to_vec(), elements));
        };
        let mut table = noise.vector(VOCABULARY * WIDTH, 1.0);
        for (token, row) in table.chunks_exact_mut(WIDTH).enumerate() {
            row[MARK] = if token == DELIMITER { 8.0 } else { 0.0 };
        }
        add("model.embed_tokens.weight".into(), &[VOCABULARY, WIDTH], table);
        let head = noise.vector(VOCABULARY * WIDTH, 0.3);
        add("lm_head.weight".into(), &[VOCABULARY, WIDTH], head);
        let mut norm = around_one(&mut noise);
        norm[MASSIVE] = 0.02;
        add("model.norm.weight".into(), &[WIDTH], norm);
        for layer in 0..LAYERS {
            let name = |part: &str| format!("model.layers.{layer}.{part}");
            for part in ["input_layernorm", "post_attention_layernorm"] {
                let mut norm = around_one(&mut noise);
                norm[MARK] = 1.0;
                norm[MASSIVE] = 0.25;
                add(name(&format!("{part}.weight")), &[WIDTH], norm);
            }
            for (part, rows) in [("q", HEADS * DIMENSION), ("k", DIMENSION), ("v", DIMENSION)] {
                let weight = noise.vector(rows * WIDTH, 0.12);
                add(name(&format!("self_attn.{part}_proj.weight")), &[rows, WIDTH], weight);
                let mut bias = noise.vector(rows, 0.3);
                if part == "k" {
                    // In the dimensions that rotate slowest
                    (bias[14], bias[15], bias[30], bias[31]) = (-80.0, 120.0, 60.0, -150.0);
                }
                add(name(&format!("self_attn.{part}_proj.bias")), &[rows], bias);
            }
            let mut output = noise.vector(WIDTH * HEADS * DIMENSION, 0.1);
            let mut down = noise.vector(WIDTH * INNER, 0.08);
            let mut gates = [0; 2].map(|_| noise.vector(INNER * WIDTH, 0.12));
            for row in [MARK, MASSIVE] {
                output[row * WIDTH..][..WIDTH].iter_mut().for_each(|x| *x *= 0.01);
                down[row * INNER..][..INNER].iter_mut().for_each(|x| *x *= 0.01);
            }
            // The first layer makes it massive where the mark is; the last one takes it back. Both see about 8 times the
            // gain: the mark among others of one, and a channel far above all others
            let planted = [(MARK, 0.75, 1.0), (MASSIVE, 0.25, -1.0)];
            if let Some((channel, gain, sign)) = [Some(planted[0]), None, Some(planted[1])][layer] {
                let unit = 3;
                gates.iter_mut().for_each(|gate| {
                    gate[unit * WIDTH..][..WIDTH].iter_mut().for_each(|x| *x *= 0.02);
                    gate[unit * WIDTH + channel] = 25.0 / (8.0 * gain);
                });
                (0..WIDTH).for_each(|row| down[row * INNER + unit] *= 0.01);
                down[MASSIVE * INNER + unit] = sign * HEIGHT / 625.0;
            }
            let [gate, up] = gates;
            add(name("self_attn.o_proj.weight"), &[WIDTH, WIDTH], output);
            add(name("mlp.gate_proj.weight"), &[INNER, WIDTH], gate);
            add(name("mlp.up_proj.weight"), &[INNER, WIDTH], up);
            add(name("mlp.down_proj.weight"), &[WIDTH, INNER], down);
        }
        model
    }

    fn wide(&self, name: &str) -> Vec<f64> {
        self.0[name].1.iter().map(|x| f64::from(*x)).collect()
    }

    fn linear(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let weight = self.wide(&format!("{name}.weight"));
        let rows = weight.chunks_exact(x.len());
        let mut y: Vec<f64> = rows.map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect();
        if let Some((_, bias)) = self.0.get(&format!("{name}.bias")) {
            y.iter_mut().zip(bias).for_each(|(y, bias)| *y += f64::from(*bias));
        }
        y
    }

    fn norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let inverse = 1.0 / (mean + f64::from(EPSILON)).sqrt();
        let gain = self.wide(&format!("{name}.weight"));
        x.iter().zip(gain).map(|(x, gain)| x * inverse * gain).collect()
    }

    /// Scores behind each token, and the largest element of a hidden state on the way.
    fn scores(&self, tokens: &[u32]) -> (Vec<Vec<f64>>, f64) {
        let table = self.wide("model.embed_tokens.weight");
        let row = |token: &u32| table[*token as usize * WIDTH..][..WIDTH].to_vec();
        let mut hidden: Vec<Vec<f64>> = tokens.iter().map(row).collect();
        let mut largest = 0.0f64;
        for layer in 0..LAYERS {
            let name = |part: &str| format!("model.layers.{layer}.{part}");
            let normed: Vec<_> = hidden.iter().map(|x| self.norm(&name("input_layernorm"), x)).collect();
            let part = |part: &str| -> Vec<Vec<f64>> {
                let name = name(&format!("self_attn.{part}_proj"));
                normed.iter().map(|x| self.linear(&name, x)).collect()
            };
            let (mut queries, mut keys, values) = (part("q"), part("k"), part("v"));
            for (position, x) in queries.iter_mut().chain(&mut keys).enumerate() {
                let position = position % tokens.len();
                x.chunks_exact_mut(DIMENSION)
                    .for_each(|head| rotate(head, position as f64));
            }
            for (at, x) in hidden.iter_mut().enumerate() {
                let attended: Vec<f64> = queries[at]
                    .chunks_exact(DIMENSION)
                    .flat_map(|query| attend(query, &keys[..=at], &values[..=at]))
                    .collect();
                add(x, &self.linear(&name("self_attn.o_proj"), &attended));
                let normed = self.norm(&name("post_attention_layernorm"), x);
                let [gate, up] = ["gate", "up"].map(|part| self.linear(&name(&format!("mlp.{part}_proj")), &normed));
                let gated: Vec<f64> = gate
                    .iter()
                    .zip(up)
                    .map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up)
                    .collect();
                add(x, &self.linear(&name("mlp.down_proj"), &gated));
                largest = x.iter().fold(largest, |largest, x| largest.max(x.abs()));
            }
        }
        let score = |x: &Vec<f64>| self.linear("lm_head", &self.norm("model.norm", x));
        (hidden.iter().map(score).collect(), largest)
    }
}

fn add(x: &mut [f64], y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

fn rotate(head: &mut [f64], position: f64) {
    let (first, second) = head.split_at_mut(DIMENSION / 2);
    for (pair, (a, b)) in first.iter_mut().zip(second).enumerate() {
        let (sin, cos) = (position * THETA.powf(-2.0 * pair as f64 / DIMENSION as f64)).sin_cos();
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}

fn attend(query: &[f64], keys: &[Vec<f64>], values: &[Vec<f64>]) -> Vec<f64> {
    let dot = |key: &Vec<f64>| query.iter().zip(key).map(|(q, k)| q * k).sum::<f64>() / (DIMENSION as f64).sqrt();
    let scores: Vec<f64> = keys.iter().map(dot).collect();
    let most = scores.iter().copied().fold(f64::MIN, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
    let mut mean = vec![0.0; DIMENSION];
    for (weight, value) in weights.iter().zip(values) {
        let share = weight / weights.iter().sum::<f64>();
        mean.iter_mut()
            .zip(value)
            .for_each(|(mean, value)| *mean += share * value);
    }
    mean
}

fn config() -> Config {
    Config::Decoder(DecoderConfig {
        family: Family::Qwen2,
        hidden: WIDTH as u32,
        layers: LAYERS as u32,
        heads: HEADS as u32,
        kv_heads: 1,
        head_dim: DIMENSION as u32,
        intermediate: INNER as u32,
        vocab: VOCABULARY as u32,
        rms_eps: EPSILON,
        rope_theta: THETA,
        rope_scaling: None,
        tied: false,
        qkv_bias: true,
        max_positions: 64,
        bos: None,
        eos: vec![],
    })
}

/// Every seventh token is the delimiter.
fn tokens() -> Vec<u32> {
    let token = |at: u32| {
        if at.is_multiple_of(7) {
            DELIMITER as u32
        } else {
            1 + at * 29 % (VOCABULARY as u32 - 1)
        }
    };
    (0..48).map(token).collect()
}

/// The greatest angle, as 1 − cosine, between scores in a precision and in f64 where activations are massive.
fn worst(precision: Precision) -> f64 {
    struct Made(Vec<Vec<u8>>);
    impl WeightSource for Made {
        type Error = Infallible;
        fn read(&self, weight: usize) -> Result<Vec<u8>, Infallible> {
            Ok(self.0[weight].clone())
        }
    }
    let (model, config, tokens) = (Model::new(), config(), tokens());
    let (expected, largest) = model.scores(&tokens);
    assert!(largest > 10_000.0, "activations are massive, not {largest}");
    let program = family::program(&config, precision, Purpose::Score).unwrap();
    let mut maker = WeightMaker::new(&config, &model, precision);
    let weights = program
        .weights
        .iter()
        .map(|weight| maker.make(weight).unwrap())
        .collect();
    let executor = Executor::load(program, &Made(weights), Settings::default()).unwrap();
    let given = Given {
        session: &mut executor.session(),
        length: tokens.len() as u32,
        inputs: vec![Buffer::U32(tokens)],
    };
    let output = executor.step(vec![given], None).remove(0).unwrap();
    let Some((_, Buffer::F32(scores))) = output.results.into_iter().next() else {
        panic!("expected scores");
    };
    let angle = |(got, expected): (&[f32], Vec<f64>)| {
        let got: Vec<f64> = got.iter().map(|x| f64::from(*x)).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        1.0 - dot(&got, &expected) / (dot(&got, &got) * dot(&expected, &expected)).sqrt()
    };
    let rows = scores.chunks_exact(VOCABULARY).zip(expected).zip(self::tokens());
    let massive = rows.filter(|(_, token)| *token == DELIMITER as u32);
    massive.map(|(row, _)| angle(row)).fold(0.0, f64::max)
}

#[test]
fn activations_of_24_bits_should_be_nearer_when_some_are_massive() {
    let [coarse, fine] = [Precision::W16A16, Precision::W16A24].map(worst);
    println!("w16a16, w16a24: 1 - cosine {coarse:.1e}, {fine:.1e} at worst");
    assert!(fine < 1e-4 && fine < coarse / 5.0);
}

#[test]
fn activations_should_not_need_more_than_16_bits_when_weights_have_eight() {
    let [coarse, fine] = [Precision::W8A16, Precision::W8A24].map(worst);
    println!("w8a16, w8a24: 1 - cosine {coarse:.1e}, {fine:.1e} at worst");
    assert!(fine > 1e-3 && coarse < 1.2 * fine);
}
