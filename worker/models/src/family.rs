//! From a model as it was published to a program with integers as weights.
//!
//! Everything here is computed by operations that give the same bits on every machine, so that import does: powers and
//! other functions are those of `libm`, which is plain Rust.

mod blocks;
mod keys;

use crate::{
    config::{self, BertConfig, Config, DecoderConfig, RopeScaling},
    source::{SourceError, Weights},
};
use assay_exact::{
    product::Class,
    program::{Declaration, Program, ProgramError},
    row,
    scalar::pow2,
    tensor::{to_bytes, DType},
};
use assay_programs::{
    attention::Heads,
    family::{
        bert::{Encoder, Pooling},
        decoder::{Decoder, Purpose},
        Precision,
    },
    layer::{Activation, SCALES},
};

/// What a weight's name has behind that of the integers whose rows' magnitudes it is.
const MAGNITUDES: &str = ".magnitudes";

/// The same of the multipliers of their blocks.
const MULTIPLIERS: &str = ".multipliers";

/// The rotary frequencies, which models do not store.
const FREQUENCIES: &str = "rotary.frequencies";

/// What some models put before all names.
const PREFIXES: [&str; 2] = ["", "bert."];

/// Why a model cannot be made a program.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Its weights cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A tensor has other dimensions than the configuration says.
    #[error("tensor {name:?}: expected the dimensions {expected:?} that follow from the configuration, got {got:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// What follows from the configuration.
        expected: Vec<usize>,
        /// What it has.
        got: Vec<usize>,
    },
    /// A row is too large for a product.
    #[error("tensor {name:?}, row {row}: expected elements below 2^64, got one of {got:e}")]
    Row {
        /// The tensor.
        name: String,
        /// The row.
        row: usize,
        /// Its magnitude.
        got: f32,
    },
    /// It would be too large a program.
    #[error("the model's program: {0}")]
    Program(ProgramError),
}

/// The program of a model for a purpose; encoders have only one.
pub fn program(config: &Config, precision: Precision, purpose: Purpose) -> Result<Program, BuildError> {
    match config {
        Config::Bert(config) => encoder(config).program(precision),
        Config::Decoder(config) => decoder(config).program(precision, purpose),
    }
    .map_err(BuildError::Program)
}

fn encoder(config: &BertConfig) -> Encoder {
    Encoder {
        vocabulary: config.vocab as usize,
        positions: config.max_positions as usize,
        types: config.types as usize,
        width: config.hidden as usize,
        layers: config.layers as usize,
        heads: config.heads as usize,
        inner: config.intermediate as usize,
        activation: match config.activation {
            config::Activation::Gelu => Activation::Gelu,
            config::Activation::GeluTanh => Activation::GeluTanh,
            config::Activation::Relu => Activation::Relu,
        },
        epsilon: config.norm_eps,
        pooling: match config.pooling {
            config::Pooling::Mean => Pooling::Mean,
            config::Pooling::First => Pooling::First,
        },
    }
}

fn decoder(config: &DecoderConfig) -> Decoder {
    Decoder {
        vocabulary: config.vocab as usize,
        width: config.hidden as usize,
        layers: config.layers as usize,
        heads: Heads {
            queries: config.heads as usize,
            keys: config.kv_heads as usize,
            dimension: config.head_dim as usize,
        },
        inner: config.intermediate as usize,
        epsilon: config.rms_eps,
        qkv_bias: config.qkv_bias,
        tied: config.tied,
    }
}

/// Whether a matrix is the second of a feed-forward layer, whose columns are divided by scales.
fn is_second(name: &str) -> bool {
    name.ends_with(".mlp.down_proj.weight")
        || name
            .strip_suffix(".output.dense.weight")
            .is_some_and(|layer| !layer.ends_with(".attention"))
}

/// The second matrix of a feed-forward layer whose first one takes the scales in its rows.
fn followed_by(name: &str) -> Option<String> {
    let layer = name.strip_suffix(".mlp.up_proj.weight")?;
    Some(format!("{layer}.mlp.down_proj.weight"))
}

