//! The encoded form of a program: what repeats is written once.
//!
//! Layers of a model are the same operators with other weights. So a segment is written as a *body*, its operators with
//! numbered arguments in place of whatever comes from outside of the segment, and the arguments; and bodies that are
//! equal are written once. Types of declared tensors are written once too, and each name as what it adds to the one
//! before. `docs/exact/programs.md` has the layout byte by byte.
//!
//! Every program has one encoding. What is read here may still be another one of the same program: whoever decodes
//! must encode again and compare.

use super::{
    Declaration, Instruction, Program, ProgramError, Segment, State, Value, MAX_DECLARATIONS, MAX_EXPANDED, MAX_INPUTS,
    MAX_INSTRUCTIONS, MAX_NAME, MAX_SEGMENTS, VERSION,
};
use crate::{
    operator::{Dim, Operator},
    tensor::{DType, MAX_RANK},
};
use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};
use codec::{Compact, Decode, Encode};

/// Kinds of values, in the low three bits of what stands for one.
mod kind {
    pub(super) const BITS: u32 = 3;
    pub(super) const WEIGHT: u32 = 0;
    pub(super) const INPUT: u32 = 1;
    pub(super) const STATE: u32 = 2;
    pub(super) const OPERATOR: u32 = 3;
    pub(super) const HANDED: u32 = 4;
}

/// An encoded program.
pub(super) struct Encoded {
    /// What is stored and hashed.
    pub(super) bytes: Vec<u8>,
    /// What the bodies of all segments would take if each were written out.
    pub(super) expanded: usize,
}

/// Encodes a program, also one that would not pass a check.
pub(super) fn encode(program: &Program) -> Encoded {
    let mut bytes = program.version.encode();
    declarations(program, &mut bytes);
    program.states.iter().for_each(|state| value(state.next, &mut bytes));

    let mut bodies = BTreeMap::new();
    let (mut listed, mut segments) = (Vec::new(), Vec::new());
    let mut expanded = 0usize;
    for segment in &program.segments {
        let (body, arguments) = body(segment);
        expanded = expanded.saturating_add(body.len());
        let next = bodies.len();
        let index = *bodies.entry(body).or_insert_with_key(|body| {
            listed.extend_from_slice(body);
            next
        });
        number(index, &mut segments);
        arguments
            .into_iter()
            .for_each(|argument| value(argument, &mut segments));
    }
    number(bodies.len(), &mut bytes);
    bytes.append(&mut listed);
    number(program.segments.len(), &mut bytes);
    bytes.append(&mut segments);

    number(program.results.len(), &mut bytes);
    program.results.iter().for_each(|result| value(*result, &mut bytes));
    Encoded { bytes, expanded }
}

fn number(number: usize, out: &mut Vec<u8>) {
    Compact(number as u64).encode_to(out);
}

/// The types of declared tensors, then the tensors themselves.
fn declarations(program: &Program, out: &mut Vec<u8>) {
    let states = program.states.iter().map(|state| &state.declaration);
    let declared = || program.weights.iter().chain(&program.inputs).chain(states.clone());
    let mut types = BTreeMap::new();
    let (mut listed, mut tensors) = (Vec::new(), Vec::new());
    let mut before: &str = "";
    for Declaration { name, dtype, shape } in declared() {
        let next = types.len();
        let index = *types.entry((dtype, shape).encode()).or_insert_with_key(|new| {
            listed.extend_from_slice(new);
            next
        });
        let shared = before.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        number(index, &mut tensors);
        number(shared, &mut tensors);
        name.as_bytes()[shared..].encode_to(&mut tensors);
        before = name;
    }
    number(types.len(), out);
    out.append(&mut listed);
    [program.weights.len(), program.inputs.len(), program.states.len()]
        .into_iter()
        .for_each(|count| number(count, out));
    out.append(&mut tensors);
}

fn value(value: Value, out: &mut Vec<u8>) {
    let tagged = |index: u16, kind: u32| Compact(u32::from(index) << kind::BITS | kind);
    match value {
        Value::Weight(weight) => tagged(weight, kind::WEIGHT).encode_to(out),
        Value::Input(input) => tagged(input, kind::INPUT).encode_to(out),
        Value::State(state) => tagged(state, kind::STATE).encode_to(out),
        Value::Operator(operator) => tagged(operator, kind::OPERATOR).encode_to(out),
        Value::Handed(segment, tensor) => {
            tagged(segment, kind::HANDED).encode_to(out);
            number(tensor.into(), out);
        }
    }
}

