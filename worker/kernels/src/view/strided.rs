//! Copies with other strides, in pieces as large as there are.

use super::boxes::Piece;
use assay_exact::tensor::MAX_RANK;

/// Rows and columns that are transposed at a time.
const TILE: usize = 8;

/// Rows and columns of tiles that are done before others, so that what was read is still in the cache when its
/// neighbours are wanted.
const BLOCK: usize = 64;

/// A dimension of a piece of the output: how long it is, and the distance of neighbours in the input and in the output.
#[derive(Clone, Copy, Debug)]
struct Axis {
    size: usize,
    from: i64,
    to: usize,
}

/// Copies a piece of an output of `rank` dimensions. Element (i, j, …) is found at start + i · strides\[0\] + j ·
/// strides\[1\] + …, which always lies inside of the input.
pub(super) fn copy<T: Copy + Default>(
    input: &[T],
    start: i64,
    strides: &[i64; MAX_RANK],
    (piece, rank): (&Piece, usize),
    out: &mut [T],
) {
    let first = strides.iter().zip(&piece.at).map(|(stride, at)| stride * *at as i64);
    let axes = piece.sizes.iter().zip(strides).zip(piece.strides).take(rank);
    let axes = axes.map(|((size, from), to)| Axis {
        size: *size,
        from: *from,
        to,
    });
    copy_axes(input, start + first.sum::<i64>(), &merged(axes), out);
}

/// The same elements with as few dimensions as possible.
fn merged(axes: impl Iterator<Item = Axis>) -> Vec<Axis> {
    let mut merged: Vec<Axis> = Vec::with_capacity(MAX_RANK);
    for axis in axes.filter(|axis| axis.size != 1) {
        match merged.last_mut() {
            // In the output they follow each other anyway
            Some(outer) if outer.from == axis.from * axis.size as i64 => {
                *outer = Axis {
                    size: outer.size * axis.size,
                    ..axis
                };
            }
            _ => merged.push(axis),
        }
    }
    merged
}

/// Copies what these dimensions, of which the last is contiguous in `out`, are made of.
fn copy_axes<T: Copy + Default>(input: &[T], start: i64, axes: &[Axis], out: &mut [T]) {
    let Some((last, outer)) = axes.split_last() else {
        out.fill(input[start as usize]);
        return;
    };
    let transposed = if matches!(last.from, 0 | 1) {
        None
    } else {
        outer.iter().position(|axis| axis.from == 1)
    };
    match transposed {
        Some(rows) => {
            let mut others = outer.to_vec();
            let rows = others.remove(rows);
            each(&others, start, 0, &mut |from, to| {
                transpose(input, from, rows, *last, &mut out[to..])
            });
        }
        None => each(outer, start, 0, &mut |from, to| {
            let row = &mut out[to..][..last.size];
            match last.from {
                0 => row.fill(input[from as usize]),
                1 => row.copy_from_slice(&input[from as usize..][..last.size]),
                step => row
                    .iter_mut()
                    .zip(0..)
                    .for_each(|(out, at)| *out = input[(from + step * at) as usize]),
            }
        }),
    }
}

/// Calls `work` for each combination of coordinates, with where its elements start in the input and in the output.
fn each(axes: &[Axis], from: i64, to: usize, work: &mut impl FnMut(i64, usize)) {
    match axes {
        [] => work(from, to),
        [axis, inner @ ..] => {
            for at in 0..axis.size {
                each(inner, from + axis.from * at as i64, to + axis.to * at, work);
            }
        }
    }
}

/// Transposes a matrix that is contiguous along `rows` in the input and along `columns` in the output.
fn transpose<T: Copy + Default>(input: &[T], from: i64, rows: Axis, columns: Axis, out: &mut [T]) {
    for top in (0..rows.size).step_by(BLOCK) {
        let bottom = rows.size.min(top + BLOCK);
        for left in (0..columns.size).step_by(BLOCK) {
            let right = columns.size.min(left + BLOCK);
            for row in (top..bottom).step_by(TILE) {
                for column in (left..right).step_by(TILE) {
                    let size = (TILE.min(bottom - row), TILE.min(right - column));
                    let start = from + row as i64 + columns.from * column as i64;
                    tile(
                        input,
                        start,
                        (columns.from, rows.to),
                        size,
                        &mut out[row * rows.to + column..],
                    );
                }
            }
        }
    }
}

/// Transposes a small matrix: lines at the distance `from` in the input, and `to` in the output.
fn tile<T: Copy + Default>(
    input: &[T],
    start: i64,
    (from, to): (i64, usize),
    (rows, columns): (usize, usize),
    out: &mut [T],
) {
    if (rows, columns) == (TILE, TILE) {
        // By way of registers, so that both reads and writes are of whole lines
        let mut lines = [[T::default(); TILE]; TILE];
        for (line, column) in lines.iter_mut().zip(0..) {
            line.copy_from_slice(&input[(start + from * column) as usize..][..TILE]);
        }
        for row in 0..TILE {
            let out = &mut out[row * to..][..TILE];
            for (out, line) in out.iter_mut().zip(&lines) {
                *out = line[row];
            }
        }
    } else {
        for row in 0..rows {
            for column in 0..columns {
                out[row * to + column] = input[(start + row as i64 + from * column as i64) as usize];
            }
        }
    }
}
