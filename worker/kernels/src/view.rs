//! Elements in other places: transposes, slices, windows, padding.
//!
//! A view that never leaves its input, and divides by nothing, is a copy with other strides, and done in large pieces
//! (`strided`). Any other is done run by run: along a dimension of the output, what lies inside of the input is an
//! interval.

mod boxes;
mod strided;
#[cfg(test)]
mod tests;

use assay_exact::{
    operator::{Bindings, Coordinate},
    tensor::{Shape, MAX_RANK},
};
use boxes::{boxes, Piece};
use std::ops::Range;

/// Rows shorter than this are not worth a run each, if another dimension is longer.
const SHORT: usize = 16;

/// The longest period of what a divisor leaves of a row for which the row is done in steps of that period.
const LONGEST_PERIOD: i64 = 64;

/// Numerators and steps below this, in absolute value, leave room in 64 bits for what is made of them.
const NARROW: i128 = 1 << 31;

/// Where in a dimension of the input elements are found: (offset + Σ steps · coordinates) ÷ divisor.
#[derive(Clone, Debug)]
struct Axis {
    offset: i128,
    /// By how much the numerator grows along each dimension of the output.
    steps: [i64; MAX_RANK],
    divisor: i64,
    size: i64,
    /// Elements between neighbours.
    stride: i64,
}

/// A view between tensors of certain dimensions.
#[derive(Clone, Debug)]
pub struct View {
    /// The output's dimensions, the last one apart.
    outer: Vec<u64>,
    row: usize,
    axes: Vec<Axis>,
    /// Elements of the input.
    length: usize,
    /// For a copy with other strides: where it starts, and its strides.
    strided: Option<(i64, [i64; MAX_RANK])>,
    /// Whether all numerators and steps are below [`NARROW`].
    is_narrow: bool,
}

/// Where the elements of a row of the output are found, if they lie at equal distances: those from `start` to `end`, by
/// `period`; the others are zero.
struct Run {
    start: i64,
    end: i64,
    period: i64,
    /// Where the first is found.
    at: i64,
    /// The distance in the input of two that follow each other.
    step: i64,
}

impl View {
    /// The view of an input of the dimensions `input` that these checked coordinates, one for each of them, make of it in
    /// a step with these bindings.
    pub fn new(output: &Shape, coordinates: &[Coordinate], input: &Shape, bindings: Bindings) -> Self {
        assert_eq!(
            coordinates.len(),
            input.rank(),
            "expected a coordinate for each of the input's dimensions"
        );
        let dims = output.dims();
        let mut stride = 1;
        let mut axes: Vec<_> = coordinates
            .iter()
            .zip(input.dims())
            .rev()
            .map(|(coordinate, size)| {
                let mut steps = [0; MAX_RANK];
                for term in &coordinate.terms {
                    steps[usize::from(term.dimension)] += i64::from(term.factor);
                }
                let axis = Axis {
                    offset: coordinate.offset.value(bindings),
                    steps,
                    divisor: i64::from(coordinate.divisor),
                    size: i64::from(*size),
                    stride,
                };
                stride *= i64::from(*size);
                axis
            })
            .collect();
        axes.reverse();
        let mut view = Self {
            outer: dims[..dims.len().saturating_sub(1)]
                .iter()
                .map(|dim| u64::from(*dim))
                .collect(),
            row: output.row() as usize,
            is_narrow: axes.iter().all(|axis| {
                let (least, most) = axis.bounds(dims);
                let steps = axis.steps.iter().map(|step| i128::from(step.abs()));
                steps.chain([least.abs(), most.abs()]).all(|number| number < NARROW)
            }),
            axes,
            length: input.len() as usize,
            strided: None,
        };
        let stays_inside = view.axes.iter().all(|axis| {
            let (least, most) = axis.bounds(dims);
            axis.divisor == 1 && least >= 0 && most < i128::from(axis.size)
        });
        if stays_inside && view.is_narrow && !output.is_empty() {
            let mut strides = [0; MAX_RANK];
            for axis in &view.axes {
                for (stride, step) in strides.iter_mut().zip(axis.steps) {
                    *stride += step * axis.stride;
                }
            }
            let start = view.axes.iter().map(|axis| axis.offset as i64 * axis.stride).sum();
            view.strided = Some((start, strides));
        }
        view
    }

