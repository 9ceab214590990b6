//! One operator over whole tensors, of one lane.

use super::{
    buffer::{Slice, SliceMut},
    group::{columns, data, integers},
    threads::Threads,
};
use assay_exact::{
    operator::{Bindings, Call, Fault, Operator, Side, TensorType, Visible},
    product::{Class, BLOCK},
    tensor::{from_bytes, Element, Missing, Shape, Source},
};
use assay_kernels::{
    expression::{self, Evaluator, Input},
    product::{Packed, Prepared, Rows},
    rotate::Turns,
    row, sample,
    view::View,
    Isa,
};
use std::{borrow::Cow, ops::Range};

/// Elements of an output below which threads cost more than they save.
const SMALL: usize = 1 << 14;

/// Multiply-adds of a product below which threads cost more than they save.
const SMALL_PRODUCT: usize = 1 << 18;

/// Inputs as the reference reads them.
struct Inputs<'a>(&'a [Slice<'a>]);

impl Source for Inputs<'_> {
    fn read<T: Element>(&self, input: usize, range: Range<u64>) -> Result<Cow<'_, [T]>, Missing> {
        let missing = Missing {
            input,
            start: range.start,
            count: range.end.saturating_sub(range.start),
        };
        let slice = self
            .0
            .get(input)
            .filter(|slice| slice.dtype() == T::DTYPE)
            .ok_or(missing)?;
        let size = T::DTYPE.size();
        let bytes = slice
            .bytes()
            .get((range.start * size) as usize..(range.end * size) as usize);
        Ok(Cow::Owned(from_bytes(bytes.ok_or(missing)?)))
    }
}

/// What a row reduction needs.
#[derive(Clone, Copy)]
struct ByRows<'a> {
    x: &'a [f32],
    /// Elements of a row.
    width: usize,
    threads: &'a Threads,
}

impl ByRows<'_> {
    /// Computes rows `[start, end)` of `out`, of which each has `each` elements, in parallel.
    fn fill<T: Send>(
        self,
        each: usize,
        out: &mut [T],
        compute: impl Fn(Range<usize>, &[f32], &mut [T]) -> Result<(), Fault> + Sync,
    ) -> Result<(), Fault> {
        let rows = out.len().checked_div(each).unwrap_or_default();
        let part = |range: Range<usize>| &self.x[range.start * self.width..range.end * self.width];
        if self.threads.count() == 1 || self.x.len() < SMALL || rows < 2 {
            return compute(0..rows, part(0..rows), out);
        }
        let some = rows.div_ceil(self.threads.count() * 4).max(1);
        let parts = out.chunks_mut(some * each).enumerate().collect();
        self.threads.try_for_each(parts, |(at, out): (usize, &mut [T])| {
            let range = at * some..at * some + out.len() / each;
            compute(range.clone(), part(range), out)
        })
    }
}

