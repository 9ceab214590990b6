//! Groups of operators that compute row by row: a few rows at a time go through all of them.

use super::{
    buffer::{Buffer, Slice, SliceMut},
    lower::{Call, Group, Lowered, Slot},
    threads::Threads,
    weights::Weights,
};
use assay_exact::{
    operator::{Fault, Operator, TensorType},
    product::Class,
    tensor::{DType, Shape, MAX_RANK},
};
use assay_kernels::{
    expression::{self, Data, Evaluator, Input},
    product::{multiply, Integers, Packed, Prepared, Rows, PANEL},
    rotate::Turns,
    row, Isa,
};
use std::{cell::RefCell, collections::HashMap, mem, ops::Range, sync::Arc};

/// Elements of the widest tensor in a block of rows: its floats fill a good part of a second-level cache.
const BLOCK_ELEMENTS: usize = 48 * 1024;

/// Most rows of a block.
const MAX_BLOCK_ROWS: usize = 96;

/// With fewer rows than that for each thread, a product's columns are divided instead: each weight is then read once, and
/// reading them takes longer than what is computed with so few rows.
const MIN_ROWS_PER_THREAD: usize = 12;

/// Elements of an output below which an operator of few rows is computed by one thread.
const MIN_DIVIDED: usize = 4 * 1024;

/// Panels of a product's columns that are worth a thread.
const MIN_PANELS: usize = 4;

/// Where an operator finds an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operand {
    /// Made by the group's operator of this number.
    Local(usize),
    /// Rows of all lanes, made before.
    Rows(Slot),
    /// A weight, or what depends on weights alone.
    Constant(Slot),
}

/// An operator of a group, ready to run.
#[derive(Debug)]
struct Step {
    kind: Kind,
    operands: Vec<Operand>,
    /// Dimensions of each operand behind the first, and its type.
    inputs: Vec<Rowed>,
    output: Rowed,
}

/// What a tensor is row by row.
#[derive(Clone, Copy, Debug)]
struct Rowed {
    dtype: DType,
    /// The dimensions, of which the first is the number of rows unless the tensor is constant.
    dims: [u32; MAX_RANK],
    rank: usize,
    /// Elements of a row.
    width: usize,
    is_constant: bool,
}

impl Rowed {
    fn new(kind: &TensorType, is_constant: bool) -> Self {
        let mut dims = [0; MAX_RANK];
        let own = kind.shape.dims();
        dims[..own.len()].copy_from_slice(own);
        let inner = own.get(1..).unwrap_or_default();
        Self {
            dtype: kind.dtype,
            dims,
            rank: own.len(),
            width: inner.iter().map(|dim| *dim as usize).product(),
            is_constant,
        }
    }

    /// The shape of this many rows.
    fn shape(&self, rows: usize) -> Shape {
        let mut dims = self.dims;
        if !self.is_constant {
            dims[0] = rows as u32;
        }
        Shape::new(&dims[..self.rank], self.dtype).expect("a part of a tensor is smaller than the tensor; qed")
    }

    /// Length of the last dimension, along which rows of the reference run.
    fn last(&self) -> usize {
        self.dims[self.rank - 1] as usize
    }
}

#[derive(Debug)]
enum Kind {
    Map(Evaluator),
    Magnitude,
    Sum,
    WeightSum(u8),
    Maximum,
    ArgMax,
    Weights,
    Quantise,
    Product { class: Class, packed: Arc<Packed> },
    Rotate { frequencies: Vec<u64>, inverse: bool },
}

/// A group, ready to run.
#[derive(Debug)]
pub(crate) struct Ready {
    steps: Vec<Step>,
    /// For each step whether its output is kept.
    kept: Vec<Option<Slot>>,
    /// The first step's output.
    first: Slot,
    /// Elements of the widest row.
    widest: usize,
    /// Multiply-adds of a row: what tells a large group from a small one.
    work: usize,
}

/// What a thread needs while it runs groups. It keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    buffers: Vec<Buffer>,
    int8: Vec<i8>,
    int16: Vec<i16>,
    int24: Vec<i32>,
    prepared: Vec<Prepared>,
}

/// Rows of all lanes, one after the other.
pub(crate) trait RowSource: Sync {
    /// The elements of a tensor that was made before.
    fn rows(&self, slot: Slot) -> Slice<'_>;
}

/// A kept output while blocks of it are written.
struct Kept<'a> {
    step: usize,
    out: SliceMut<'a>,
}

