//! What a step costs, in work units.
//!
//! Each operator costs the larger of its multiply-adds and [`BYTES_FACTOR`] times the bytes it touches: producing one
//! token reads every weight once, and is bound by memory, not by arithmetic.

use super::{Plan, Program};
use crate::operator::{Operator, TensorType};

/// Multiply-adds in the time in which one byte comes out of memory.
pub const BYTES_FACTOR: u64 = 17;

/// Multiply-adds that an element of an expression's output counts for, for each node.
const NODE_COST: u64 = 4;

/// Work units of a step. Saturates.
pub fn units(program: &Program, plan: &Plan) -> u64 {
    let segments = program.segments.iter().zip(&plan.operators).enumerate();
    segments
        .flat_map(|(at, (segment, outputs))| {
            segment
                .instructions
                .iter()
                .zip(outputs)
                .map(move |(instruction, output)| {
                    let inputs = plan.types_of(program, &instruction.inputs, at);
                    operator_units(&instruction.operator, &inputs, *output)
                })
        })
        .fold(0u64, u64::saturating_add)
}

fn operator_units(operator: &Operator, inputs: &[TensorType], output: TensorType) -> u64 {
    let bytes = |tensor: &TensorType| tensor.shape.len().saturating_mul(tensor.dtype.size());
    let touched = match operator {
        // Only the rows that are looked up are read
        Operator::Lookup => bytes(&output).saturating_mul(2),
        Operator::Pick => bytes(&output).saturating_mul(2),
        _ => inputs.iter().map(bytes).fold(bytes(&output), u64::saturating_add),
    };
    arithmetic(operator, inputs, output).max(touched.saturating_mul(BYTES_FACTOR))
}

fn arithmetic(operator: &Operator, inputs: &[TensorType], output: TensorType) -> u64 {
    let elements = output.shape.len();
    match operator {
        Operator::Product { a, b } => {
            let pairs = kept_pairs(a.class.digits(), b.class.digits());
            elements.saturating_mul(inputs[0].shape.row()).saturating_mul(pairs)
        }
        Operator::Map(expression) => elements.saturating_mul(NODE_COST * expression.0.len() as u64),
        Operator::Weights(_) | Operator::Rotate { .. } => elements.saturating_mul(NODE_COST * 4),
        Operator::Scatter { .. } => inputs[0].shape.len(),
        // What sorting the row costs
        Operator::Rank | Operator::Mass => elements.saturating_mul(NODE_COST * 16),
        _ => inputs
            .iter()
            .map(|tensor| tensor.shape.len())
            .fold(elements, u64::saturating_add),
    }
}

/// Products of digits that count among those of `a` and `b` digits.
fn kept_pairs(a: usize, b: usize) -> u64 {
    let significant = a.max(b);
    (0..a).map(|i| b.min(significant - i) as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_should_be_those_of_the_table() {
        let pairs = [(1, 1), (2, 1), (3, 1), (2, 2), (3, 2), (3, 3)].map(|(a, b)| kept_pairs(a, b));
        assert_eq!(pairs, [1, 2, 3, 3, 5, 6]);
        assert_eq!(kept_pairs(2, 3), 5);
    }
}
