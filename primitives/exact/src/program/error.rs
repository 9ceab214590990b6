//! Why something is no program.

use super::{Place, Value, MAX_ENCODED, MAX_INPUTS, MAX_OPERATORS, VERSION};
use core::fmt;

/// Why something is no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramError {
    /// Of another version.
    Version(u16),
    /// Its encoding would have more than [`MAX_ENCODED`] bytes, or has: so many.
    TooLong(usize),
    /// It cannot be decoded.
    Encoding {
        /// From this byte on.
        at: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// It can be decoded, but this is not the encoding of what that gives: there is one for each program.
    NotCanonical {
        /// The first byte that differs.
        at: usize,
    },
    /// There is more of something than a program may have.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
        /// How many there are, or have been counted so far.
        got: usize,
    },
    /// A segment has no operators, or more than [`MAX_OPERATORS`].
    Operators {
        /// The segment.
        segment: usize,
        /// Its operators.
        got: usize,
    },
    /// An operator has more than [`MAX_INPUTS`] inputs.
    Inputs(Place),
    /// An operator's input is something that there is not, or not yet.
    Unknown {
        /// The operator.
        at: Place,
        /// Its input.
        value: Value,
    },
    /// A segment hands on an operator that it has not, or hands the same on twice.
    HandsOn {
        /// The segment.
        segment: usize,
        /// The operator.
        operator: u16,
    },
    /// A result or what a state becomes is neither handed on by a segment nor given to the step.
    NotHandedOn(Value),
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(got) => write!(f, "expected a program of version {VERSION}, got {got}"),
            Self::TooLong(got) => write!(
                f,
                "an encoded program has at most {MAX_ENCODED} bytes, this one has {got}"
            ),
            Self::Encoding { at, expected } => write!(f, "expected {expected} at byte {at} of an encoded program"),
            Self::NotCanonical { at } => {
                write!(
                    f,
                    "this program is encoded differently, from byte {at} on; encode it again"
                )
            }
            Self::TooMany { what, most, got } => write!(f, "a program has at most {most} {what}, this one has {got}"),
            Self::Operators { segment, got } => {
                write!(
                    f,
                    "a segment has 1 to {MAX_OPERATORS} operators, segment {segment} has {got}"
                )
            }
            Self::Inputs(at) => write!(f, "{at} has more than {MAX_INPUTS} inputs"),
            Self::Unknown { at, value } => write!(f, "{at} reads {value:?}, which is not there at that point"),
            Self::HandsOn { segment, operator } => {
                write!(
                    f,
                    "segment {segment} hands on operator {operator}, which it has not, or hands on twice"
                )
            }
            Self::NotHandedOn(value) => {
                write!(
                    f,
                    "{value:?} is a result or a state's next value, but no segment hands it on"
                )
            }
        }
    }
}
