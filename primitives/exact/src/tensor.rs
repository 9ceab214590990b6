//! Tensors: what their elements are, how many there are, and how they are read.
//!
//! A tensor is its elements in row-major order, each little-endian; its digest is the BLAKE3 hash of those
//! bytes. Scalars travel as their bits, so that nothing on the way can change them.

use alloc::{borrow::Cow, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use core::{fmt, ops::Range};

/// Most dimensions of a tensor.
pub const MAX_RANK: usize = 5;

/// Most bytes of a tensor: 256 MiB, so that subtrees of 64 KiB are at most 4,096.
pub const MAX_BYTES: u64 = 256 << 20;

/// What a tensor's elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub enum DType {
    /// Finite IEEE 754 binary32.
    F32,
    /// Integers of the class of one digit, −127 to 127.
    I8,
    /// Integers of the class of two digits, −2¹⁴ to 2¹⁴.
    I16,
    /// Indices, counts, token ids, and weights of a draw.
    U32,
    /// Sums of weights.
    U64,
}

impl DType {
    /// Bytes of an element.
    pub const fn size(self) -> u64 {
        match self {
            Self::I8 => 1,
            Self::I16 => 2,
            Self::F32 | Self::U32 => 4,
            Self::U64 => 8,
        }
    }
}

/// Why there is no such shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// More than [`MAX_RANK`] dimensions.
    Rank(usize),
    /// More than [`MAX_BYTES`].
    TooLarge,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rank(rank) => write!(f, "a tensor has at most {MAX_RANK} dimensions, this one has {rank}"),
            Self::TooLarge => write!(f, "a tensor has at most {MAX_BYTES} bytes, this one would have more"),
        }
    }
}

/// The dimensions of a tensor, outermost first. None at all is a single element. A dimension may be 0:
/// the tensor is empty then.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    dims: [u32; MAX_RANK],
    rank: u8,
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dims().fmt(f)
    }
}

impl Shape {
    /// The shape of a single element.
    pub const SCALAR: Self = Self {
        dims: [0; MAX_RANK],
        rank: 0,
    };

    /// A shape with these dimensions for elements of type `dtype`, if there may be such a tensor.
    pub fn new(dims: &[u32], dtype: DType) -> Result<Self, ShapeError> {
        let mut shape = Self::SCALAR;
        let kept = shape.dims.get_mut(..dims.len()).ok_or(ShapeError::Rank(dims.len()))?;
        kept.copy_from_slice(dims);
        shape.rank = dims.len() as u8;
        // Zeros are left out: a tensor without elements must not hide dimensions that overflow elsewhere
        dims.iter()
            .filter(|dim| **dim != 0)
            .try_fold(dtype.size(), |bytes, dim| bytes.checked_mul(u64::from(*dim)))
            .filter(|bytes| *bytes <= MAX_BYTES)
            .ok_or(ShapeError::TooLarge)?;
        Ok(shape)
    }

    /// The dimensions.
    pub fn dims(&self) -> &[u32] {
        &self.dims[..usize::from(self.rank)]
    }

    /// How many dimensions there are.
    pub fn rank(&self) -> usize {
        usize::from(self.rank)
    }

    /// Number of elements.
    pub fn len(&self) -> u64 {
        self.dims().iter().map(|dim| u64::from(*dim)).product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.dims().contains(&0)
    }

    /// Length of a row: the last dimension; 1 if there is none.
    pub fn row(&self) -> u64 {
        self.dims().last().map_or(1, |dim| u64::from(*dim))
    }

    /// Number of rows: the product of all dimensions but the last.
    pub fn rows(&self) -> u64 {
        let outer = self.rank().saturating_sub(1);
        self.dims()[..outer].iter().map(|dim| u64::from(*dim)).product()
    }

    /// The coordinates of element `index`, outermost first, in the first `rank` places.
    pub fn coordinates(&self, index: u64) -> [u64; MAX_RANK] {
        let mut coordinates = [0; MAX_RANK];
        let mut rest = index;
        for (at, dim) in self.dims().iter().enumerate().rev() {
            let dim = u64::from(*dim).max(1);
            coordinates[at] = rest % dim;
            rest /= dim;
        }
        coordinates
    }

    /// The element at these coordinates; as many as there are dimensions are looked at.
    pub fn index(&self, coordinates: &[u64; MAX_RANK]) -> u64 {
        self.dims()
            .iter()
            .zip(coordinates)
            .fold(0, |index, (dim, at)| index * u64::from(*dim) + at)
    }
}

