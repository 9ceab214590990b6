//! Building programs: values by name instead of by place, and nothing computed twice.

use crate::formula::Formula;
use assay_exact::{
    operator::{Coordinate, Dim, Operator, Side, Term},
    product::{Class, BLOCK},
    program::{Declaration, Instruction, Program, ProgramError, Segment, State, Value, VERSION},
    tensor::DType,
};

/// A dimension that is the same in every step.
///
/// # Panics
///
/// If it is 2³¹ or more; families check the sizes of a model before they build.
pub fn fixed(size: usize) -> Dim {
    Dim::constant(i32::try_from(size).expect("families check sizes before they build; qed"))
}

/// A tensor of the program being built: usable in the segment where it is made and in all later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tensor {
    /// Declared by the program: a weight, an input, or a state.
    Declared(Value),
    /// Made by an operator of a segment.
    Made {
        /// The segment.
        segment: usize,
        /// The operator within it.
        operator: usize,
    },
}

/// A weight matrix or vector as integers, with the magnitudes of its rows.
#[derive(Clone, Copy, Debug)]
pub struct Quantised {
    /// The integers `[N, K]`.
    pub integers: Tensor,
    /// The rows' magnitudes `[N]`.
    pub magnitudes: Tensor,
    /// The class of the integers.
    pub class: Class,
    /// Multipliers of the rows' blocks `[N, K/32]`, if they have any (see [`assay_exact::product::BLOCK`]).
    pub multipliers: Option<Tensor>,
}

/// A program being built, segment by segment.
#[derive(Clone, Debug)]
pub struct Builder {
    program: Program,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// A program with one segment, in which there is nothing yet.
    pub fn new() -> Self {
        Self {
            program: Program {
                version: VERSION,
                weights: Vec::new(),
                inputs: Vec::new(),
                states: Vec::new(),
                segments: vec![Segment::default()],
                results: Vec::new(),
            },
        }
    }

    /// Declares a weight.
    pub fn weight(&mut self, name: impl Into<String>, dtype: DType, shape: &[Dim]) -> Tensor {
        let weights = &mut self.program.weights;
        weights.push(declare(name, dtype, shape));
        Tensor::Declared(Value::Weight((weights.len() - 1) as u16))
    }

    /// Declares a matrix `[rows, columns]` of integers of a class that can be stored, with the magnitudes of its rows:
    /// the weights `name` and `name.magnitudes`.
    pub fn quantised(&mut self, name: &str, class: Class, rows: usize, columns: usize) -> Quantised {
        let dtype = match class {
            Class::Int8 => DType::I8,
            Class::Int16 | Class::Int24 => DType::I16,
        };
        Quantised {
            integers: self.weight(name, dtype, &[fixed(rows), fixed(columns)]),
            magnitudes: self.weight(format!("{name}.magnitudes"), DType::F32, &[fixed(rows)]),
            class,
            multipliers: None,
        }
    }

    /// Declares a matrix `[rows, columns]` of integers of eight bits with a multiplier for each block of a row: the weights
    /// `name`, `name.magnitudes` and `name.multipliers`.
    ///
    /// # Panics
    ///
    /// If rows are not whole blocks.
    pub fn quantised_in_blocks(&mut self, name: &str, rows: usize, columns: usize) -> Quantised {
        let block = BLOCK as usize;
        assert!(
            columns.is_multiple_of(block),
            "{name}: {columns} columns are whole blocks"
        );
        let shape = [fixed(rows), fixed(columns / block)];
        let matrix = self.quantised(name, Class::Int8, rows, columns);
        let multipliers = self.weight(format!("{name}.multipliers"), DType::I16, &shape);
        Quantised {
            multipliers: Some(multipliers),
            ..matrix
        }
    }

    /// Declares an input of each step.
    pub fn input(&mut self, name: impl Into<String>, dtype: DType, shape: &[Dim]) -> Tensor {
        let inputs = &mut self.program.inputs;
        inputs.push(declare(name, dtype, shape));
        Tensor::Declared(Value::Input((inputs.len() - 1) as u16))
    }

    /// Declares a state, which stays as it is unless [`Builder::becomes`] says otherwise.
    pub fn state(&mut self, name: impl Into<String>, dtype: DType, shape: &[Dim]) -> Tensor {
        let states = &mut self.program.states;
        let value = Value::State(states.len() as u16);
        states.push(State {
            declaration: declare(name, dtype, shape),
            next: value,
        });
        Tensor::Declared(value)
    }

