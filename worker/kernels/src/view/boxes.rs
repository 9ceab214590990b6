//! Ranges of rows as boxes: so many of each dimension.

use assay_exact::tensor::MAX_RANK;
use std::ops::Range;

/// A part of the output that is an interval in each dimension, and contiguous.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// The coordinates of its first element.
    pub(super) at: [u64; MAX_RANK],
    /// How many there are of each dimension.
    pub(super) sizes: [usize; MAX_RANK],
    /// The distance in the output of neighbours along each dimension.
    pub(super) strides: [usize; MAX_RANK],
}

/// Cuts the rows `rows` of an output of the dimensions `outer` and `row` into boxes as large as there are, and calls `work`
/// with each and its part of `out`.
pub(super) fn boxes<T>(
    outer: &[u64],
    row: usize,
    rows: Range<u64>,
    mut out: &mut [T],
    mut work: impl FnMut(&Piece, &mut [T]),
) {
    let mut first = rows.start;
    while first < rows.end {
        // Whole dimensions as long as they start here and end before the end
        let (mut inner, mut split) = (1, outer.len());
        while let Some(dimension) = split.checked_sub(1) {
            let larger = inner * outer[dimension];
            if !first.is_multiple_of(larger) || first + larger > rows.end {
                break;
            }
            (inner, split) = (larger, dimension);
        }
        let mut piece = Piece {
            at: [0; MAX_RANK],
            sizes: [1; MAX_RANK],
            strides: [0; MAX_RANK],
        };
        let mut rest = first / inner;
        for (at, size) in piece.at.iter_mut().zip(&outer[..split]).rev() {
            *at = rest % size;
            rest /= size;
        }
        for (own, size) in piece.sizes.iter_mut().zip(outer).skip(split) {
            *own = *size as usize;
        }
        piece.sizes[outer.len()] = row;
        // And as many of them as there are before the next dimension outwards goes on
        let mut count = 1;
        if let Some(dimension) = split.checked_sub(1) {
            count = (outer[dimension] - piece.at[dimension]).min((rows.end - first) / inner);
            piece.sizes[dimension] = count as usize;
        }
        let mut stride = 1;
        for (own, size) in piece.strides.iter_mut().zip(&piece.sizes).take(outer.len() + 1).rev() {
            *own = stride;
            stride *= size;
        }
        let (part, others) = out.split_at_mut(stride);
        work(&piece, part);
        out = others;
        first += count * inner;
    }
}
