//! What a program becomes before it runs: tensors by number, and what is known of each before lengths are.
//!
//! - What depends on weights alone is computed once.
//! - A reshaped tensor is the tensor it was made of.
//! - What is appended to a state is written behind it, in place.
//! - Operators that compute row by row, and whose rows are tokens, take the rows of all runs at once.

use assay_exact::{
    expression::Node,
    operator::{Bindings, Operator, TensorType, Visible},
    product::Class,
    program::{Place, Plan, Program, Value},
};

/// Number of a tensor: weights, inputs and states come first, then the outputs of all operators.
pub(crate) type Slot = usize;

/// A product's second operand, if it is the same in every step: the matrix, its magnitudes, its class.
pub(crate) type Factor = (Slot, Option<Slot>, Class);

/// An operator with its tensors by number.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Where the program has it.
    pub(crate) place: Place,
    pub(crate) operator: Operator,
    pub(crate) inputs: Vec<Slot>,
    pub(crate) output: Slot,
    /// How it is computed.
    pub(crate) way: Way,
    /// What nobody reads after it.
    pub(crate) ended: Vec<Slot>,
}

/// How an operator is computed in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Not at all: it was when weights were loaded, or its output is its input.
    Known,
    /// Its second input's rows go behind those of this state.
    Append(usize),
    /// The rows of all runs at once.
    Rows,
    /// Run by run.
    Whole,
}

/// A program by numbers.
#[derive(Clone, Debug)]
pub(crate) struct Lowered {
    /// In the order of the program.
    pub(crate) calls: Vec<Call>,
    /// What each segment hands on.
    pub(crate) hands_on: Vec<Vec<Slot>>,
    /// For each tensor the one in whose memory it lies.
    pub(crate) root: Vec<Slot>,
    /// Tensors that depend on weights alone.
    pub(crate) constant: Vec<bool>,
    pub(crate) results: Vec<Slot>,
    /// What states become.
    pub(crate) next: Vec<Slot>,
    pub(crate) first_input: Slot,
    pub(crate) first_state: Slot,
}

/// Steps by which it is found out which dimensions depend on the step: no dimension of a model is likely to be both.
const PROBES: [Bindings; 2] = [
    Bindings { length: 3, position: 5 },
    Bindings {
        length: 7,
        position: 11,
    },
];

/// The types of all tensors by their numbers.
pub(crate) fn all_types(plan: Plan) -> Vec<TensorType> {
    let mut types = plan.weights;
    types.extend(plan.inputs);
    types.extend(plan.states);
    types.extend(plan.operators.into_iter().flatten());
    types
}

/// The types of all tensors in two steps; of programs that cannot run in those, none.
struct Shapes(Option<[Vec<TensorType>; 2]>);

impl Shapes {
    fn new(program: &Program) -> Self {
        let types = |bindings| Plan::new(program, bindings).ok().map(all_types);
        Self(match PROBES.map(types) {
            [Some(first), Some(second)] => Some([first, second]),
            _ => None,
        })
    }

    fn rank(&self, slot: Slot) -> usize {
        self.0.as_ref().map_or(0, |[first, _]| first[slot].shape.rank())
    }

    /// The tensor's first dimension in both steps, if it has one and the others do not depend on the step.
    fn rows(&self, slot: Slot) -> Option<[u32; 2]> {
        let [first, second] = self.0.as_ref()?;
        let (first, inner) = first[slot].shape.dims().split_first()?;
        match second[slot].shape.dims().split_first()? {
            (second, other) if inner == other => Some([*first, *second]),
            _ => None,
        }
    }

    /// Whether the tensor is repeated along the first dimension of a tensor of this rank.
    fn is_repeated(&self, slot: Slot, rank: usize) -> bool {
        self.0.as_ref().is_some_and(|[first, second]| {
            let shape = &first[slot].shape;
            *shape == second[slot].shape && (shape.rank() < rank || shape.dims().first() == Some(&1))
        })
    }
}

