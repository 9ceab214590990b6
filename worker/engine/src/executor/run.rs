//! Running steps: of several runs at once.

use super::{
    buffer::{Buffer, Slice},
    group::{Ready, RowSource},
    lower::{all_types, Attending, Call, Lowered, Slot, Stage},
    session::Session,
    threads::{self, Threads},
    weights::{LoadError, PlanFailure, WeightSource, Weights},
    whole,
};
use assay_exact::{
    opening::{Digest, HashMode},
    operator::{Bindings, Fault, TensorType},
    program::{Place, Plan, PlanError, Program},
    tensor::DType,
};
use assay_kernels::{
    attention::{attend, Block, Keys, Output as AttentionOutput, Queries, Scratch},
    Isa,
};
use assay_programs::attention::Attention;
use std::cell::RefCell;

/// How an executor computes; nothing of it changes a bit of what it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The instruction set.
    pub isa: Isa,
    /// Threads. If not asked for, as many as `RAYON_NUM_THREADS` says, or as the machine has.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            isa: Isa::detect(),
            threads: threads::available(),
        }
    }
}

/// A program with its weights in memory, ready to run.
#[derive(Debug)]
pub struct Executor {
    program: Program,
    lowered: Lowered,
    pub(super) weights: Weights,
    /// For each segment and stage, the group that it is.
    groups: Vec<Vec<Option<Ready>>>,
    first: Vec<TensorType>,
    settings: Settings,
    threads: Threads,
}

/// What a step of a run is given.
#[derive(Debug)]
pub struct Given<'a> {
    /// The run.
    pub session: &'a mut Session,
    /// Tokens of the step.
    pub length: u32,
    /// The program's inputs, in its order.
    pub inputs: Vec<Buffer>,
}

/// What a step gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The program's results, in its order, with their types.
    pub results: Vec<(TensorType, Buffer)>,
    /// Digests of what segments hand on, if they are recorded.
    pub recorded: Recorded,
}

/// For each segment the digests of the tensors that it hands on, in its order.
pub type Recorded = Vec<Vec<Digest>>;

/// Why a step gives nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// An operator failed. This is a result: every honest run has it.
    #[error("{at} failed: {fault}")]
    Operator {
        /// The first that failed.
        at: Place,
        /// What is wrong.
        fault: Fault,
        /// What the segments before it handed on, if it is recorded.
        recorded: Recorded,
    },
    /// The step is none that the program can take.
    #[error(transparent)]
    Input(#[from] InputError),
}

/// Why a step is none that a program can take.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InputError {
    /// No step of this length can be at this position.
    #[error("a step of {length} tokens behind {position}: {error}")]
    Plan {
        /// Tokens of the step.
        length: u32,
        /// Tokens before.
        position: u32,
        /// What is wrong.
        error: PlanError,
    },
    /// Not as many inputs as the program has.
    #[error("expected {expected} inputs, got {got}")]
    Count {
        /// As many as the program has.
        expected: usize,
        /// As many as were given.
        got: usize,
    },
    /// An input of another type or size.
    #[error("input {name}: expected {expected} elements of type {dtype:?}, got {got} of {of:?}")]
    Type {
        /// Its name.
        name: String,
        /// Elements that the program wants.
        expected: u64,
        /// Their type.
        dtype: DType,
        /// Elements that were given.
        got: usize,
        /// Their type.
        of: DType,
    },
}

/// A step of one run, while it runs.
struct Lane<'a> {
    session: &'a mut Session,
    bindings: Bindings,
    types: Vec<TensorType>,
    recorded: Recorded,
}

/// Tensors of all lanes, one lane after the other.
struct Stacked {
    buffer: Buffer,
    /// Where each lane begins, and where the last one ends.
    starts: Vec<usize>,
}

/// Everything a stage can read.
struct Tensors<'a> {
    lowered: &'a Lowered,
    weights: &'a Weights,
    made: Vec<Option<Stacked>>,
}

impl Tensors<'_> {
    /// A tensor of a lane.
    fn of<'t>(&'t self, slot: Slot, lane: usize, session: &'t Session) -> Slice<'t> {
        let root = self.lowered.root[slot];
        if self.lowered.constant[root] {
            return self.weights.constant(root);
        }
        if let Some(stacked) = &self.made[root] {
            return stacked
                .buffer
                .all()
                .part(stacked.starts[lane]..stacked.starts[lane + 1]);
        }
        let state = self.lowered.as_state(root).expect("what is read was made before; qed");
        session.states[state].buffer.all()
    }
}

