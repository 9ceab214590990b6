//! Attention against the sequence of operators that defines it.

#![allow(clippy::unwrap_used)]

mod faults;
mod reference;
mod shapes;

use super::*;
use assay_exact::{product::Class, row};
use reference::reference;

/// All inputs of one sequence.
#[derive(Clone, Debug)]
struct Lane {
    q: Vec<f32>,
    k: Vec<i16>,
    k_magnitudes: Vec<f32>,
    v: Vec<i16>,
    v_magnitudes: Vec<f32>,
    length: usize,
    tokens: usize,
    heads: usize,
    groups: usize,
    dimension: usize,
    visible: Visible,
    factor: f32,
}

/// L, P, G, R, D.
type Size = (usize, usize, usize, usize, usize);

/// Floats from a seed, from −1 to 1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn floats(&mut self, count: usize, scale: f32) -> Vec<f32> {
        (0..count).map(|_| self.next() * scale).collect()
    }
}

/// Rows as integers of two digits, and their magnitudes.
fn quantise(rows: &[f32], dimension: usize) -> (Vec<i16>, Vec<f32>) {
    let magnitudes: Vec<_> = rows.chunks(dimension).map(|row| row::magnitude(row).unwrap()).collect();
    let integers = rows
        .iter()
        .enumerate()
        .map(|(at, x)| Class::Int16.quantise(*x, magnitudes[at / dimension]) as i16);
    (integers.collect(), magnitudes)
}

impl Lane {
    fn new((length, position, groups, shared, dimension): Size, visible: Visible, seed: u64) -> Self {
        let (tokens, heads) = (position + length, groups * shared);
        let mut noise = Noise(seed);
        let q = noise.floats(length * heads * dimension, 3.0);
        let (k, k_magnitudes) = quantise(&noise.floats(tokens * groups * dimension, 2.0), dimension);
        // Tokens of very different magnitudes, so that powers matter
        let values: Vec<_> = (0..tokens * groups)
            .flat_map(|_| {
                let scale = row::exponent(1.0 + noise.next().abs()) as f32 * (8.0 * noise.next()).exp2();
                noise.floats(dimension, scale)
            })
            .collect();
        let (v, v_magnitudes) = quantise(&values, dimension);
        Self {
            q,
            k,
            k_magnitudes,
            v,
            v_magnitudes,
            length,
            tokens,
            heads,
            groups,
            dimension,
            visible,
            factor: 1.0 / (dimension as f32).sqrt(),
        }
    }

    fn keys(&self) -> Keys<'_> {
        Keys {
            k: &self.k,
            k_magnitudes: &self.k_magnitudes,
            v: &self.v,
            v_magnitudes: &self.v_magnitudes,
            tokens: self.tokens,
            heads: self.groups,
            dimension: self.dimension,
        }
    }

    fn queries(&self) -> Queries<'_> {
        Queries {
            q: &self.q,
            length: self.length,
            heads: self.heads,
            visible: self.visible,
            factor: self.factor,
        }
    }

    /// The bits of the output, computed in blocks of `rows` rows.
    fn attend_in_blocks(&self, isa: Isa, rows: usize, scratch: &mut Scratch) -> Result<Vec<u32>, AttentionFault> {
        let row = self.heads * self.dimension;
        let mut o = vec![f32::NAN; self.length * row];
        let mut first: Option<AttentionFault> = None;
        for group in 0..self.groups {
            for start in (0..self.length).step_by(rows) {
                let block = Block {
                    group,
                    rows: start..self.length.min(start + rows),
                };
                let output = Output {
                    o: &mut o[start * row + group * (self.heads / self.groups) * self.dimension..],
                    stride: row,
                };
                if let Err(fault) = attend(isa, &self.keys(), &self.queries(), &block, output, scratch) {
                    first = Some(first.map_or(fault, |other| other.first(fault)));
                }
            }
        }
        match first {
            Some(fault) => Err(fault),
            None => Ok(o.iter().map(|x| x.to_bits()).collect()),
        }
    }

    /// The bits of the output, if the kernels of all instruction sets agree.
    fn attend(&self) -> Result<Vec<u32>, AttentionFault> {
        let results: Vec<_> = Isa::available()
            .into_iter()
            .map(|isa| self.attend_in_blocks(isa, self.length.max(1), &mut Scratch::default()))
            .collect();
        for other in &results[1..] {
            assert_eq!(*other, results[0], "instruction sets give different results");
        }
        results[0].clone()
    }

    /// Asserts that all kernels give what the operators give.
    fn assert_exact(&self) {
        assert_eq!(self.attend(), reference(self));
    }
}
