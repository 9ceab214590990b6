//! Products of rows, by products of bytes: digits of the first operand stand one below the other, so that each digit of
//! the second, usually weights, is read once for all of them. Where blocks of the second have multipliers, a kernel of our
//! own sums them.

use super::{digits, Given, Launcher};
use crate::{
    array::{Array, Kind},
    device::{Device, DeviceError, Grid, Memory},
    kernel::{CombineArgs, DigitsArgs, MultiplyArgs, MultiplyBlocksArgs},
};
use assay_exact::{operator::Side, product::BLOCK, tensor::DType};
use bytemuck::Zeroable;
use std::{ops::Range, sync::Arc};

/// What every dimension of a product of bytes is a multiple of.
const UNIT: u32 = 16;

/// Elements of a row that are summed in 32 bits: 2¹⁶ products of at most 2¹⁴ leave a bit to spare.
const MAX_DEPTH: u32 = 1 << 16;

/// Bytes of sums that are there at a time.
const MAX_SUMS: u64 = 512 << 20;

/// Bytes of an accumulator.
const ACCUMULATOR_BYTES: u64 = 8;

/// Bytes of a multiplier.
const MULTIPLIER_BYTES: u64 = 2;

/// An operand's digits.
#[derive(Debug)]
pub(crate) struct Planes {
    bytes: Array,
    /// For each row whether an element of it is none of the class; none if there can be no such row.
    faulty: Option<Memory>,
    /// Bytes from one part's digits to the next's.
    part: u64,
    /// Bytes from one digit to the next.
    plane: u64,
    /// Bytes from one row to the next, at least as many as a row has elements.
    padded: u32,
}

impl Planes {
    fn digit(&self, part: u32, digit: u32) -> u64 {
        self.bytes.address() + u64::from(part) * self.part + u64::from(digit) * self.plane
    }

    fn faulty(&self) -> u64 {
        self.faulty.as_ref().map_or(0, Memory::address)
    }

    /// Whether a row may have an element that is none of the class.
    pub(crate) fn may_be_faulty(&self) -> bool {
        self.faulty.is_some()
    }

    /// Fetches which rows are faulty, and forgets about it if none is.
    pub(crate) fn forget_faults_if_none(&mut self, device: &Arc<dyn Device>) -> Result<(), DeviceError> {
        if let Some(faulty) = &self.faulty {
            let mut bytes = vec![0; faulty.bytes()];
            device.download(faulty.address(), &mut bytes)?;
            if bytes.iter().all(|byte| *byte == 0) {
                self.faulty = None;
            }
        }
        Ok(())
    }

    /// The integers whose digits these are, of a tensor that is stored; of those of a product's second operand.
    pub(crate) fn integers(&self, device: &Arc<dyn Device>, kind: &Kind) -> Result<Vec<u8>, DeviceError> {
        let planes = self.bytes.to_bytes(device)?;
        let Size { parts, rows, length } = Size::new(kind);
        let mut bytes = Vec::with_capacity(kind.bytes());
        for (part, row) in (0..parts).flat_map(|part| (0..rows).map(move |row| (part, row))) {
            for k in 0..length {
                let at = u64::from(part) * self.part + u64::from(row) * u64::from(self.padded) + u64::from(k);
                let digits = (0..u64::from(kind.size())).map(|digit| planes[(at + digit * self.plane) as usize] as i8);
                let integer = digits.fold(0, |integer, digit| integer * 256 + i32::from(digit));
                bytes.extend_from_slice(&integer.to_le_bytes()[..kind.size() as usize]);
            }
        }
        Ok(bytes)
    }
}

/// How an operand's planes lie.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// Each digit's rows right behind those of the one before, and padding at the end.
    Stacked,
    /// Each digit's rows padded.
    Apart,
}

/// Parts, rows of a part, and elements of a row.
#[derive(Clone, Copy, Debug)]
struct Size {
    parts: u32,
    rows: u32,
    length: u32,
}

impl Size {
    fn new(kind: &Kind) -> Self {
        let dims = kind.dims();
        let (outer, inner) = dims.split_at(dims.len() - 2);
        Self {
            parts: outer.iter().product(),
            rows: inner[0],
            length: inner[1],
        }
    }
}

