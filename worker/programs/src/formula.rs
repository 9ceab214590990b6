//! Formulas: expressions as one writes them, with the order of every operation as written.

use assay_exact::expression::{Binary, Comparison, Expression, Node, Unary};
use std::ops;

/// An expression under construction; its last node, or the one it names, is its value. A node that two parts have in
/// common is computed once.
#[derive(Clone, Debug)]
pub struct Formula {
    nodes: Vec<Node>,
    value: u8,
}

impl Formula {
    fn leaf(node: Node) -> Self {
        Self {
            nodes: vec![node],
            value: 0,
        }
    }

    /// The element of the operator's input `input`.
    pub fn input(input: u8) -> Self {
        Self::leaf(Node::Input(input))
    }

    /// A number.
    pub fn constant(value: f32) -> Self {
        Self::leaf(Node::Constant(value.to_bits()))
    }

    /// The element's coordinate along a dimension, counted from the last (0).
    pub fn coordinate(from_last: u8) -> Self {
        Self::leaf(Node::Coordinate(from_last))
    }

    /// A function of this.
    pub fn unary(self, function: Unary) -> Self {
        let Self { mut nodes, value } = self;
        let value = add(&mut nodes, Node::Unary(function, value));
        Self { nodes, value }
    }

    /// A function of this and another.
    pub fn binary(self, function: Binary, other: Self) -> Self {
        let Self { mut nodes, value } = self;
        let other = merge(&mut nodes, &other);
        let value = add(&mut nodes, Node::Binary(function, value, other));
        Self { nodes, value }
    }

    /// `yes` where the comparison of this with `other` holds, else `no`.
    pub fn select(self, comparison: Comparison, other: Self, yes: Self, no: Self) -> Self {
        let Self { mut nodes, value } = self;
        let others = [other, yes, no].map(|other| merge(&mut nodes, &other));
        let value = add(
            &mut nodes,
            Node::Select(comparison, [value, others[0], others[1], others[2]]),
        );
        Self { nodes, value }
    }

    /// √ of this.
    pub fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }

    /// The larger of this and another.
    pub fn max(self, other: Self) -> Self {
        self.binary(Binary::Max, other)
    }

    /// The smaller of this and another.
    pub fn min(self, other: Self) -> Self {
        self.binary(Binary::Min, other)
    }

    /// The expression.
    pub fn finish(self) -> Expression {
        let Self { mut nodes, value } = self;
        let last = nodes.len() - 1;
        if usize::from(value) != last {
            // A result that was computed before the last node: what follows is not needed by it
            nodes.truncate(usize::from(value) + 1);
        }
        Expression(nodes)
    }
}

/// The place of a node, which is added unless it is there.
fn add(nodes: &mut Vec<Node>, node: Node) -> u8 {
    let at = nodes.iter().position(|other| *other == node).unwrap_or_else(|| {
        nodes.push(node);
        nodes.len() - 1
    });
    // Expressions of more than 64 nodes are refused by the program's check
    at as u8
}

/// The place of another formula's value among `nodes`.
fn merge(nodes: &mut Vec<Node>, other: &Formula) -> u8 {
    let mut places: Vec<u8> = Vec::with_capacity(other.nodes.len());
    for node in &other.nodes {
        let of = |at: u8| places[usize::from(at)];
        let moved = match *node {
            Node::Unary(function, a) => Node::Unary(function, of(a)),
            Node::Binary(function, a, b) => Node::Binary(function, of(a), of(b)),
            Node::Select(comparison, operands) => Node::Select(comparison, operands.map(of)),
            leaf => leaf,
        };
        places.push(add(nodes, moved));
    }
    places[usize::from(other.value)]
}

macro_rules! operation {
    ($($trait:ident $name:ident $function:ident),*) => {$(
        impl ops::$trait for Formula {
            type Output = Self;

            fn $name(self, other: Self) -> Self {
                self.binary(Binary::$function, other)
            }
        }

        impl ops::$trait<f32> for Formula {
            type Output = Self;

            fn $name(self, other: f32) -> Self {
                self.binary(Binary::$function, Self::constant(other))
            }
        }
    )*};
}

operation!(Add add Add, Sub sub Sub, Mul mul Mul, Div div Div);

impl ops::Neg for Formula {
    type Output = Self;

    fn neg(self) -> Self {
        self.unary(Unary::Neg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formula_should_be_evaluated_as_written_when_parts_are_shared() {
        let x = Formula::input(0);
        let shifted = x.clone() + 1.0;
        let expression = (shifted.clone() * shifted / (x + 3.0)).finish();
        assert_eq!(expression.check(1, 1), Ok(()));
        assert_eq!(expression.evaluate(&[5.0], |_| 0), 36.0 / 8.0);
        // x, 1, x+1, its square, 3, x+3, the quotient
        assert_eq!(expression.0.len(), 7);
    }

    #[test]
    fn formula_should_select_by_its_comparison() {
        let x = Formula::input(0);
        let expression = x
            .clone()
            .select(Comparison::Less, Formula::constant(0.0), -x.clone(), x)
            .finish();
        assert_eq!(expression.check(1, 1), Ok(()));
        assert_eq!([-2.0, 3.0].map(|x| expression.evaluate(&[x], |_| 0)), [2.0, 3.0]);
    }

    #[test]
    fn formula_should_end_at_its_value_when_that_was_there_before() {
        let x = Formula::input(0) + 1.0;
        let expression = x.clone().min(x).finish();
        assert_eq!(expression.check(1, 1), Ok(()));
        assert_eq!(expression.evaluate(&[1.0], |_| 0), 2.0);
    }
}