    /// Says what a state is at the beginning of the next step.
    ///
    /// # Panics
    ///
    /// If `state` is none.
    pub fn becomes(&mut self, state: Tensor, next: Tensor) {
        let Tensor::Declared(Value::State(state)) = state else {
            panic!("{state:?} is no state");
        };
        let next = self.seen_after(next, self.program.segments.len());
        self.program.states[usize::from(state)].next = next;
    }

    /// Says that each step gives this tensor.
    pub fn result(&mut self, tensor: Tensor) {
        let value = self.seen_after(tensor, self.program.segments.len());
        self.program.results.push(value);
    }

    /// Begins the next segment. Nothing happens while the last one is empty.
    pub fn next_segment(&mut self) {
        if self
            .program
            .segments
            .last()
            .is_some_and(|segment| !segment.instructions.is_empty())
        {
            self.program.segments.push(Segment::default());
        }
    }

    /// The program, checked.
    ///
    /// # Errors
    ///
    /// If it is larger than a program may be.
    pub fn finish(mut self) -> Result<Program, ProgramError> {
        let is_empty = |segment: &Segment| segment.instructions.is_empty();
        if self.program.segments.len() > 1 && self.program.segments.last().is_some_and(is_empty) {
            self.program.segments.pop();
        }
        self.program.check()?;
        Ok(self.program)
    }

    /// Adds an operator to the last segment; if the same has been computed there, that is taken.
    pub fn push(&mut self, operator: Operator, inputs: &[Tensor]) -> Tensor {
        let segment = self.program.segments.len() - 1;
        let inputs = inputs.iter().map(|input| self.seen_after(*input, segment)).collect();
        let instruction = Instruction { operator, inputs };
        let instructions = &mut self.program.segments[segment].instructions;
        let operator = instructions
            .iter()
            .position(|other| *other == instruction)
            .unwrap_or_else(|| {
                instructions.push(instruction);
                instructions.len() - 1
            });
        Tensor::Made { segment, operator }
    }

    /// The tensor as the last segment sees it.
    pub fn here(&mut self, tensor: Tensor) -> Value {
        self.seen_after(tensor, self.program.segments.len() - 1)
    }

    /// Adds operators to the last segment as they are, given the place of the first. The last of them is returned.
    pub fn extend(&mut self, instructions: impl FnOnce(usize) -> Vec<Instruction>) -> Tensor {
        let segment = self.program.segments.len() - 1;
        let present = &mut self.program.segments[segment].instructions;
        present.extend(instructions(present.len()));
        Tensor::Made {
            segment,
            operator: present.len() - 1,
        }
    }

    /// The tensor as segment `segment` sees it. If it was made earlier, it is handed on.
    fn seen_after(&mut self, tensor: Tensor, segment: usize) -> Value {
        match tensor {
            Tensor::Declared(value) => value,
            Tensor::Made {
                segment: from,
                operator,
            } if from == segment => Value::Operator(operator as u16),
            Tensor::Made {
                segment: from,
                operator,
            } => {
                let hands_on = &mut self.program.segments[from].hands_on;
                let operator = operator as u16;
                let at = hands_on.iter().position(|other| *other == operator).unwrap_or_else(|| {
                    hands_on.push(operator);
                    hands_on.len() - 1
                });
                Value::Handed(from as u16, at as u16)
            }
        }
    }

    /// An expression of these inputs, element by element.
    pub fn map(&mut self, formula: Formula, inputs: &[Tensor]) -> Tensor {
        self.push(Operator::Map(formula.finish()), inputs)
    }

    /// a + b.
    pub fn add(&mut self, a: Tensor, b: Tensor) -> Tensor {
        self.map(Formula::input(0) + Formula::input(1), &[a, b])
    }

    /// The same elements in another shape.
    pub fn reshape(&mut self, x: Tensor, shape: &[Dim]) -> Tensor {
        self.push(Operator::Reshape(shape.to_vec()), &[x])
    }

    /// Dimensions in another order: dimension i of the output, whose size is `shape[i]`, is dimension `order[i]` of
    /// the input.
    pub fn permute(&mut self, x: Tensor, shape: &[Dim], order: &[u8]) -> Tensor {
        self.push(ordered(shape, order), &[x])
    }

    /// A matrix F32 `[rows, columns]`, or one of another type, as `[columns, rows]`.
    pub fn transpose(&mut self, x: Tensor, (rows, columns): (usize, usize)) -> Tensor {
        self.permute(x, &[fixed(columns), fixed(rows)], &[1, 0])
    }

