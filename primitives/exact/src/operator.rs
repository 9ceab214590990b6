//! Operators: what a program is made of.
//!
//! Each is defined by what one element of its output is. The whole output is all of its elements, so the referee
//! of a dispute, which recomputes a single one, and the reference, which computes all, are the same code. Only the
//! bits of outputs count: an engine may fuse operators as it likes.
//!
//! A reduction runs along the last dimension of its operands, in groups of [`GROUP`] elements. Where a row is longer
//! than a group, an element is the combination of the groups' partials, and each of those can be recomputed alone.

mod check;
mod dim;
mod lookup;
mod map;
mod matrix;
mod rotate;
mod rows;
mod sample;
#[cfg(test)]
mod tests;
mod view;

pub use view::{Coordinate, Term};

use crate::{
    expression::{Expression, ExpressionError},
    product::Class,
    row::GROUP,
    tensor::{DType, Element, Missing, Shape, ShapeError, Source},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::fmt;

/// What a step's dimensions depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Bindings {
    /// Tokens of this step.
    pub length: u32,
    /// Tokens of the steps before.
    pub position: u32,
}

/// A dimension or an offset: constant + length·L + position·P.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dim {
    /// What does not depend on the step.
    pub constant: i32,
    /// How often the step's tokens count.
    pub length: i32,
    /// How often the tokens before count.
    pub position: i32,
}

impl Dim {
    /// Tokens of the step.
    pub const LENGTH: Self = Self {
        constant: 0,
        length: 1,
        position: 0,
    };

    /// Tokens up to the end of the step.
    pub const TOTAL: Self = Self {
        constant: 0,
        length: 1,
        position: 1,
    };

    /// Tokens of the steps before.
    pub const POSITION: Self = Self {
        constant: 0,
        length: 0,
        position: 1,
    };

    /// The same in every step.
    pub const fn constant(constant: i32) -> Self {
        Self {
            constant,
            length: 0,
            position: 0,
        }
    }

    /// The value in a step. Never overflows: each product is below 2⁶³.
    pub fn value(self, bindings: Bindings) -> i128 {
        let part = |times: i32, of: u32| i128::from(times) * i128::from(of);
        i128::from(self.constant) + part(self.length, bindings.length) + part(self.position, bindings.position)
    }

    /// The value in a step as a dimension, if it is one.
    pub fn size(self, bindings: Bindings) -> Option<u32> {
        self.value(bindings).try_into().ok()
    }
}

/// Which elements of a row count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Visible {
    /// All.
    All,
    /// In row r of the second-last dimension: the first `position` + r + 1, so that a token sees itself and
    /// those before it.
    Causal,
}

impl Visible {
    /// How many of the first of `length` elements count in row `row` of the second-last dimension.
    pub fn count(self, row: u64, length: u64, bindings: Bindings) -> u64 {
        match self {
            Self::All => length,
            Self::Causal => length.min(u64::from(bindings.position) + row + 1),
        }
    }
}

