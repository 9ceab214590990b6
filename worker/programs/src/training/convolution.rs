//! Convolutions and pooling of images, and their gradients. An image is `[height, width, channels]`.
//!
//! Columns are positions in a row times channels: that way, a window is two dimensions instead of three, and windows of
//! all images fit into five.

use super::{Affine, Mapped, Network};
use crate::{
    builder::{along, fixed, Tensor},
    formula::Formula,
};
use assay_exact::{
    expression::Comparison,
    operator::{Coordinate, Dim, Operator, Term, Visible},
};

/// A batch of images of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// How many images.
    pub count: usize,
    /// Rows of each.
    pub height: usize,
    /// Positions of a row.
    pub width: usize,
    /// Elements of a position.
    pub channels: usize,
}

impl Image {
    /// Positions of all images.
    pub fn positions(self) -> usize {
        self.count * self.height * self.width
    }
}

/// A square window that moves over images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows and positions of a row that it spans.
    pub size: usize,
    /// How far it moves at once.
    pub stride: usize,
    /// Zeros before the first and behind the last row and position.
    pub padding: usize,
}

impl Window {
    /// How often it fits a side of this length.
    pub fn fits(self, length: usize) -> usize {
        (length + 2 * self.padding).saturating_sub(self.size) / self.stride
            + usize::from(length + 2 * self.padding >= self.size)
    }

    /// The images of this window's outputs.
    pub fn output(self, image: Image, channels: usize) -> Image {
        Image {
            count: image.count,
            height: self.fits(image.height),
            width: self.fits(image.width),
            channels,
        }
    }

    /// Elements of a window.
    pub fn elements(self, channels: usize) -> usize {
        self.size * self.size * channels
    }
}

/// (offset + Σ factor · coordinate) ÷ divisor.
fn coordinate(offset: i32, terms: &[(u8, i32)], divisor: usize) -> Coordinate {
    Coordinate {
        offset: Dim::constant(offset),
        terms: terms
            .iter()
            .map(|(dimension, factor)| Term {
                dimension: *dimension,
                factor: *factor,
            })
            .collect(),
        divisor: divisor as u32,
    }
}

impl Network {
    /// The windows of `x` F32 `[count, height, width, channels]`, F32 `[windows, size · size · channels]`.
    fn windows(&mut self, x: Tensor, image: Image, window: Window) -> Tensor {
        let output = window.output(image, image.channels);
        let (channels, stride, padding) = (image.channels as i32, window.stride as i32, window.padding as i32);
        let x = self.builder.reshape(
            x,
            &[
                fixed(image.count),
                fixed(image.height),
                fixed(image.width * image.channels),
            ],
        );
        let view = Operator::View {
            shape: vec![
                fixed(image.count),
                fixed(output.height),
                fixed(output.width),
                fixed(window.size),
                fixed(window.size * image.channels),
            ],
            coordinates: vec![
                along(0),
                coordinate(-padding, &[(1, stride), (3, 1)], 1),
                coordinate(-padding * channels, &[(2, stride * channels), (4, 1)], 1),
            ],
        };
        let windows = self.builder.push(view, &[x]);
        let shape = [fixed(output.positions()), fixed(window.elements(image.channels))];
        self.builder.reshape(windows, &shape)
    }

    /// The gradient of [`Network::windows`]: for each element, the sum over all places of all windows that read it.
    fn windows_backward(&mut self, g: Tensor, image: Image, window: Window) -> Tensor {
        let output = window.output(image, image.channels);
        let (size, padding) = (window.size, window.padding as i32);
        let [count, height, width, channels] = [image.count, image.height, image.width, image.channels].map(fixed);
        let rows = [
            count,
            fixed(output.height),
            fixed(output.width),
            fixed(size),
            fixed(size * image.channels),
        ];
        let g = self.builder.reshape(g, &rows);
        // Row h is row i of the window at (h + padding − i) ÷ stride
        let by_row = Operator::View {
            shape: vec![
                count,
                height,
                fixed(size),
                fixed(output.width),
                fixed(size * image.channels),
            ],
            coordinates: vec![
                along(0),
                coordinate(padding, &[(1, 1), (2, -1)], window.stride),
                along(3),
                along(2),
                along(4),
            ],
        };
        let g = self.builder.push(by_row, &[g]);
        let all_rows = fixed(image.count * image.height);
        let g = self
            .builder
            .reshape(g, &[all_rows, fixed(size), fixed(output.width), fixed(size), channels]);
        let by_position = Operator::View {
            shape: vec![all_rows, width, channels, fixed(size), fixed(size)],
            coordinates: vec![
                along(0),
                along(3),
                coordinate(padding, &[(1, 1), (4, -1)], window.stride),
                along(4),
                along(2),
            ],
        };
        let g = self.builder.push(by_position, &[g]);
        let shape = [fixed(image.positions() * image.channels), fixed(size * size)];
        let g = self.builder.reshape(g, &shape);
        let sums = self.builder.sum(g);
        self.builder.reshape(sums, &[fixed(image.positions()), channels])
    }

