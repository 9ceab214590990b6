//! Programs whose operators fit together, made of bytes.

use crate::calls::Maker;
use arbitrary::{Result, Unstructured};
use assay_exact::{
    operator::{Bindings, Dim, Operator, TensorType},
    program::{Declaration, Instruction, Program, Segment, State, Value, VERSION},
};

/// Most operators of a program that is made.
const MOST: usize = 24;

/// Operators of a segment.
const SEGMENT: usize = 6;

/// Where a tensor comes from: declared, or made by an operator of a segment.
#[derive(Clone, Copy)]
enum Origin {
    Declared(Value),
    Made(u16, u16),
}

struct Draft<'u, 'd> {
    maker: Maker<'u, 'd>,
    program: Program,
    /// Of all tensors that the maker knows.
    origins: Vec<Origin>,
}

/// A program of operators that fit in this step. The last operator is a result, and so are some others.
pub fn program(u: &mut Unstructured<'_>, bindings: Bindings) -> Result<Program> {
    let mut draft = Draft {
        maker: Maker::new(u, bindings),
        program: Program {
            version: VERSION,
            weights: Vec::new(),
            inputs: Vec::new(),
            states: Vec::new(),
            segments: vec![Segment::default()],
            results: Vec::new(),
        },
        origins: Vec::new(),
    };
    for _ in 0..MOST {
        if draft.maker.is_over() || draft.next().is_err() {
            break;
        }
    }
    if let Some(Origin::Made(segment, operator)) = draft.origins.last().copied() {
        let value = draft.handed(segment, operator);
        draft.program.results.push(value);
    }
    let segments = &mut draft.program.segments;
    if segments.last().is_some_and(|last| last.instructions.is_empty()) {
        segments.pop();
    }
    Ok(draft.program)
}

impl Draft<'_, '_> {
    /// Adds an operator, if it fits.
    fn next(&mut self) -> Result<()> {
        if self.maker.ratio(1, 8)? && self.append()? {
            return Ok(());
        }
        let (operator, inputs) = self.maker.operator()?;
        self.declare_new()?;
        self.push(operator, &inputs)
    }

    /// Declares what the maker has added.
    fn declare_new(&mut self) -> Result<()> {
        while let Some(kind) = self.maker.known.get(self.origins.len()).copied() {
            let value = match self.maker.kind_of_declaration()? {
                0 => Value::Weight(self.program.weights.len() as u16),
                1 => Value::State(self.program.states.len() as u16),
                _ => Value::Input(self.program.inputs.len() as u16),
            };
            let mut shape: Vec<_> = kind.shape.dims().iter().map(|dim| Dim::constant(*dim as i32)).collect();
            if matches!(value, Value::Input(_)) {
                for (dim, size) in shape.iter_mut().zip(kind.shape.dims()) {
                    *dim = self.maker.dim_of(*size)?;
                }
            }
            self.declare(value, kind, shape);
        }
        Ok(())
    }

    fn declare(&mut self, value: Value, kind: TensorType, shape: Vec<Dim>) {
        let declaration = Declaration {
            name: format!("t{}", self.origins.len()),
            dtype: kind.dtype,
            shape,
        };
        match value {
            Value::Weight(_) => self.program.weights.push(declaration),
            Value::State(_) => self.program.states.push(State {
                declaration,
                next: value,
            }),
            _ => self.program.inputs.push(declaration),
        }
        self.origins.push(Origin::Declared(value));
    }

    /// Appends a tensor to a state of its own, if its first dimension is the step's tokens.
    fn append(&mut self) -> Result<bool> {
        let Some(at) = self.maker.known.len().checked_sub(1) else {
            return Ok(false);
        };
        let kind = self.maker.known[at];
        let Bindings { length, position } = self.maker.bindings;
        let inner = match kind.shape.dims().split_first() {
            Some((first, inner)) if *first == length => inner,
            _ => return Ok(false),
        };
        let dims: Vec<u32> = [&[position][..], inner].concat();
        let Some(state) = self.maker.add(kind.dtype, &dims) else {
            return Ok(false);
        };
        let value = Value::State(self.program.states.len() as u16);
        let mut shape: Vec<_> = dims.iter().map(|dim| Dim::constant(*dim as i32)).collect();
        shape[0] = Dim::POSITION;
        self.declare(value, self.maker.known[state], shape);
        self.push(Operator::Concat(inner.len() as u8), &[state, at])?;
        if let (Some(Origin::Made(segment, operator)), Value::State(state)) = (self.origins.last().copied(), value) {
            self.program.states[usize::from(state)].next = self.handed(segment, operator);
        }
        Ok(true)
    }

    /// Adds an operator to the last segment, if it fits.
    fn push(&mut self, operator: Operator, inputs: &[usize]) -> Result<()> {
        let types: Vec<_> = inputs.iter().map(|at| self.maker.known[*at]).collect();
        let Ok(output) = operator.output(&types, self.maker.bindings) else {
            return Ok(());
        };
        let current = self.program.segments.len() as u16 - 1;
        let inputs = inputs
            .iter()
            .map(|at| match self.origins[*at] {
                Origin::Declared(value) => value,
                Origin::Made(segment, operator) if segment == current => Value::Operator(operator),
                Origin::Made(segment, operator) => self.handed(segment, operator),
            })
            .collect();
        let instructions = &mut self.program.segments[usize::from(current)].instructions;
        instructions.push(Instruction { operator, inputs });
        let (count, at) = (instructions.len(), instructions.len() as u16 - 1);
        self.origins.push(Origin::Made(current, at));
        self.maker.known.push(output);
        if count == SEGMENT {
            self.program.segments.push(Segment::default());
        }
        if self.maker.ratio(1, 4)? {
            let value = self.handed(current, at);
            self.program.results.push(value);
        }
        Ok(())
    }

    /// The output of an operator, as later segments see it.
    fn handed(&mut self, segment: u16, operator: u16) -> Value {
        let hands_on = &mut self.program.segments[usize::from(segment)].hands_on;
        let at = hands_on.iter().position(|other| *other == operator).unwrap_or_else(|| {
            hands_on.push(operator);
            hands_on.len() - 1
        });
        Value::Handed(segment, at as u16)
    }
}