/// An operator. Shapes are written outermost dimension first; `..` are any dimensions.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum Operator {
    /// An expression, element by element. Inputs: any number, of any type but U64, aligned at their last
    /// dimensions; a dimension of 1, or one that an input has not, is repeated. Output: F32.
    Map(Expression),
    /// Elements of the input in other places, and zeros: transposes, slices, windows, padding. Output: of
    /// the input's type.
    View {
        /// The output's dimensions.
        shape: Vec<Dim>,
        /// For each dimension of the input, where in it an element is found.
        coordinates: Vec<Coordinate>,
    },
    /// The same elements, in the same order, in another shape.
    Reshape(Vec<Dim>),
    /// Inputs, all of the same type, one after the other along a dimension, which is counted from the last (0).
    Concat(u8),
    /// The magnitude of each row: see [`crate::row::magnitude`]. Input: F32 `[.., K]`. Output: F32 `[..]`.
    Magnitude,
    /// The largest element of each row by IEEE `>`, plus +0. Input: F32 `[.., K]`, K > 0. Output: F32 `[..]`.
    Maximum(Visible),
    /// The index of the largest element of each row, the lowest of several. Input: F32 `[.., K]`, K > 0. Output:
    /// U32 `[..]`.
    ArgMax,
    /// The sum of each row: see [`crate::row::sum`]. Inputs: F32 `[.., K]` and its magnitudes F32 `[..]`. Output: F32 `[..]`.
    Sum,
    /// e^(x−m), and +0 for what does not count. Inputs: F32 `[.., K]` and the rows' maxima F32 `[..]`. Output: F32
    /// `[.., K]`.
    Weights(Visible),
    /// The sum of each row of weights: Σ rne(w·2^bits), as a float, times 2^−bits. Input: F32 `[.., K]` from 0 to
    /// 1. Output: F32 `[..]`.
    WeightSum(
        /// 30, or 40 for rows of a vocabulary.
        u8,
    ),
    /// Rows as integers of a class that can be stored: see [`Class::quantise`]. Inputs: F32 `[.., K]` and its magnitudes
    /// F32 `[..]`. Output: I8 or I16 `[.., K]`.
    Quantise(Class),
    /// Products of rows: see [`crate::product`]. Inputs: a `[.., M, K]`, b `[.., N, K]`, the magnitudes of a `[.., M]` if
    /// `a.scaled`, those of b `[.., N]` if `b.scaled`, and, if there is one input more, multipliers of b I16
    /// `[.., N, K/32]`, which must be I8 then: what each 32 elements of a row add to the sum is multiplied by one of them
    /// (see [`crate::product::BLOCK`]). What stands before M in a is a multiple of what stands before N in b, and consecutive
    /// parts of a share a part of b. Output: F32 `[.., M, N]`.
    Product {
        /// The first operand, usually activations.
        a: Side,
        /// The second operand, usually weights.
        b: Side,
    },
    /// Rows of a table. Inputs: a table `[V, ..]` of any type, indices U32 `[I..]`, each below V. Output: `[I.., ..]` of
    /// the table's type.
    Lookup,
    /// One element of each row. Inputs: F32 `[.., K]`, indices U32 `[..]`, each below K. Output: F32 `[..]`.
    Pick,
    /// Sums of columns by index: what a gradient is with respect to a table. Inputs: F32 `[C, T]`, its magnitudes F32
    /// `[C]`, indices U32 `[T]`, each below `rows`. Output: F32 `[C, rows]`, where element (c, v) is the sum over those t whose
    /// index is v (see [`crate::row::quantise_column`]).
    Scatter {
        /// Rows of the table.
        rows: Dim,
    },
    /// Rotary position embedding: elements i and i + D/2 of each row are turned by position × frequency i. Inputs:
    /// F32 `[.., D]`, D even, and frequencies U64 `[D/2]` in 2^−64 of a turn. Output: F32 `[.., D]`.
    Rotate {
        /// The dimension along which positions count up, counted from the last (0).
        axis: u8,
        /// Turns backwards, as gradients do.
        inverse: bool,
    },
    /// Chances of tokens: rne(e^(y−m) · 2³⁰). Inputs: scores F32 `[.., V]` and the rows' maxima F32 `[..]`. Output: U32
    /// `[.., V]`.
    Chance,
    /// How many tokens come before each: those of a higher score, and of the same score and a lower index. Input:
    /// scores F32 `[.., V]`. Output: U32 `[.., V]`.
    Rank,
    /// What the tokens before each have of chance together. Inputs: scores F32 `[.., V]`, chances U32 `[.., V]`. Output: U64
    /// `[.., V]`.
    Mass,
    /// The chances of those whose rank is below k, and 0 for the others; all, if k is 0. Inputs: chances U32 `[.., V]`,
    /// ranks U32 `[.., V]`, k U32 `[..]`. Output: U32 `[.., V]`.
    KeepRanks,
    /// The chances of those whose mass · 2¹⁶ is below p · total, and 0 for the others. Inputs: chances U32 `[.., V]`,
    /// masses U64 `[.., V]`, totals U64 `[..]`, p U32 `[..]` in 2^−16. Output: U32 `[.., V]`.
    KeepMass,
    /// The sum of each row of chances. Input: U32 `[.., V]`. Output: U64 `[..]`.
    Total,
    /// A token by chance: the lowest whose running sum of chances, in order of index, exceeds (r · total) ≫ 64. Inputs:
    /// chances U32 `[.., V]`, totals U64 `[..]`, random numbers r U64 `[..]`. Output: U32 `[..]`.
    Draw,
    /// Random numbers: see [`crate::random`]. Inputs: a seed U64, sequence numbers U32 of any shape. Output: U64 of the same
    /// shape, for the token behind this step's last.
    Random(
        /// Tells apart the uses of a seed in a program.
        u32,
    ),
    /// How often each index occurs. Input: U32 `[T]`, each below `rows`. Output: U32 `[rows]`.
    Count {
        /// Indices there are.
        rows: Dim,
    },
}