/// A type of which tensors are made.
pub trait Element: Copy + 'static {
    /// What the program calls it.
    const DTYPE: DType;

    /// The element in the first [`DType::size`] bytes.
    fn from_le(bytes: &[u8]) -> Self;

    /// Its bytes, appended to `out`.
    fn write_le(self, out: &mut Vec<u8>);
}

macro_rules! element {
    ($($type:ty: $dtype:ident),*) => {$(
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;

            fn from_le(bytes: &[u8]) -> Self {
                let mut whole = [0; size_of::<$type>()];
                whole.copy_from_slice(&bytes[..size_of::<$type>()]);
                <$type>::from_le_bytes(whole)
            }

            fn write_le(self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }
        }
    )*};
}

element!(f32: F32, i8: I8, i16: I16, u32: U32, u64: U64);

/// The bytes of these elements, as they are hashed.
pub fn to_bytes<T: Element>(elements: &[T]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(elements));
    elements.iter().for_each(|element| element.write_le(&mut bytes));
    bytes
}

/// The elements of these bytes; what is left over at the end is dropped.
pub fn from_bytes<T: Element>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(size_of::<T>()).map(T::from_le).collect()
}

/// A read of something that is not there: outside of a tensor, of another type, or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which of the operator's inputs.
    pub input: usize,
    /// First element wanted.
    pub start: u64,
    /// Elements wanted.
    pub count: u64,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "elements {} to {} of input {} are not there",
            self.start,
            self.start.saturating_add(self.count),
            self.input
        )
    }
}

/// Where an operator's inputs are read from: tensors in memory, or the openings of a dispute.
pub trait Source {
    /// The elements `range` of input `input`, in row-major order.
    fn read<T: Element>(&self, input: usize, range: Range<u64>) -> Result<Cow<'_, [T]>, Missing>;

    /// Element `index` of input `input`.
    fn one<T: Element>(&self, input: usize, index: u64) -> Result<T, Missing> {
        let missing = Missing {
            input,
            start: index,
            count: 1,
        };
        let range = index..index.checked_add(1).ok_or(missing)?;
        self.read(input, range)?.first().copied().ok_or(missing)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shape(dims: &[u32]) -> Shape {
        Shape::new(dims, DType::F32).unwrap()
    }

    #[test]
    fn shape_should_count_elements_and_rows() {
        assert_eq!(
            (
                shape(&[2, 3, 5]).len(),
                shape(&[2, 3, 5]).rows(),
                shape(&[2, 3, 5]).row()
            ),
            (30, 6, 5)
        );
        assert_eq!(
            (Shape::SCALAR.len(), Shape::SCALAR.rows(), Shape::SCALAR.row()),
            (1, 1, 1)
        );
        assert!(shape(&[4, 0]).is_empty());
        assert_eq!((shape(&[4, 0]).len(), shape(&[4, 0]).rows()), (0, 4));
    }

    #[test]
    fn shape_should_be_refused_when_too_large_or_of_too_many_dimensions() {
        assert_eq!(
            Shape::new(&[1; MAX_RANK + 1], DType::I8),
            Err(ShapeError::Rank(MAX_RANK + 1))
        );
        let most = (MAX_BYTES / 4) as u32;
        assert!(Shape::new(&[most], DType::F32).is_ok());
        assert_eq!(Shape::new(&[most + 1], DType::F32), Err(ShapeError::TooLarge));
        assert_eq!(Shape::new(&[u32::MAX; MAX_RANK], DType::I8), Err(ShapeError::TooLarge));
        assert_eq!(
            Shape::new(&[0, u32::MAX, u32::MAX, u32::MAX], DType::I8),
            Err(ShapeError::TooLarge)
        );
    }

    #[test]
    fn coordinates_should_lead_back_to_the_index() {
        let shape = shape(&[3, 1, 4]);
        for index in 0..shape.len() {
            assert_eq!(shape.index(&shape.coordinates(index)), index);
        }
        assert_eq!(shape.coordinates(7)[..3], [1, 0, 3]);
    }

    #[test]
    fn bytes_should_be_little_endian_and_lead_back() {
        let elements = [1.0f32, -0.0, f32::MIN_POSITIVE / 2.0];
        let bytes = to_bytes(&elements);
        assert_eq!(bytes[..4], [0, 0, 0x80, 0x3f]);
        let back: Vec<f32> = from_bytes(&bytes);
        assert!(back.iter().zip(&elements).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}