    /// A convolution of `x` F32 `[count, height, width, channels]`, or of the same elements in another shape, by a map of
    /// windows: F32 `[positions of the output, N]`.
    pub fn convolution(&mut self, map: &Affine, x: Tensor, image: Image, window: Window) -> Mapped {
        let windows = self.windows(x, image, window);
        self.affine(map, windows)
    }

    /// The gradients of [`Network::convolution`], given that of its output. That with respect to `x`, if it is needed, is
    /// returned: F32 `[positions, channels]`.
    pub fn convolution_backward(
        &mut self,
        map: &Affine,
        (x, mapped): (Tensor, &Mapped),
        (image, window): (Image, Window),
        g: Tensor,
        is_needed: bool,
    ) -> Option<Tensor> {
        let windows = self.windows(x, image, window);
        let positions = window.output(image, map.shape.0).positions();
        let g = self.affine_backward(map, (windows, mapped), g, positions, is_needed)?;
        Some(self.windows_backward(g, image, window))
    }

    /// `x` F32 `[positions, channels]` by squares that do not overlap: `[squares · channels, size · size]`.
    fn squares(&mut self, x: Tensor, image: Image, size: usize) -> Tensor {
        let [rows, columns, channels] =
            [image.count * image.height / size, image.width / size, image.channels].map(fixed);
        let side = fixed(size);
        let x = self.builder.reshape(x, &[rows, side, columns, side, channels]);
        let x = self
            .builder
            .permute(x, &[rows, columns, channels, side, side], &[0, 2, 4, 1, 3]);
        let squares = image.positions() / (size * size) * image.channels;
        self.builder.reshape(x, &[fixed(squares), fixed(size * size)])
    }

    /// The largest of each square of `size` rows and positions, by channel. `size` divides height and width. F32
    /// `[positions of the output, channels]`.
    pub fn max_pool(&mut self, x: Tensor, image: Image, size: usize) -> Tensor {
        let squares = self.squares(x, image, size);
        let maxima = self.builder.push(Operator::Maximum(Visible::All), &[squares]);
        let positions = image.positions() / (size * size);
        self.builder.reshape(maxima, &[fixed(positions), fixed(image.channels)])
    }

    /// The gradient of [`Network::max_pool`] with respect to `x`: where a square has several largest, all of it is the
    /// first's.
    pub fn max_pool_backward(&mut self, x: Tensor, image: Image, size: usize, g: Tensor) -> Tensor {
        let squares = self.squares(x, image, size);
        let best = self.builder.push(Operator::ArgMax, &[squares]);
        let count = image.positions() / (size * size) * image.channels;
        let [best, g] = [best, g].map(|x| self.builder.reshape(x, &[fixed(count), fixed(1)]));
        let zeros = Formula::constant(0.0);
        // The first input is only there for its dimensions
        let to_best = Formula::coordinate(0).select(Comparison::Equal, Formula::input(1), Formula::input(2), zeros);
        let g = self.builder.map(to_best, &[squares, best, g]);
        let [rows, columns, channels] =
            [image.count * image.height / size, image.width / size, image.channels].map(fixed);
        let side = fixed(size);
        let g = self.builder.reshape(g, &[rows, columns, channels, side, side]);
        let g = self
            .builder
            .permute(g, &[rows, side, columns, side, channels], &[0, 3, 1, 4, 2]);
        self.builder
            .reshape(g, &[fixed(image.positions()), fixed(image.channels)])
    }
}