/// A segment's body, encoded, and its arguments in the order of their numbers.
fn body(segment: &Segment) -> (Vec<u8>, Vec<Value>) {
    let mut bytes = Vec::new();
    let mut numbers = BTreeMap::new();
    let mut arguments = Vec::new();
    number(segment.instructions.len(), &mut bytes);
    for Instruction { operator, inputs } in &segment.instructions {
        operator.encode_to(&mut bytes);
        number(inputs.len(), &mut bytes);
        for input in inputs {
            let input = match input {
                Value::Operator(operator) => usize::from(*operator) << 1,
                outer => {
                    let argument = *numbers.entry(*outer).or_insert_with(|| {
                        arguments.push(*outer);
                        arguments.len() - 1
                    });
                    argument << 1 | 1
                }
            };
            number(input, &mut bytes);
        }
    }
    number(segment.hands_on.len(), &mut bytes);
    segment
        .hands_on
        .iter()
        .for_each(|operator| number((*operator).into(), &mut bytes));
    (bytes, arguments)
}

/// Where an input of a body's operator comes from.
#[derive(Clone, Copy)]
enum Origin {
    Operator(u16),
    Argument(usize),
}

/// A body as it is read.
struct Body {
    instructions: Vec<(Operator, Vec<Origin>)>,
    hands_on: Vec<u16>,
    /// How many arguments it takes.
    arguments: usize,
    /// Bytes of its encoding.
    length: usize,
}

impl Body {
    /// The segment with these arguments, as many as the body takes.
    fn segment(&self, arguments: &[Value]) -> Segment {
        let input = |origin: &Origin| match *origin {
            Origin::Operator(operator) => Value::Operator(operator),
            Origin::Argument(argument) => arguments[argument],
        };
        let instructions = self.instructions.iter().map(|(operator, inputs)| Instruction {
            operator: operator.clone(),
            inputs: inputs.iter().map(input).collect(),
        });
        Segment {
            instructions: instructions.collect(),
            hands_on: self.hands_on.clone(),
        }
    }
}

/// What is left of an encoding.
struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

/// Decodes a program. Takes memory in proportion to the bytes and the limits, whatever the bytes are.
pub(super) fn decode(bytes: &[u8]) -> Result<Program, ProgramError> {
    let mut reader = Reader {
        rest: bytes,
        length: bytes.len(),
    };
    let version = reader.next("a version")?;
    if version != VERSION {
        return Err(ProgramError::Version(version));
    }
    let (weights, inputs, states) = reader.declarations()?;
    let states = states
        .into_iter()
        .map(|declaration| {
            let next = reader.value()?;
            Ok(State { declaration, next })
        })
        .collect::<Result<_, _>>()?;
    let segments = reader.segments()?;
    let results = reader.count("a number of results")?;
    let results = reader.many(results, Reader::value)?;
    if !reader.rest.is_empty() {
        return Err(reader.expected("the end"));
    }
    Ok(Program {
        version,
        weights,
        inputs,
        states,
        segments,
        results,
    })
}

type Declarations = (Vec<Declaration>, Vec<Declaration>, Vec<Declaration>);