/// Bytes of weights of one digit as they are, which are planes themselves.
///
/// None if their dimensions are no multiples of 16, or one of them is −128, which is none of the class.
pub(crate) fn as_planes(kind: &Kind, array: &Array, bytes: &[u8]) -> Option<Planes> {
    let Size { rows, length, .. } = Size::new(kind);
    let fits = kind.dtype == DType::I8 && rows.is_multiple_of(UNIT) && length.is_multiple_of(UNIT);
    let part = u64::from(rows) * u64::from(length);
    (fits && part > 0 && !bytes.contains(&0x80)).then(|| Planes {
        bytes: array.clone(),
        faulty: None,
        part,
        plane: part,
        padded: length,
    })
}

/// The digits of a product's second operand.
pub(crate) fn planes_of_second(
    device: &Arc<dyn Device>,
    side: Side,
    x: &Given,
    magnitudes: Option<u64>,
) -> Result<Planes, DeviceError> {
    let size = Size::new(&x.kind);
    planes(
        device,
        side,
        (x.kind.dtype, x.address()),
        magnitudes,
        size,
        Layout::Apart,
    )
}

fn planes(
    device: &Arc<dyn Device>,
    side: Side,
    (dtype, x): (DType, u64),
    magnitudes: Option<u64>,
    size: Size,
    layout: Layout,
) -> Result<Planes, DeviceError> {
    let padded = size.length.next_multiple_of(UNIT);
    let count = digits(side.class);
    let (plane_rows, part_rows) = match layout {
        Layout::Stacked => (size.rows, (count * size.rows).next_multiple_of(UNIT)),
        Layout::Apart => {
            let rows = size.rows.next_multiple_of(UNIT);
            (rows, count * rows)
        }
    };
    let part = u64::from(part_rows) * u64::from(padded);
    let bytes = part as usize * size.parts as usize;
    let array = Array::new(device, bytes)?;
    // Rows that pad are zero; what pads rows, the kernel writes
    if part_rows > count * size.rows && bytes > 0 {
        device.fill(array.address(), 0, bytes)?;
    }
    let faulty = Memory::zeros(device, size.parts as usize * size.rows as usize * 4)?;
    let planes = Planes {
        bytes: array,
        faulty: Some(faulty),
        part,
        plane: u64::from(plane_rows) * u64::from(padded),
        padded,
    };
    let arguments = DigitsArgs {
        x,
        magnitudes: magnitudes.unwrap_or(0),
        planes: planes.bytes.address(),
        faulty: planes.faulty(),
        plane_stride: planes.plane,
        part_stride: planes.part,
        kind: match dtype {
            DType::I8 => 1,
            DType::I16 => 2,
            _ => 0,
        },
        digits: count,
        parts: size.parts,
        rows: size.rows,
        length: size.length,
        padded,
    };
    let quads = u64::from(size.parts) * u64::from(size.rows) * u64::from(padded / 4);
    crate::device::launch(&**device, Grid::over(quads), &arguments)?;
    Ok(planes)
}

/// A part of a product that is computed at once: parts of the second operand, and rows of each.
#[derive(Clone, Debug)]
struct Block {
    parts: Range<u32>,
    rows: Range<u32>,
}

/// Blocks whose sums take little memory: some parts with all their rows, or some rows of a part.
fn blocks(parts: u32, rows: u32, bytes_of_row: u64) -> Vec<Block> {
    let of_part = u64::from(rows) * bytes_of_row;
    if of_part <= MAX_SUMS {
        let some = (MAX_SUMS / of_part.max(1)).clamp(1, u64::from(u32::MAX)) as u32;
        let starts = (0..parts).step_by(some as usize);
        return starts
            .map(|start| Block {
                parts: start..parts.min(start.saturating_add(some)),
                rows: 0..rows,
            })
            .collect();
    }
    let some = (MAX_SUMS / bytes_of_row).max(1) as u32;
    let starts = |part: u32| (0..rows).step_by(some as usize).map(move |start| (part, start));
    (0..parts)
        .flat_map(starts)
        .map(|(part, start)| Block {
            parts: part..part + 1,
            rows: start..rows.min(start.saturating_add(some)),
        })
        .collect()
}