impl Lowered {
    /// Lowers a program that has been checked.
    pub(crate) fn new(program: &Program) -> Self {
        let first_input = program.weights.len();
        let first_state = first_input + program.inputs.len();
        let first_call = first_state + program.states.len();
        let mut starts = Vec::with_capacity(program.segments.len());
        let mut count = first_call;
        for segment in &program.segments {
            starts.push(count);
            count += segment.instructions.len();
        }
        let slot = |value: Value, segment: usize| match value {
            Value::Weight(at) => usize::from(at),
            Value::Input(at) => first_input + usize::from(at),
            Value::State(at) => first_state + usize::from(at),
            Value::Operator(at) => starts[segment] + usize::from(at),
            Value::Handed(from, at) => {
                let from = usize::from(from);
                starts[from] + usize::from(program.segments[from].hands_on[usize::from(at)])
            }
        };
        let mut calls = Vec::with_capacity(count - first_call);
        for (segment, parts) in program.segments.iter().enumerate() {
            for (operator, instruction) in parts.instructions.iter().enumerate() {
                calls.push(Call {
                    place: Place { segment, operator },
                    operator: instruction.operator.clone(),
                    inputs: instruction.inputs.iter().map(|value| slot(*value, segment)).collect(),
                    output: starts[segment] + operator,
                    way: Way::Whole,
                    ended: Vec::new(),
                });
            }
        }
        let end = program.segments.len();
        let hands_on = program.segments.iter().zip(&starts).map(|(segment, start)| {
            let tensors = segment.hands_on.iter();
            tensors.map(|operator| start + usize::from(*operator)).collect()
        });
        let mut lowered = Self {
            hands_on: hands_on.collect(),
            root: (0..count).collect(),
            constant: vec![false; count],
            results: program.results.iter().map(|value| slot(*value, end)).collect(),
            next: program.states.iter().map(|state| slot(state.next, end)).collect(),
            first_input,
            first_state,
            calls,
        };
        lowered.constant[..first_input].fill(true);
        let shapes = Shapes::new(program);
        for at in 0..lowered.calls.len() {
            lowered.calls[at].way = lowered.way(at, &shapes);
        }
        lowered.note_ends();
        lowered
    }

    /// The state with this number, if the tensor is one.
    pub(crate) fn as_state(&self, slot: Slot) -> Option<usize> {
        slot.checked_sub(self.first_state)
            .filter(|state| *state < self.next.len())
    }

    /// The second operand of a product, if it is the same in every step.
    pub(crate) fn factor(&self, call: &Call) -> Option<Factor> {
        let Operator::Product { a, b } = call.operator else {
            return None;
        };
        let magnitudes = b.scaled.then(|| call.inputs[2 + usize::from(a.scaled)]);
        let is_constant = self.constant[call.inputs[1]] && magnitudes.is_none_or(|slot| self.constant[slot]);
        is_constant.then_some((call.inputs[1], magnitudes, b.class))
    }

    /// Notes what is the same memory and what is constant, and says how an operator is computed.
    fn way(&mut self, at: usize, shapes: &Shapes) -> Way {
        let call = &self.calls[at];
        let output = call.output;
        let is_constant = !depends_on_step(&call.operator) && call.inputs.iter().all(|input| self.constant[*input]);
        self.constant[output] = is_constant;
        if matches!(call.operator, Operator::Reshape(_)) {
            self.root[output] = self.root[call.inputs[0]];
            return Way::Known;
        }
        if is_constant {
            return Way::Known;
        }
        if let Some(state) = self.appended_by(call, shapes) {
            self.root[output] = self.first_state + state;
            return Way::Append(state);
        }
        if self.is_by_rows(call, shapes) {
            Way::Rows
        } else {
            Way::Whole
        }
    }

