//! Convolutional classifiers: gradients.

use super::{forward::*, *};
use crate::{
    family::conv::{Convolution, Convolutional},
    layer::Activation,
};

const BATCH: usize = 2;
const LABELS: [u32; BATCH] = [2, 0];

/// An image `[height, width, channels]` in f64.
struct Pixels {
    size: [usize; 3],
    values: Vec<f64>,
}

impl Pixels {
    fn at(&self, row: i64, column: i64, channel: usize) -> f64 {
        let [height, width, channels] = self.size;
        let is_inside = (0..height as i64).contains(&row) && (0..width as i64).contains(&column);
        if is_inside {
            self.values[(row as usize * width + column as usize) * channels + channel]
        } else {
            0.0
        }
    }

    fn convolve(&self, kernel: &[f64], bias: &[f64], window: Window) -> Self {
        let [height, width] =
            [0, 1].map(|side| (self.size[side] + 2 * window.padding - window.size) / window.stride + 1);
        let mut values = Vec::new();
        for row in 0..height {
            for column in 0..width {
                for (output, bias) in bias.iter().enumerate() {
                    let mut sum = *bias;
                    for i in 0..window.size {
                        for j in 0..window.size {
                            for channel in 0..self.size[2] {
                                let place =
                                    |at: usize, by: usize| (at * window.stride + by) as i64 - window.padding as i64;
                                let weight = ((output * window.size + i) * window.size + j) * self.size[2] + channel;
                                sum += self.at(place(row, i), place(column, j), channel) * kernel[weight];
                            }
                        }
                    }
                    values.push(sum);
                }
            }
        }
        Self {
            size: [height, width, bias.len()],
            values,
        }
    }

    fn pool(&self, side: usize) -> Self {
        let [height, width, channels] = [self.size[0] / side, self.size[1] / side, self.size[2]];
        let mut values = Vec::new();
        for row in 0..height {
            for column in 0..width {
                for channel in 0..channels {
                    let square = (0..side * side).map(|at| {
                        self.at(
                            (row * side + at / side) as i64,
                            (column * side + at % side) as i64,
                            channel,
                        )
                    });
                    values.push(square.fold(f64::MIN, f64::max));
                }
            }
        }
        Self {
            size: [height, width, channels],
            values,
        }
    }
}

fn check(model: &Convolutional, function: impl Fn(f64) -> f64) {
    let training = model.training(BATCH, &PLAIN).unwrap();
    let weights = weights_of(&training.parameters, 0.7);
    let size = [model.height, model.width, model.channels];
    let elements = size.iter().product::<usize>();
    let features = numbers(BATCH * elements, 1.5, 1);
    let batch = [
        floats(&[BATCH, size[0], size[1], size[2]], &features),
        indices(&[BATCH], &LABELS),
        floats(&[BATCH], &[1.0; BATCH]),
    ];
    let features = as_f64(&features);
    check_gradients(&training, &weights, &batch, values_of(&weights), |values| {
        let images = features.chunks(elements).zip(LABELS);
        let losses: Vec<_> = images
            .map(|(image, label)| {
                let mut x = Pixels {
                    size,
                    values: image.to_vec(),
                };
                for (at, convolution) in model.convolutions.iter().enumerate() {
                    let of = |part: &str| &values[&format!("convolutions.{at}.{part}")];
                    x = x.convolve(of("weight"), of("bias"), convolution.window);
                    x.values = x.values.into_iter().map(&function).collect();
                    x = x.pool(convolution.pool);
                }
                let scores = plus(&times(&values["head.weight"], &x.values), &values["head.bias"]);
                loss(&scores, label as usize)
            })
            .collect();
        mean(&losses, &[1.0; BATCH])
    });
}

fn convolution(channels: usize, [size, stride, padding]: [usize; 3], pool: usize) -> Convolution {
    Convolution {
        channels,
        window: Window { size, stride, padding },
        pool,
    }
}

#[test]
fn gradients_should_be_those_of_the_loss_when_squares_are_pooled() {
    let model = Convolutional {
        height: 4,
        width: 8,
        channels: 2,
        convolutions: vec![convolution(3, [3, 1, 1], 2), convolution(2, [2, 1, 1], 1)],
        activation: Activation::Gelu,
        classes: 3,
    };
    check(&model, gelu);
}

#[test]
fn gradients_should_be_those_of_the_loss_when_windows_move_in_strides() {
    let model = Convolutional {
        height: 6,
        width: 5,
        channels: 1,
        convolutions: vec![
            convolution(2, [2, 1, 0], 1),
            convolution(3, [3, 2, 1], 1),
            convolution(2, [1, 2, 0], 1),
        ],
        activation: Activation::Relu,
        classes: 3,
    };
    check(&model, |x| x.max(0.0));
}

#[test]
fn window_should_fit_as_often_as_it_does() {
    let fits = |size, stride, padding, length| Window { size, stride, padding }.fits(length);
    assert_eq!(
        [fits(3, 1, 1, 5), fits(3, 2, 1, 5), fits(2, 2, 0, 5), fits(5, 1, 0, 5)],
        [5, 3, 2, 1]
    );
    assert_eq!(fits(6, 1, 0, 5), 0);
}
