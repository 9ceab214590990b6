//! Programs with their weights on a device, step by step.
//!
//! A step tells the device everything at once and then waits: what comes back are results, digests, and for each operator
//! the lowest element that is faulty. Only if there is one, the inputs of the first such operator are fetched, and the
//! reference says what is wrong with that element.

mod faults;
mod outcome;
mod session;
mod weights;

pub use outcome::{Failure, Given, InputError, Output};
pub use session::Session;
pub use weights::LoadError;

use crate::{
    array::{Array, Kind},
    device::{Device, DeviceError, Memory},
    hash,
    lower::{all_types, Call, Lowered, Slot, Way},
    operators::{Given as OperatorInput, Launcher, FAULT_BYTES},
};
use assay_exact::{
    opening::{Digest, HashMode},
    operator::{Bindings, TensorType},
    program::{Plan, Program},
};
use std::{collections::HashMap, sync::Arc};
use weights::Weights;

/// Elements that the largest tensors of runs that go together have at most: kernels count them in 32 bits.
const MAX_TOGETHER: u64 = 1 << 30;

/// A program with its weights on a device, ready to run.
#[derive(Debug)]
pub struct Executor {
    device: Arc<dyn Device>,
    program: Program,
    lowered: Lowered,
    weights: Weights,
    first: Vec<TensorType>,
}

/// A step of one run, while it runs.
struct Lane<'a> {
    session: &'a mut Session,
    bindings: Bindings,
    types: Vec<TensorType>,
    inputs: Vec<Vec<u8>>,
}

/// A tensor of all lanes, one lane after the other.
struct Stacked {
    array: Array,
    /// Bytes before each lane, and of all.
    starts: Vec<usize>,
}

impl Stacked {
    fn of(&self, lane: usize) -> Array {
        self.array.part(self.starts[lane]..self.starts[lane + 1])
    }
}

/// Tensors of a step.
type Made = HashMap<Slot, Stacked>;

/// A step that the device has been told.
struct Told {
    made: Made,
    /// For each operator the lowest faulty element.
    faults: Memory,
    /// Digests, for each segment those of all lanes.
    digests: Option<Memory>,
}

/// What the device said about a step.
struct Answer {
    made: Made,
    /// The first operator that failed, and the lowest of its elements that did.
    fault: Option<(usize, u32)>,
    digests: Vec<u8>,
}

