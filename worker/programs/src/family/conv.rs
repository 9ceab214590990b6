//! Small convolutional classifiers of images: convolutions, each with a function and perhaps pooling behind it, then a linear
//! map of all that is left.
//!
//! A step is a batch. Images are `[height, width, channels]`; a row of a kernel's matrix is `[size, size, channels]`.

use crate::{
    builder::{fixed, Tensor},
    layer::Activation,
    training::{
        Affine, CrossEntropy, Image, Initial, Mapped, Network, ParameterSpec, Purpose, Settings, Storage, Training,
        Window,
    },
};
use assay_exact::{
    program::{Program, ProgramError},
    tensor::DType,
};

/// A convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Channels that it puts out.
    pub channels: usize,
    /// Its window.
    pub window: Window,
    /// The side of the squares of which the largest are taken behind it; 1 for none. Divides its output's height and
    /// width.
    pub pool: usize,
}

/// Sizes of a classifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolutional {
    /// Rows of an image.
    pub height: usize,
    /// Positions of a row.
    pub width: usize,
    /// Elements of a position.
    pub channels: usize,
    /// The convolutions.
    pub convolutions: Vec<Convolution>,
    /// The function behind each of them.
    pub activation: Activation,
    /// Classes.
    pub classes: usize,
}

/// A convolution with the images that it reads.
struct Layer {
    convolution: Convolution,
    image: Image,
    map: Affine,
}

/// What a layer's gradient needs of it.
struct Kept {
    x: Tensor,
    mapped: Mapped,
    /// What is pooled.
    active: Tensor,
}

/// What the whole gradient needs.
struct Forward {
    kept: Vec<Kept>,
    /// What the last map reads and gives.
    flat: Tensor,
    scores: Mapped,
    loss: CrossEntropy,
}

impl Layer {
    /// The images behind the convolution.
    fn output(&self) -> Image {
        self.convolution.window.output(self.image, self.convolution.channels)
    }

    /// Those behind the pooling.
    fn pooled(&self) -> Image {
        let output = self.output();
        Image {
            height: output.height / self.convolution.pool,
            width: output.width / self.convolution.pool,
            ..output
        }
    }
}

impl Convolutional {
    /// The program that trains on batches of `batch` images. Its inputs are `features` F32 `[batch, height, width, channels]`, `labels`
    /// U32 `[batch]`, `counts` F32 `[batch]`, then the settings'.
    ///
    /// # Errors
    ///
    /// If it is larger than a program may be.
    pub fn training(&self, batch: usize, settings: &Settings) -> Result<Training, ProgramError> {
        let mut network = Network::new(Purpose::Train(*settings), Storage::Floats);
        let (layers, head) = self.declare(&mut network, batch);
        let forward = self.forward(&mut network, &layers, &head, batch);
        let mean = network.mean_loss(&forward.loss);
        let g = network.cross_entropy_backward(&forward.loss);
        let has_layers = !layers.is_empty();
        let mut g = network.affine_backward(&head, (forward.flat, &forward.scores), g, batch, has_layers);
        for (at, (layer, kept)) in layers.iter().zip(&forward.kept).enumerate().rev() {
            network.builder.next_segment();
            let Some(mut gradient) = g else {
                break;
            };
            let (output, pool) = (layer.output(), layer.convolution.pool);
            if pool > 1 {
                gradient = network.max_pool_backward(kept.active, output, pool, gradient);
            } else {
                let shape = [fixed(output.positions()), fixed(output.channels)];
                gradient = network.builder.reshape(gradient, &shape);
            }
            let gradient = network.activation_backward(self.activation, kept.mapped.y, gradient);
            let size = (layer.image, layer.convolution.window);
            g = network.convolution_backward(&layer.map, (kept.x, &kept.mapped), size, gradient, at > 0);
        }
        network.train(mean)
    }

    /// The program that evaluates on batches of `batch` images. It has the inputs of [`Convolutional::training`] without the
    /// settings', and the results of [`crate::evaluation`].
    ///
    /// # Errors
    ///
    /// If it is larger than a program may be.
    pub fn evaluation(&self, batch: usize) -> Result<Program, ProgramError> {
        let mut network = Network::new(Purpose::Evaluate, Storage::Floats);
        let (layers, head) = self.declare(&mut network, batch);
        let forward = self.forward(&mut network, &layers, &head, batch);
        network.evaluate(&forward.loss)
    }

    fn declare(&self, network: &mut Network, batch: usize) -> (Vec<Layer>, Affine) {
        let mut image = Image {
            count: batch,
            height: self.height,
            width: self.width,
            channels: self.channels,
        };
        let mut layers = Vec::with_capacity(self.convolutions.len());
        for (at, convolution) in self.convolutions.iter().enumerate() {
            let (n, k) = (convolution.channels, convolution.window.elements(image.channels));
            let layer = Layer {
                convolution: *convolution,
                image,
                map: Self::map(network, &format!("convolutions.{at}"), (n, k)),
            };
            image = layer.pooled();
            layers.push(layer);
        }
        let inputs = image.height * image.width * image.channels;
        (layers, Self::map(network, "head", (self.classes, inputs)))
    }

    fn map(network: &mut Network, name: &str, (n, k): (usize, usize)) -> Affine {
        let initial = Initial::fan_in(k);
        Affine {
            matrix: network.matrix(ParameterSpec::matrix(format!("{name}.weight"), &[n, k], initial), true),
            shape: (n, k),
            bias: Some(network.parameter(ParameterSpec::vector(format!("{name}.bias"), n, initial), true)),
            adapter: None,
        }
    }

    fn forward(&self, network: &mut Network, layers: &[Layer], head: &Affine, batch: usize) -> Forward {
        let shape = [batch, self.height, self.width, self.channels].map(fixed);
        let mut x = network.builder.input("features", DType::F32, &shape);
        let labels = network.labels(&[batch]);
        let mut kept = Vec::with_capacity(layers.len());
        for layer in layers {
            network.builder.next_segment();
            let mapped = network.convolution(&layer.map, x, layer.image, layer.convolution.window);
            let active = network.activation(self.activation, mapped.y);
            kept.push(Kept { x, mapped, active });
            x = match layer.convolution.pool {
                1 => active,
                pool => network.max_pool(active, layer.output(), pool),
            };
        }
        network.builder.next_segment();
        let flat = network.builder.reshape(x, &[fixed(batch), fixed(head.shape.1)]);
        let scores = network.affine(head, flat);
        let loss = network.cross_entropy(scores.y, labels, batch);
        Forward {
            kept,
            flat,
            scores,
            loss,
        }
    }
}
