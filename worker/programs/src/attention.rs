//! Attention, as a program writes it and as an engine recognises it.
//!
//! Keys and values are integers of 16 bits along a head's dimension, with one magnitude for each token and head; scores
//! and weights enter their products as integers of 24 bits. Nothing is requantised, so a cache of past tokens gives what
//! computing all of them again would give.

use crate::{
    builder::{along, fixed, ordered, Builder, Tensor},
    formula::Formula,
};
use assay_exact::{
    expression::{Binary, Expression, Node, Unary},
    operator::{Dim, Operator, Side, Visible},
    product::Class,
    program::{Instruction, Value},
};

/// Sizes of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Heads of queries.
    pub queries: usize,
    /// Heads of keys and values; divides the former, and consecutive heads of queries share one.
    pub keys: usize,
    /// Elements of a head.
    pub dimension: usize,
}

/// Keys or values: integers `[T, heads, dimension]` of 16 bits and their magnitudes `[T, heads]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cached<T = Tensor> {
    /// The integers.
    pub integers: T,
    /// The magnitudes.
    pub magnitudes: T,
}

/// An attention: queries F32 `[L, queries, dimension]` to keys and values give F32 `[L, queries · dimension]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention<T = Value> {
    /// Sizes.
    pub heads: Heads,
    /// Queries.
    pub queries: T,
    /// Keys.
    pub keys: Cached<T>,
    /// Values.
    pub values: Cached<T>,
    /// Tokens of keys and values.
    pub tokens: Dim,
    /// Which of them count.
    pub visible: Visible,
    /// What scores are multiplied by.
    pub scale: f32,
}

/// Operators of an attention by their places in it.
pub mod place {
    /// Magnitudes of the queries.
    pub const QUERY_MAGNITUDES: usize = 3;
    /// The product of queries and keys.
    pub const SCORES: usize = 4;
    /// The scores, scaled.
    pub const SCALED: usize = 5;
    /// Their maxima.
    pub const MAXIMA: usize = 6;
    /// What tokens weigh.
    pub const WEIGHTS: usize = 7;
    /// The sums of weights.
    pub const SUMS: usize = 8;
    /// The weights times the values' powers of two.
    pub const WEIGHTED: usize = 11;
    /// Magnitudes of those.
    pub const WEIGHT_MAGNITUDES: usize = 12;
    /// The product of weights and values.
    pub const PRODUCTS: usize = 14;
    /// That, divided by the sums.
    pub const MEANS: usize = 17;
    /// The output, the last.
    pub const OUTPUT: usize = 19;
    /// How many there are.
    pub const COUNT: usize = 20;
}

/// Fractional bits of the sum of weights.
const WEIGHT_BITS: u8 = 30;

const WIDE: Side = Side {
    class: Class::Int24,
    scaled: true,
};
const KEYS: Side = Side {
    class: Class::Int16,
    scaled: true,
};
/// Values are scaled before the product: each token's weight takes its power of two.
const VALUES: Side = Side {
    class: Class::Int16,
    scaled: false,
};

impl Attention {
    /// The operators that define it, the first of which is operator `start` of its segment.
    pub fn instructions(&self, start: usize) -> [Instruction; place::COUNT] {
        let Heads {
            queries,
            keys,
            dimension,
        } = self.heads;
        let (length, tokens, one) = (Dim::LENGTH, self.tokens, Dim::constant(1));
        let (h, g, d) = (fixed(queries), fixed(keys), fixed(dimension));
        // Heads that share keys, one after the other
        let rows = Dim {
            constant: 0,
            length: (queries / keys.max(1)) as i32,
            position: 0,
        };
        let of = |place: usize| Value::Operator((start + place) as u16);
        let step = |operator: Operator, inputs: &[Value]| Instruction {
            operator,
            inputs: inputs.to_vec(),
        };
        let map = |formula: Formula, inputs: &[Value]| step(Operator::Map(formula.finish()), inputs);
        let value_magnitudes = Operator::View {
            shape: vec![g, one, tokens],
            coordinates: vec![along(2), along(0)],
        };
        let weighted = Formula::input(0) * Formula::input(1).unary(Unary::Power);
        [
            step(ordered(&[h, length, d], &[1, 0, 2]), &[self.queries]),
            step(ordered(&[g, tokens, d], &[1, 0, 2]), &[self.keys.integers]),
            step(ordered(&[g, tokens], &[1, 0]), &[self.keys.magnitudes]),
            step(Operator::Magnitude, &[of(0)]),
            step(Operator::Product { a: WIDE, b: KEYS }, &[of(0), of(1), of(3), of(2)]),
            map(Formula::input(0) * self.scale, &[of(place::SCORES)]),
            step(Operator::Maximum(self.visible), &[of(place::SCALED)]),
            step(Operator::Weights(self.visible), &[of(place::SCALED), of(place::MAXIMA)]),
            step(Operator::WeightSum(WEIGHT_BITS), &[of(place::WEIGHTS)]),
            step(Operator::Reshape(vec![g, rows, tokens]), &[of(place::WEIGHTS)]),
            step(value_magnitudes, &[self.values.magnitudes]),
            map(weighted, &[of(9), of(10)]),
            step(Operator::Magnitude, &[of(place::WEIGHTED)]),
            step(ordered(&[g, d, tokens], &[1, 2, 0]), &[self.values.integers]),
            step(
                Operator::Product { a: WIDE, b: VALUES },
                &[of(place::WEIGHTED), of(13), of(place::WEIGHT_MAGNITUDES)],
            ),
            step(Operator::Reshape(vec![h, length, d]), &[of(place::PRODUCTS)]),
            step(Operator::Reshape(vec![h, length, one]), &[of(place::SUMS)]),
            map(Formula::input(0) / Formula::input(1), &[of(15), of(16)]),
            step(ordered(&[length, h, d], &[1, 0, 2]), &[of(place::MEANS)]),
            step(Operator::Reshape(vec![length, fixed(queries * dimension)]), &[of(18)]),
        ]
    }

