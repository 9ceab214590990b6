//! What a program becomes before it runs: stages, each of which computes several operators at once where that is faster.
//!
//! - Operators that compute row by row, and whose rows are tokens (or whatever the first dimension counts), are gathered
//!   in [`Group`]s: a few rows at a time go through all of them, so that what lies between never leaves the cache. Rows
//!   of all lanes, which are the sequences that run together, follow one another without padding.
//! - An attention is one stage.
//! - What is appended to a state is written behind it, in place.
//! - Chances are kept by ranks and masses without computing those of all tokens.
//! - A reshaped tensor is the tensor it was made of.
//! - What depends on weights alone is computed once.
//!
//! All other operators run one by one, for each lane.

use assay_exact::{
    expression::Node,
    operator::{Bindings, Operator, TensorType, Visible},
    program::{Place, Plan, Program, Value},
};
use assay_programs::attention::{place, Attention};

/// Number of a tensor: weights, inputs and states come first, then the outputs of all operators.
pub(crate) type Slot = usize;

/// An operator with its tensors by number.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Where the program has it.
    pub(crate) place: Place,
    pub(crate) operator: Operator,
    pub(crate) inputs: Vec<Slot>,
    pub(crate) output: Slot,
}

/// Part of a step that is computed as a whole.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// Operators that compute row by row.
    Group(Group),
    /// An attention, of which only the output is kept.
    Attention(Attending),
    /// Rows appended to a state: the output is the state.
    Append { call: usize, state: usize },
    /// One operator, lane by lane.
    Whole { call: usize },
    /// The operator that keeps chances by ranks or masses, lane by lane, out of the scores: ranks and masses of all tokens
    /// are not computed, since nobody else reads them.
    Keep { call: usize, scores: Slot },
}

/// Operators that compute row by row, and rows of the same number.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The operators, in the order of the program.
    pub(crate) calls: Vec<usize>,
    /// Those of them whose outputs are read outside of the group.
    pub(crate) kept: Vec<Slot>,
}

/// An attention with its tensors by number.
#[derive(Clone, Debug)]
pub(crate) struct Attending {
    pub(crate) attention: Attention<Slot>,
    pub(crate) output: Slot,
}

/// A segment's stages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    pub(crate) stages: Vec<Stage>,
    /// For each stage, what nobody reads after it.
    pub(crate) ended: Vec<Vec<Slot>>,
    /// What the segment hands on.
    pub(crate) hands_on: Vec<Slot>,
}

/// A program as stages.
#[derive(Clone, Debug)]
pub(crate) struct Lowered {
    pub(crate) calls: Vec<Call>,
    pub(crate) parts: Vec<Part>,
    /// For each tensor the one in whose memory it lies.
    pub(crate) root: Vec<Slot>,
    /// Tensors that depend on weights alone. Those of operators are computed once, in the order of calls.
    pub(crate) constant: Vec<bool>,
    pub(crate) results: Vec<Slot>,
    pub(crate) next: Vec<Slot>,
    /// Whether a state only ever grows at its end.
    pub(crate) appended: Vec<bool>,
    first_input: Slot,
    first_state: Slot,
}

/// Steps by which it is found out which dimensions depend on the step. A dimension is a constant and multiples of length
/// and position, so that two that are the same in three steps which are on no line are the same in all.
const PROBES: [Bindings; 3] = [
    Bindings { length: 3, position: 5 },
    Bindings {
        length: 7,
        position: 11,
    },
    Bindings { length: 4, position: 2 },
];

/// A number of rows in each of the probes.
type RowCounts = [u32; PROBES.len()];

/// What lowering goes by.
struct Shapes {
    /// The types of all tensors in each of the probes; of programs that cannot run in those, none.
    probes: Option<Vec<Vec<TensorType>>>,
}

impl Shapes {
    fn new(program: &Program) -> Self {
        let types = |bindings| {
            let plan = Plan::new(program, bindings).ok()?;
            Some(all_types(plan))
        };
        let probes = PROBES.into_iter().map(types).collect();
        Self { probes }
    }

    /// The tensor's first dimension in all probes, if it has one and the others do not depend on the step.
    fn rows(&self, slot: Slot) -> Option<RowCounts> {
        let probes = self.probes.as_ref()?;
        let (_, inner) = probes[0][slot].shape.dims().split_first()?;
        let mut counts = RowCounts::default();
        for (count, types) in counts.iter_mut().zip(probes) {
            match types[slot].shape.dims().split_first()? {
                (rows, other) if other == inner => *count = *rows,
                _ => return None,
            }
        }
        Some(counts)
    }

    /// Number of dimensions.
    fn rank(&self, slot: Slot) -> usize {
        self.probes.as_ref().map_or(0, |probes| probes[0][slot].shape.rank())
    }