/// The output of an operator with inputs of these types, into `out`.
///
/// # Errors
///
/// If an element cannot be computed; not necessarily what the element with the lowest index is said to be wrong with.
#[allow(clippy::too_many_arguments)]
pub(crate) fn evaluate(
    isa: Isa,
    operator: &Operator,
    kinds: &[TensorType],
    inputs: &[Slice<'_>],
    output: TensorType,
    bindings: Bindings,
    out: SliceMut<'_>,
    threads: &Threads,
) -> Result<(), Fault> {
    if output.shape.is_empty() {
        return Ok(());
    }
    let shape = |input: usize| &kinds[input].shape;
    let width = kinds.first().map_or(1, |kind| kind.shape.row() as usize);
    let floats = |input: usize| inputs[input].floats();
    let by_rows = || ByRows {
        x: floats(0),
        width,
        threads,
    };
    // In which row of the second-last dimension a row is
    let visible = |visible: Visible, row: usize| {
        let rows = match shape(0).dims() {
            [.., rows, _] => u64::from(*rows).max(1),
            _ => 1,
        };
        visible.count(row as u64 % rows, width as u64, bindings) as usize
    };
    match (operator, out) {
        (Operator::Map(expression), SliceMut::F32(out)) => {
            map(isa, expression, kinds, inputs, &output.shape, out, threads)
        }
        (Operator::View { coordinates, .. }, out) => {
            let view = View::new(&output.shape, coordinates, shape(0), bindings);
            copy_view(&view, &output.shape, inputs[0], out, threads);
            Ok(())
        }
        (Operator::Reshape(_), out) => {
            out.copy_from(inputs[0]);
            Ok(())
        }
        (Operator::Concat(axis), out) => {
            concat(usize::from(*axis), kinds, inputs, &output.shape, out);
            Ok(())
        }
        (Operator::Magnitude, SliceMut::F32(out)) => {
            by_rows().fill(1, out, |_, x, out| row::magnitudes(isa, x, width, out))
        }
        (Operator::Maximum(which), SliceMut::F32(out)) => by_rows().fill(1, out, |rows, x, out| {
            row::maxima(isa, x, width, |row| visible(*which, rows.start + row), out)
        }),
        (Operator::ArgMax, SliceMut::U32(out)) => row::argmaxima(isa, floats(0), width, out),
        (Operator::Sum, SliceMut::F32(out)) => {
            by_rows().fill(1, out, |rows, x, out| row::sums(isa, x, width, &floats(1)[rows], out))
        }
        (Operator::Weights(which), SliceMut::F32(out)) => by_rows().fill(width, out, |rows, x, out| {
            let of = x.chunks_exact(width).zip(out.chunks_exact_mut(width)).zip(rows);
            for ((x, out), row) in of {
                row::weights(isa, x, floats(1)[row], visible(*which, row), out)?;
            }
            Ok(())
        }),
        (Operator::WeightSum(bits), SliceMut::F32(out)) => {
            by_rows().fill(1, out, |_, x, out| row::weight_sums(isa, x, width, *bits, out))
        }
        (Operator::Quantise(_), SliceMut::I8(out)) => by_rows().fill(width, out, |rows, x, out| {
            row::quantise_rows(isa, x, width, &floats(1)[rows], out)
        }),
        (Operator::Quantise(_), SliceMut::I16(out)) => by_rows().fill(width, out, |rows, x, out| {
            row::quantise_rows(isa, x, width, &floats(1)[rows], out)
        }),
        (Operator::Product { a, b }, SliceMut::F32(out)) => product(isa, (*a, *b), kinds, inputs, out, threads),
        (Operator::Lookup, out) => {
            let rows = shape(0).dims()[0] as usize;
            let table = (rows, (shape(0).len() as usize).checked_div(rows).unwrap_or_default());
            lookup(table, inputs, out)
        }
        (Operator::Pick, SliceMut::F32(out)) => sample::pick(floats(0), width, inputs[1].indices(), out),
        (Operator::Scatter { .. }, SliceMut::F32(out)) => {
            let rows = output.shape.row() as usize;
            let indices = inputs[2].indices();
            let work = ByRows {
                width: indices.len(),
                ..by_rows()
            };
            work.fill(rows, out, |range, x, out| {
                sample::scatter(isa, x, &floats(1)[range], indices, rows, out)
            })
        }
        (Operator::Rotate { axis, inverse }, SliceMut::F32(out)) => {
            let axis = usize::from(*axis);
            let dims = shape(0).dims();
            let count = dims[dims.len() - 1 - axis] as usize;
            let turns = Turns::new(isa, inputs[1].sums(), bindings.position.into(), count, *inverse);
            by_rows().fill(width, out, |rows, x, out| {
                turns.apply_rows(isa, dims, axis, rows, x, out)
            })
        }
        (Operator::Chance, SliceMut::U32(out)) => sample::chances(isa, floats(0), width, floats(1), out),
        (Operator::Rank, SliceMut::U32(out)) => {
            sample::ranks(floats(0), width, out);
            Ok(())
        }
        (Operator::Mass, SliceMut::U64(out)) => {
            sample::masses(floats(0), inputs[1].indices(), width, out);
            Ok(())
        }
        (Operator::KeepRanks, SliceMut::U32(out)) => {
            let [chances, ranks, most] = [0, 1, 2].map(|input| inputs[input].indices());
            sample::keep_ranks(isa, chances, ranks, width, most, out);
            Ok(())
        }
        (Operator::KeepMass, SliceMut::U32(out)) => {
            let shares = (inputs[2].sums(), inputs[3].indices());
            sample::keep_mass(isa, inputs[0].indices(), inputs[1].sums(), width, shares, out);
            Ok(())
        }
        (Operator::Total, SliceMut::U64(out)) => {
            sample::totals(isa, inputs[0].indices(), width, out);
            Ok(())
        }
        (Operator::Draw, SliceMut::U32(out)) => {
            let numbers = (inputs[1].sums(), inputs[2].sums());
            sample::draws(isa, inputs[0].indices(), width, numbers, out)
        }
        (Operator::Random(stream), SliceMut::U64(out)) => {
            let position = bindings.position.wrapping_add(bindings.length);
            sample::randoms(inputs[0].sums()[0], inputs[1].indices(), position, *stream, out);
            Ok(())
        }
        (Operator::Count { .. }, SliceMut::U32(out)) => sample::count(inputs[0].indices(), out),
        // Types have been checked: this is never reached, and would be right
        (operator, out) => {
            let call = Call::new(operator, kinds, bindings).map_err(|_| Fault::NotFinite)?;
            out.bytes().copy_from_slice(&call.evaluate(&Inputs(inputs))?);
            Ok(())
        }
    }
}

/// The chances that are kept by the ranks of scores (with how many, for each row), or by their masses (with each row's
/// total and share).
pub(crate) fn keep(
    isa: Isa,
    (chances, scores): (Slice<'_>, Slice<'_>),
    width: usize,
    others: &[Slice<'_>],
    out: SliceMut<'_>,
) {
    let (chances, scores) = (chances.indices(), scores.floats());
    match (others, out) {
        ([most], SliceMut::U32(out)) => sample::keep_likeliest(isa, chances, scores, width, most.indices(), out),
        ([totals, shares], SliceMut::U32(out)) => {
            let shares = (totals.sums(), shares.indices());
            sample::keep_heaviest(isa, chances, scores, width, shares, out);
        }
        (others, _) => unreachable!("chances are kept by one or two inputs more, not {}", others.len()),
    }
}

fn map(
    isa: Isa,
    expression: &assay_exact::expression::Expression,
    kinds: &[TensorType],
    inputs: &[Slice<'_>],
    shape: &Shape,
    out: &mut [f32],
    threads: &Threads,
) -> Result<(), Fault> {
    let evaluator = Evaluator::new(expression);
    let inputs: Vec<_> = kinds
        .iter()
        .zip(inputs)
        .map(|(kind, slice)| Input {
            shape: kind.shape,
            data: data(*slice),
        })
        .collect();
    let (rows, width) = (shape.rows(), shape.row() as usize);
    if threads.count() == 1 || out.len() < SMALL || rows < 2 {
        return expression::map(isa, &evaluator, &inputs, shape, 0..rows, out);
    }
    let some = (rows as usize).div_ceil(threads.count() * 4).max(1);
    let parts = out.chunks_mut(some * width).enumerate().collect();
    threads.try_for_each(parts, |(at, out): (usize, &mut [f32])| {
        let start = (at * some) as u64;
        let rows = start..start + (out.len() / width) as u64;
        expression::map(isa, &evaluator, &inputs, shape, rows, out)
    })
}

fn copy_view(view: &View, shape: &Shape, input: Slice<'_>, out: SliceMut<'_>, threads: &Threads) {
    fn copy<T: Copy + Default + Send + Sync>(view: &View, shape: &Shape, x: &[T], out: &mut [T], threads: &Threads) {
        let (rows, width) = (shape.rows(), shape.row() as usize);
        if threads.count() == 1 || out.len() < SMALL || rows < 2 {
            return view.copy(x, 0..rows, out);
        }
        let some = (rows as usize).div_ceil(threads.count() * 2).max(1);
        let parts = out.chunks_mut(some * width).enumerate().collect();
        threads.for_each(parts, |(at, out): (usize, &mut [T])| {
            let start = (at * some) as u64;
            view.copy(x, start..start + (out.len() / width) as u64, out);
        });
    }
    match (input, out) {
        (Slice::F32(x), SliceMut::F32(out)) => copy(view, shape, x, out, threads),
        (Slice::I8(x), SliceMut::I8(out)) => copy(view, shape, x, out, threads),
        (Slice::I16(x), SliceMut::I16(out)) => copy(view, shape, x, out, threads),
        (Slice::U32(x), SliceMut::U32(out)) => copy(view, shape, x, out, threads),
        (Slice::U64(x), SliceMut::U64(out)) => copy(view, shape, x, out, threads),
        (x, _) => unreachable!("a view of {:?} is of the same type", x.dtype()),
    }
}

fn concat(axis: usize, kinds: &[TensorType], inputs: &[Slice<'_>], shape: &Shape, out: SliceMut<'_>) {
    let at = shape.rank() - 1 - axis;
    let product = |dims: &[u32]| dims.iter().map(|dim| *dim as usize).product::<usize>();
    let parts = product(&shape.dims()[..at]);
    let lengths: Vec<_> = kinds.iter().map(|kind| product(&kind.shape.dims()[at..])).collect();
    macro_rules! copy {
        ($variant:ident, $out:ident) => {{
            let inputs: Vec<_> = inputs
                .iter()
                .zip(&lengths)
                .filter_map(|(slice, length)| match slice {
                    Slice::$variant(x) => Some((*x, *length)),
                    _ => None,
                })
                .collect();
            sample::concat(&inputs, 0..parts, $out)
        }};
    }
    match out {
        SliceMut::F32(out) => copy!(F32, out),
        SliceMut::I8(out) => copy!(I8, out),
        SliceMut::I16(out) => copy!(I16, out),
        SliceMut::U32(out) => copy!(U32, out),
        SliceMut::U64(out) => copy!(U64, out),
    }
}

fn lookup(table: (usize, usize), inputs: &[Slice<'_>], out: SliceMut<'_>) -> Result<(), Fault> {
    let indices = inputs[1].indices();
    match (inputs[0], out) {
        (Slice::F32(x), SliceMut::F32(out)) => sample::lookup(x, table, indices, out),
        (Slice::I8(x), SliceMut::I8(out)) => sample::lookup(x, table, indices, out),
        (Slice::I16(x), SliceMut::I16(out)) => sample::lookup(x, table, indices, out),
        (Slice::U32(x), SliceMut::U32(out)) => sample::lookup(x, table, indices, out),
        (Slice::U64(x), SliceMut::U64(out)) => sample::lookup(x, table, indices, out),
        (x, _) => unreachable!("rows of a table of {:?} are of the same type", x.dtype()),
    }
}

/// Rows of a table that is packed for products.
pub(crate) fn lookup_packed(table: &Packed, indices: &[u32], out: SliceMut<'_>) -> Result<(), Fault> {
    let SliceMut::I8(out) = out else {
        unreachable!("only tables of eight bits are read as they are packed")
    };
    sample::lookup_rows(table.columns(), table.depth(), indices, out, |row, out| {
        table.read_row(row, out)
    })
}

/// A product both of whose operands change from step to step, or that is not of rows of weights.
fn product(
    isa: Isa,
    (a, b): (Side, Side),
    kinds: &[TensorType],
    inputs: &[Slice<'_>],
    out: &mut [f32],
    threads: &Threads,
) -> Result<(), Fault> {
    let dims = |input: usize| kinds[input].shape.dims();
    let size = |input: usize, from_last: usize| dims(input)[dims(input).len() - 1 - from_last] as usize;
    let (rows_a, rows_b, depth) = (size(0, 1), size(1, 1), size(0, 0));
    let parts = |input: usize| {
        let outer = &dims(input)[..dims(input).len() - 2];
        outer.iter().map(|dim| *dim as usize).product::<usize>()
    };
    let (parts_a, parts_b) = (parts(0), parts(1));
    let shared = parts_a / parts_b;
    let magnitudes_a = a.scaled.then(|| inputs[2].floats());
    let magnitudes_b = b.scaled.then(|| inputs[2 + usize::from(a.scaled)].floats());
    let multipliers = inputs.get(2 + usize::from(a.scaled) + usize::from(b.scaled));
    let multipliers = multipliers.map(|all| all.words());
    let blocks = depth / BLOCK as usize;
    let part =
        |input: usize, part: usize, rows: usize| inputs[input].part(part * rows * depth..(part + 1) * rows * depth);
    let large = rows_a * rows_b * depth >= SMALL_PRODUCT;
    // Small products in parallel, or the columns of large ones
    let each = |at: usize, out: &mut [f32], threads: &Threads| {
        let mut packed = Packed::new();
        let magnitudes = magnitudes_b.map(|all| &all[at * rows_b..(at + 1) * rows_b]);
        fill(
            isa,
            part(1, at, rows_b),
            b.class,
            (rows_b, depth),
            magnitudes,
            |rows| match multipliers.map(|all| &all[at * rows_b * blocks..(at + 1) * rows_b * blocks]) {
                None => packed.fill(isa, rows),
                Some(multipliers) => packed.fill_multiplied(isa, rows, multipliers),
            },
        )?;
        for (of, out) in out.chunks_exact_mut(rows_a * rows_b).enumerate() {
            let at = at * shared + of;
            let magnitudes = magnitudes_a.map(|all| &all[at * rows_a..(at + 1) * rows_a]);
            by_row_blocks(
                isa,
                (part(0, at, rows_a), a.class),
                (rows_a, depth),
                magnitudes,
                &packed,
                out,
                threads,
            )?;
        }
        Ok(())
    };
    let of_part = shared * rows_a * rows_b;
    let mut parts = out.chunks_exact_mut(of_part).enumerate();
    if threads.count() == 1 || parts_b == 1 || large {
        let threads = if large { threads } else { Threads::alone() };
        return parts.try_for_each(|(at, out)| each(at, out, threads));
    }
    threads.try_for_each(parts.collect(), |(at, out): (usize, &mut [f32])| {
        each(at, out, Threads::alone())
    })
}

/// A product with weights that are packed: `x` is the first operand, with the magnitudes of its rows if it has any.
pub(crate) fn product_with(
    isa: Isa,
    operator: &Operator,
    (kind, x, magnitudes): (&TensorType, Slice<'_>, Option<Slice<'_>>),
    packed: &Packed,
    out: SliceMut<'_>,
    threads: &Threads,
) -> Result<(), Fault> {
    let (Operator::Product { a, .. }, SliceMut::F32(out)) = (operator, out) else {
        unreachable!("only products have packed factors, and they give floats")
    };
    let rows = (kind.shape.rows() as usize, kind.shape.row() as usize);
    let magnitudes = magnitudes.filter(|_| a.scaled).map(Slice::floats);
    by_row_blocks(isa, (x, a.class), rows, magnitudes, packed, out, threads)
}

/// The product of rows with a packed matrix, rows divided among threads.
fn by_row_blocks(
    isa: Isa,
    (x, class): (Slice<'_>, Class),
    (rows, depth): (usize, usize),
    magnitudes: Option<&[f32]>,
    packed: &Packed,
    out: &mut [f32],
    threads: &Threads,
) -> Result<(), Fault> {
    let width = packed.columns();
    let block = |start: usize, out: &mut [f32], threads: &Threads| {
        let range = start..start + out.len() / width;
        let x = x.part(range.start * depth..range.end * depth);
        let magnitudes = magnitudes.map(|all| &all[range.clone()]);
        let mut prepared = Prepared::new();
        fill(isa, x, class, (range.len(), depth), magnitudes, |rows| {
            prepared.fill(isa, rows, packed.class())
        })?;
        columns(isa, &prepared, packed, range.len(), out, threads)
    };
    /// Rows that a thread takes at least.
    const SOME: usize = 6;
    if threads.count() == 1 || rows < SOME * threads.count() {
        return block(0, out, threads);
    }
    let some = rows.div_ceil(threads.count()).next_multiple_of(SOME);
    let parts = out.chunks_mut(some * width).enumerate().collect();
    threads.try_for_each(parts, |(at, out): (usize, &mut [f32])| {
        block(at * some, out, Threads::alone())
    })
}

/// Makes rows integers and hands them on.
fn fill(
    isa: Isa,
    x: Slice<'_>,
    class: Class,
    (rows, depth): (usize, usize),
    magnitudes: Option<&[f32]>,
    take: impl FnOnce(&Rows<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (mut int8, mut int16, mut int24) = (Vec::new(), Vec::new(), Vec::new());
    let integers = integers(isa, x, class, depth, magnitudes, (&mut int8, &mut int16, &mut int24))?;
    take(&Rows::new(integers, rows, depth, magnitudes))
}