/// How an operand enters a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Side {
    /// Its class. That of an integer tensor must be its own.
    pub class: Class,
    /// Whether its rows have magnitudes. Floats always have.
    pub scaled: bool,
}

/// What a tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorType {
    /// Its elements.
    pub dtype: DType,
    /// Its dimensions.
    pub shape: Shape,
}

/// Why an operator cannot have these inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeError {
    /// It has another number of inputs.
    Inputs {
        /// As many as it takes.
        expected: usize,
        /// As many as there are.
        got: usize,
    },
    /// An input has another type.
    DType {
        /// Which input.
        input: usize,
        /// What it is.
        got: DType,
    },
    /// An input's dimensions do not fit the operator or the other inputs.
    Shape {
        /// Which input.
        input: usize,
        /// Its dimensions.
        got: Shape,
    },
    /// The output would have no valid shape.
    Output(ShapeError),
    /// A dimension of the output would be negative or too large.
    Dimension(Dim),
    /// The expression is malformed.
    Expression(ExpressionError),
    /// A parameter of the operator is none that it can have.
    Parameter,
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inputs { expected, got } => write!(f, "expected {expected} inputs, got {got}"),
            Self::DType { input, got } => write!(f, "input {input} cannot be of type {got:?}"),
            Self::Shape { input, got } => write!(f, "input {input} cannot have the dimensions {got:?}"),
            Self::Output(error) => write!(f, "no such output: {error}"),
            Self::Dimension(dim) => write!(f, "{dim:?} is no dimension in this step"),
            Self::Expression(error) => write!(f, "no such expression: {error}"),
            Self::Parameter => write!(f, "a parameter is outside of what the operator allows"),
        }
    }
}

/// Why there is no such element. All but [`Fault::Missing`] are results: every honest run has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "scale-info", derive(scale_info::TypeInfo))]
pub enum Fault {
    /// The element would not be finite.
    NotFinite,
    /// A magnitude is none, or too large for a product, or below an element of its row.
    Magnitude,
    /// An integer is outside of its class.
    Class,
    /// An index points behind the end.
    Index {
        /// The index.
        got: u32,
        /// It must be below.
        below: u32,
    },
    /// A weight is not between 0 and 1, or a draw has nothing to draw from.
    Weight,
    /// Something that is needed is not there. Has no encoding: it is no result.
    #[codec(skip)]
    Missing(Missing),
}

impl From<Missing> for Fault {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite => write!(f, "the result is not finite"),
            Self::Magnitude => write!(
                f,
                "a row's magnitude is not that of a product's operand, or not of that row"
            ),
            Self::Class => write!(f, "an integer is outside of its class"),
            Self::Index { got, below } => write!(f, "an index must be below {below}, got {got}"),
            Self::Weight => write!(f, "a weight must be from 0 to 1, and a draw needs one that is not 0"),
            Self::Missing(missing) => missing.fmt(f),
        }
    }
}

/// What one group contributes to an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
#[cfg_attr(feature = "scale-info", derive(scale_info::TypeInfo))]
pub enum Partial {
    /// A sum of integers.
    Sum(i64),
    /// A magnitude, as bits.
    Magnitude(u32),
    /// The largest element, as bits, and its place in the row.
    Largest(u32, u32),
}