    /// Whether the tensor is repeated along the first dimension of a tensor of this rank.
    fn is_repeated(&self, slot: Slot, rank: usize) -> bool {
        let Some(probes) = self.probes.as_ref() else {
            return false;
        };
        let shape = probes[0][slot].shape;
        probes.iter().all(|types| types[slot].shape == shape)
            && (shape.rank() < rank || shape.dims().first() == Some(&1))
    }
}

/// The types of all tensors by their numbers.
pub(crate) fn all_types(plan: Plan) -> Vec<TensorType> {
    let mut types = plan.weights;
    types.extend(plan.inputs);
    types.extend(plan.states);
    types.extend(plan.operators.into_iter().flatten());
    types
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
                });
            }
        }
        let end = program.segments.len();
        let results = program.results.iter().map(|value| slot(*value, end)).collect();
        let next: Vec<_> = program.states.iter().map(|state| slot(state.next, end)).collect();
        let hands_on = program.segments.iter().zip(&starts).map(|(segment, start)| {
            let tensors = segment.hands_on.iter();
            tensors.map(|operator| start + usize::from(*operator)).collect()
        });
        let mut lowered = Self {
            parts: hands_on
                .map(|hands_on| Part {
                    hands_on,
                    ..Part::default()
                })
                .collect(),
            root: (0..count).collect(),
            constant: vec![false; count],
            results,
            next,
            appended: vec![false; program.states.len()],
            first_input,
            first_state,
            calls,
        };
        lowered.constant[..first_input].fill(true);
        for call in 0..lowered.calls.len() {
            lowered.note(call);
        }
        let shapes = Shapes::new(program);
        for (segment, start) in starts.iter().enumerate() {
            lowered.form_stages(program, &shapes, segment, start - first_call);
        }
        lowered.keep_and_end();
        lowered
    }

    /// Slot of an input.
    pub(crate) fn input(&self, input: usize) -> Slot {
        self.first_input + input
    }

    /// Slot of a state.
    pub(crate) fn state(&self, state: usize) -> Slot {
        self.first_state + state
    }

    /// The state with this number, if the tensor is one.
    pub(crate) fn as_state(&self, slot: Slot) -> Option<usize> {
        slot.checked_sub(self.first_state)
            .filter(|state| *state < self.next.len())
    }

    /// Number of tensors.
    pub(crate) fn slots(&self) -> usize {
        self.root.len()
    }

    /// Notes what is the same memory, what is constant, and what is appended.
    fn note(&mut self, at: usize) {
        let Call {
            operator,
            inputs,
            output,
            ..
        } = &self.calls[at];
        let (inputs, output) = (inputs.clone(), *output);
        let is_reshape = matches!(operator, Operator::Reshape(_));
        // What depends on the step by itself is none, though its inputs are
        let by_itself = match operator {
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
        };
        let axis = match operator {
            Operator::Concat(axis) => Some(usize::from(*axis)),
            _ => None,
        };
        self.constant[output] = !by_itself && inputs.iter().all(|input| self.constant[*input]);
        if is_reshape {
            self.root[output] = self.root[inputs[0]];
        }
        if let (Some(_), [state, _]) = (axis, inputs.as_slice()) {
            if let Some(state) = self.as_state(*state).filter(|state| self.next[*state] == output) {
                let slot = self.state(state);
                // Whoever else reads the state would see it grown
                let readers = self.calls.iter().filter(|call| call.inputs.contains(&slot)).count();
                self.appended[state] = readers == 1;
            }
        }
    }

    fn form_stages(&mut self, program: &Program, shapes: &Shapes, segment: usize, first: usize) {
        let instructions = &program.segments[segment].instructions;
        let mut stages = Vec::new();
        let mut open: Option<(Group, RowCounts)> = None;
        let close = |open: &mut Option<(Group, RowCounts)>, stages: &mut Vec<Stage>| {
            if let Some((group, _)) = open.take() {
                stages.push(Stage::Group(group));
            }
        };
        let mut operator = 0;
        while operator < instructions.len() {
            let at = first + operator;
            if let Some(attending) = self.attention(instructions, operator, first) {
                close(&mut open, &mut stages);
                stages.push(Stage::Attention(attending));
                operator += place::COUNT;
                continue;
            }
            operator += 1;
            let output = self.calls[at].output;
            if self.root[output] != output || self.constant[output] {
                continue;
            }
            if let Some(state) = self.appended_by(at, shapes) {
                close(&mut open, &mut stages);
                self.root[self.calls[at].output] = self.state(state);
                stages.push(Stage::Append { call: at, state });
                continue;
            }
            if self.is_only_kept_by(at) {
                continue;
            }
            if let Some(scores) = self.scores_kept_by(at) {
                close(&mut open, &mut stages);
                stages.push(Stage::Keep { call: at, scores });
                continue;
            }
            let Some(rows) = self.is_by_rows(&self.calls[at], shapes) else {
                close(&mut open, &mut stages);
                stages.push(Stage::Whole { call: at });
                continue;
            };
            if open.as_ref().is_some_and(|(_, others)| *others != rows) {
                close(&mut open, &mut stages);
            }
            let (group, _) = open.get_or_insert_with(|| {
                let group = Group {
                    calls: Vec::new(),
                    kept: Vec::new(),
                };
                (group, rows)
            });
            group.calls.push(at);
        }
        close(&mut open, &mut stages);
        self.parts[segment].stages = stages;
    }

    /// The state that the operator appends to, where that is all that happens to it.
    fn appended_by(&mut self, at: usize, shapes: &Shapes) -> Option<usize> {
        let call = &self.calls[at];
        let Operator::Concat(axis) = call.operator else {
            return None;
        };
        let state = self.as_state(*call.inputs.first()?)?;
        let is_outermost = shapes.rank(call.output) == usize::from(axis) + 1;
        let is_appended = self.appended[state] && self.next[state] == call.output && is_outermost;
        self.appended[state] = is_appended;
        is_appended.then_some(state)
    }

    /// The attention that begins here, if nobody reads what it computes on the way.
    fn attention(
        &self,
        instructions: &[assay_exact::program::Instruction],
        start: usize,
        first: usize,
    ) -> Option<Attending> {
        let found = Attention::recognise(instructions, start)?;
        let slot = |operator: usize| self.calls[first + operator].output;
        let inner: Vec<_> = (0..place::OUTPUT).map(|at| slot(start + at)).collect();
        let within = first + start..first + start + place::COUNT;
        let is_read = |slot: &Slot| {
            let outside = self.calls.iter().enumerate().filter(|(at, _)| !within.contains(at));
            outside.into_iter().any(|(_, call)| call.inputs.contains(slot))
                || self.parts.iter().any(|part| part.hands_on.contains(slot))
        };
        if inner.iter().any(is_read) {
            return None;
        }
        // Its inputs, by the operators that read them
        let input = |operator: usize| self.calls[first + start + operator].inputs[0];
        let cached = |integers, magnitudes| assay_programs::attention::Cached { integers, magnitudes };
        Some(Attending {
            attention: Attention {
                heads: found.heads,
                queries: input(0),
                keys: cached(input(1), input(2)),
                values: cached(input(13), input(10)),
                tokens: found.tokens,
                visible: found.visible,
                scale: found.scale,
            },
            output: slot(start + place::OUTPUT),
        })
    }

    /// Whether the operator gives ranks or masses that only the one reads which keeps chances by them.
    fn is_only_kept_by(&self, at: usize) -> bool {
        let Call {
            operator,
            inputs,
            output,
            ..
        } = &self.calls[at];
        if !matches!(operator, Operator::Rank | Operator::Mass) {
            return false;
        }
        let readings = self.calls.iter().flat_map(|call| {
            let read = call.inputs.iter().enumerate().filter(|(_, slot)| *slot == output);
            read.map(move |(input, _)| (call, input))
        });
        let readings: Vec<_> = readings.take(2).collect();
        let [(reader, 1)] = readings[..] else {
            return false;
        };
        let keeps = match (operator, &reader.operator) {
            (Operator::Rank, Operator::KeepRanks) => true,
            // Of the masses of the chances that are kept
            (Operator::Mass, Operator::KeepMass) => inputs[1] == reader.inputs[0],
            _ => false,
        };
        let is_handed_on = self.parts.iter().any(|part| part.hands_on.contains(output))
            || self.results.contains(output)
            || self.next.contains(output);
        keeps && !is_handed_on
    }

    /// The scores by whose ranks or masses the operator keeps chances, if those are not computed.
    fn scores_kept_by(&self, at: usize) -> Option<Slot> {
        let Call { operator, inputs, .. } = &self.calls[at];
        if !matches!(operator, Operator::KeepRanks | Operator::KeepMass) {
            return None;
        }
        let by = self.calls.iter().position(|call| call.output == inputs[1])?;
        self.is_only_kept_by(by).then(|| self.calls[by].inputs[0])
    }

    /// If the operator computes row by row along its first dimension, the number of rows in all probes.
    fn is_by_rows(&self, call: &Call, shapes: &Shapes) -> Option<RowCounts> {
        let rows = shapes.rows(call.output)?;
        let rank = shapes.rank(call.output);
        // States lie with their runs: only what is made in the step has the rows of all runs one behind the other
        let is_made = |slot: Slot| !self.constant[slot] && self.as_state(self.root[slot]).is_none();
        let has_rows = |slot: Slot| is_made(slot) && shapes.rows(slot) == Some(rows);
        let all_have_rows = || call.inputs.iter().all(|input| has_rows(*input));
        let holds = match &call.operator {
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
            | Operator::Weights(Visible::All) => all_have_rows(),
            Operator::Product { .. } => {
                let others = call.inputs.iter().enumerate();
                // a and its magnitudes have rows; b and its magnitudes are weights
                let mut fits = others.map(|(at, slot)| match (at, &call.operator) {
                    (1, _) => self.constant[*slot] && shapes.rank(*slot) == 2,
                    (2, Operator::Product { a, .. }) if a.scaled => has_rows(*slot),
                    (0, _) => has_rows(*slot) && shapes.rank(*slot) == 2,
                    _ => self.constant[*slot],
                });
                fits.all(|fits| fits)
            }
            Operator::Rotate { axis, .. } => {
                usize::from(*axis) == rank - 1 && rank > 1 && has_rows(call.inputs[0]) && self.constant[call.inputs[1]]
            }
            _ => false,
        };
        holds.then_some(rows)
    }

    /// Which outputs of groups are read elsewhere, and after which stages tensors are not read any more.
    fn keep_and_end(&mut self) {
        let mut last_read = vec![None; self.slots()];
        let mut made_in = vec![None; self.slots()];
        let mut read_outside = vec![false; self.slots()];
        let stages = self.parts.iter().enumerate().flat_map(|(part, parts)| {
            let stages = parts.stages.iter().enumerate();
            stages.map(move |(stage, what)| ((part, stage), what))
        });
        for (at, stage) in stages {
            let reads: Vec<Slot> = match stage {
                Stage::Group(group) => {
                    for call in &group.calls {
                        made_in[self.calls[*call].output] = Some(at);
                    }
                    group
                        .calls
                        .iter()
                        .flat_map(|call| self.calls[*call].inputs.clone())
                        .collect()
                }
                Stage::Attention(Attending { attention, output }) => {
                    made_in[self.root[*output]] = Some(at);
                    let Attention {
                        queries, keys, values, ..
                    } = attention;
                    vec![
                        *queries,
                        keys.integers,
                        keys.magnitudes,
                        values.integers,
                        values.magnitudes,
                    ]
                }
                Stage::Append { call, .. } | Stage::Whole { call } => {
                    made_in[self.calls[*call].output] = Some(at);
                    self.calls[*call].inputs.clone()
                }
                Stage::Keep { call, scores } => {
                    made_in[self.calls[*call].output] = Some(at);
                    let inputs = self.calls[*call].inputs.iter().enumerate();
                    inputs
                        .map(|(input, slot)| if input == 1 { *scores } else { *slot })
                        .collect()
                }
            };
            for slot in reads {
                let root = self.root[slot];
                last_read[root] = Some(at);
                read_outside[root] |= made_in[root] != Some(at);
            }
        }
        let lasting = self.results.iter().chain(&self.next);
        let handed = self.parts.iter().flat_map(|part| &part.hands_on);
        let kept: Vec<Slot> = lasting.chain(handed).map(|slot| self.root[*slot]).collect();
        for slot in &kept {
            read_outside[*slot] = true;
        }
        // What segments hand on is read at their end; results and states at the very end
        let mut ended: Vec<Vec<Vec<Slot>>> = self
            .parts
            .iter()
            .map(|part| vec![Vec::new(); part.stages.len()])
            .collect();
        let lasting: Vec<Slot> = self
            .results
            .iter()
            .chain(&self.next)
            .map(|slot| self.root[*slot])
            .collect();
        let mut ends: Vec<_> = last_read.clone();
        for (segment, part) in self.parts.iter().enumerate() {
            let Some(end) = part.stages.len().checked_sub(1).map(|stage| (segment, stage)) else {
                continue;
            };
            for slot in &part.hands_on {
                let root = self.root[*slot];
                ends[root] = ends[root].max(Some(end));
            }
        }
        for (slot, end) in ends.iter().enumerate() {
            if let Some((part, stage)) = end.filter(|_| !lasting.contains(&slot) && !self.constant[slot]) {
                ended[part][stage].push(slot);
            }
        }
        for (part, ended) in self.parts.iter_mut().zip(ended) {
            part.ended = ended;
            for stage in &mut part.stages {
                if let Stage::Group(group) = stage {
                    let outputs = group.calls.iter().map(|call| self.calls[*call].output);
                    group.kept = outputs.filter(|slot| read_outside[*slot]).collect();
                }
            }
        }
    }

    /// Calls whose outputs depend on weights alone, in the order of the program.
    pub(crate) fn constant_calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| self.constant[call.output])
    }
}