impl Launcher<'_> {
    /// Inputs are never empty but for the rows' length: the output is not.
    pub(super) fn product(
        &self,
        (a, b): (Side, Side),
        inputs: &[Given],
        kind: &Kind,
        out: &Array,
    ) -> Result<(), DeviceError> {
        let (x, w) = (&inputs[0], &inputs[1]);
        let a_magnitudes = a.scaled.then(|| inputs[2].address());
        let b_magnitudes = b.scaled.then(|| inputs[2 + usize::from(a.scaled)].address());
        let multipliers = inputs
            .get(2 + usize::from(a.scaled) + usize::from(b.scaled))
            .map(Given::address);
        let (of_a, of_b) = (Size::new(&x.kind), Size::new(&w.kind));
        let made;
        let w_planes = match &w.planes {
            Some(planes) => planes,
            None => {
                made = Arc::new(planes_of_second(self.device, b, w, b_magnitudes)?);
                &made
            }
        };
        // Parts of a that share one of b are further rows of it
        let (parts, columns) = (of_b.parts, of_b.rows);
        let rows = of_a.parts / parts * of_a.rows;
        debug_assert_eq!(kind.len(), u64::from(parts) * u64::from(rows) * u64::from(columns));
        let (a_digits, b_digits) = (digits(a.class), digits(b.class));
        let significant = a_digits.max(b_digits);
        let padded = columns.next_multiple_of(UNIT);
        let counts: Vec<u32> = (0..b_digits).map(|digit| a_digits.min(significant - digit)).collect();
        let bytes_of_row = match multipliers {
            Some(_) => u64::from(columns) * ACCUMULATOR_BYTES,
            None => u64::from(counts.iter().sum::<u32>()) * u64::from(padded) * 4,
        };
        for block in blocks(parts, rows, bytes_of_row) {
            let size = Size {
                parts: block.parts.len() as u32,
                rows: block.rows.len() as u32,
                length: of_a.length,
            };
            let row = u64::from(block.parts.start) * u64::from(rows) + u64::from(block.rows.start);
            let from = x.address() + row * u64::from(of_a.length) * u64::from(x.kind.size());
            let magnitudes = a_magnitudes.map(|all| all + row * 4);
            let x_planes = planes(self.device, a, (x.kind.dtype, from), magnitudes, size, Layout::Stacked)?;
            let first = row * u64::from(columns);
            let column = u64::from(block.parts.start) * u64::from(columns) * 4;
            let mut combine = CombineArgs {
                a_magnitudes: magnitudes.unwrap_or(0),
                b_magnitudes: b_magnitudes.map_or(0, |all| all + column),
                a_faulty: x_planes.faulty(),
                b_faulty: Some(w_planes.faulty())
                    .filter(|all| *all != 0)
                    .map_or(0, |all| all + column),
                out: out.address() + first * 4,
                fault: self.fault,
                a_digits,
                b_digits,
                parts: size.parts,
                rows: size.rows,
                columns,
                padded,
                first: first as u32,
                ..CombineArgs::zeroed()
            };
            let part = block.parts.start;
            match multipliers {
                Some(all) => self.sum_blocks(&x_planes, w_planes, (part, size), all, &mut combine)?,
                None => self.sum_products(&x_planes, w_planes, (part, size), &counts, &mut combine)?,
            }
        }
        Ok(())
    }

    /// Sums of a block's products, of as many elements at a time as 32 bits allow, and floats of them.
    fn sum_products(
        &self,
        x: &Planes,
        w: &Planes,
        (part, size): (u32, Size),
        counts: &[u32],
        combine: &mut CombineArgs,
    ) -> Result<(), DeviceError> {
        let elements = u64::from(size.parts) * u64::from(size.rows) * u64::from(combine.columns);
        let depth = x.padded;
        debug_assert_eq!(depth, w.padded);
        let accumulators = match depth > MAX_DEPTH {
            true => Some(Memory::new(self.device, (elements * ACCUMULATOR_BYTES) as usize)?),
            false => None,
        };
        combine.accumulators = accumulators.as_ref().map_or(0, Memory::address);
        let rows = |count: &u32| (count * size.rows).next_multiple_of(UNIT);
        let of_part: Vec<u64> = counts
            .iter()
            .map(|count| u64::from(rows(count)) * u64::from(combine.padded))
            .collect();
        let starts: Vec<u64> = of_part
            .iter()
            .scan(0, |end, sums| {
                let start = *end;
                *end += sums * u64::from(size.parts) * 4;
                Some(start)
            })
            .collect();
        let all = of_part.iter().sum::<u64>() * u64::from(size.parts) * 4;
        let sums = Memory::new(self.device, all as usize)?;
        let mut start = 0;
        while start < depth {
            let some = MAX_DEPTH.min(depth - start);
            for (digit, count) in counts.iter().enumerate() {
                let multiply = MultiplyArgs {
                    w: w.digit(part, digit as u32) + u64::from(start),
                    x: x.digit(0, 0) + u64::from(start),
                    out: sums.address() + starts[digit],
                    w_stride: w.part,
                    x_stride: x.part,
                    out_stride: of_part[digit],
                    batch: size.parts,
                    columns: combine.padded,
                    rows: rows(count),
                    depth: some,
                    leading: depth,
                    unused: 0,
                };
                self.device.multiply(&multiply)?;
                combine.sums[digit] = sums.address() + starts[digit];
                combine.part_stride[digit] = of_part[digit];
            }
            combine.continues = (start > 0).into();
            start += some;
            combine.unfinished = (start < depth).into();
            self.launch(Grid::over(elements), combine)?;
        }
        if depth == 0 {
            // A sum of nothing
            self.launch(Grid::over(elements), combine)?;
        }
        Ok(())
    }

    /// Sums of a block's products, what each 32 elements of `w` add times their multiplier, and floats of them.
    /// `multipliers` are those of all parts.
    fn sum_blocks(
        &self,
        x: &Planes,
        w: &Planes,
        (part, size): (u32, Size),
        multipliers: u64,
        combine: &mut CombineArgs,
    ) -> Result<(), DeviceError> {
        // Of types that have been checked, rows consist of whole blocks: nothing pads them
        debug_assert!(x.padded == size.length && w.padded == size.length && combine.b_digits == 1);
        let blocks = size.length / BLOCK as u32;
        let elements = size.parts * size.rows * combine.columns;
        let accumulators = self.zeros((u64::from(elements) * ACCUMULATOR_BYTES) as usize)?;
        let rows_before = u64::from(part) * u64::from(combine.columns);
        let multiply = MultiplyBlocksArgs {
            w: w.digit(part, 0),
            x: x.digit(0, 0),
            multipliers: multipliers + rows_before * u64::from(blocks) * MULTIPLIER_BYTES,
            accumulators: accumulators.address(),
            fault: self.fault,
            w_stride: w.part,
            x_stride: x.part,
            plane_stride: x.plane,
            digits: combine.a_digits,
            rows: size.rows,
            columns: combine.columns,
            blocks,
            first: combine.first,
            unused: 0,
        };
        self.launch(Grid::rows(elements, blocks), &multiply)?;
        combine.accumulators = accumulators.address();
        combine.continues = 1;
        self.launch(Grid::over(elements.into()), combine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(blocks: &[Block]) -> u64 {
        blocks
            .iter()
            .map(|block| block.parts.len() as u64 * block.rows.len() as u64)
            .sum()
    }

    #[test]
    fn blocks_should_cover_all_rows_and_bound_their_sums() {
        for (parts, rows, bytes) in [
            (1, 1, 64),
            (7, 100, 1 << 20),
            (3, 5, 1 << 29),
            (2, 3, 1 << 30),
            (0, 9, 64),
        ] {
            let blocks = blocks(parts, rows, bytes);
            assert_eq!(covered(&blocks), u64::from(parts) * u64::from(rows));
            for block in &blocks {
                let all = block.parts.len() as u64 * block.rows.len() as u64;
                assert!(all * bytes <= MAX_SUMS || all == 1, "{block:?}");
            }
        }
    }
}