impl Ready {
    /// Prepares a group for steps in which tensors have these types, up to the number of rows.
    pub(crate) fn new(lowered: &Lowered, group: &Group, types: &[TensorType], weights: &Weights) -> Self {
        let mut made = HashMap::new();
        let mut steps = Vec::with_capacity(group.calls.len());
        for (at, call) in group.calls.iter().enumerate() {
            let call = &lowered.calls[*call];
            steps.push(Step::new(lowered, call, &made, types, weights));
            made.insert(call.output, at);
        }
        let kept = group
            .calls
            .iter()
            .map(|call| Some(lowered.calls[*call].output).filter(|slot| group.kept.contains(slot)))
            .collect();
        let widest = steps.iter().map(|step| step.output.width).max().unwrap_or(1).max(1);
        let work = steps.iter().map(Step::work).sum();
        Self {
            steps,
            kept,
            first: lowered.calls[group.calls[0]].output,
            widest,
            work,
        }
    }

    /// The output of the first operator, which has as many rows as all others.
    pub(crate) fn first(&self) -> Slot {
        self.first
    }

    /// Outputs that are kept, with their types and the elements of a row.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (Slot, DType, usize)> + '_ {
        let steps = self.kept.iter().zip(&self.steps);
        steps.filter_map(|(slot, step)| slot.map(|slot| (slot, step.output.dtype, step.output.width)))
    }

    /// Runs all rows. `positions` are those of the rows as tokens.
    pub(crate) fn run(
        &self,
        isa: Isa,
        rows: usize,
        positions: &[u64],
        source: &impl RowSource,
        threads: &Threads,
    ) -> Result<Vec<(Slot, Buffer)>, Fault> {
        let mut outputs: Vec<_> = self
            .outputs()
            .map(|(slot, dtype, width)| (slot, width, Buffer::zeros(dtype, rows * width)))
            .collect();
        let by_columns = rows < MIN_ROWS_PER_THREAD * threads.count();
        let block = if by_columns {
            rows
        } else {
            let fitting = (BLOCK_ELEMENTS / self.widest).clamp(1, MAX_BLOCK_ROWS);
            // As many blocks as threads at least, all of about the same size, and whole tiles of the product's rows
            let blocks = rows.div_ceil(fitting).next_multiple_of(threads.count());
            rows.div_ceil(blocks).next_multiple_of(6).min(rows)
        };
        let mut blocks: Vec<(Range<usize>, Vec<SliceMut<'_>>)> = Vec::new();
        let mut rest: Vec<_> = outputs
            .iter_mut()
            .map(|(_, width, out)| (*width, out.all_mut()))
            .collect();
        let mut start = 0;
        while start < rows {
            let end = rows.min(start + block.max(1));
            let mut parts = Vec::with_capacity(rest.len());
            rest = rest
                .into_iter()
                .map(|(width, out)| {
                    let (part, others) = out.split_at((end - start) * width);
                    parts.push(part);
                    (width, others)
                })
                .collect();
            blocks.push((start..end, parts));
            start = end;
        }
        let run = |(rows, parts): (Range<usize>, Vec<SliceMut<'_>>), threads: &Threads| {
            // Taken, not borrowed: a thread that waits for others may begin another block
            let mut scratch = SCRATCH.take();
            let done = self.block((isa, threads), rows, parts, positions, source, &mut scratch);
            SCRATCH.set(scratch);
            done
        };
        let small = self.work.saturating_mul(rows) < SMALL;
        if by_columns || small || blocks.len() == 1 {
            let threads = if by_columns && !small {
                threads
            } else {
                Threads::alone()
            };
            blocks.into_iter().try_for_each(|block| run(block, threads))?;
        } else {
            threads.try_for_each(blocks, |block| run(block, Threads::alone()))?;
        }
        Ok(outputs.into_iter().map(|(slot, _, out)| (slot, out)).collect())
    }

    /// Runs some rows. `parts` are the rows of the outputs that are kept, in their order.
    fn block(
        &self,
        (isa, threads): (Isa, &Threads),
        rows: Range<usize>,
        parts: Vec<SliceMut<'_>>,
        positions: &[u64],
        source: &impl RowSource,
        scratch: &mut Scratch,
    ) -> Result<(), Fault> {
        let mut parts = parts.into_iter();
        let mut buffers = mem::take(&mut scratch.buffers);
        buffers.resize_with(self.steps.len().max(buffers.len()), || Buffer::F32(Vec::new()));
        let mut outs: Vec<Option<Kept<'_>>> = Vec::with_capacity(self.steps.len());
        let mut prepared: Vec<PreparedRows> = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let len = rows.len() * step.output.width;
            let mut own = mem::replace(&mut buffers[at], Buffer::F32(Vec::new()));
            let mut kept = match self.kept[at] {
                Some(_) => parts.next().map(|out| Kept { step: at, out }),
                None => {
                    own = own.reuse(step.output.dtype, len);
                    None
                }
            };
            let out = match &mut kept {
                Some(kept) => kept.out.again(),
                None => own.all_mut(),
            };
            // Of some of the block's rows
            let read = |operand: usize, some: &Range<usize>| {
                let width = step.inputs[operand].width;
                let some = some.start * width..some.end * width;
                match step.operands[operand] {
                    Operand::Local(other) => match &outs[other] {
                        Some(kept) => {
                            debug_assert_eq!(kept.step, other);
                            kept.out.read().part(some)
                        }
                        None => buffers[other].all().part(some),
                    },
                    Operand::Rows(slot) => {
                        let start = rows.start * width;
                        source.rows(slot).part(start + some.start..start + some.end)
                    }
                    Operand::Constant(slot) => source.rows(slot),
                }
            };
            let positions = &positions[rows.clone()];
            if let Kind::Product { class, packed } = &step.kind {
                let SliceMut::F32(out) = out else {
                    unreachable!("products are floats")
                };
                let all = 0..rows.len();
                let read = |operand: usize| read(operand, &all);
                let tools = Tools {
                    int8: &mut scratch.int8,
                    int16: &mut scratch.int16,
                    int24: &mut scratch.int24,
                    prepared: &mut scratch.prepared,
                    done: &mut prepared,
                };
                let prepared = step.prepare(isa, rows.len(), *class, packed, &read, tools)?;
                columns(isa, prepared, packed, rows.len(), out, threads)?;
            } else if threads.count() == 1 || rows.len() < 2 || len < MIN_DIVIDED {
                let all = 0..rows.len();
                step.run(isa, rows.len(), |operand| read(operand, &all), out, positions)?;
            } else {
                let mut parts = Vec::with_capacity(threads.count());
                let each = rows.len().div_ceil(threads.count());
                let mut rest = out;
                for start in (0..rows.len()).step_by(each) {
                    let some = start..rows.len().min(start + each);
                    let (part, others) = rest.split_at(some.len() * step.output.width);
                    parts.push((some, part));
                    rest = others;
                }
                threads.try_for_each(parts, |(some, out)| {
                    let positions = &positions[some.clone()];
                    step.run(isa, some.len(), |operand| read(operand, &some), out, positions)
                })?;
            }
            buffers[at] = own;
            outs.push(kept);
        }
        drop(outs);
        scratch.buffers = buffers;
        Ok(())
    }
}

