//! Expressions, element by element.
//!
//! A run of elements is computed in blocks that stay in the first-level cache, node by node, each node a loop of one
//! function over the block. What is the same for the whole run (constants, an input's single element, and what is
//! made of only those) is computed once.

mod function;
mod map;
#[cfg(test)]
mod tests;

pub use function::{binary, unary, Lane};
pub use map::{map, Data, Input};

use crate::{
    row::{ensure, is_finite},
    Isa,
};
use assay_exact::{
    expression::{Comparison, Expression, Node, MAX_NODES},
    operator::Fault,
};

/// Elements of a block: with the few buffers that an expression needs at a time, they fit the first-level cache.
const BLOCK: usize = 1024;

/// One input of an expression, for a run of elements.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// The same for all.
    Scalar(f32),
    /// A float for each.
    Row(&'a [f32]),
    /// An integer for each.
    RowI8(&'a [i8]),
    /// An integer for each.
    RowI16(&'a [i16]),
    /// An integer for each.
    RowU32(&'a [u32]),
}

/// Where a node's values are.
#[derive(Clone, Copy)]
enum Place<'a> {
    Scalar(f32),
    Row(&'a [f32]),
    Slot(usize),
}

/// An expression with the buffers of its nodes laid out.
#[derive(Clone, Debug)]
pub struct Evaluator {
    nodes: Vec<Node>,
    /// For each node the buffer that holds its values; the last writes to the output.
    slots: Vec<usize>,
    /// Buffers needed.
    count: usize,
}

/// Buffers that evaluations use one after the other.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    slots: Vec<Vec<f32>>,
    spare: Vec<f32>,
}

impl Evaluator {
    /// Lays out the buffers of an expression, which must have been checked.
    ///
    /// # Panics
    ///
    /// If it has no nodes, too many, or one that refers to itself or a later one.
    pub fn new(expression: &Expression) -> Self {
        let nodes = expression.0.clone();
        assert!(
            (1..=MAX_NODES).contains(&nodes.len()),
            "expected a checked expression, of 1 to {MAX_NODES} nodes, got {}",
            nodes.len()
        );
        let mut last_use: Vec<_> = (0..nodes.len()).collect();
        for (at, node) in nodes.iter().enumerate() {
            for operand in operands(node) {
                assert!(
                    operand < at,
                    "expected a checked expression, but node {at} reads node {operand}"
                );
                last_use[operand] = at;
            }
        }
        let (mut free, mut count) = (Vec::new(), 0);
        let mut slots = Vec::with_capacity(nodes.len());
        for (at, node) in nodes.iter().enumerate() {
            // A node's own buffer is chosen before those of its operands become free: it never writes what it reads
            slots.push(free.pop().unwrap_or_else(|| {
                count += 1;
                count - 1
            }));
            let mut ended: Vec<_> = operands(node).filter(|operand| last_use[*operand] == at).collect();
            ended.sort_unstable();
            ended.dedup();
            free.extend(ended.into_iter().map(|operand| slots[operand]));
        }
        Self { nodes, slots, count }
    }

    /// Whether the result depends on where an element stands.
    pub fn reads_coordinates(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node, Node::Coordinate(_)))
    }

    /// The results for a run of elements along the last dimension. `coordinates` are those of the run's first element,
    /// counted from the last dimension: the first counts up along the run, the others stay.
    ///
    /// Fails when a result is not finite.
    ///
    /// # Panics
    ///
    /// If an input or a coordinate is missing, or a row is shorter than `out`.
    pub fn evaluate(
        &self,
        isa: Isa,
        scratch: &mut Scratch,
        inputs: &[Operand<'_>],
        coordinates: &[u64],
        out: &mut [f32],
    ) -> Result<(), Fault> {
        let mut places = [Place::Scalar(0.0); MAX_NODES];
        for (at, node) in self.nodes.iter().enumerate() {
            places[at] = self.place(at, node, inputs, coordinates, &places);
        }
        let last = self.nodes.len() - 1;
        match places[last] {
            Place::Scalar(result) => {
                out.fill(result);
                return ensure(out.is_empty() || result.is_finite(), Fault::NotFinite);
            }
            Place::Row(row) => {
                out.copy_from_slice(&row[..out.len()]);
                return ensure(is_finite(isa, out), Fault::NotFinite);
            }
            Place::Slot(_) => {}
        }
        scratch
            .slots
            .resize_with(self.count.max(scratch.slots.len()), || vec![0.0; BLOCK]);
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let start = block * BLOCK;
            for (at, node) in self.nodes[..last].iter().enumerate() {
                let Place::Slot(slot) = places[at] else { continue };
                let mut values = core::mem::take(&mut scratch.slots[slot]);
                let part = &mut values[..out.len()];
                self.node(isa, node, (inputs, coordinates, start), &places, scratch, part);
                scratch.slots[slot] = values;
            }
            self.node(
                isa,
                &self.nodes[last],
                (inputs, coordinates, start),
                &places,
                scratch,
                out,
            );
            ensure(is_finite(isa, out), Fault::NotFinite)?;
        }
        Ok(())
    }

    /// Where the values of node `at` will be; a scalar is computed at once.
    fn place<'a>(
        &self,
        at: usize,
        node: &Node,
        inputs: &[Operand<'a>],
        coordinates: &[u64],
        places: &[Place<'a>; MAX_NODES],
    ) -> Place<'a> {
        let scalar = |node: u8| match places[usize::from(node)] {
            Place::Scalar(x) => Some(x),
            _ => None,
        };
        let value = match *node {
            Node::Input(input) => match inputs[usize::from(input)] {
                Operand::Scalar(x) => Some(x),
                Operand::Row(row) => return Place::Row(row),
                Operand::RowI8(_) | Operand::RowI16(_) | Operand::RowU32(_) => None,
            },
            Node::Constant(bits) => Some(f32::from_bits(bits)),
            Node::Coordinate(0) => None,
            Node::Coordinate(dimension) => Some(coordinates[usize::from(dimension)] as f32),
            Node::Unary(function, a) => scalar(a).map(|a| function.apply(a)),
            Node::Binary(function, a, b) => scalar(a).zip(scalar(b)).map(|(a, b)| function.apply(a, b)),
            Node::Select(comparison, [a, b, yes, no]) => {
                let of = [scalar(a), scalar(b), scalar(yes), scalar(no)];
                match of {
                    [Some(a), Some(b), Some(yes), Some(no)] => Some(if comparison.holds(a, b) { yes } else { no }),
                    _ => None,
                }
            }
        };
        value.map_or(Place::Slot(self.slots[at]), Place::Scalar)
    }

    /// The values of a node in the block that starts at `start`, whose operands have been computed.
    fn node(
        &self,
        isa: Isa,
        node: &Node,
        (inputs, coordinates, start): (&[Operand<'_>], &[u64], usize),
        places: &[Place<'_>; MAX_NODES],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let Scratch { slots, spare } = scratch;
        let lane = |node: u8| match places[usize::from(node)] {
            Place::Scalar(x) => Lane::Scalar(x),
            Place::Row(row) => Lane::Row(&row[start..][..out.len()]),
            Place::Slot(slot) => Lane::Row(&slots[slot][..out.len()]),
        };
        match *node {
            Node::Input(input) => match inputs[usize::from(input)] {
                Operand::RowI8(row) => function::from_i8(isa, &row[start..][..out.len()], out),
                Operand::RowI16(row) => function::from_i16(isa, &row[start..][..out.len()], out),
                Operand::RowU32(row) => function::from_u32(isa, &row[start..][..out.len()], out),
                Operand::Scalar(x) => out.fill(x),
                Operand::Row(row) => out.copy_from_slice(&row[start..][..out.len()]),
            },
            Node::Constant(bits) => out.fill(f32::from_bits(bits)),
            Node::Coordinate(0) => function::count_up(isa, coordinates[0] + start as u64, out),
            Node::Coordinate(dimension) => out.fill(coordinates[usize::from(dimension)] as f32),
            Node::Unary(function, a) => match lane(a) {
                Lane::Scalar(a) => out.fill(function.apply(a)),
                Lane::Row(a) => unary(isa, function, a, out),
            },
            Node::Binary(function, a, b) => binary(isa, function, lane(a), lane(b), out),
            Node::Select(comparison, of) => {
                spare.resize(spare.len().max(of.len() * BLOCK), 0.0);
                let mut spares = spare.chunks_exact_mut(BLOCK);
                let [a, b, yes, no] = of.map(|operand| match (lane(operand), spares.next()) {
                    (Lane::Scalar(x), Some(spare)) => {
                        let repeated = &mut spare[..out.len()];
                        repeated.fill(x);
                        &*repeated
                    }
                    (Lane::Row(row), _) => row,
                    (Lane::Scalar(_), None) => &[],
                });
                match comparison {
                    Comparison::Less => function::select_less(isa, a, b, yes, no, out),
                    Comparison::Equal => function::select_equal(isa, a, b, yes, no, out),
                }
            }
        }
    }
}

/// The nodes that a node reads.
fn operands(node: &Node) -> impl Iterator<Item = usize> {
    let (of, count) = match *node {
        Node::Input(_) | Node::Constant(_) | Node::Coordinate(_) => ([0; 4], 0),
        Node::Unary(_, a) => ([a, 0, 0, 0], 1),
        Node::Binary(_, a, b) => ([a, b, 0, 0], 2),
        Node::Select(_, of) => (of, 4),
    };
    of.into_iter().take(count).map(usize::from)
}
