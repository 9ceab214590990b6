//! Expressions: what is computed of each element by itself, one scalar after the other.
//!
//! An expression is a list of nodes of which each refers to earlier ones; the last is the result. It fixes
//! every rounding, so that activations, normalisations, gradients and optimisers need no operator of their own.

use crate::scalar;
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::fmt;

/// Most nodes of an expression.
pub const MAX_NODES: usize = 64;

/// A function of one scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Unary {
    /// −x.
    Neg,
    /// |x|.
    Abs,
    /// √x, rounded once.
    Sqrt,
    /// e^x.
    Exp,
    /// The natural logarithm.
    Ln,
    /// The hyperbolic tangent.
    Tanh,
    /// The error function.
    Erf,
    /// 1 ÷ (1 + e^−x).
    Sigmoid,
    /// x · sigmoid(x).
    Silu,
    /// The derivative of [`Unary::Silu`] at x.
    SiluDerivative,
    /// x · Φ(x).
    Gelu,
    /// The derivative of [`Unary::Gelu`] at x.
    GeluDerivative,
    /// The approximation of [`Unary::Gelu`] by a hyperbolic tangent.
    GeluTanh,
    /// The derivative of [`Unary::GeluTanh`] at x.
    GeluTanhDerivative,
    /// x if x > 0, else +0.
    Relu,
    /// Rounds to the nearest integer, ties to even.
    Rne,
    /// Rounds down.
    Floor,
    /// 2^e of a row of magnitude x: see [`crate::row::exponent`].
    Power,
}

/// A function of two scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Binary {
    /// a + b.
    Add,
    /// a − b.
    Sub,
    /// a × b.
    Mul,
    /// a ÷ b.
    Div,
    /// The larger; never −0.
    Max,
    /// The smaller; never −0.
    Min,
}

/// A comparison. With anything that is not a number it is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Comparison {
    /// a < b.
    Less,
    /// a = b.
    Equal,
}

/// A step of an expression. Numbers of nodes count from 0, and are below the node's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Node {
    /// The element of this input. Integers become the nearest float.
    Input(u8),
    /// A float of these bits.
    Constant(u32),
    /// The element's coordinate along this dimension, counted from the last (0): the nearest float.
    Coordinate(u8),
    /// A function of one node.
    Unary(Unary, u8),
    /// A function of two nodes.
    Binary(Binary, u8, u8),
    /// If the comparison of the first two nodes holds, the third, else the fourth.
    Select(Comparison, [u8; 4]),
}

/// Why a list of nodes is no expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpressionError {
    /// It has no nodes, or more than [`MAX_NODES`].
    Length(usize),
    /// This node refers to itself or a later one.
    Forward(usize),
    /// This node is a constant that is not finite.
    Constant(usize),
    /// This node refers to an input that there is not.
    Input(usize),
    /// This node refers to a dimension that there is not.
    Dimension(usize),
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => write!(f, "an expression has 1 to {MAX_NODES} nodes, this one has {length}"),
            Self::Forward(node) => write!(
                f,
                "node {node} refers to itself or a later node; only earlier ones are known"
            ),
            Self::Constant(node) => write!(f, "node {node} is a constant that is not finite"),
            Self::Input(node) => write!(f, "node {node} reads an input that the operator has not"),
            Self::Dimension(node) => write!(f, "node {node} asks for a dimension that the output has not"),
        }
    }
}

/// A list of nodes; the last is the result.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Expression(pub Vec<Node>);

impl Expression {
    /// Checks that every node refers to earlier ones, to one of `inputs` inputs, and to one of `rank` dimensions.
    pub fn check(&self, inputs: usize, rank: usize) -> Result<(), ExpressionError> {
        if self.0.is_empty() || self.0.len() > MAX_NODES {
            return Err(ExpressionError::Length(self.0.len()));
        }
        for (at, node) in self.0.iter().enumerate() {
            let is_earlier = |other: &u8| usize::from(*other) < at;
            let (fits, error) = match node {
                Node::Input(input) => (usize::from(*input) < inputs, ExpressionError::Input(at)),
                Node::Constant(bits) => (f32::from_bits(*bits).is_finite(), ExpressionError::Constant(at)),
                Node::Coordinate(dimension) => (usize::from(*dimension) < rank, ExpressionError::Dimension(at)),
                Node::Unary(_, a) => (is_earlier(a), ExpressionError::Forward(at)),
                Node::Binary(_, a, b) => ([a, b].into_iter().all(is_earlier), ExpressionError::Forward(at)),
                Node::Select(_, operands) => (operands.iter().all(is_earlier), ExpressionError::Forward(at)),
            };
            if !fits {
                return Err(error);
            }
        }
        Ok(())
    }

    /// The result for these inputs, at the element whose coordinates, counted from the last dimension, `coordinate`
    /// gives. The expression must have been checked.
    pub fn evaluate(&self, inputs: &[f32], coordinate: impl Fn(usize) -> u64) -> f32 {
        let mut values = [0.0f32; MAX_NODES];
        let mut last = 0.0;
        for (at, node) in self.0.iter().enumerate() {
            let of = |node: &u8| values[usize::from(*node)];
            last = match node {
                Node::Input(input) => inputs[usize::from(*input)],
                Node::Constant(bits) => f32::from_bits(*bits),
                Node::Coordinate(dimension) => coordinate(usize::from(*dimension)) as f32,
                Node::Unary(function, a) => function.apply(of(a)),
                Node::Binary(function, a, b) => function.apply(of(a), of(b)),
                Node::Select(comparison, [a, b, yes, no]) => {
                    if comparison.holds(of(a), of(b)) {
                        of(yes)
                    } else {
                        of(no)
                    }
                }
            };
            values[at] = last;
        }
        last
    }
}