/// An operator with the types of its inputs, in a step: everything that its elements depend on but the inputs'
/// elements.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    pub(crate) operator: &'a Operator,
    pub(crate) inputs: &'a [TensorType],
    pub(crate) output: TensorType,
    pub(crate) bindings: Bindings,
}

impl<'a> Call<'a> {
    /// Checks that the operator can have these inputs.
    pub fn new(operator: &'a Operator, inputs: &'a [TensorType], bindings: Bindings) -> Result<Self, TypeError> {
        Ok(Self {
            operator,
            inputs,
            output: operator.output(inputs, bindings)?,
            bindings,
        })
    }

    /// What the output is.
    pub fn output(&self) -> TensorType {
        self.output
    }

    /// Number of groups over which an element is reduced: at most one means that it is computed at once.
    pub fn groups(&self) -> u64 {
        self.reduced().div_ceil(GROUP)
    }

    /// Whether a partial is of the kind that this operator has.
    pub fn is_own(&self, partial: &Partial) -> bool {
        match (self.operator, partial) {
            (Operator::Magnitude, Partial::Magnitude(_)) => true,
            (Operator::Maximum(_) | Operator::ArgMax, Partial::Largest(..)) => true,
            (Operator::Magnitude | Operator::Maximum(_) | Operator::ArgMax, _) => false,
            (_, Partial::Sum(_)) => self.reduced() > 0,
            _ => false,
        }
    }

    /// Length of what an element is reduced over.
    fn reduced(&self) -> u64 {
        match self.operator {
            Operator::Magnitude
            | Operator::Maximum(_)
            | Operator::ArgMax
            | Operator::Sum
            | Operator::WeightSum(_)
            | Operator::Product { .. }
            | Operator::Scatter { .. }
            | Operator::Rank
            | Operator::Mass
            | Operator::Total
            | Operator::Draw
            | Operator::Count { .. } => self.inputs[0].shape.row(),
            _ => 0,
        }
    }

    /// Element `index` of the output, as its bits in the low bytes.
    pub fn element<S: Source + ?Sized>(&self, index: u64, source: &S) -> Result<u64, Fault> {
        match self.operator {
            Operator::Map(expression) => self.map(expression, index, source),
            Operator::View { coordinates, .. } => self.view(coordinates, index, source),
            Operator::Reshape(_) => read_bits(source, self.output.dtype, 0, index),
            Operator::Concat(axis) => self.concat(*axis, index, source),
            Operator::Weights(visible) => self.weight(*visible, index, source),
            Operator::Quantise(class) => self.quantise(*class, index, source),
            Operator::Lookup => self.lookup(index, source),
            Operator::Pick => self.pick(index, source),
            Operator::Rotate { axis, inverse } => self.rotate(*axis, *inverse, index, source),
            Operator::Chance => self.chance(index, source),
            Operator::KeepRanks => self.keep_ranks(index, source),
            Operator::KeepMass => self.keep_mass(index, source),
            Operator::Random(stream) => self.random(*stream, index, source),
            Operator::Magnitude
            | Operator::Maximum(_)
            | Operator::ArgMax
            | Operator::Sum
            | Operator::WeightSum(_)
            | Operator::Product { .. }
            | Operator::Scatter { .. }
            | Operator::Rank
            | Operator::Mass
            | Operator::Total
            | Operator::Draw
            | Operator::Count { .. } => {
                let partials: Vec<_> = (0..self.groups())
                    .map(|group| self.partial(index, group, source))
                    .collect::<Result<_, _>>()?;
                self.combine(index, &partials, source)
            }
        }
    }

