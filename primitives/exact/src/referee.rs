//! The referee of a dispute: recomputes one element, or one group's part of it, from openings of its inputs.
//!
//! It runs the very definition of the operator, over what was opened instead of over whole tensors. The party
//! that has the tensors finds out what has to be opened by running the same definition and noting what it reads.
//!
//! Who has no program at hand sends everything in one [`Request`].

mod request;
#[cfg(test)]
mod tests;

pub use request::{Input, Request, RequestError, MAX_REQUEST};

use crate::{
    memory::Tensor,
    opening::{CutError, Digest, HashMode, Opened, OpenedTensor, Opening, OpeningError},
    operator::{Call, Fault, Partial},
    tensor::{Element, Missing, Source},
};
use alloc::{borrow::Cow, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::{cell::RefCell, fmt, ops::Range};

/// Most bytes of the encoded openings of a question.
pub const MAX_OPENED: usize = 64 << 10;

/// What is recomputed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Question {
    /// An element that is reduced over at most one group.
    Element(u64),
    /// What a group contributes to an element.
    Group {
        /// The element.
        element: u64,
        /// The group.
        group: u64,
    },
    /// An element, out of what all groups contribute to it.
    Combination {
        /// The element.
        element: u64,
        /// The groups' partials, in order.
        partials: Vec<Partial>,
    },
}

/// What a recomputation gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "scale-info", derive(scale_info::TypeInfo))]
pub enum Answer {
    /// The element's bits.
    Element(u64),
    /// What the group contributes.
    Partial(Partial),
    /// There is no such element: the operator fails.
    Fault(Fault),
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefereeError {
    /// There is no such element.
    Element {
        /// The element asked for.
        got: u64,
        /// Elements of the output.
        below: u64,
    },
    /// There is no such group.
    Group {
        /// The group asked for.
        got: u64,
        /// Groups of an element.
        below: u64,
    },
    /// The element is reduced over several groups: its groups are asked for one by one.
    Long(u64),
    /// Not as many partials as groups, or of another kind.
    Partials,
    /// Not as many openings as inputs.
    Openings {
        /// Inputs of the operator.
        expected: usize,
        /// Openings.
        got: usize,
    },
    /// The openings are larger than [`MAX_OPENED`].
    TooLarge(usize),
    /// An opening is none of the input.
    Opening {
        /// Which input.
        input: usize,
        /// Why not.
        error: OpeningError,
    },
    /// Something that is needed was not opened.
    Missing(Missing),
}

impl fmt::Display for RefereeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element { got, below } => write!(f, "the output has {below} elements, element {got} was asked for"),
            Self::Group { got, below } => write!(f, "an element has {below} groups, group {got} was asked for"),
            Self::Long(groups) => write!(
                f,
                "the element is reduced over {groups} groups: ask for them one by one"
            ),
            Self::Partials => write!(f, "expected one partial of the operator's kind for each group"),
            Self::Openings { expected, got } => {
                write!(f, "expected {expected} openings, one for each input, got {got}")
            }
            Self::TooLarge(got) => write!(f, "openings take at most {MAX_OPENED} bytes, these take {got}"),
            Self::Opening { input, error } => write!(f, "the opening of input {input}: {error}"),
            Self::Missing(missing) => missing.fmt(f),
        }
    }
}

/// What is known of an input without its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Committed {
    /// Its digest.
    pub digest: Digest,
    /// Under which its digest was made. Weights are public even where the rest is not.
    pub mode: HashMode,
}