/// Multiply-adds below which threads cost more than they save.
const SMALL: usize = 1 << 17;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
    /// Columns of a product that a thread computes.
    static PART: RefCell<Vec<f32>> = RefCell::default();
}

/// Whose rows integers are, by which magnitudes if they have any, as which class, for which class.
type PreparedRows = (Operand, Option<Operand>, Class, Class);

/// A thread's memory, apart from the buffers.
struct Tools<'a> {
    int8: &'a mut Vec<i8>,
    int16: &'a mut Vec<i16>,
    int24: &'a mut Vec<i32>,
    prepared: &'a mut Vec<Prepared>,
    /// What is in `prepared`.
    done: &'a mut Vec<PreparedRows>,
}

impl Step {
    fn new(
        lowered: &Lowered,
        call: &Call,
        made: &HashMap<Slot, usize>,
        types: &[TensorType],
        weights: &Weights,
    ) -> Self {
        let constant = |slot: Slot| lowered.constant[slot];
        let operands = call
            .inputs
            .iter()
            .map(|slot| {
                let root = lowered.root[*slot];
                match made.get(&root) {
                    Some(step) => Operand::Local(*step),
                    None if constant(*slot) => Operand::Constant(root),
                    None => Operand::Rows(root),
                }
            })
            .collect();
        let kind = match &call.operator {
            Operator::Map(expression) => Kind::Map(Evaluator::new(expression)),
            Operator::Magnitude => Kind::Magnitude,
            Operator::Sum => Kind::Sum,
            Operator::WeightSum(bits) => Kind::WeightSum(*bits),
            Operator::Maximum(_) => Kind::Maximum,
            Operator::ArgMax => Kind::ArgMax,
            Operator::Weights(_) => Kind::Weights,
            Operator::Quantise(_) => Kind::Quantise,
            Operator::Product { a, .. } => Kind::Product {
                class: a.class,
                packed: weights
                    .packed(lowered, call)
                    .expect("factors of all groups are packed when weights are loaded; qed")
                    .clone(),
            },
            Operator::Rotate { inverse, .. } => Kind::Rotate {
                frequencies: weights.constant(lowered.root[call.inputs[1]]).sums().to_vec(),
                inverse: *inverse,
            },
            other => unreachable!("{other:?} does not compute row by row"),
        };
        Self {
            kind,
            operands,
            inputs: call
                .inputs
                .iter()
                .map(|slot| Rowed::new(&types[*slot], constant(*slot)))
                .collect(),
            output: Rowed::new(&types[call.output], false),
        }
    }