    /// A part of the input's first dimension: `shape` elements from `start` on; the other dimensions are whole.
    pub fn slice(&mut self, x: Tensor, start: Dim, shape: &[Dim]) -> Tensor {
        let mut coordinates: Vec<_> = (0..shape.len()).map(along).collect();
        coordinates[0].offset = start;
        let shape = shape.to_vec();
        self.push(Operator::View { shape, coordinates }, &[x])
    }

    /// The magnitudes of rows.
    pub fn magnitude(&mut self, x: Tensor) -> Tensor {
        self.push(Operator::Magnitude, &[x])
    }

    /// The sums of rows.
    pub fn sum(&mut self, x: Tensor) -> Tensor {
        let magnitude = self.magnitude(x);
        self.push(Operator::Sum, &[x, magnitude])
    }

    /// Products of rows of floats `a` `[.., M, K]`, taken as `class`, with rows of integers `[N, K]`.
    pub fn product(&mut self, a: Tensor, class: Class, b: Quantised) -> Tensor {
        let magnitude = self.magnitude(a);
        let operator = Operator::Product {
            a: Side { class, scaled: true },
            b: Side {
                class: b.class,
                scaled: true,
            },
        };
        let inputs = [a, b.integers, magnitude, b.magnitudes];
        let inputs: Vec<_> = inputs.into_iter().chain(b.multipliers).collect();
        self.push(operator, &inputs)
    }

    /// Products of rows of floats `a` `[.., M, K]` with rows of floats `b` `[.., N, K]`.
    pub fn product_of_floats(&mut self, a: (Tensor, Class), b: (Tensor, Class)) -> Tensor {
        let (magnitude_a, magnitude_b) = (self.magnitude(a.0), self.magnitude(b.0));
        let side = |class| Side { class, scaled: true };
        let operator = Operator::Product {
            a: side(a.1),
            b: side(b.1),
        };
        self.push(operator, &[a.0, b.0, magnitude_a, magnitude_b])
    }

    /// Products of rows of floats as training has them: both as [`Class::Int24`].
    pub fn wide_product(&mut self, a: Tensor, b: Tensor) -> Tensor {
        self.product_of_floats((a, Class::Int24), (b, Class::Int24))
    }
}

/// Dimensions in another order: see [`Builder::permute`].
///
/// # Panics
///
/// If the order does not name every dimension once.
pub fn ordered(shape: &[Dim], order: &[u8]) -> Operator {
    let from = |of: usize| order.iter().position(|input| usize::from(*input) == of);
    let coordinates = (0..order.len())
        .map(|of| along(from(of).expect("an order names every dimension once; qed")))
        .collect();
    Operator::View {
        shape: shape.to_vec(),
        coordinates,
    }
}

/// The coordinate along dimension `dimension` of the output.
pub fn along(dimension: usize) -> Coordinate {
    Coordinate {
        offset: Dim::default(),
        terms: vec![Term {
            dimension: dimension as u8,
            factor: 1,
        }],
        divisor: 1,
    }
}

fn declare(name: impl Into<String>, dtype: DType, shape: &[Dim]) -> Declaration {
    Declaration {
        name: name.into(),
        dtype,
        shape: shape.to_vec(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn builder_should_compute_nothing_twice_in_a_segment() {
        let mut builder = Builder::new();
        let x = builder.input("x", DType::F32, &[Dim::LENGTH, fixed(3)]);
        let first = builder.magnitude(x);
        assert_eq!(builder.magnitude(x), first);
        let sum = builder.sum(x);
        builder.result(sum);
        let program = builder.finish().unwrap();
        assert_eq!(program.segments[0].instructions.len(), 2);
    }

    #[test]
    fn builder_should_hand_on_what_later_segments_and_results_need() {
        let mut builder = Builder::new();
        let x = builder.input("x", DType::F32, &[Dim::LENGTH, fixed(3)]);
        let doubled = builder.add(x, x);
        let unused = builder.magnitude(doubled);
        builder.next_segment();
        let again = builder.add(doubled, doubled);
        assert_ne!(again, unused);
        builder.result(again);
        builder.next_segment();
        let program = builder.finish().unwrap();
        assert_eq!(program.segments.len(), 2, "an empty last segment is left out");
        assert_eq!(program.segments[0].hands_on, [0]);
        assert_eq!(program.segments[1].instructions[0].inputs, [Value::Handed(0, 0); 2]);
        assert_eq!(program.results, [Value::Handed(1, 0)]);
    }
}
