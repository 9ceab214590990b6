//! Elements in memory, with their type.

use assay_exact::tensor::DType;
use std::ops::Range;

/// Elements of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Buffer {
    /// Floats.
    F32(Vec<f32>),
    /// Integers of one digit.
    I8(Vec<i8>),
    /// Integers of two digits.
    I16(Vec<i16>),
    /// Indices and counts.
    U32(Vec<u32>),
    /// Sums of chances.
    U64(Vec<u64>),
}

/// Elements of one type that are read.
#[derive(Clone, Copy, Debug)]
pub enum Slice<'a> {
    /// Floats.
    F32(&'a [f32]),
    /// Integers of one digit.
    I8(&'a [i8]),
    /// Integers of two digits.
    I16(&'a [i16]),
    /// Indices and counts.
    U32(&'a [u32]),
    /// Sums of chances.
    U64(&'a [u64]),
}

/// Elements of one type that are written.
#[derive(Debug)]
pub enum SliceMut<'a> {
    /// Floats.
    F32(&'a mut [f32]),
    /// Integers of one digit.
    I8(&'a mut [i8]),
    /// Integers of two digits.
    I16(&'a mut [i16]),
    /// Indices and counts.
    U32(&'a mut [u32]),
    /// Sums of chances.
    U64(&'a mut [u64]),
}

/// The same for every type of elements.
macro_rules! each {
    ($of:expr, $type:ident, $x:ident => $do:expr) => {
        match $of {
            $type::F32($x) => $do,
            $type::I8($x) => $do,
            $type::I16($x) => $do,
            $type::U32($x) => $do,
            $type::U64($x) => $do,
        }
    };
}

/// The same for every type of elements, of the same type again.
macro_rules! map_each {
    ($of:expr, $from:ident => $to:ident, $x:ident => $do:expr) => {
        match $of {
            $from::F32($x) => $to::F32($do),
            $from::I8($x) => $to::I8($do),
            $from::I16($x) => $to::I16($do),
            $from::U32($x) => $to::U32($do),
            $from::U64($x) => $to::U64($do),
        }
    };
}

impl Buffer {
    /// `len` zeros.
    pub fn zeros(dtype: DType, len: usize) -> Self {
        match dtype {
            DType::F32 => Self::F32(vec![0.0; len]),
            DType::I8 => Self::I8(vec![0; len]),
            DType::I16 => Self::I16(vec![0; len]),
            DType::U32 => Self::U32(vec![0; len]),
            DType::U64 => Self::U64(vec![0; len]),
        }
    }

    /// The elements of these bytes, which are little-endian; what is left over at the end is dropped.
    pub fn from_bytes(dtype: DType, bytes: &[u8]) -> Self {
        match dtype {
            DType::F32 => Self::F32(assay_exact::tensor::from_bytes(bytes)),
            DType::I8 => Self::I8(assay_exact::tensor::from_bytes(bytes)),
            DType::I16 => Self::I16(assay_exact::tensor::from_bytes(bytes)),
            DType::U32 => Self::U32(assay_exact::tensor::from_bytes(bytes)),
            DType::U64 => Self::U64(assay_exact::tensor::from_bytes(bytes)),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        each!(self, Self, x => x.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their type.
    pub fn dtype(&self) -> DType {
        self.all().dtype()
    }

    /// All elements.
    pub fn all(&self) -> Slice<'_> {
        map_each!(self, Self => Slice, x => x)
    }

    /// All elements, to be written.
    pub fn all_mut(&mut self) -> SliceMut<'_> {
        map_each!(self, Self => SliceMut, x => x)
    }

    /// Makes it `len` elements long; new ones are zero.
    pub fn resize(&mut self, len: usize) {
        each!(self, Self, x => x.resize(len, Default::default()));
    }

    /// Appends elements of its own type.
    ///
    /// # Panics
    ///
    /// If they are of another type.
    pub fn extend(&mut self, other: Slice<'_>) {
        match (self, other) {
            (Self::F32(x), Slice::F32(y)) => x.extend_from_slice(y),
            (Self::I8(x), Slice::I8(y)) => x.extend_from_slice(y),
            (Self::I16(x), Slice::I16(y)) => x.extend_from_slice(y),
            (Self::U32(x), Slice::U32(y)) => x.extend_from_slice(y),
            (Self::U64(x), Slice::U64(y)) => x.extend_from_slice(y),
            (x, y) => panic!("expected elements of type {:?}, got {:?}", x.dtype(), y.dtype()),
        }
    }

    /// A buffer of this type and length, which may hold anything.
    pub(crate) fn reuse(self, dtype: DType, len: usize) -> Self {
        if self.dtype() == dtype {
            let mut buffer = self;
            buffer.resize(len);
            buffer
        } else {
            Self::zeros(dtype, len)
        }
    }
}

impl<'a> Slice<'a> {
    /// Number of elements.
    pub fn len(self) -> usize {
        each!(self, Self, x => x.len())
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Their type.
    pub fn dtype(self) -> DType {
        match self {
            Self::F32(_) => DType::F32,
            Self::I8(_) => DType::I8,
            Self::I16(_) => DType::I16,
            Self::U32(_) => DType::U32,
            Self::U64(_) => DType::U64,
        }
    }

    /// Some of them.
    pub fn part(self, range: Range<usize>) -> Self {
        map_each!(self, Self => Self, x => &x[range])
    }

    /// Their bytes, little-endian.
    pub fn bytes(self) -> &'a [u8] {
        const {
            assert!(
                cfg!(target_endian = "little"),
                "tensors are hashed as they lie in memory"
            )
        };
        each!(self, Self, x => bytemuck::cast_slice(x))
    }

    /// A copy.
    pub fn to_buffer(self) -> Buffer {
        map_each!(self, Self => Buffer, x => x.to_vec())
    }

    /// The floats; of another type, none.
    pub(crate) fn floats(self) -> &'a [f32] {
        match self {
            Self::F32(x) => x,
            _ => &[],
        }
    }

    /// The integers of 16 bits; of another type, none.
    pub(crate) fn words(self) -> &'a [i16] {
        match self {
            Self::I16(x) => x,
            _ => &[],
        }
    }

    /// The indices; of another type, none.
    pub(crate) fn indices(self) -> &'a [u32] {
        match self {
            Self::U32(x) => x,
            _ => &[],
        }
    }

    /// The sums; of another type, none.
    pub(crate) fn sums(self) -> &'a [u64] {
        match self {
            Self::U64(x) => x,
            _ => &[],
        }
    }
}

impl<'a> SliceMut<'a> {
    /// Cuts them in two.
    pub(crate) fn split_at(self, at: usize) -> (Self, Self) {
        macro_rules! split {
            ($variant:ident, $x:ident) => {{
                let (first, second) = $x.split_at_mut(at);
                (Self::$variant(first), Self::$variant(second))
            }};
        }
        match self {
            Self::F32(x) => split!(F32, x),
            Self::I8(x) => split!(I8, x),
            Self::I16(x) => split!(I16, x),
            Self::U32(x) => split!(U32, x),
            Self::U64(x) => split!(U64, x),
        }
    }

    /// The same for a shorter time.
    pub(crate) fn again(&mut self) -> SliceMut<'_> {
        map_each!(self, Self => SliceMut, x => x)
    }

    /// The same, only to be read.
    pub(crate) fn read(&self) -> Slice<'_> {
        map_each!(self, Self => Slice, x => x)
    }

    /// Their bytes.
    pub(crate) fn bytes(self) -> &'a mut [u8] {
        each!(self, Self, x => bytemuck::cast_slice_mut(x))
    }

    /// Copies elements of the same type and number.
    pub(crate) fn copy_from(self, other: Slice<'_>) {
        match (self, other) {
            (Self::F32(x), Slice::F32(y)) => x.copy_from_slice(y),
            (Self::I8(x), Slice::I8(y)) => x.copy_from_slice(y),
            (Self::I16(x), Slice::I16(y)) => x.copy_from_slice(y),
            (Self::U32(x), Slice::U32(y)) => x.copy_from_slice(y),
            (Self::U64(x), Slice::U64(y)) => x.copy_from_slice(y),
            (_, y) => panic!("expected elements of the output's type, got {:?}", y.dtype()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_should_be_those_that_are_hashed() {
        let buffer = Buffer::I16(vec![1, -2]);
        assert_eq!(buffer.all().bytes(), [1, 0, 0xfe, 0xff]);
        assert_eq!(Buffer::from_bytes(DType::I16, buffer.all().bytes()), buffer);
    }

    #[test]
    fn reused_buffer_should_have_type_and_length_that_are_asked_for() {
        for dtype in [DType::F32, DType::I8] {
            let buffer = Buffer::F32(vec![1.0; 3]).reuse(dtype, 5);
            assert_eq!((buffer.dtype(), buffer.len()), (dtype, 5));
        }
    }
}