impl Unary {
    /// The function's value.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Self::Neg => -x,
            Self::Abs => scalar::abs(x),
            Self::Sqrt => scalar::sqrt(x),
            Self::Exp => scalar::exp(x),
            Self::Ln => scalar::ln(x),
            Self::Tanh => scalar::tanh(x),
            Self::Erf => scalar::erf(x),
            Self::Sigmoid => scalar::sigmoid(x),
            Self::Silu => scalar::silu(x),
            Self::SiluDerivative => scalar::silu_derivative(x),
            Self::Gelu => scalar::gelu(x),
            Self::GeluDerivative => scalar::gelu_derivative(x),
            Self::GeluTanh => scalar::gelu_tanh(x),
            Self::GeluTanhDerivative => scalar::gelu_tanh_derivative(x),
            Self::Relu => scalar::relu(x),
            Self::Rne => scalar::rne(x),
            Self::Floor => scalar::floor(x),
            Self::Power => scalar::pow2(crate::row::exponent(x).clamp(-126, 127)),
        }
    }
}

impl Binary {
    /// The function's value.
    pub fn apply(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Max => scalar::max(a, b),
            Self::Min => scalar::min(a, b),
        }
    }
}

impl Comparison {
    /// Whether it holds.
    pub fn holds(self, a: f32, b: f32) -> bool {
        match self {
            Self::Less => a < b,
            Self::Equal => a == b,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use alloc::vec;

    const ONE: u32 = 0x3f80_0000;

    #[test]
    fn expression_should_be_evaluated_in_its_order() {
        // (x + 1) · x, and 0 where the coordinate along the last dimension is 2
        let expression = Expression(vec![
            Node::Input(0),
            Node::Constant(ONE),
            Node::Binary(Binary::Add, 0, 1),
            Node::Binary(Binary::Mul, 2, 0),
            Node::Coordinate(0),
            Node::Binary(Binary::Add, 1, 1),
            Node::Constant(0),
            Node::Select(Comparison::Equal, [4, 5, 6, 3]),
        ]);
        assert_eq!(expression.check(1, 1), Ok(()));
        let at = |index: u64| expression.evaluate(&[3.0], |_| index);
        assert_eq!([at(1), at(2)], [12.0, 0.0]);
    }

    #[test]
    fn expression_should_be_refused_when_it_is_malformed() {
        let check = |nodes: &[Node]| Expression(nodes.to_vec()).check(1, 2);
        assert_eq!(check(&[]), Err(ExpressionError::Length(0)));
        assert_eq!(
            check(&[Node::Input(0); MAX_NODES + 1]),
            Err(ExpressionError::Length(MAX_NODES + 1))
        );
        assert_eq!(check(&[Node::Input(1)]), Err(ExpressionError::Input(0)));
        assert_eq!(check(&[Node::Coordinate(2)]), Err(ExpressionError::Dimension(0)));
        assert_eq!(check(&[Node::Constant(0x7f80_0000)]), Err(ExpressionError::Constant(0)));
        assert_eq!(
            check(&[Node::Input(0), Node::Unary(Unary::Neg, 1)]),
            Err(ExpressionError::Forward(1))
        );
        assert_eq!(
            check(&[Node::Binary(Binary::Add, 0, 0)]),
            Err(ExpressionError::Forward(0))
        );
        let select = Node::Select(Comparison::Less, [0, 0, 0, 1]);
        assert_eq!(check(&[Node::Input(0), select]), Err(ExpressionError::Forward(1)));
    }

    #[test]
    fn function_should_not_show_the_sign_of_what_is_no_number() {
        // 0 ÷ 0 is negative on some processors and positive on others
        let [positive, negative] = [0x7fc0_0000, 0xffc0_0000].map(f32::from_bits);
        for function in [
            Unary::Neg,
            Unary::Abs,
            Unary::Sqrt,
            Unary::Exp,
            Unary::Ln,
            Unary::Tanh,
            Unary::Erf,
            Unary::Sigmoid,
            Unary::Silu,
            Unary::SiluDerivative,
            Unary::Gelu,
            Unary::GeluDerivative,
            Unary::GeluTanh,
            Unary::GeluTanhDerivative,
            Unary::Relu,
            Unary::Rne,
            Unary::Floor,
            Unary::Power,
        ] {
            let (a, b) = (function.apply(positive), function.apply(negative));
            assert!(a.is_nan() && b.is_nan() || a == b, "{function:?}: {a} and {b}");
        }
        for function in [Binary::Max, Binary::Min] {
            for other in [-1.0, 1.0] {
                let (a, b) = (function.apply(positive, other), function.apply(negative, other));
                assert!(a.is_nan() && b.is_nan() || a == b, "{function:?}: {a} and {b}");
            }
        }
    }

    #[test]
    fn comparison_should_be_false_with_what_is_no_number() {
        assert!(!Comparison::Less.holds(f32::NAN, 1.0) && !Comparison::Equal.holds(f32::NAN, f32::NAN));
        assert!(Comparison::Equal.holds(-0.0, 0.0));
    }
}