/// Makes a program's weights one after the other, in its order.
pub struct WeightMaker<'a> {
    config: &'a Config,
    source: &'a dyn Weights,
    precision: Precision,
    /// The magnitudes of the rows that were made integers last, which are declared next.
    magnitudes: Vec<f32>,
    /// The multipliers of their blocks, which are declared behind them.
    multipliers: Vec<i16>,
}

impl<'a> WeightMaker<'a> {
    /// For a model with this configuration and these weights.
    pub fn new(config: &'a Config, source: &'a dyn Weights, precision: Precision) -> Self {
        Self {
            config,
            source,
            precision,
            magnitudes: Vec::new(),
            multipliers: Vec::new(),
        }
    }

    /// The bytes of the next weight, row-major and little-endian.
    pub fn make(&mut self, weight: &Declaration) -> Result<Vec<u8>, BuildError> {
        let name = weight.name.as_str();
        if name.ends_with(MAGNITUDES) {
            return Ok(to_bytes(&std::mem::take(&mut self.magnitudes)));
        }
        if name.ends_with(MULTIPLIERS) {
            return Ok(to_bytes(&std::mem::take(&mut self.multipliers)));
        }
        if name == FREQUENCIES {
            let Config::Decoder(config) = self.config else {
                unreachable!("only decoders rotate")
            };
            return Ok(to_bytes(&frequencies(config)));
        }
        let expected: Vec<_> = weight.shape.iter().map(|dim| dim.constant as usize).collect();
        if let Some(base) = name.strip_suffix(SCALES) {
            let second = format!("{base}weight");
            let found = PREFIXES.map(|prefix| self.source.shape(&format!("{prefix}{second}")));
            let rows = found
                .into_iter()
                .flatten()
                .next()
                .and_then(|shape| shape.first().copied());
            let shape = [rows.unwrap_or_default(), expected[0]];
            return Ok(to_bytes(&self.column_scales(&self.read(&second, &shape)?, shape[1])));
        }
        let mut elements = self.read(name, &expected)?;
        if let Some(scales) = self.key_scales(name)? {
            // Of a matrix, whole rows; of a bias, single elements
            let width = elements.len() / scales.len().max(1);
            for (row, scale) in elements.chunks_exact_mut(width.max(1)).zip(&scales) {
                row.iter_mut().for_each(|x| *x *= scale);
            }
        }
        if is_second(name) && !self.has_blocks(&expected) {
            let scales = self.column_scales(&elements, expected[1]);
            for row in elements.chunks_exact_mut(expected[1]) {
                row.iter_mut().zip(&scales).for_each(|(x, scale)| *x /= scale);
            }
        }
        if let Some(second) = followed_by(name).filter(|_| !self.has_blocks(&[expected[1], expected[0]])) {
            // Scaling a whole row costs nothing: its magnitude takes it
            let shape = [expected[1], expected[0]];
            let scales = self.column_scales(&self.read(&second, &shape)?, shape[1]);
            for (row, scale) in elements.chunks_exact_mut(expected[1]).zip(&scales) {
                row.iter_mut().for_each(|x| *x *= scale);
            }
        }
        if self.has_blocks(&expected) {
            return self.quantise_blocks(name, &elements, expected[1]);
        }
        match weight.dtype {
            DType::I8 => self.quantise::<i8>(name, &elements, &expected, Class::Int8),
            DType::I16 => self.quantise::<i16>(name, &elements, &expected, Class::Int16),
            _ => Ok(to_bytes(&elements)),
        }
    }

    /// Whether a tensor of these dimensions is a matrix whose rows have multipliers. They take what column scales do, and blocks
    /// of a published format must stay as they are.
    fn has_blocks(&self, shape: &[usize]) -> bool {
        let is_decoder = matches!(self.config, Config::Decoder(_));
        is_decoder && matches!(shape, [_, columns] if self.precision.has_blocks(*columns))
    }