    /// Multiply-adds of a row, roughly.
    fn work(&self) -> usize {
        match &self.kind {
            Kind::Product { packed, .. } => packed.columns() * packed.depth(),
            _ => 4 * self.output.width.max(self.inputs[0].width),
        }
    }

    /// Computes some rows of anything but a product.
    fn run<'a>(
        &self,
        isa: Isa,
        rows: usize,
        read: impl Fn(usize) -> Slice<'a>,
        out: SliceMut<'_>,
        positions: &[u64],
    ) -> Result<(), Fault> {
        let width = || self.inputs[0].last();
        match (&self.kind, out) {
            (Kind::Map(evaluator), SliceMut::F32(out)) => {
                let inputs: Vec<_> = self
                    .inputs
                    .iter()
                    .enumerate()
                    .map(|(at, kind)| Input {
                        shape: kind.shape(rows),
                        data: data(read(at)),
                    })
                    .collect();
                let shape = self.output.shape(rows);
                let runs = shape.rows();
                expression::map(isa, evaluator, &inputs, &shape, 0..runs, out)
            }
            (Kind::Magnitude, SliceMut::F32(out)) => row::magnitudes(isa, read(0).floats(), width(), out),
            (Kind::Sum, SliceMut::F32(out)) => row::sums(isa, read(0).floats(), width(), read(1).floats(), out),
            (Kind::WeightSum(bits), SliceMut::F32(out)) => row::weight_sums(isa, read(0).floats(), width(), *bits, out),
            (Kind::Maximum, SliceMut::F32(out)) => {
                for (row, out) in read(0).floats().chunks_exact(width()).zip(out) {
                    *out = row::maximum(isa, row)?;
                }
                Ok(())
            }
            (Kind::ArgMax, SliceMut::U32(out)) => row::argmaxima(isa, read(0).floats(), width(), out),
            (Kind::Weights, SliceMut::F32(out)) => {
                let rows = read(0).floats().chunks_exact(width()).zip(read(1).floats());
                for ((row, maximum), out) in rows.zip(out.chunks_exact_mut(width())) {
                    row::weights(isa, row, *maximum, row.len(), out)?;
                }
                Ok(())
            }
            (Kind::Quantise, SliceMut::I8(out)) => {
                row::quantise_rows(isa, read(0).floats(), width(), read(1).floats(), out)
            }
            (Kind::Quantise, SliceMut::I16(out)) => {
                row::quantise_rows(isa, read(0).floats(), width(), read(1).floats(), out)
            }
            (Kind::Rotate { frequencies, inverse }, SliceMut::F32(out)) => {
                let x = read(0).floats();
                let (of_row, of_head) = (self.output.width, self.output.last());
                let mut at = 0;
                while at < rows {
                    // Rows at positions that follow one another share a table
                    let run = (at + 1..rows)
                        .find(|next| positions[*next] != positions[*next - 1] + 1)
                        .unwrap_or(rows)
                        - at;
                    let turns = Turns::new(isa, frequencies, positions[at], run, *inverse);
                    for row in 0..run {
                        let range = (at + row) * of_row..(at + row + 1) * of_row;
                        let heads = x[range.clone()].chunks_exact(of_head);
                        for (head, out) in heads.zip(out[range].chunks_exact_mut(of_head)) {
                            turns.apply(isa, row, head, out)?;
                        }
                    }
                    at += run;
                }
                Ok(())
            }
            (kind, out) => unreachable!("{kind:?} does not give {:?}", out.read().dtype()),
        }
    }

    /// The rows of the first operand as integers; those of the operator before, if it had the same.
    fn prepare<'t, 'a>(
        &self,
        isa: Isa,
        rows: usize,
        class: Class,
        packed: &Packed,
        read: &impl Fn(usize) -> Slice<'a>,
        tools: Tools<'t>,
    ) -> Result<&'t Prepared, Fault> {
        let is_scaled = self.operands.len() > 2 && !self.inputs[2].is_constant;
        let magnitudes = is_scaled.then(|| self.operands[2]);
        let wanted = (self.operands[0], magnitudes, class, packed.class());
        if let Some(at) = tools.done.iter().position(|done| *done == wanted) {
            return Ok(&tools.prepared[at]);
        }
        let at = tools.done.len();
        if tools.prepared.len() == at {
            tools.prepared.push(Prepared::new());
        }
        let depth = self.inputs[0].last();
        let magnitudes = is_scaled.then(|| read(2).floats());
        let integers = integers(
            isa,
            read(0),
            class,
            depth,
            magnitudes,
            (tools.int8, tools.int16, tools.int24),
        )?;
        let rows = Rows::new(integers, rows, depth, magnitudes);
        tools.prepared[at].fill(isa, &rows, packed.class())?;
        tools.done.push(wanted);
        Ok(&tools.prepared[at])
    }
}