/// Answers a question from openings: one for each input of the operator, or none for an input that is not read.
pub fn recompute(
    call: &Call<'_>,
    question: &Question,
    inputs: &[Committed],
    openings: &[Option<Opening>],
) -> Result<Answer, RefereeError> {
    let expected = call.inputs.len();
    if openings.len() != expected || inputs.len() != expected {
        let got = openings.len().min(inputs.len());
        return Err(RefereeError::Openings { expected, got });
    }
    let size = openings.encoded_size();
    if size > MAX_OPENED {
        return Err(RefereeError::TooLarge(size));
    }
    let tensors: Vec<_> = call
        .inputs
        .iter()
        .zip(inputs)
        .zip(openings)
        .enumerate()
        .map(|(input, ((kind, committed), opening))| {
            let length = kind.shape.len() * kind.dtype.size();
            let opened = match opening {
                Some(opening) => opening
                    .verify(&committed.digest, length, &committed.mode)
                    .map_err(|error| RefereeError::Opening { input, error })?,
                None => Opened::nothing(length),
            };
            Ok(OpenedTensor {
                dtype: kind.dtype,
                opened,
            })
        })
        .collect::<Result<_, _>>()?;
    answer(call, question, &tensors[..])
}

/// Answers a question from anything that has the inputs' elements.
pub fn answer<S: Source + ?Sized>(call: &Call<'_>, question: &Question, source: &S) -> Result<Answer, RefereeError> {
    let (Question::Element(element) | Question::Group { element, .. } | Question::Combination { element, .. }) =
        question;
    let (elements, groups) = (call.output().shape.len(), call.groups());
    if *element >= elements {
        return Err(RefereeError::Element {
            got: *element,
            below: elements,
        });
    }
    let result = match question {
        Question::Element(_) if groups > 1 => return Err(RefereeError::Long(groups)),
        Question::Element(element) => call.element(*element, source).map(Answer::Element),
        Question::Group { group, .. } if *group >= groups => {
            return Err(RefereeError::Group {
                got: *group,
                below: groups,
            });
        }
        Question::Group { element, group } => call.partial(*element, *group, source).map(Answer::Partial),
        Question::Combination { element, partials } => {
            let is_whole = partials.len() as u64 == groups && groups > 0;
            if !is_whole || !partials.iter().all(|partial| call.is_own(partial)) {
                return Err(RefereeError::Partials);
            }
            call.combine(*element, partials, source).map(Answer::Element)
        }
    };
    match result {
        Ok(answer) => Ok(answer),
        Err(Fault::Missing(missing)) => Err(RefereeError::Missing(missing)),
        Err(fault) => Ok(Answer::Fault(fault)),
    }
}

/// Opens what a question needs, one opening for each input that is read.
pub fn open(
    call: &Call<'_>,
    question: &Question,
    tensors: &[&Tensor],
    modes: &[HashMode],
) -> Result<Vec<Option<Opening>>, ProveError> {
    let recorder = Recorder {
        source: tensors,
        reads: RefCell::default(),
    };
    answer(call, question, &recorder).map_err(ProveError::Question)?;
    let reads = recorder.reads.into_inner();
    tensors
        .iter()
        .zip(modes)
        .enumerate()
        .map(|(input, (tensor, mode))| {
            let own = reads.iter().filter(|(of, range)| *of == input && !range.is_empty());
            let ranges: Vec<_> = own.map(|(_, range)| range.clone()).collect();
            if ranges.is_empty() {
                return Ok(None);
            }
            Opening::create(&tensor.bytes, &ranges, mode)
                .map(Some)
                .map_err(ProveError::Cut)
        })
        .collect()
}

/// Why a question cannot be proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProveError {
    /// The question has no answer.
    Question(RefereeError),
    /// What it needs cannot be opened.
    Cut(CutError),
}

impl fmt::Display for ProveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Question(error) => error.fmt(f),
            Self::Cut(error) => error.fmt(f),
        }
    }
}

/// Notes which bytes are read of which input.
struct Recorder<'a, S: ?Sized> {
    source: &'a S,
    reads: RefCell<Vec<(usize, Range<u64>)>>,
}

impl<S: Source + ?Sized> Source for Recorder<'_, S> {
    fn read<T: Element>(&self, input: usize, range: Range<u64>) -> Result<Cow<'_, [T]>, Missing> {
        let elements = self.source.read(input, range.clone())?;
        let size = T::DTYPE.size();
        self.reads
            .borrow_mut()
            .push((input, range.start * size..range.end * size));
        Ok(elements)
    }
}
