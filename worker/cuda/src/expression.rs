//! Expressions as the map kernel reads them: results that are not needed any more give their places to later ones.
//!
//! The kernel interprets them. Compiling each program's expressions instead would take a compiler on every worker and make
//! bits depend on one that nobody has tested; what is interpreted is tested once. Maps wait for memory anyway.

use crate::kernel::MapNode;
use assay_exact::expression::{Binary, Comparison, Expression, Node, Unary, MAX_NODES};

/// Operations as `kernels/elements.h` numbers them.
mod operation {
    pub(super) const INPUT: u8 = 0;
    pub(super) const CONSTANT: u8 = 1;
    pub(super) const COORDINATE: u8 = 2;
    pub(super) const UNARY: u8 = 3;
    pub(super) const BINARY: u8 = 21;
    pub(super) const SELECT_LESS: u8 = 27;
    pub(super) const SELECT_EQUAL: u8 = 28;
}

fn unary(function: Unary) -> u8 {
    let number = match function {
        Unary::Neg => 0,
        Unary::Abs => 1,
        Unary::Sqrt => 2,
        Unary::Exp => 3,
        Unary::Ln => 4,
        Unary::Tanh => 5,
        Unary::Erf => 6,
        Unary::Sigmoid => 7,
        Unary::Silu => 8,
        Unary::SiluDerivative => 9,
        Unary::Gelu => 10,
        Unary::GeluDerivative => 11,
        Unary::GeluTanh => 12,
        Unary::GeluTanhDerivative => 13,
        Unary::Relu => 14,
        Unary::Rne => 15,
        Unary::Floor => 16,
        Unary::Power => 17,
    };
    operation::UNARY + number
}

fn binary(function: Binary) -> u8 {
    let number = match function {
        Binary::Add => 0,
        Binary::Sub => 1,
        Binary::Mul => 2,
        Binary::Div => 3,
        Binary::Max => 4,
        Binary::Min => 5,
    };
    operation::BINARY + number
}

/// The nodes that a node reads.
fn operands(node: &Node) -> Vec<u8> {
    match node {
        Node::Input(_) | Node::Constant(_) | Node::Coordinate(_) => vec![],
        Node::Unary(_, a) => vec![*a],
        Node::Binary(_, a, b) => vec![*a, *b],
        Node::Select(_, operands) => operands.to_vec(),
    }
}

/// The kernel's nodes of an expression that has been checked.
pub(crate) fn compile(expression: &Expression) -> Vec<MapNode> {
    let nodes = &expression.0;
    let mut last_read = [0; MAX_NODES];
    for (at, node) in nodes.iter().enumerate() {
        for operand in operands(node) {
            last_read[usize::from(operand)] = at;
        }
    }
    let mut places = [0u8; MAX_NODES];
    let mut free: Vec<u8> = (0..MAX_NODES as u8).rev().collect();
    let mut compiled = Vec::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        let place = |operand: &u8| places[usize::from(*operand)];
        let (operation, a, b, value) = match node {
            Node::Input(input) => (operation::INPUT, 0, 0, u32::from(*input)),
            Node::Constant(bits) => (operation::CONSTANT, 0, 0, *bits),
            Node::Coordinate(dimension) => (operation::COORDINATE, 0, 0, u32::from(*dimension)),
            Node::Unary(function, a) => (unary(*function), place(a), 0, 0),
            Node::Binary(function, a, b) => (binary(*function), place(a), place(b), 0),
            Node::Select(comparison, [a, b, yes, no]) => {
                let operation = match comparison {
                    Comparison::Less => operation::SELECT_LESS,
                    Comparison::Equal => operation::SELECT_EQUAL,
                };
                (
                    operation,
                    place(a),
                    place(b),
                    u32::from(place(yes)) | u32::from(place(no)) << 8,
                )
            }
        };
        // What is read here for the last time can be written over: the kernel reads first
        let mut ended: Vec<u8> = operands(node);
        ended.sort_unstable();
        ended.dedup();
        let ended = ended
            .into_iter()
            .filter(|operand| last_read[usize::from(*operand)] == at);
        free.extend(ended.map(|operand| places[usize::from(operand)]));
        let to = free.pop().expect("there are as many places as nodes; qed");
        places[at] = to;
        // What nobody reads is over at once
        if last_read[at] == 0 {
            free.push(to);
        }
        compiled.push(MapNode {
            operation,
            to,
            a,
            b,
            value,
        });
    }
    compiled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_should_be_shared_by_what_is_not_needed_together() {
        // x, then −(−(…x)): one place is enough
        let mut nodes = vec![Node::Input(0)];
        nodes.extend((0..20).map(|node| Node::Unary(Unary::Neg, node)));
        let compiled = compile(&Expression(nodes));
        assert!(compiled.iter().all(|node| node.to == 0));
    }

    #[test]
    fn places_should_be_kept_until_they_are_read() {
        let nodes = vec![
            Node::Input(0),
            Node::Input(1),
            Node::Binary(Binary::Add, 0, 1),
            Node::Binary(Binary::Mul, 2, 0),
        ];
        let compiled = compile(&Expression(nodes));
        assert_ne!(compiled[0].to, compiled[1].to);
        assert_ne!(compiled[2].to, compiled[0].to, "the first input is read once more");
        assert_eq!((compiled[3].a, compiled[3].b), (compiled[2].to, compiled[0].to));
    }
}