    /// Writes the rows `rows` of the output: whole rows of its last dimension.
    ///
    /// # Panics
    ///
    /// If the input has not the size of its dimensions, or `out` not that of the rows.
    pub fn copy<T: Copy + Default>(&self, input: &[T], rows: Range<u64>, out: &mut [T]) {
        assert_eq!(input.len(), self.length, "expected the whole input");
        let count = (rows.end - rows.start) as usize;
        assert_eq!(out.len(), count * self.row, "expected the size of the rows");
        if out.is_empty() {
            return;
        }
        let rank = self.outer.len() + 1;
        boxes(&self.outer, self.row, rows, out, |piece, out| match self.strided {
            Some((start, strides)) => strided::copy(input, start, &strides, (piece, rank), out),
            None => self.copy_piece(input, piece, out),
        });
    }

    /// Writes a piece of the output, run by run: along its last dimension, or if that is short along its longest.
    fn copy_piece<T: Copy + Default>(&self, input: &[T], piece: &Piece, out: &mut [T]) {
        let last = self.outer.len();
        let longest = (0..=last)
            .max_by_key(|dimension| piece.sizes[*dimension])
            .unwrap_or(last);
        let along = if piece.sizes[last] < SHORT { longest } else { last };
        let (length, stride) = (piece.sizes[along], piece.strides[along]);
        let mut at = piece.at;
        // Numerators at the start of the run, kept up to date from run to run
        let mut starts = [0i64; MAX_RANK];
        if self.is_narrow {
            for (start, axis) in starts.iter_mut().zip(&self.axes) {
                *start = axis.numerator(&at) as i64;
            }
        }
        let mut place = 0;
        loop {
            let out = &mut out[place..][..(length - 1) * stride + 1];
            let run = if self.is_narrow {
                self.run(&starts, along, length)
            } else {
                None
            };
            match run {
                Some(run) => run.copy(input, stride, out),
                None => {
                    for (index, out) in out.iter_mut().step_by(stride).enumerate() {
                        let mut at = at;
                        at[along] += index as u64;
                        *out = self.place(&at).map_or(T::default(), |place| input[place]);
                    }
                }
            }
            // The next run
            let mut dimensions = (0..=last).rev().filter(|dimension| *dimension != along);
            let wrapped = loop {
                let Some(dimension) = dimensions.next() else { break true };
                let done = at[dimension] - piece.at[dimension];
                let wraps = done + 1 == piece.sizes[dimension] as u64;
                let by = if wraps { -(done as i64) } else { 1 };
                at[dimension] = at[dimension].wrapping_add_signed(by);
                place = place.wrapping_add_signed(by as isize * piece.strides[dimension] as isize);
                for (start, axis) in starts.iter_mut().zip(&self.axes) {
                    *start = start.wrapping_add(by.wrapping_mul(axis.steps[dimension]));
                }
                if !wraps {
                    break false;
                }
            };
            if wrapped {
                return;
            }
        }
    }

    /// Where the `length` elements along a dimension are found whose numerators start with these; `None` if that is not at
    /// equal distances. Not to be called where numerators are not narrow.
    fn run(&self, starts: &[i64; MAX_RANK], along: usize, length: usize) -> Option<Run> {
        let mut run = Run {
            start: 0,
            end: length as i64,
            period: 1,
            at: 0,
            step: 0,
        };
        let mut divided = None;
        for (axis, start) in self.axes.iter().zip(starts) {
            let step = axis.steps[along];
            if step == 0 {
                let (place, is_whole) = match axis.divisor {
                    1 => (*start, true),
                    divisor => (start.div_euclid(divisor), start.rem_euclid(divisor) == 0),
                };
                if !is_whole || place < 0 || place >= axis.size {
                    run.end = 0;
                    return Some(run);
                }
                run.at += place * axis.stride;
                continue;
            }
            // Inside: 0 ≤ start + step · j < size · divisor
            let span = axis.size * axis.divisor;
            let (from, until) = if step > 0 {
                (up(-start, step), up(span - start, step))
            } else {
                (up(start - span + 1, -step), up(start + 1, -step))
            };
            run.start = run.start.max(from);
            run.end = run.end.min(until);
            if axis.divisor == 1 {
                run.at += start * axis.stride;
                run.step += step * axis.stride;
            } else if divided.replace((axis, *start, step)).is_some() {
                return None;
            }
        }
        if let Some((axis, start, step)) = divided {
            run.period = axis.divisor / gcd(step.unsigned_abs(), axis.divisor.unsigned_abs()) as i64;
            if run.period > LONGEST_PERIOD {
                return None;
            }
            if run.start >= run.end {
                return Some(run);
            }
            let is_whole = |at: &i64| (start + step * at).rem_euclid(axis.divisor) == 0;
            let Some(first) = (run.start..run.start + run.period).find(is_whole) else {
                run.end = 0;
                return Some(run);
            };
            run.start = first;
            // From here on in steps of the period. What the distances of a single element come to is never used: it may wrap
            let place = (start + step * first) / axis.divisor;
            let by = step * run.period / axis.divisor;
            run.at = (run.at + place * axis.stride).wrapping_add(run.step.wrapping_mul(first));
            run.step = run.step.wrapping_mul(run.period).wrapping_add(by * axis.stride);
        } else {
            run.at = run.at.wrapping_add(run.step.wrapping_mul(run.start));
        }
        Some(run)
    }