    /// What group `group` contributes to element `index` of a reduction.
    ///
    /// # Panics
    ///
    /// If the operator is no reduction: [`Call::groups`] is 0 then.
    pub fn partial<S: Source + ?Sized>(&self, index: u64, group: u64, source: &S) -> Result<Partial, Fault> {
        let start = group.saturating_mul(GROUP);
        let range = start..start.saturating_add(GROUP).min(self.reduced());
        match self.operator {
            Operator::Magnitude => self.partial_magnitude(index, range, source),
            Operator::Maximum(visible) => self.partial_largest(*visible, index, range, source),
            Operator::ArgMax => self.partial_largest(Visible::All, index, range, source),
            Operator::Sum => self.partial_sum(index, range, source),
            Operator::WeightSum(bits) => self.partial_weights(*bits, index, range, source),
            Operator::Product { a, b } => self.partial_product((*a, *b), index, range, source),
            Operator::Scatter { .. } => self.partial_scatter(index, range, source),
            Operator::Rank => self.partial_rank(index, range, source),
            Operator::Mass => self.partial_mass(index, range, source),
            Operator::Total | Operator::Draw => self.partial_total(index, range, source),
            Operator::Count { .. } => self.partial_count(index, range, source),
            _ => panic!("only reductions have partials, {:?} is none", self.operator),
        }
    }

    /// Element `index` of a reduction, out of the partials of all its groups in order. Partials that are not of
    /// this operator's kind are ignored.
    pub fn combine<S: Source + ?Sized>(&self, index: u64, partials: &[Partial], source: &S) -> Result<u64, Fault> {
        match self.operator {
            Operator::Magnitude => Self::combine_magnitudes(partials),
            Operator::Maximum(_) => Self::combine_largest(partials).map(|(bits, _)| bits.into()),
            Operator::ArgMax => Self::combine_largest(partials).map(|(_, at)| at.into()),
            Operator::Sum => self.combine_sums(index, partials, source),
            Operator::WeightSum(bits) => Self::combine_weights(*bits, partials),
            Operator::Product { a, b } => self.combine_products((*a, *b), index, partials, source),
            Operator::Scatter { .. } => self.combine_scatter(index, partials, source),
            Operator::Rank | Operator::Mass | Operator::Total | Operator::Count { .. } => {
                Ok(rows::total(partials) as u64)
            }
            Operator::Draw => self.combine_draw(index, partials, source),
            _ => self.element(index, source),
        }
    }

    /// The whole output, as bytes. The fault of the element with the lowest index, if any has one.
    pub fn evaluate<S: Source + ?Sized>(&self, source: &S) -> Result<Vec<u8>, Fault> {
        let size = self.output.dtype.size() as usize;
        let mut bytes = Vec::new();
        for index in 0..self.output.shape.len() {
            let element = self.element(index, source)?.to_le_bytes();
            bytes.extend_from_slice(&element[..size]);
        }
        Ok(bytes)
    }
}

/// Element `index` of an input of any type, as its bits in the low bytes.
fn read_bits<S: Source + ?Sized>(source: &S, dtype: DType, input: usize, index: u64) -> Result<u64, Fault> {
    Ok(match dtype {
        DType::F32 => source.one::<f32>(input, index)?.to_bits().into(),
        DType::I8 => u64::from(source.one::<i8>(input, index)? as u8),
        DType::I16 => u64::from(source.one::<i16>(input, index)? as u16),
        DType::U32 => source.one::<u32>(input, index)?.into(),
        DType::U64 => source.one::<u64>(input, index)?,
    })
}

/// The bits of a float, if it is finite.
fn finite(x: f32) -> Result<u64, Fault> {
    if x.is_finite() {
        Ok(x.to_bits().into())
    } else {
        Err(Fault::NotFinite)
    }
}

/// Reads an index and checks that it is below `below`.
fn read_index<S: Source + ?Sized>(source: &S, input: usize, at: u64, below: u32) -> Result<u32, Fault> {
    let got = source.one::<u32>(input, at)?;
    if got < below {
        Ok(got)
    } else {
        Err(Fault::Index { got, below })
    }
}

/// The elements `range` of row `row` of an input whose rows have `length` elements.
fn read_row<T: Element, S: Source + ?Sized>(
    source: &S,
    input: usize,
    (row, length): (u64, u64),
    range: core::ops::Range<u64>,
) -> Result<alloc::borrow::Cow<'_, [T]>, Missing> {
    let start = row * length;
    source.read(input, start + range.start..start + range.end)
}