impl RowSource for Tensors<'_> {
    fn rows(&self, slot: Slot) -> Slice<'_> {
        match &self.made[slot] {
            Some(stacked) => stacked.buffer.all(),
            None => self.weights.constant(slot),
        }
    }
}

impl Executor {
    /// Loads the weights of a program that has been checked.
    ///
    /// # Errors
    ///
    /// If a weight cannot be had or is not what the program declares, or if no run could succeed with them.
    pub fn load<S: WeightSource>(
        program: Program,
        source: &S,
        settings: Settings,
    ) -> Result<Self, LoadError<S::Error>> {
        let lowered = Lowered::new(&program);
        let beginning = Bindings { length: 1, position: 0 };
        let plan = Plan::new(&program, beginning).map_err(PlanFailure)?;
        let first = plan.states.clone();
        let types = all_types(plan);
        let names: Vec<_> = program.weights.iter().map(|weight| weight.name.clone()).collect();
        let weights = Weights::load(settings.isa, &lowered, &types, &names, source)?;
        let ready = |stage: &Stage| match stage {
            Stage::Group(group) => Some(Ready::new(&lowered, group, &types, &weights)),
            _ => None,
        };
        let groups = lowered
            .parts
            .iter()
            .map(|part| part.stages.iter().map(ready).collect())
            .collect();
        Ok(Self {
            program,
            lowered,
            weights,
            groups,
            first,
            settings,
            threads: Threads::new(settings.threads),
        })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// A run that has not begun.
    pub fn session(&self) -> Session {
        Session::new(&self.first)
    }

    /// Takes a step of several runs. What segments hand on is recorded if there is a mode to hash in.
    ///
    /// A run whose step fails is as it was before.
    pub fn step(&self, given: Vec<Given<'_>>, record: Option<&HashMode>) -> Vec<Result<Output, Failure>> {
        let mut results: Vec<Option<Result<Output, Failure>>> = Vec::with_capacity(given.len());
        let mut lanes = Vec::with_capacity(given.len());
        let mut inputs = Vec::with_capacity(given.len());
        for one in given {
            match self.check(&one) {
                Ok((bindings, types)) => {
                    one.session.begin();
                    lanes.push(Lane {
                        session: one.session,
                        bindings,
                        types,
                        recorded: Vec::new(),
                    });
                    inputs.push(one.inputs);
                    results.push(None);
                }
                Err(error) => results.push(Some(Err(error.into()))),
            }
        }
        let done = self.run_lanes(&mut lanes, &inputs, record);
        let mut done = done.into_iter();
        results
            .into_iter()
            .map(|result| result.unwrap_or_else(|| done.next().expect("each lane has a result; qed")))
            .collect()
    }

    /// Whether a step can be taken, and the types of all tensors in it.
    fn check(&self, given: &Given<'_>) -> Result<(Bindings, Vec<TensorType>), InputError> {
        let bindings = Bindings {
            length: given.length,
            position: given.session.position,
        };
        let plan = Plan::new(&self.program, bindings).map_err(|error| InputError::Plan {
            length: bindings.length,
            position: bindings.position,
            error,
        })?;
        let expected = plan.inputs.len();
        if given.inputs.len() != expected {
            let got = given.inputs.len();
            return Err(InputError::Count { expected, got });
        }
        for ((kind, buffer), declaration) in plan.inputs.iter().zip(&given.inputs).zip(&self.program.inputs) {
            let expected = kind.shape.len();
            if kind.dtype != buffer.dtype() || expected != buffer.len() as u64 {
                return Err(InputError::Type {
                    name: declaration.name.clone(),
                    expected,
                    dtype: kind.dtype,
                    got: buffer.len(),
                    of: buffer.dtype(),
                });
            }
        }
        Ok((bindings, all_types(plan)))
    }

    fn run_lanes(
        &self,
        lanes: &mut [Lane<'_>],
        inputs: &[Vec<Buffer>],
        record: Option<&HashMode>,
    ) -> Vec<Result<Output, Failure>> {
        if lanes.is_empty() {
            return Vec::new();
        }
        if let Ok(results) = self.fused(lanes, inputs, record) {
            return results.into_iter().map(Ok).collect();
        }
        // One of the lanes fails. Which one, and where, is found by running each alone, operator by operator; the
        // others lose nothing but time
        lanes
            .iter_mut()
            .zip(inputs)
            .map(|(lane, inputs)| {
                lane.session.undo();
                lane.recorded.clear();
                let done = self.careful(lane, inputs, record);
                if done.is_err() {
                    lane.session.undo();
                }
                done
            })
            .collect()
    }

    fn tensors(&self, lanes: usize, inputs: impl Fn(usize, usize) -> Buffer) -> Tensors<'_> {
        let mut made: Vec<_> = (0..self.lowered.slots()).map(|_| None).collect();
        for input in 0..self.program.inputs.len() {
            let mut buffer = inputs(0, input);
            let mut starts = vec![0, buffer.len()];
            for lane in 1..lanes {
                buffer.extend(inputs(lane, input).all());
                starts.push(buffer.len());
            }
            made[self.lowered.input(input)] = Some(Stacked { buffer, starts });
        }
        Tensors {
            lowered: &self.lowered,
            weights: &self.weights,
            made,
        }
    }

    /// Runs all lanes together, stage by stage.
    fn fused(
        &self,
        lanes: &mut [Lane<'_>],
        inputs: &[Vec<Buffer>],
        record: Option<&HashMode>,
    ) -> Result<Vec<Output>, Fault> {
        let mut tensors = self.tensors(lanes.len(), |lane, input| inputs[lane][input].clone());
        for (part, groups) in self.lowered.parts.iter().zip(&self.groups) {
            for (at, stage) in part.stages.iter().enumerate() {
                match stage {
                    Stage::Group(_) => {
                        let ready = groups[at].as_ref().expect("groups are made ready when loaded; qed");
                        self.group(ready, &mut tensors, lanes)?;
                    }
                    Stage::Attention(attending) => self.attention(attending, &mut tensors, lanes)?,
                    Stage::Append { call, state } => self.append(*call, *state, &tensors, lanes),
                    Stage::Whole { call } => self.whole(*call, None, &mut tensors, lanes)?,
                    Stage::Keep { call, scores } => self.whole(*call, Some(*scores), &mut tensors, lanes)?,
                }
                if at + 1 == part.stages.len() {
                    self.record(&part.hands_on, &tensors, lanes, record);
                }
                for slot in &part.ended[at] {
                    tensors.made[*slot] = None;
                }
            }
            if part.stages.is_empty() {
                self.record(&part.hands_on, &tensors, lanes, record);
            }
        }
        Ok(self.finish(tensors, lanes))
    }

    /// Runs one lane alone, operator by operator.
    fn careful(&self, lane: &mut Lane<'_>, inputs: &[Buffer], record: Option<&HashMode>) -> Result<Output, Failure> {
        let mut tensors = self.tensors(1, |_, input| inputs[input].clone());
        let lanes = std::slice::from_mut(lane);
        let segments = self.program.segments.len();
        for segment in 0..segments {
            let calls = self.lowered.calls.iter().enumerate();
            for (at, call) in calls.filter(|(_, call)| call.place.segment == segment) {
                let root = self.lowered.root[call.output];
                if self.lowered.constant[call.output] {
                    continue;
                }
                if let Some(state) = self.lowered.as_state(root) {
                    self.append_or_alias(at, state, call, &tensors, lanes);
                    continue;
                }
                if root != call.output {
                    continue;
                }
                if let Err(fault) = self.whole(at, None, &mut tensors, lanes) {
                    return Err(Failure::Operator {
                        at: call.place,
                        fault,
                        recorded: std::mem::take(&mut lanes[0].recorded),
                    });
                }
            }
            self.record(&self.lowered.parts[segment].hands_on, &tensors, lanes, record);
        }
        Ok(self.finish(tensors, lanes).remove(0))
    }

    fn append_or_alias(&self, at: usize, state: usize, call: &Call, tensors: &Tensors<'_>, lanes: &mut [Lane<'_>]) {
        // A reshaped state is the state
        if matches!(call.operator, assay_exact::operator::Operator::Concat(_)) {
            self.append(at, state, tensors, lanes);
        }
    }

    fn group(&self, ready: &Ready, tensors: &mut Tensors<'_>, lanes: &[Lane<'_>]) -> Result<(), Fault> {
        // All tensors of a group have as many rows as its first output
        let rows_of = |lane: &Lane<'_>| {
            let dims = lane.types[ready.first()].shape.dims();
            dims.first().map_or(1, |rows| *rows as usize)
        };
        let counts: Vec<_> = lanes.iter().map(rows_of).collect();
        let rows = counts.iter().sum();
        let positions: Vec<u64> = lanes
            .iter()
            .zip(&counts)
            .flat_map(|(lane, rows)| {
                let start = u64::from(lane.bindings.position);
                start..start + *rows as u64
            })
            .collect();
        let outputs = ready.run(self.settings.isa, rows, &positions, tensors, &self.threads)?;
        for ((slot, buffer), (_, _, width)) in outputs.into_iter().zip(ready.outputs()) {
            let mut starts = vec![0];
            let mut at = 0;
            for rows in &counts {
                at += rows * width;
                starts.push(at);
            }
            tensors.made[slot] = Some(Stacked { buffer, starts });
        }
        Ok(())
    }

    fn attention(
        &self,
        Attending { attention, output }: &Attending,
        tensors: &mut Tensors<'_>,
        lanes: &[Lane<'_>],
    ) -> Result<(), Fault> {
        let Attention { heads, .. } = attention;
        let of_token = heads.queries * heads.dimension;
        let of_group = of_token / heads.keys;
        let lengths: Vec<_> = lanes
            .iter()
            .map(|lane| {
                lane.types[*output]
                    .shape
                    .dims()
                    .first()
                    .map_or(0, |length| *length as usize)
            })
            .collect();
        let mut starts = vec![0];
        lengths
            .iter()
            .for_each(|length| starts.push(starts[starts.len() - 1] + length * of_token));
        let all = starts[starts.len() - 1];
        // By lane, then by head of the keys; few of both: by rows as well
        let tasks = lanes.len() * heads.keys;
        let wanted = 2 * self.threads.count();
        let divided = if tasks >= wanted { 1 } else { wanted.div_ceil(tasks) };
        let mut blocks = Vec::new();
        for (lane, length) in lengths.iter().enumerate() {
            let some = length.div_ceil(divided).max(1);
            for group in 0..heads.keys {
                for start in (0..*length).step_by(some) {
                    blocks.push((lane, group, start..(start + some).min(*length)));
                }
            }
        }
        let tensors_read: &Tensors<'_> = tensors;
        let compute = |(lane, group, rows): &(usize, usize, std::ops::Range<usize>)| {
            let session: &Session = &*lanes[*lane].session;
            let of = |slot: Slot| tensors_read.of(slot, *lane, session);
            let integers = |slot: Slot| match of(slot) {
                Slice::I16(x) => x,
                _ => &[],
            };
            let k_magnitudes = of(attention.keys.magnitudes).floats();
            let keys = Keys {
                k: integers(attention.keys.integers),
                k_magnitudes,
                v: integers(attention.values.integers),
                v_magnitudes: of(attention.values.magnitudes).floats(),
                tokens: k_magnitudes.len() / heads.keys,
                heads: heads.keys,
                dimension: heads.dimension,
            };
            let queries = Queries {
                q: of(attention.queries).floats(),
                length: lengths[*lane],
                heads: heads.queries,
                visible: attention.visible,
                factor: attention.scale,
            };
            let mut part = vec![0.0; rows.len() * of_group];
            let block = Block {
                group: *group,
                rows: rows.clone(),
            };
            let output = AttentionOutput {
                o: &mut part,
                stride: of_group,
            };
            let mut scratch = SCRATCH.take();
            let done = attend(self.settings.isa, &keys, &queries, &block, output, &mut scratch);
            SCRATCH.set(scratch);
            done.map(|()| part).map_err(|fault| fault.fault)
        };
        let mut parts = vec![Vec::new(); blocks.len()];
        let of_blocks = blocks.iter().zip(&mut parts).collect();
        self.threads.try_for_each(of_blocks, |(block, part)| {
            compute(block).map(|computed| *part = computed)
        })?;
        let mut out = vec![0.0; all];
        for ((lane, group, rows), part) in blocks.iter().zip(parts) {
            for (row, part) in rows.clone().zip(part.chunks_exact(of_group.max(1))) {
                let at = starts[*lane] + row * of_token + group * of_group;
                out[at..at + of_group].copy_from_slice(part);
            }
        }
        let buffer = Buffer::F32(out);
        let root = self.lowered.root[*output];
        tensors.made[root] = Some(Stacked { buffer, starts });
        Ok(())
    }

    fn append(&self, call: usize, state: usize, tensors: &Tensors<'_>, lanes: &mut [Lane<'_>]) {
        let rows = self.lowered.calls[call].inputs[1];
        for (at, lane) in lanes.iter_mut().enumerate() {
            // What is appended may itself be a state's
            let rows = tensors.of(rows, at, lane.session).to_buffer();
            lane.session.states[state].buffer.extend(rows.all());
        }
    }

    /// One operator, lane by lane. With `scores`, one that keeps chances by ranks or masses, which are not there.
    fn whole(
        &self,
        call: usize,
        scores: Option<Slot>,
        tensors: &mut Tensors<'_>,
        lanes: &[Lane<'_>],
    ) -> Result<(), Fault> {
        let call = &self.lowered.calls[call];
        let mut starts = vec![0];
        for lane in lanes {
            starts.push(starts[starts.len() - 1] + lane.types[call.output].shape.len() as usize);
        }
        let mut buffer = Buffer::zeros(lanes[0].types[call.output].dtype, starts[starts.len() - 1]);
        let mut rest = buffer.all_mut();
        let mut parts = Vec::with_capacity(lanes.len());
        for ends in starts.windows(2) {
            let (part, others) = rest.split_at(ends[1] - ends[0]);
            parts.push(part);
            rest = others;
        }
        let read: &Tensors<'_> = tensors;
        let evaluate = |(at, out): (usize, crate::executor::buffer::SliceMut<'_>), threads: &Threads| {
            let lane = &lanes[at];
            let kinds: Vec<_> = call.inputs.iter().map(|slot| lane.types[*slot]).collect();
            if let Some(packed) = self.weights.packed(&self.lowered, call) {
                let magnitudes = call.inputs.get(2).map(|slot| read.of(*slot, at, lane.session));
                let x = (&kinds[0], read.of(call.inputs[0], at, lane.session), magnitudes);
                return whole::product_with(self.settings.isa, &call.operator, x, packed, out, threads);
            }
            let of = |slot: &Slot| read.of(*slot, at, lane.session);
            if let (assay_exact::operator::Operator::Lookup, [table, indices]) =
                (&call.operator, call.inputs.as_slice())
            {
                if let Some(table) = self.weights.table(self.lowered.root[*table]) {
                    return whole::lookup_packed(table, of(indices).indices(), out);
                }
            }
            if let Some(scores) = &scores {
                let others = call.inputs[2..].iter().map(of).collect::<Vec<_>>();
                let width = kinds[0].shape.row() as usize;
                whole::keep(
                    self.settings.isa,
                    (of(&call.inputs[0]), of(scores)),
                    width,
                    &others,
                    out,
                );
                return Ok(());
            }
            let inputs: Vec<_> = call.inputs.iter().map(of).collect();
            whole::evaluate(
                self.settings.isa,
                &call.operator,
                &kinds,
                &inputs,
                lane.types[call.output],
                lane.bindings,
                out,
                threads,
            )
        };
        let parts = parts.into_iter().enumerate();
        if lanes.len() < self.threads.count() {
            for part in parts {
                evaluate(part, &self.threads)?;
            }
        } else {
            self.threads
                .try_for_each(parts.collect(), |part| evaluate(part, Threads::alone()))?;
        }
        tensors.made[call.output] = Some(Stacked { buffer, starts });
        Ok(())
    }

    /// Notes the digests of what a segment hands on.
    fn record(&self, hands_on: &[Slot], tensors: &Tensors<'_>, lanes: &mut [Lane<'_>], record: Option<&HashMode>) {
        let Some(mode) = record else { return };
        let digests = |(at, lane): (usize, &mut Lane<'_>)| {
            let mut digests = Vec::with_capacity(hands_on.len());
            for slot in hands_on {
                let state = self.lowered.as_state(self.lowered.root[*slot]);
                let digest = match state.filter(|state| self.lowered.appended[*state]) {
                    Some(state) => lane.session.states[state].digest(mode),
                    None => mode.digest(tensors.of(*slot, at, lane.session).bytes()),
                };
                digests.push(digest);
            }
            lane.recorded.push(digests);
        };
        self.threads.for_each(lanes.iter_mut().enumerate().collect(), digests);
    }

    /// Takes out the results, and makes the states those of the next step.
    fn finish(&self, tensors: Tensors<'_>, lanes: &mut [Lane<'_>]) -> Vec<Output> {
        lanes
            .iter_mut()
            .enumerate()
            .map(|(at, lane)| {
                let result = |slot: &Slot| {
                    let buffer = tensors.of(*slot, at, lane.session).to_buffer();
                    (lane.types[*slot], buffer)
                };
                let results = self.lowered.results.iter().map(result).collect();
                let next: Vec<_> = self
                    .lowered
                    .next
                    .iter()
                    .enumerate()
                    .map(|(state, slot)| {
                        let stays = self.lowered.root[*slot] == self.lowered.state(state);
                        (!stays).then(|| tensors.of(*slot, at, lane.session).to_buffer())
                    })
                    .collect();
                for (held, next) in lane.session.states.iter_mut().zip(next) {
                    if let Some(next) = next {
                        held.replace(next);
                    }
                }
                lane.session.position += lane.bindings.length;
                Output {
                    results,
                    recorded: std::mem::take(&mut lane.recorded),
                }
            })
            .collect()
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}