/// Rows of an operand as integers of a class.
pub(crate) fn integers<'a>(
    isa: Isa,
    rows: Slice<'a>,
    class: Class,
    depth: usize,
    magnitudes: Option<&[f32]>,
    memory: (&'a mut Vec<i8>, &'a mut Vec<i16>, &'a mut Vec<i32>),
) -> Result<Integers<'a>, Fault> {
    let x = match rows {
        Slice::I8(x) => return Ok(Integers::Int8(x)),
        Slice::I16(x) => return Ok(Integers::Int16(x)),
        floats => floats.floats(),
    };
    // Floats always have magnitudes: the operator's types have been checked
    let magnitudes = magnitudes.unwrap_or_default();
    Ok(match class {
        Class::Int8 => {
            memory.0.resize(x.len(), 0);
            row::quantise_rows(isa, x, depth, magnitudes, memory.0)?;
            Integers::Int8(memory.0)
        }
        Class::Int16 => {
            memory.1.resize(x.len(), 0);
            row::quantise_rows(isa, x, depth, magnitudes, memory.1)?;
            Integers::Int16(memory.1)
        }
        Class::Int24 => {
            memory.2.resize(x.len(), 0);
            row::quantise_rows(isa, x, depth, magnitudes, memory.2)?;
            Integers::Int24(memory.2)
        }
    })
}

/// The product of all rows, its columns divided among threads.
pub(crate) fn columns(
    isa: Isa,
    prepared: &Prepared,
    packed: &Packed,
    rows: usize,
    out: &mut [f32],
    threads: &Threads,
) -> Result<(), Fault> {
    let columns = packed.columns();
    let panels = columns.div_ceil(PANEL);
    let parts = threads.count().min(panels / MIN_PANELS).max(1);
    if parts == 1 || rows == 0 {
        return multiply(isa, prepared, packed, 0..rows, 0..columns, out, columns);
    }
    let each = panels.div_ceil(parts) * PANEL;
    if rows == 1 {
        let parts = out.chunks_mut(each).enumerate().collect();
        return threads.try_for_each(parts, |(part, out): (usize, &mut [f32])| {
            let start = part * each;
            multiply(isa, prepared, packed, 0..1, start..start + out.len(), out, out.len())
        });
    }
    // Several rows: each thread writes its columns to memory of its own, and from there to where they belong
    let mut parts: Vec<_> = (0..columns)
        .step_by(each)
        .map(|start| (start..columns.min(start + each), Vec::with_capacity(rows)))
        .collect();
    for row in out.chunks_exact_mut(columns) {
        for (part, (_, rows)) in row.chunks_mut(each).zip(&mut parts) {
            rows.push(part);
        }
    }
    threads.try_for_each(parts, |(range, out)| {
        let mut part = PART.take();
        part.resize(rows * range.len(), 0.0);
        let done = multiply(isa, prepared, packed, 0..rows, range.clone(), &mut part, range.len());
        for (out, part) in out.into_iter().zip(part.chunks_exact(range.len())) {
            out.copy_from_slice(part);
        }
        PART.set(part);
        done
    })
}

/// A map's input.
pub(crate) fn data(slice: Slice<'_>) -> Data<'_> {
    match slice {
        Slice::F32(x) => Data::F32(x),
        Slice::I8(x) => Data::I8(x),
        Slice::I16(x) => Data::I16(x),
        Slice::U32(x) => Data::U32(x),
        Slice::U64(_) => unreachable!("expressions do not read sums"),
    }
}
