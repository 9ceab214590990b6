//! Classifiers of vectors: linear maps with a function between them.
//!
//! A step is a batch.

use crate::{
    builder::{fixed, Tensor},
    layer::Activation,
    training::{
        Affine, CrossEntropy, Initial, LayerNormed, Mapped, Network, Parameter, ParameterSpec, Purpose, Settings,
        Storage, Training,
    },
};
use assay_exact::{
    program::{Program, ProgramError},
    tensor::DType,
};

/// Sizes of a classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// Elements of a vector, then of each layer; the last are the classes.
    pub widths: Vec<usize>,
    /// The function between two layers.
    pub activation: Activation,
    /// What layer norms before the function add to the variance, if there are any.
    pub norm: Option<f32>,
}

/// A layer as it is declared.
struct Layer {
    map: Affine,
    /// The gain and the bias of its norm.
    norm: Option<(Parameter, Parameter)>,
}

/// What a layer's gradient needs of it.
struct Kept {
    x: Tensor,
    mapped: Mapped,
    normed: Option<LayerNormed>,
    /// What the function is applied to.
    inner: Tensor,
}

impl Mlp {
    /// The program that trains on batches of `batch` vectors. Its inputs are `features` F32 `[batch, width]`, `labels` U32 `[batch]`,
    /// `counts` F32 `[batch]`, then the settings'.
    ///
    /// # Errors
    ///
    /// If it is larger than a program may be.
    pub fn training(&self, batch: usize, settings: &Settings) -> Result<Training, ProgramError> {
        let mut network = Network::new(Purpose::Train(*settings), Storage::Floats);
        let layers = self.declare(&mut network);
        let (loss, kept) = self.forward(&mut network, &layers, batch);
        let mean = network.mean_loss(&loss);
        let mut g = network.cross_entropy_backward(&loss);
        for (at, (layer, kept)) in layers.iter().zip(&kept).enumerate().rev() {
            if at + 1 < layers.len() {
                network.builder.next_segment();
                g = network.activation_backward(self.activation, kept.inner, g);
            }
            if let Some((normed, parameters)) = kept.normed.as_ref().zip(layer.norm) {
                g = network.layer_norm_backward(normed, (batch, layer.map.shape.0), parameters, g);
            }
            match network.affine_backward(&layer.map, (kept.x, &kept.mapped), g, batch, at > 0) {
                Some(before) => g = before,
                None => break,
            }
        }
        network.train(mean)
    }

    /// The program that evaluates on batches of `batch` vectors. It has the inputs of [`Mlp::training`] without the settings',
    /// and the results of [`crate::evaluation`].
    ///
    /// # Errors
    ///
    /// If it is larger than a program may be.
    pub fn evaluation(&self, batch: usize) -> Result<Program, ProgramError> {
        let mut network = Network::new(Purpose::Evaluate, Storage::Floats);
        let layers = self.declare(&mut network);
        let (loss, _) = self.forward(&mut network, &layers, batch);
        network.evaluate(&loss)
    }

    fn declare(&self, network: &mut Network) -> Vec<Layer> {
        let maps = self.widths.windows(2).enumerate();
        maps.map(|(at, pair)| {
            let (k, n) = (pair[0], pair[1]);
            let initial = Initial::fan_in(k);
            let weight = ParameterSpec::matrix(format!("layers.{at}.weight"), &[n, k], initial);
            let map = Affine {
                matrix: network.matrix(weight, true),
                shape: (n, k),
                bias: Some(network.parameter(ParameterSpec::vector(format!("layers.{at}.bias"), n, initial), true)),
                adapter: None,
            };
            let has_norm = self.norm.is_some() && at + 2 < self.widths.len();
            let norm = has_norm.then(|| {
                let mut vector = |part: &str, initial| {
                    let name = format!("norms.{at}.{part}");
                    network.parameter(ParameterSpec::vector(name, n, initial), true)
                };
                (vector("weight", Initial::Ones), vector("bias", Initial::Zeros))
            });
            Layer { map, norm }
        })
        .collect()
    }

    fn forward(&self, network: &mut Network, layers: &[Layer], batch: usize) -> (CrossEntropy, Vec<Kept>) {
        let width = self.widths.first().copied().unwrap_or_default();
        let mut x = network
            .builder
            .input("features", DType::F32, &[fixed(batch), fixed(width)]);
        let labels = network.labels(&[batch]);
        let mut all = Vec::with_capacity(layers.len());
        for (at, layer) in layers.iter().enumerate() {
            network.builder.next_segment();
            let mapped = network.affine(&layer.map, x);
            let normed = layer.norm.zip(self.norm).map(|(parameters, epsilon)| {
                network.layer_norm(mapped.y, (batch, layer.map.shape.0), epsilon, parameters)
            });
            let inner = normed.map_or(mapped.y, |normed| normed.y);
            all.push(Kept {
                x,
                mapped,
                normed,
                inner,
            });
            x = inner;
            if at + 1 < layers.len() {
                x = network.activation(self.activation, inner);
            }
        }
        (network.cross_entropy(x, labels, batch), all)
    }
}
