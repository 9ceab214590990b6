//! The encoding of dimensions: most are the same in every step, and small.
//!
//! 4 · z(constant) + 2 · [position ≠ 0] + [length ≠ 0], then z(length) and z(position), each only if it is not 0. All are
//! SCALE's compact integers, and z(n) = 2n for n ≥ 0 and −2n − 1 for n < 0.

use super::Dim;
use codec::{Compact, Decode, DecodeWithMemTracking, Encode, Error, Input, Output};

fn zigzag(n: i32) -> u32 {
    ((n << 1) ^ (n >> 31)) as u32
}

fn unzigzag(z: u32) -> i32 {
    (z >> 1) as i32 ^ -((z & 1) as i32)
}

impl Encode for Dim {
    fn size_hint(&self) -> usize {
        2
    }

    fn encode_to<O: Output + ?Sized>(&self, out: &mut O) {
        let flags = u64::from(self.position != 0) << 1 | u64::from(self.length != 0);
        Compact(u64::from(zigzag(self.constant)) << 2 | flags).encode_to(out);
        [self.length, self.position]
            .into_iter()
            .filter(|times| *times != 0)
            .for_each(|times| Compact(zigzag(times)).encode_to(out));
    }
}

impl Decode for Dim {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        let Compact(first) = Compact::<u64>::decode(input)?;
        let constant = u32::try_from(first >> 2).map_err(|_| "a dimension's constant has 32 bits")?;
        let mut times = |is_there: bool| -> Result<i32, Error> {
            if !is_there {
                return Ok(0);
            }
            match Compact::<u32>::decode(input)? {
                Compact(0) => Err("a part of a dimension that is 0 is not written".into()),
                Compact(times) => Ok(unzigzag(times)),
            }
        };
        Ok(Self {
            constant: unzigzag(constant),
            length: times(first & 1 != 0)?,
            position: times(first & 2 != 0)?,
        })
    }
}

impl DecodeWithMemTracking for Dim {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dimension_should_be_encoded_as_documented() {
        let encodings: [(Dim, &[u8]); 6] = [
            (Dim::default(), &[0]),
            (Dim::constant(1), &[8 << 2]),
            (Dim::constant(-1), &[4 << 2]),
            (Dim::LENGTH, &[1 << 2, 2 << 2]),
            (Dim::POSITION, &[2 << 2, 2 << 2]),
            (Dim::TOTAL, &[3 << 2, 2 << 2, 2 << 2]),
        ];
        for (dim, bytes) in encodings {
            assert_eq!(dim.encode(), bytes, "{dim:?}");
        }
    }

    #[test]
    fn dimension_should_be_refused_when_a_part_that_is_zero_is_written() {
        assert!(Dim::decode(&mut &[1 << 2, 0][..]).is_err());
        assert!(Dim::decode(&mut &[2 << 2, 0][..]).is_err());
        let too_large = Compact(1u64 << 34).encode();
        assert!(Dim::decode(&mut &too_large[..]).is_err());
    }

    proptest! {
        #[test]
        fn dimension_should_lead_back_from_its_encoding(constant: i32, length: i32, position: i32) {
            let dim = Dim { constant, length, position };
            prop_assert_eq!(Dim::decode(&mut &dim.encode()[..]).unwrap(), dim);
        }

        #[test]
        fn dimension_should_have_one_encoding(bytes in prop::collection::vec(any::<u8>(), 0..16)) {
            let mut rest = &bytes[..];
            if let Ok(dim) = Dim::decode(&mut rest) {
                let read = bytes.len() - rest.len();
                prop_assert_eq!(dim.encode(), &bytes[..read]);
            }
        }
    }
}