impl Executor {
    /// Loads the weights of a program that has been checked. `read` gives the bytes of a weight by its number.
    ///
    /// # Errors
    ///
    /// If a weight cannot be had or is not what the program declares, if no run could succeed with them, or if the device
    /// has no room.
    pub fn load<E>(
        program: Program,
        device: Arc<dyn Device>,
        read: impl FnMut(usize) -> Result<Vec<u8>, E>,
    ) -> Result<Self, LoadError<E>> {
        let lowered = Lowered::new(&program);
        let beginning = Bindings { length: 1, position: 0 };
        let plan = Plan::new(&program, beginning).map_err(LoadError::Plan)?;
        let first = plan.states.clone();
        let types = all_types(plan);
        let names: Vec<_> = program.weights.iter().map(|weight| weight.name.clone()).collect();
        let weights = Weights::load(&device, &lowered, &types, &names, read)?;
        Ok(Self {
            device,
            program,
            lowered,
            weights,
            first,
        })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// What it runs on.
    pub fn device(&self) -> &Arc<dyn Device> {
        &self.device
    }

    /// A run that has not begun.
    ///
    /// # Errors
    ///
    /// If the device has no room for its states.
    pub fn session(&self) -> Result<Session, DeviceError> {
        Session::new(&self.device, &self.first)
    }

    /// Takes a step of several runs. What segments hand on is recorded if there is a mode to hash in.
    ///
    /// A run whose step fails is as it was before.
    pub fn step(&self, given: Vec<Given<'_>>, record: Option<&HashMode>) -> Vec<Result<Output, Failure>> {
        let mut results: Vec<Option<Result<Output, Failure>>> = Vec::with_capacity(given.len());
        let mut lanes = Vec::with_capacity(given.len());
        for one in given {
            match self.check(one) {
                Ok(lane) => {
                    lanes.push(lane);
                    results.push(None);
                }
                Err(error) => results.push(Some(Err(error.into()))),
            }
        }
        let mut done = Vec::with_capacity(lanes.len());
        let mut rest = &mut lanes[..];
        while !rest.is_empty() {
            let (some, others) = rest.split_at_mut(together(rest));
            done.extend(self.run(some, record));
            rest = others;
        }
        let mut done = done.into_iter();
        results
            .into_iter()
            .map(|result| result.unwrap_or_else(|| done.next().expect("each lane has a result; qed")))
            .collect()
    }

    /// Whether a step can be taken, and the types of all tensors in it.
    fn check<'a>(&self, given: Given<'a>) -> Result<Lane<'a>, InputError> {
        let bindings = Bindings {
            length: given.length,
            position: given.session.position(),
        };
        let plan = Plan::new(&self.program, bindings).map_err(|error| InputError::Plan {
            length: bindings.length,
            position: bindings.position,
            error,
        })?;
        let (expected, got) = (plan.inputs.len(), given.inputs.len());
        if expected != got {
            return Err(InputError::Count { expected, got });
        }
        for ((kind, bytes), declaration) in plan.inputs.iter().zip(&given.inputs).zip(&self.program.inputs) {
            let (expected, got) = (Kind::from(kind).bytes(), bytes.len());
            if expected != got {
                let name = declaration.name.clone();
                return Err(InputError::Size { name, expected, got });
            }
        }
        Ok(Lane {
            session: given.session,
            bindings,
            types: all_types(plan),
            inputs: given.inputs,
        })
    }

    /// Runs lanes together; if one of them fails, each alone.
    fn run(&self, lanes: &mut [Lane<'_>], record: Option<&HashMode>) -> Vec<Result<Output, Failure>> {
        match self.attempt(lanes, record) {
            Ok(Answer {
                made,
                fault: None,
                digests,
            }) => match self.finish(made, &digests, lanes, record) {
                Ok(outputs) => outputs.into_iter().map(Ok).collect(),
                Err(error) => lanes.iter().map(|_| Err(error.clone().into())).collect(),
            },
            Ok(Answer {
                fault: Some((call, element)),
                digests,
                ..
            }) if lanes.len() == 1 => vec![Err(self.explain(&mut lanes[0], call, element, &digests, record))],
            Ok(_) => lanes.chunks_mut(1).flat_map(|lane| self.run(lane, record)).collect(),
            Err(error) => lanes.iter().map(|_| Err(error.clone().into())).collect(),
        }
    }

    /// Tells the device a step and waits for it. If anything fails, the runs are as they were before.
    fn attempt(&self, lanes: &mut [Lane<'_>], record: Option<&HashMode>) -> Result<Answer, DeviceError> {
        lanes.iter_mut().for_each(|lane| lane.session.begin());
        let answer = self.tell(lanes, record, self.lowered.calls.len()).and_then(|told| {
            let mut faults = vec![0; told.faults.bytes()];
            self.device.download(told.faults.address(), &mut faults)?;
            let mut digests = vec![0; told.digests.as_ref().map_or(0, Memory::bytes)];
            if let Some(memory) = &told.digests {
                self.device.download(memory.address(), &mut digests)?;
            }
            let faults: Vec<u32> = assay_exact::tensor::from_bytes(&faults);
            let mut calls = faults.into_iter().take(self.lowered.calls.len()).enumerate();
            Ok(Answer {
                made: told.made,
                fault: calls.find(|(_, element)| *element != u32::MAX),
                digests,
            })
        });
        if !matches!(answer, Ok(Answer { fault: None, .. })) {
            lanes.iter_mut().for_each(|lane| lane.session.undo());
        }
        answer
    }

    /// Tells the device the first `calls` operators of a step.
    fn tell(&self, lanes: &mut [Lane<'_>], record: Option<&HashMode>, calls: usize) -> Result<Told, DeviceError> {
        let faults = Memory::new(&self.device, self.lowered.calls.len() * FAULT_BYTES)?;
        self.device.fill(faults.address(), 0xff, faults.bytes())?;
        let tensors: usize = self.lowered.hands_on.iter().map(Vec::len).sum();
        let digests = match record {
            Some(_) => Some(Memory::new(&self.device, lanes.len() * tensors * Digest::LEN)?),
            None => None,
        };
        let mut digest = digests.as_ref().map_or(0, Memory::address);
        let mut made = self.upload(lanes)?;
        for (at, call) in self.lowered.calls[..calls].iter().enumerate() {
            let fault = faults.address() + (at * FAULT_BYTES) as u64;
            match call.way {
                Way::Known => {}
                Way::Append(state) => self.append(call, state, &made, lanes)?,
                Way::Rows if lanes.len() > 1 && has_common_rows(&self.lowered, call, lanes) => {
                    let stacked = self.by_rows(call, &made, lanes, fault)?;
                    made.insert(call.output, stacked);
                }
                Way::Rows | Way::Whole => {
                    let stacked = self.lane_by_lane(call, &made, lanes, fault)?;
                    made.insert(call.output, stacked);
                }
            }
            let is_last = self.lowered.calls.get(at + 1).map(|next| next.place.segment) != Some(call.place.segment);
            if let Some(mode) = record.filter(|_| is_last) {
                for (at, lane) in lanes.iter().enumerate() {
                    for slot in &self.lowered.hands_on[call.place.segment] {
                        let array = self.of(*slot, at, lane.session, &made);
                        hash::digest(&self.device, mode, &array, digest)?;
                        digest += Digest::LEN as u64;
                    }
                }
            }
            for slot in &call.ended {
                made.remove(slot);
            }
        }
        Ok(Told { made, faults, digests })
    }

    fn upload(&self, lanes: &[Lane<'_>]) -> Result<Made, DeviceError> {
        let mut made = Made::new();
        for input in 0..self.program.inputs.len() {
            let bytes: Vec<u8> = lanes.iter().flat_map(|lane| &lane.inputs[input]).copied().collect();
            let stacked = Stacked {
                array: Array::from_bytes(&self.device, &bytes)?,
                starts: starts(lanes.iter().map(|lane| lane.inputs[input].len())),
            };
            made.insert(self.lowered.first_input + input, stacked);
        }
        Ok(made)
    }

    /// A tensor of a lane.
    fn of(&self, slot: Slot, lane: usize, session: &Session, made: &Made) -> Array {
        let root = self.lowered.root[slot];
        if let Some(stacked) = made.get(&root) {
            return stacked.of(lane);
        }
        match self.lowered.as_state(root) {
            Some(state) => session.array(state),
            None => self.weights.array(root),
        }
    }

    fn append(&self, call: &Call, state: usize, made: &Made, lanes: &mut [Lane<'_>]) -> Result<(), DeviceError> {
        for (at, lane) in lanes.iter_mut().enumerate() {
            let rows = self.of(call.inputs[1], at, lane.session, made);
            lane.session.append(&self.device, state, &rows)?;
        }
        Ok(())
    }

    /// Computes an operator of the rows of all lanes.
    fn by_rows(&self, call: &Call, made: &Made, lanes: &[Lane<'_>], fault: u64) -> Result<Stacked, DeviceError> {
        let lowered = &self.lowered;
        let rows = |lane: &Lane<'_>| lane.types[call.output].shape.dims()[0];
        let all = lanes.iter().map(rows).sum();
        let inputs: Vec<_> = call
            .inputs
            .iter()
            .map(|slot| {
                let kind = Kind::from(&lanes[0].types[*slot]);
                match made.get(&lowered.root[*slot]) {
                    Some(stacked) => OperatorInput {
                        kind: kind.with_rows(all),
                        array: stacked.array.clone(),
                        planes: None,
                    },
                    None => OperatorInput {
                        kind,
                        array: self.weights.array(lowered.root[*slot]),
                        planes: self.weights.planes(lowered, call, *slot),
                    },
                }
            })
            .collect();
        let kind = Kind::from(&lanes[0].types[call.output]).with_rows(all);
        let array = Array::new(&self.device, kind.bytes())?;
        self.launcher(lanes[0].bindings, fault)
            .run(&call.operator, &inputs, &kind, &array)?;
        let own = lanes.iter().map(|lane| Kind::from(&lane.types[call.output]).bytes());
        Ok(Stacked {
            array,
            starts: starts(own),
        })
    }

    /// Computes an operator for each lane.
    fn lane_by_lane(&self, call: &Call, made: &Made, lanes: &[Lane<'_>], fault: u64) -> Result<Stacked, DeviceError> {
        let kinds: Vec<_> = lanes.iter().map(|lane| Kind::from(&lane.types[call.output])).collect();
        let starts = starts(kinds.iter().map(Kind::bytes));
        let array = Array::new(&self.device, starts[lanes.len()])?;
        let stacked = Stacked { array, starts };
        for (at, (lane, kind)) in lanes.iter().zip(&kinds).enumerate() {
            let inputs = self.inputs(call, at, lane, made);
            self.launcher(lane.bindings, fault)
                .run(&call.operator, &inputs, kind, &stacked.of(at))?;
        }
        Ok(stacked)
    }

    fn inputs(&self, call: &Call, at: usize, lane: &Lane<'_>, made: &Made) -> Vec<OperatorInput> {
        let slots = call.inputs.iter();
        slots
            .map(|slot| OperatorInput {
                kind: Kind::from(&lane.types[*slot]),
                array: self.of(*slot, at, lane.session, made),
                planes: self.weights.planes(&self.lowered, call, *slot),
            })
            .collect()
    }

    fn launcher(&self, bindings: Bindings, fault: u64) -> Launcher<'_> {
        Launcher {
            device: &self.device,
            bindings,
            fault,
        }
    }

    /// Digests of a lane's segments, the first `segments` of them.
    fn recorded(
        &self,
        digests: &[u8],
        (lane, lanes): (usize, usize),
        segments: usize,
        record: Option<&HashMode>,
    ) -> Vec<Vec<Digest>> {
        if record.is_none() {
            return Vec::new();
        }
        let mut rest = digests;
        let counts = self.lowered.hands_on[..segments].iter().map(Vec::len);
        counts
            .map(|count| {
                let (own, others) = rest.split_at(count * lanes * Digest::LEN);
                rest = others;
                let own = &own[lane * count * Digest::LEN..][..count * Digest::LEN];
                let digests = own.chunks_exact(Digest::LEN);
                digests
                    .map(|bytes| Digest(bytes.try_into().expect("chunks are as long as a digest; qed")))
                    .collect()
            })
            .collect()
    }

    /// Takes out the results, and makes the states those of the next step.
    fn finish(
        &self,
        made: Made,
        digests: &[u8],
        lanes: &mut [Lane<'_>],
        record: Option<&HashMode>,
    ) -> Result<Vec<Output>, DeviceError> {
        let count = lanes.len();
        let mut outputs = Vec::with_capacity(count);
        let mut states = Vec::with_capacity(count);
        for (at, lane) in lanes.iter_mut().enumerate() {
            let mut results = Vec::with_capacity(self.lowered.results.len());
            for slot in &self.lowered.results {
                let bytes = self.of(*slot, at, lane.session, &made).to_bytes(&self.device)?;
                results.push((lane.types[*slot], bytes));
            }
            let mut next = Vec::with_capacity(self.lowered.next.len());
            for (state, slot) in self.lowered.next.iter().enumerate() {
                if self.lowered.root[*slot] == self.lowered.first_state + state {
                    next.push(None);
                    continue;
                }
                let array = self.of(*slot, at, lane.session, &made);
                // What several lanes share the memory of would keep all of it
                next.push(Some(match count {
                    1 => array,
                    _ => {
                        let own = Array::new(&self.device, array.bytes())?;
                        self.device.copy(array.address(), own.address(), array.bytes())?;
                        own
                    }
                }));
            }
            states.push(next);
            outputs.push(Output {
                results,
                recorded: self.recorded(digests, (at, count), self.lowered.hands_on.len(), record),
            });
        }
        for (lane, next) in lanes.iter_mut().zip(states) {
            lane.session.end(lane.bindings.length, next);
        }
        Ok(outputs)
    }
}

/// Bytes before each of several parts, and of all.
fn starts(parts: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut starts = vec![0];
    let mut end = 0;
    for part in parts {
        end += part;
        starts.push(end);
    }
    starts
}

/// How many of these lanes can run together.
fn together(lanes: &[Lane<'_>]) -> usize {
    let mut elements = 0;
    let largest = |lane: &Lane<'_>| lane.types.iter().map(|kind| kind.shape.len()).max().unwrap_or(0);
    let fitting = lanes.iter().take_while(|lane| {
        elements += largest(lane);
        elements <= MAX_TOGETHER
    });
    fitting.count().max(1)
}

/// Whether in every lane all inputs that are not the same in every step have as many rows as the output.
fn has_common_rows(lowered: &Lowered, call: &Call, lanes: &[Lane<'_>]) -> bool {
    lanes.iter().all(|lane| {
        let rows = |slot: &Slot| lane.types[*slot].shape.dims().first().copied();
        let mut changing = call.inputs.iter().filter(|slot| !lowered.constant[**slot]);
        changing.all(|slot| rows(slot) == rows(&call.output))
    })
}