    /// The state that the operator appends to, where that is all that happens to it.
    fn appended_by(&self, call: &Call, shapes: &Shapes) -> Option<usize> {
        let (Operator::Concat(axis), [state, _]) = (&call.operator, call.inputs.as_slice()) else {
            return None;
        };
        let slot = *state;
        let state = self.as_state(slot)?;
        let is_outermost = shapes.rank(call.output) == usize::from(*axis) + 1;
        // Whoever else reads the state would see it grown
        let readers = self.calls.iter().filter(|call| call.inputs.contains(&slot)).count();
        let others = self
            .next
            .iter()
            .filter(|next| **next == call.output || **next == slot)
            .count();
        let is_result = self.results.contains(&slot);
        (self.next[state] == call.output && is_outermost && readers == 1 && others == 1 && !is_result).then_some(state)
    }

    /// Whether the operator computes row by row along its first dimension, which depends on the step.
    fn is_by_rows(&self, call: &Call, shapes: &Shapes) -> bool {
        let Some(rows) = shapes.rows(call.output) else {
            return false;
        };
        let rank = shapes.rank(call.output);
        let has_rows = |slot: Slot| {
            let root = self.root[slot];
            !self.constant[root] && self.as_state(root).is_none() && shapes.rows(slot) == Some(rows)
        };
        match &call.operator {
            Operator::Map(expression) => {
                let outermost = (rank - 1) as u8;
                let reads_outermost = expression.0.contains(&Node::Coordinate(outermost));
                let fits = |slot: &Slot| {
                    (has_rows(*slot) && shapes.rank(*slot) == rank)
                        || (self.constant[*slot] && shapes.is_repeated(*slot, rank))
                };
                !reads_outermost && call.inputs.iter().all(fits) && call.inputs.iter().any(|slot| has_rows(*slot))
            }
            Operator::Magnitude
            | Operator::Sum
            | Operator::WeightSum(_)
            | Operator::Quantise(_)
            | Operator::ArgMax
            | Operator::Maximum(Visible::All)
            | Operator::Weights(Visible::All) => call.inputs.iter().all(|input| has_rows(*input)),
            Operator::Product { a, .. } => {
                let others = call.inputs.iter().enumerate();
                // a and its magnitudes have rows; b and its magnitudes are weights
                let mut fits = others.map(|(at, slot)| match at {
                    0 => has_rows(*slot) && shapes.rank(*slot) == 2,
                    1 => self.constant[*slot] && shapes.rank(*slot) == 2,
                    2 if a.scaled => has_rows(*slot),
                    _ => self.constant[*slot],
                });
                fits.all(|fits| fits)
            }
            _ => false,
        }
    }

    /// Notes after which operator each tensor is not read any more.
    fn note_ends(&mut self) {
        let mut last = vec![None; self.root.len()];
        let mut ends_of_segments = vec![0; self.hands_on.len()];
        for (at, call) in self.calls.iter().enumerate() {
            ends_of_segments[call.place.segment] = at;
            for slot in call.inputs.iter().chain([&call.output]) {
                last[self.root[*slot]] = Some(at);
            }
        }
        for (hands_on, end) in self.hands_on.iter().zip(&ends_of_segments) {
            for slot in hands_on {
                let last = &mut last[self.root[*slot]];
                *last = (*last).max(Some(*end));
            }
        }
        for slot in self.results.iter().chain(&self.next) {
            last[self.root[*slot]] = None;
        }
        for (slot, at) in last.iter().enumerate() {
            if let Some(at) = at.filter(|_| !self.constant[slot] && self.as_state(slot).is_none()) {
                self.calls[at].ended.push(slot);
            }
        }
    }
}

/// Whether an operator's output depends on the step even if its inputs do not.
fn depends_on_step(operator: &Operator) -> bool {
    match operator {
        Operator::Random(_) | Operator::Rotate { .. } => true,
        Operator::View { shape, coordinates } => {
            let offsets = coordinates.iter().map(|coordinate| &coordinate.offset);
            shape
                .iter()
                .chain(offsets)
                .any(|dim| dim.length != 0 || dim.position != 0)
        }
        Operator::Reshape(shape) => shape.iter().any(|dim| dim.length != 0 || dim.position != 0),
        Operator::Maximum(visible) | Operator::Weights(visible) => *visible != Visible::All,
        Operator::Scatter { rows } | Operator::Count { rows } => rows.length != 0 || rows.position != 0,
        _ => false,
    }
}