    /// The elements of a tensor of the model, whatever prefix names have.
    fn read(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, BuildError> {
        let mut error = None;
        for prefix in PREFIXES {
            let name = format!("{prefix}{name}");
            match self.source.shape(&name) {
                Ok(got) if got == expected => return Ok(self.source.read_f32(&name)?),
                Ok(got) => {
                    let expected = expected.to_vec();
                    return Err(BuildError::Shape { name, expected, got });
                }
                Err(other) => error = error.or(Some(other)),
            }
        }
        Err(error.expect("at least one prefix was tried; qed").into())
    }

    /// What the rows of a map to queries or keys are multiplied by, if it is one of a decoder whose keys have biases: see
    /// [`keys`].
    fn key_scales(&self, name: &str) -> Result<Option<Vec<f32>>, BuildError> {
        let Config::Decoder(config) = self.config else {
            return Ok(None);
        };
        let Some((layer, part)) = keys::part(name).filter(|_| config.qkv_bias) else {
            return Ok(None);
        };
        let rows = (config.kv_heads * config.head_dim) as usize;
        let width = config.hidden as usize;
        let biases = self.read(&format!("{layer}.self_attn.k_proj.bias"), &[rows])?;
        let weights = self.read(&format!("{layer}.self_attn.k_proj.weight"), &[rows, width])?;
        let gains = self.read(&format!("{layer}.input_layernorm.weight"), &[width])?;
        let scales = keys::scales(&biases, &weights, &gains, config.head_dim as usize);
        Ok(Some(keys::of(part, &scales, config)))
    }

    /// Powers of two that make the columns of a matrix `[.., width]` about equally large: see [`SCALES`]. Activations of
    /// eight bits have none to spare for that: their columns stay as they are.
    fn column_scales(&self, elements: &[f32], width: usize) -> Vec<f32> {
        /// Largest scale, as a power of two: activations have bits enough for that.
        const MOST: f64 = 4.0;
        if self.precision.activations == Class::Int8 {
            return vec![1.0; width];
        }
        let mut squares = vec![0.0f64; width];
        for row in elements.chunks_exact(width.max(1)) {
            for (sum, x) in squares.iter_mut().zip(row) {
                *sum += f64::from(*x) * f64::from(*x);
            }
        }
        // Half the logarithm of the sum of squares is that of the root mean square, but for a constant
        let logarithms: Vec<_> = squares.iter().map(|sum| 0.5 * libm::log2(sum.max(1e-60))).collect();
        let mean = logarithms.iter().sum::<f64>() / width.max(1) as f64;
        let power = |logarithm: &f64| libm::rint(logarithm - mean).clamp(-MOST, MOST) as i32;
        logarithms.iter().map(|logarithm| pow2(power(logarithm))).collect()
    }

    /// Rows as integers of eight bits with multipliers, which are kept with the rows' magnitudes for the next weights.
    fn quantise_blocks(&mut self, name: &str, elements: &[f32], width: usize) -> Result<Vec<u8>, BuildError> {
        let mut integers = Vec::with_capacity(elements.len());
        self.magnitudes.clear();
        self.multipliers.clear();
        for (at, row) in elements.chunks_exact(width).enumerate() {
            check_row(name, at, row)?;
            let magnitude = blocks::quantise(row, &mut integers, &mut self.multipliers);
            self.magnitudes.push(magnitude);
        }
        Ok(to_bytes(&integers))
    }

    /// Rows as integers, whose magnitudes are kept for the next weight.
    fn quantise<T: assay_exact::tensor::Element + TryFrom<i32>>(
        &mut self,
        name: &str,
        elements: &[f32],
        shape: &[usize],
        class: Class,
    ) -> Result<Vec<u8>, BuildError> {
        let width = shape.last().copied().unwrap_or(1).max(1);
        self.magnitudes.clear();
        let mut bytes = Vec::with_capacity(size_of::<T>() * elements.len());
        for (at, row) in elements.chunks_exact(width).enumerate() {
            let magnitude = check_row(name, at, row)?;
            for x in row {
                let Ok(q) = T::try_from(class.quantise(*x, magnitude)) else {
                    unreachable!("an integer of a class fits the type in which the class is stored")
                };
                q.write_le(&mut bytes);
            }
            self.magnitudes.push(magnitude);
        }
        Ok(bytes)
    }
}

/// The magnitude of a row, if it can be that of a product's operand.
fn check_row(name: &str, at: usize, row: &[f32]) -> Result<f32, BuildError> {
    let magnitude = row::magnitude(row).unwrap_or(f32::INFINITY);
    if row::is_operand(magnitude) {
        return Ok(magnitude);
    }
    Err(BuildError::Row {
        name: name.into(),
        row: at,
        got: magnitude,
    })
}

/// Rotary frequencies in 2⁻⁶⁴ of a turn for each position: θ^(−2i/D) ÷ 2π, scaled as the model says.
fn frequencies(config: &DecoderConfig) -> Vec<u64> {
    let dimension = f64::from(config.head_dim);
    (0..config.head_dim / 2)
        .map(|pair| {
            let radians = libm::pow(config.rope_theta, -2.0 * f64::from(pair) / dimension);
            let radians = match &config.rope_scaling {
                None => radians,
                Some(RopeScaling::Factors(factors)) => radians / f64::from(factors[pair as usize]),
                Some(RopeScaling::Llama3 {
                    factor,
                    low_frequency,
                    high_frequency,
                    original_positions,
                }) => {
                    let turns = f64::from(*original_positions) * radians / std::f64::consts::TAU;
                    if turns < *low_frequency {
                        radians / factor
                    } else if turns > *high_frequency {
                        radians
                    } else {
                        let smooth = (turns - low_frequency) / (high_frequency - low_frequency);
                        (1.0 - smooth) * radians / factor + smooth * radians
                    }
                }
            };
            // 2^64 times a number below one sixth, with the 53 bits that it has
            libm::rint(radians / std::f64::consts::TAU * 18_446_744_073_709_551_616.0) as u64
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::Family;
    use assay_exact::operator::Dim;
    use std::collections::HashMap;

    struct Memory(HashMap<String, (Vec<usize>, Vec<f32>)>);

    impl Weights for Memory {
        fn names(&self) -> Vec<String> {
            self.0.keys().cloned().collect()
        }

        fn shape(&self, name: &str) -> Result<Vec<usize>, SourceError> {
            self.0
                .get(name)
                .map(|(shape, _)| shape.clone())
                .ok_or_else(|| SourceError::Missing {
                    file: "memory".into(),
                    name: name.into(),
                    count: self.0.len(),
                })
        }

        fn read_f32(&self, name: &str) -> Result<Vec<f32>, SourceError> {
            self.shape(name).map(|_| self.0[name].1.clone())
        }
    }

    fn config() -> DecoderConfig {
        DecoderConfig {
            family: Family::Llama,
            hidden: 8,
            layers: 1,
            heads: 2,
            kv_heads: 1,
            head_dim: 4,
            intermediate: 8,
            vocab: 4,
            rms_eps: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: None,
            tied: true,
            qkv_bias: false,
            max_positions: 16,
            bos: None,
            eos: vec![],
        }
    }

    fn weight(name: &str, dtype: DType, shape: &[i32]) -> Declaration {
        Declaration {
            name: name.into(),
            dtype,
            shape: shape.iter().map(|size| Dim::constant(*size)).collect(),
        }
    }

    #[test]
    fn frequencies_should_be_turns_and_follow_the_scaling() {
        let turns = |config: &DecoderConfig| {
            frequencies(config)
                .iter()
                .map(|f| *f as f64 / 2f64.powi(64))
                .collect::<Vec<_>>()
        };
        let plain = turns(&config());
        assert!((plain[0] - 1.0 / std::f64::consts::TAU).abs() < 1e-15);
        assert!((plain[1] - 0.01 / std::f64::consts::TAU).abs() < 1e-15);
        let scaled = turns(&DecoderConfig {
            rope_scaling: Some(RopeScaling::Llama3 {
                factor: 8.0,
                low_frequency: 1.0,
                high_frequency: 4.0,
                original_positions: 100,
            }),
            ..config()
        });
        // 100 positions: 15.9 turns of the first, which is fast; 0.159 of the second, which is slow
        assert_eq!(scaled[0], plain[0]);
        assert!((scaled[1] * 8.0 - plain[1]).abs() < 1e-15);
    }

    #[test]
    fn weights_should_become_integers_of_their_rows() {
        let config = Config::Decoder(config());
        let elements = vec![1.0, -0.5, 0.25, 127.0, 0.0, 0.0, 0.0, 0.0];
        let source = Memory(HashMap::from([("w".into(), (vec![2, 4], elements))]));
        let mut maker = WeightMaker::new(&config, &source, Precision::W8A16);
        let bytes = maker.make(&weight("w", DType::I8, &[2, 4])).unwrap();
        assert_eq!(bytes, [1, 0, 0, 127, 0, 0, 0, 0].map(|q: i8| q as u8));
        let magnitudes = maker.make(&weight("w.magnitudes", DType::F32, &[2])).unwrap();
        let least = f32::from_bits(row::LEAST_MAGNITUDE);
        assert_eq!(magnitudes, to_bytes(&[127.0f32, least]));
    }

    #[test]
    fn weights_of_whole_blocks_should_have_multipliers_when_activations_are_wide() {
        let config = Config::Decoder(config());
        // A block of ones and one of quarters
        let elements = [vec![1.0; 32], vec![0.25; 32]].concat();
        let source = Memory(HashMap::from([("w".into(), (vec![1, 64], elements))]));
        let mut maker = WeightMaker::new(&config, &source, Precision::W8A16);
        let bytes = maker.make(&weight("w", DType::I8, &[1, 64])).unwrap();
        assert_eq!(bytes, [127; 64]);
        let magnitudes = maker.make(&weight("w.magnitudes", DType::F32, &[1])).unwrap();
        let multipliers = maker.make(&weight("w.multipliers", DType::I16, &[1, 2])).unwrap();
        assert_eq!(multipliers, to_bytes(&[1i16 << 14, 1 << 12]));
        let magnitude = assay_exact::tensor::from_bytes::<f32>(&magnitudes)[0];
        assert!((magnitude * 16_384.0 - 1.0).abs() < 1e-6, "{magnitude}");

        let mut maker = WeightMaker::new(&config, &source, Precision::W8A8);
        let bytes = maker.make(&weight("w", DType::I8, &[1, 64])).unwrap();
        assert_eq!(bytes[32], 32, "a quarter of 127");
    }

    #[test]
    fn columns_should_be_scaled_by_powers_of_two_that_the_map_before_takes() {
        let config = Config::Decoder(config());
        // Columns of 8, 1, 1 and ⅛: their mean is 1
        let down = vec![8.0, 1.0, -1.0, 0.125];
        let up = vec![0.5, 1.0, 1.0, 1.0];
        let source = Memory(HashMap::from([
            ("l.mlp.down_proj.weight".into(), (vec![1, 4], down)),
            ("l.mlp.up_proj.weight".into(), (vec![4, 1], up)),
        ]));
        let mut maker = WeightMaker::new(&config, &source, Precision::W8A16);
        maker.make(&weight("l.mlp.up_proj.weight", DType::I8, &[4, 1])).unwrap();
        let magnitudes = maker.make(&weight("m.magnitudes", DType::F32, &[4])).unwrap();
        assert_eq!(magnitudes, to_bytes(&[4.0f32, 1.0, 1.0, 0.125]));
        let integers = maker
            .make(&weight("l.mlp.down_proj.weight", DType::I8, &[1, 4]))
            .unwrap();
        assert_eq!(integers, [127, 127, -127, 127].map(|q: i8| q as u8));
    }

    #[test]
    fn tensor_should_be_refused_when_missing_misshapen_or_too_large() {
        let config = Config::Decoder(config());
        let source = Memory(HashMap::from([("w".into(), (vec![1, 2], vec![1e20, 0.0]))]));
        let mut maker = WeightMaker::new(&config, &source, Precision::W8A16);
        let mut make = |name: &str, shape: &[i32]| maker.make(&weight(name, DType::I8, shape)).unwrap_err().to_string();
        assert!(make("v", &[1, 2]).contains("expected a tensor \"v\""));
        assert!(make("w", &[2, 1]).contains("expected the dimensions [2, 1]"));
        assert!(make("w", &[1, 2]).contains("expected elements below 2^64"));
    }
}
