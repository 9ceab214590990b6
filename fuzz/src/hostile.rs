//! Elements of tensors: small numbers, and those with which arithmetic goes wrong.

use assay_exact::{
    memory::Tensor,
    operator::TensorType,
    tensor::{to_bytes, DType, Element},
};

const FLOATS: [f32; 24] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    -3.25,
    100.0,
    1e-3,
    1e-20,
    1e-38,
    1e-45,
    -1e-45,
    1.262_177_4e-29,
    1.8e19,
    1.844_674_4e19,
    1e30,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    88.7,
    -104.0,
];

const INTEGERS: [u64; 16] = [
    0,
    1,
    2,
    3,
    5,
    0x7f,
    0x80,
    0xff,
    0x4000,
    0x4001,
    0x7fff,
    0x8000,
    0x7fff_ffff,
    0xffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Numbers that follow from a seed (Knuth's multiplier, upper bits).
#[derive(Clone, Debug)]
pub struct Numbers {
    state: u64,
    /// Of 64 elements, as many are hostile.
    hostile: u64,
    /// Whether floats that are not hostile are from 0 to 1, as weights are.
    positive: bool,
}

impl Numbers {
    /// From a seed, whose lowest three bits say what kind of numbers they are.
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed,
            hostile: [0, 1, 32, 64][seed as usize & 3],
            positive: seed & 4 != 0,
        }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.state >> 33
    }

    fn is_hostile(&mut self) -> bool {
        self.next() % 64 < self.hostile
    }

    fn float(&mut self) -> f32 {
        let (is_hostile, number) = (self.is_hostile(), self.next() as usize);
        if is_hostile {
            FLOATS[number % FLOATS.len()]
        } else if self.positive {
            (number % 65) as f32 / 64.0
        } else {
            (number % 257) as f32 / 64.0 - 2.0
        }
    }

    fn integer(&mut self) -> u64 {
        let (is_hostile, number) = (self.is_hostile(), self.next());
        if is_hostile {
            INTEGERS[number as usize % INTEGERS.len()]
        } else {
            number % 4
        }
    }

    fn many<T: Element>(&mut self, count: u64, mut next: impl FnMut(&mut Self) -> T) -> Vec<u8> {
        let elements: Vec<T> = (0..count).map(|_| next(self)).collect();
        to_bytes(&elements)
    }

    /// A tensor of this type.
    pub fn tensor(&mut self, kind: TensorType) -> Tensor {
        let count = kind.shape.len();
        let bytes = match kind.dtype {
            DType::F32 => self.many(count, Self::float),
            DType::I8 => self.many(count, |numbers| numbers.integer() as i8),
            DType::I16 => self.many(count, |numbers| numbers.integer() as i16),
            DType::U32 => self.many(count, |numbers| numbers.integer() as u32),
            DType::U64 => self.many(count, Self::integer),
        };
        Tensor { kind, bytes }
    }
}