    /// Where the element at these coordinates is found; `None` is zero.
    fn place(&self, at: &[u64; MAX_RANK]) -> Option<usize> {
        let mut place = 0;
        for axis in &self.axes {
            let (numerator, divisor) = (axis.numerator(at), i128::from(axis.divisor));
            let own = numerator.div_euclid(divisor);
            if numerator.rem_euclid(divisor) != 0 || own < 0 || own >= i128::from(axis.size) {
                return None;
            }
            place += own as usize * axis.stride as usize;
        }
        Some(place)
    }
}

impl Axis {
    fn numerator(&self, at: &[u64; MAX_RANK]) -> i128 {
        let parts = self
            .steps
            .iter()
            .zip(at)
            .map(|(step, at)| i128::from(*step) * i128::from(*at));
        self.offset + parts.sum::<i128>()
    }

    /// The least and the greatest numerator over an output of these dimensions.
    fn bounds(&self, dims: &[u32]) -> (i128, i128) {
        let (mut least, mut most) = (self.offset, self.offset);
        for (step, dim) in self.steps.iter().zip(dims) {
            let whole = i128::from(*step) * i128::from(dim.saturating_sub(1));
            least += whole.min(0);
            most += whole.max(0);
        }
        (least, most)
    }
}

impl Run {
    /// Writes the run to every `stride`-th element of `out`.
    fn copy<T: Copy + Default>(&self, input: &[T], stride: usize, out: &mut [T]) {
        if stride > 1 {
            return self.spread(input, stride, out);
        }
        if self.start >= self.end {
            return out.fill(T::default());
        }
        let (start, end) = (self.start as usize, self.end as usize);
        if self.period > 1 {
            out.fill(T::default());
            let places = out[start..end].iter_mut().step_by(self.period as usize);
            places
                .zip(0..)
                .for_each(|(out, at)| *out = input[(self.at + self.step * at) as usize]);
            return;
        }
        out[..start].fill(T::default());
        out[end..].fill(T::default());
        let inside = &mut out[start..end];
        match self.step {
            0 => inside.fill(input[self.at as usize]),
            1 => inside.copy_from_slice(&input[self.at as usize..][..inside.len()]),
            step => {
                let places = inside.iter_mut().zip(0..);
                places.for_each(|(out, at)| *out = input[(self.at + step * at) as usize]);
            }
        }
    }

    /// Writes the run to places that are not neighbours.
    fn spread<T: Copy + Default>(&self, input: &[T], stride: usize, out: &mut [T]) {
        if self.start >= self.end {
            out.iter_mut().step_by(stride).for_each(|out| *out = T::default());
            return;
        }
        let (start, end) = (self.start as usize, self.end as usize);
        let (before, rest) = out.split_at_mut(start * stride);
        before.iter_mut().step_by(stride).for_each(|out| *out = T::default());
        let (inside, behind) = rest.split_at_mut(((end - start) * stride).min(rest.len()));
        behind.iter_mut().step_by(stride).for_each(|out| *out = T::default());
        if self.period > 1 {
            inside.iter_mut().step_by(stride).for_each(|out| *out = T::default());
        }
        let places = inside.iter_mut().step_by(stride * self.period as usize);
        places
            .zip(0..)
            .for_each(|(out, at)| *out = input[(self.at + self.step * at) as usize]);
    }
}

/// a ÷ b rounded up, for b > 0.
fn up(a: i64, b: i64) -> i64 {
    if b == 1 {
        a
    } else {
        -(-a).div_euclid(b)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}