impl Reader<'_> {
    fn expected(&self, expected: &'static str) -> ProgramError {
        ProgramError::Encoding {
            at: self.length - self.rest.len(),
            expected,
        }
    }

    /// Something with an encoding of its own. Nothing is consumed if it is not there, so that errors say where.
    fn next<T: Decode>(&mut self, expected: &'static str) -> Result<T, ProgramError> {
        let mut rest = self.rest;
        let read = T::decode(&mut rest).map_err(|_| self.expected(expected))?;
        self.rest = rest;
        Ok(read)
    }

    fn count(&mut self, expected: &'static str) -> Result<usize, ProgramError> {
        let Compact(count) = self.next::<Compact<u32>>(expected)?;
        Ok(count as usize)
    }

    fn short(&mut self, expected: &'static str) -> Result<u16, ProgramError> {
        let at = self.expected(expected);
        u16::try_from(self.count(expected)?).map_err(|_| at)
    }

    /// So many of the same. No memory is reserved for what may not be there.
    fn many<T>(
        &mut self,
        count: usize,
        mut next: impl FnMut(&mut Self) -> Result<T, ProgramError>,
    ) -> Result<Vec<T>, ProgramError> {
        let mut read = Vec::new();
        for _ in 0..count {
            read.push(next(self)?);
        }
        Ok(read)
    }

    fn declarations(&mut self) -> Result<Declarations, ProgramError> {
        let types = self.count("a number of types")?;
        let types = self.many(types, |reader| reader.declared_type())?;
        let [weights, inputs, states] = ["weights", "inputs", "states"].map(|what| {
            let got = self.count("a number of tensors")?;
            at_most(what, MAX_DECLARATIONS, got)
        });
        let (weights, inputs, states) = (weights?, inputs?, states?);
        let mut before = String::new();
        let mut declaration = |reader: &mut Self| {
            let unknown = reader.expected("the number of a type");
            let index = reader.count("the number of a type")?;
            let (dtype, shape) = types.get(index).cloned().ok_or(unknown)?;
            before = reader.name(&before)?;
            let name = before.clone();
            Ok(Declaration { name, dtype, shape })
        };
        Ok((
            self.many(weights, &mut declaration)?,
            self.many(inputs, &mut declaration)?,
            self.many(states, &mut declaration)?,
        ))
    }

    fn declared_type(&mut self) -> Result<(DType, Vec<Dim>), ProgramError> {
        let dtype = self.next("a type of elements")?;
        let rank = self.count("a number of dimensions")?;
        at_most("dimensions of a declared tensor", MAX_RANK, rank)?;
        let shape = self.many(rank, |reader| reader.next("a dimension"))?;
        Ok((dtype, shape))
    }

    fn name(&mut self, before: &str) -> Result<String, ProgramError> {
        let wrong = self.expected("a name of UTF-8");
        let shared = self.count("bytes in common with the name before")?;
        let kept = before.as_bytes().get(..shared).ok_or(wrong)?;
        let added = self.count("bytes of a name")?;
        at_most("bytes of a name", MAX_NAME, shared.saturating_add(added))?;
        let (added, rest) = self.rest.split_at_checked(added).ok_or(wrong)?;
        let name = [kept, added].concat();
        let name = core::str::from_utf8(&name).map_err(|_| wrong)?.to_string();
        self.rest = rest;
        Ok(name)
    }

    fn value(&mut self) -> Result<Value, ProgramError> {
        let wrong = self.expected("a value");
        let Compact(tagged) = self.next::<Compact<u32>>("a value")?;
        let index = u16::try_from(tagged >> kind::BITS).map_err(|_| wrong)?;
        Ok(match tagged & ((1 << kind::BITS) - 1) {
            kind::WEIGHT => Value::Weight(index),
            kind::INPUT => Value::Input(index),
            kind::STATE => Value::State(index),
            kind::OPERATOR => Value::Operator(index),
            kind::HANDED => Value::Handed(index, self.short("a tensor that is handed on")?),
            _ => return Err(wrong),
        })
    }

    fn segments(&mut self) -> Result<Vec<Segment>, ProgramError> {
        let bodies = self.count("a number of bodies")?;
        at_most("bodies", MAX_SEGMENTS, bodies)?;
        let bodies = self.many(bodies, Self::body)?;
        let segments = self.count("a number of segments")?;
        at_most("segments", MAX_SEGMENTS, segments)?;
        let (mut instructions, mut expanded) = (0, 0);
        self.many(segments, |reader| {
            let unknown = reader.expected("the number of a body");
            let index = reader.count("the number of a body")?;
            let body = bodies.get(index).ok_or(unknown)?;
            // Few bytes name much: limits come before memory
            instructions += body.instructions.len();
            at_most("operators", MAX_INSTRUCTIONS, instructions)?;
            expanded += body.length;
            at_most("bytes of written-out segments", MAX_EXPANDED, expanded)?;
            let arguments = reader.many(body.arguments, Self::value)?;
            Ok(body.segment(&arguments))
        })
    }

    fn body(&mut self) -> Result<Body, ProgramError> {
        let before = self.rest.len();
        let mut arguments = 0;
        let count = self.count("a number of operators")?;
        let instructions = self.many(count, |reader| {
            let operator = reader.next("an operator")?;
            let count = reader.count("a number of inputs")?;
            at_most("inputs of an operator", MAX_INPUTS, count)?;
            let inputs = reader.many(count, |reader| reader.origin(&mut arguments))?;
            Ok((operator, inputs))
        })?;
        let count = self.count("a number of operators that are handed on")?;
        let hands_on = self.many(count, |reader| reader.short("an operator that is handed on"))?;
        Ok(Body {
            instructions,
            hands_on,
            arguments,
            length: before - self.rest.len(),
        })
    }

    /// An input of a body's operator, where `arguments` have occurred so far.
    fn origin(&mut self, arguments: &mut usize) -> Result<Origin, ProgramError> {
        let wrong = self.expected("an operator, or an argument that is the next or not new");
        let input = self.count("an input")?;
        let index = input >> 1;
        if input & 1 == 0 {
            return u16::try_from(index).map(Origin::Operator).map_err(|_| wrong);
        }
        if index > *arguments {
            return Err(wrong);
        }
        *arguments = (*arguments).max(index + 1);
        Ok(Origin::Argument(index))
    }
}

/// `got`, if it is no more than `most`.
pub(super) fn at_most(what: &'static str, most: usize, got: usize) -> Result<usize, ProgramError> {
    if got > most {
        return Err(ProgramError::TooMany { what, most, got });
    }
    Ok(got)
}