    /// The attention whose operators begin at `start` of a segment, if there is one. What it computes on the way may be
    /// read by others all the same.
    pub fn recognise(instructions: &[Instruction], start: usize) -> Option<Self> {
        let found = instructions.get(start..start.checked_add(place::COUNT)?)?;
        let constant = |dim: Dim| {
            let is_fixed = dim.length == 0 && dim.position == 0;
            usize::try_from(dim.constant).ok().filter(|_| is_fixed)
        };
        let input = |at: usize| found[at].inputs.first().copied();
        let (Operator::View { shape: of_queries, .. }, Operator::View { shape: of_keys, .. }) =
            (&found[0].operator, &found[1].operator)
        else {
            return None;
        };
        let (&[h, _, d], &[g, tokens, _]) = (of_queries.as_slice(), of_keys.as_slice()) else {
            return None;
        };
        let Operator::Map(Expression(nodes)) = &found[place::SCALED].operator else {
            return None;
        };
        let [Node::Input(0), Node::Constant(scale), Node::Binary(Binary::Mul, 0, 1)] = nodes[..] else {
            return None;
        };
        let Operator::Maximum(visible) = found[place::MAXIMA].operator else {
            return None;
        };
        let attention = Self {
            heads: Heads {
                queries: constant(h)?,
                keys: constant(g)?,
                dimension: constant(d)?,
            },
            queries: input(0)?,
            keys: Cached {
                integers: input(1)?,
                magnitudes: input(2)?,
            },
            values: Cached {
                integers: input(13)?,
                magnitudes: input(10)?,
            },
            tokens,
            visible,
            scale: f32::from_bits(scale),
        };
        let Heads { queries, keys, .. } = attention.heads;
        let divides = keys > 0 && queries.is_multiple_of(keys);
        (divides && attention.instructions(start)[..] == *found).then_some(attention)
    }
}

impl Builder {
    /// Floats `[L, heads, dimension]` as keys or values of the step.
    pub fn quantise_heads(&mut self, x: Tensor) -> Cached {
        let magnitudes = self.magnitude(x);
        Cached {
            integers: self.push(Operator::Quantise(Class::Int16), &[x, magnitudes]),
            magnitudes,
        }
    }

    /// Appends the step's keys or values to those of the steps before, which are a state, and makes that the next
    /// step's state.
    pub fn append(&mut self, state: Cached, step: Cached) -> Cached {
        let integers = self.push(Operator::Concat(2), &[state.integers, step.integers]);
        let magnitudes = self.push(Operator::Concat(1), &[state.magnitudes, step.magnitudes]);
        self.becomes(state.integers, integers);
        self.becomes(state.magnitudes, magnitudes);
        Cached { integers, magnitudes }
    }

    /// An attention: F32 `[L, queries · dimension]`.
    pub fn attention(&mut self, attention: Attention<Tensor>) -> Tensor {
        let mut cached = |cached: Cached| Cached {
            integers: self.here(cached.integers),
            magnitudes: self.here(cached.magnitudes),
        };
        let (keys, values) = (cached(attention.keys), cached(attention.values));
        let attention = Attention {
            heads: attention.heads,
            queries: self.here(attention.queries),
            keys,
            values,
            tokens: attention.tokens,
            visible: attention.visible,
            scale: attention.scale,
        };
        self.extend(|start| attention.instructions(start).to_vec())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use assay_exact::tensor::DType;

    fn program() -> (Vec<Instruction>, usize) {
        let mut builder = Builder::new();
        let heads = Heads {
            queries: 6,
            keys: 2,
            dimension: 4,
        };
        let x = builder.input("x", DType::F32, &[Dim::LENGTH, fixed(24)]);
        let q = builder.reshape(x, &[Dim::LENGTH, fixed(6), fixed(4)]);
        let kv = builder.input("kv", DType::F32, &[Dim::LENGTH, fixed(2), fixed(4)]);
        let step = builder.quantise_heads(kv);
        let y = builder.attention(Attention {
            heads,
            queries: q,
            keys: step,
            values: step,
            tokens: Dim::LENGTH,
            visible: Visible::Causal,
            scale: 0.5,
        });
        builder.result(y);
        let mut program = builder.finish().unwrap();
        (program.segments.remove(0).instructions, 3)
    }

    #[test]
    fn attention_should_be_recognised_where_it_begins_and_nowhere_else() {
        let (instructions, start) = program();
        for at in 0..instructions.len() + 1 {
            let found = Attention::recognise(&instructions, at);
            assert_eq!(found.is_some(), at == start, "at {at}");
        }
        let found = Attention::recognise(&instructions, start).unwrap();
        assert_eq!(found.heads.queries, 6);
        assert_eq!(found.queries, Value::Operator(0));
        assert_eq!(found.scale, 0.5);
    }

    #[test]
    fn attention_should_not_be_recognised_when_any_operator_differs() {
        let (instructions, start) = program();
        for at in start..start + place::COUNT {
            let mut changed = instructions.clone();
            changed[at].operator = Operator::ArgMax;
            assert_eq!(Attention::recognise(&changed, start), None, "operator {at}");
            let mut changed = instructions.clone();
            changed[at].inputs.push(Value::Input(0));
            assert_eq!(Attention::recognise(&changed, start), None, "inputs of {at}");
        }
    }
}
