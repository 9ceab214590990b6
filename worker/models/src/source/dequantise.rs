//! Numbers as files store them, and the f32 that each stands for.
//!
//! Formats with blocks are llama.cpp's. With d, m, `dmin` f16 widened to f32, s and t the block's small integers, and q
//! the quantised element, the value is, in f32 operations written out and in this order:
//!
//! | encoding | elements, bytes a block | value | range of q |
//! |---|---|---|---|
//! | `F32`, `F16`, `BF16` | 1, 4 or 2 | widened, which is exact | |
//! | `Q4_0` | 32, 18 | `d × q` | −8 … 7 |
//! | `Q4_1` | 32, 20 | `d × q + m` | 0 … 15 |
//! | `Q5_0` | 32, 22 | `d × q` | −16 … 15 |
//! | `Q5_1` | 32, 24 | `d × q + m` | 0 … 31 |
//! | `Q8_0` | 32, 34 | `d × q` | −128 … 127 |
//! | `Q4_K` | 256, 144 | `(d × s) × q − (dmin × t)` | 0 … 15, s and t 0 … 63 |
//! | `Q5_K` | 256, 176 | `(d × s) × q − (dmin × t)` | 0 … 31, s and t 0 … 63 |
//! | `Q6_K` | 256, 210 | `(d × s) × q` | −32 … 31, s −128 … 127 |
//!
//! Every product is exact in f32: d has 11 significant bits, s at most 7 and q at most 5 where both are there (128 and
//! 32 are powers of two), or q at most 7 alone, so that a product has at most 23 of the 24 that there are; and as an f16
//! is at least 2⁻²⁴ if it is not zero, nothing underflows. Only the last addition or subtraction rounds. So the same
//! bits come out on every machine, in whichever order it multiplies, and whether or not a compiler fuses the two last
//! operations.

/// How a file stores a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "the formats' own names")]
pub enum Encoding {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32.
    BF16,
    /// 4 bits and a scale.
    Q4_0,
    /// 4 bits, a scale and a minimum.
    Q4_1,
    /// 5 bits and a scale.
    Q5_0,
    /// 5 bits, a scale and a minimum.
    Q5_1,
    /// 8 bits and a scale.
    Q8_0,
    /// 4 bits in groups of 32, each with its own scale and minimum.
    Q4_K,
    /// 5 bits in groups of 32, each with its own scale and minimum.
    Q5_K,
    /// 6 bits in groups of 16, each with its own scale.
    Q6_K,
}

/// Elements of a block of the `K` encodings.
const SUPER: usize = 256;

impl Encoding {
    /// All of them, for messages.
    pub const NAMES: &'static str = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K or Q6_K";

    /// The encoding that a GGUF file names by this number.
    pub fn from_gguf(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4_K,
            13 => Self::Q5_K,
            14 => Self::Q6_K,
            30 => Self::BF16,
            _ => return None,
        })
    }

    /// Elements of a block.
    pub fn block_elements(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 32,
            Self::Q4_K | Self::Q5_K | Self::Q6_K => SUPER,
        }
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4_K => 144,
            Self::Q5_K => 176,
            Self::Q6_K => 210,
        }
    }

    /// Appends the values of whole blocks. Bytes after the last whole block are left out.
    pub fn decode(self, bytes: &[u8], values: &mut Vec<f32>) {
        for block in bytes.chunks_exact(self.block_bytes()) {
            match self {
                Self::F32 => values.push(f32::from_bits(u32::from_le_bytes([
                    block[0], block[1], block[2], block[3],
                ]))),
                Self::F16 => values.push(f16_at(block, 0)),
                Self::BF16 => values.push(f32::from_bits(u32::from(u16_at(block, 0)) << 16)),
                Self::Q4_0 => scaled(f16_at(block, 0), values, |i| nibble(&block[2..], i) - 8),
                Self::Q4_1 => shifted(f16_at(block, 0), f16_at(block, 2), values, |i| nibble(&block[4..], i)),
                Self::Q5_0 => scaled(f16_at(block, 0), values, |i| {
                    (nibble(&block[6..], i) | bit(&block[2..], i) << 4) - 16
                }),
                Self::Q5_1 => shifted(f16_at(block, 0), f16_at(block, 2), values, |i| {
                    nibble(&block[8..], i) | bit(&block[4..], i) << 4
                }),
                Self::Q8_0 => scaled(f16_at(block, 0), values, |i| i32::from(block[2 + i] as i8)),
                Self::Q4_K => grouped(block, values, |i| super_nibble(&block[16..], i)),
                Self::Q5_K => grouped(block, values, |i| {
                    // Bit g of byte k belongs to element k of the g-th 32.
                    let high = i32::from(block[16 + i % 32] >> (i / 32) & 1);
                    super_nibble(&block[48..], i) | high << 4
                }),
                Self::Q6_K => six(block, values),
            }
        }
    }
}

/// 32 values `d × q`.
fn scaled(d: f32, values: &mut Vec<f32>, q: impl Fn(usize) -> i32) {
    values.extend((0..32).map(|i| d * q(i) as f32));
}

/// 32 values `d × q + m`.
fn shifted(d: f32, m: f32, values: &mut Vec<f32>, q: impl Fn(usize) -> i32) {
    values.extend((0..32).map(|i| {
        let product = d * q(i) as f32;
        product + m
    }));
}

/// 256 values `(d × s) × q − (dmin × t)`, with s and t of each 32.
fn grouped(block: &[u8], values: &mut Vec<f32>, q: impl Fn(usize) -> i32) {
    let (d, dmin) = (f16_at(block, 0), f16_at(block, 2));
    for group in 0..SUPER / 32 {
        let (s, t) = scale_and_minimum(&block[4..16], group);
        let (scale, minimum) = (d * f32::from(s), dmin * f32::from(t));
        values.extend((0..32).map(|i| {
            let product = scale * q(32 * group + i) as f32;
            product - minimum
        }));
    }
}

/// The 6-bit scale and minimum of one of 8 groups, packed into 12 bytes.
fn scale_and_minimum(packed: &[u8], group: usize) -> (u8, u8) {
    if group < 4 {
        (packed[group] & 63, packed[group + 4] & 63)
    } else {
        let low = packed[group + 4];
        (
            low & 15 | packed[group - 4] >> 6 << 4,
            low >> 4 | packed[group] >> 6 << 4,
        )
    }
}

/// 256 values `(d × s) × q` of 6 bits, with s of each 16.
fn six(block: &[u8], values: &mut Vec<f32>) {
    let (low, high, scales, d) = (&block[..128], &block[128..192], &block[192..208], f16_at(block, 208));
    values.extend((0..SUPER).map(|i| {
        // Halves of 128: 32 high bytes hold 2 bits each of elements 32 apart, 64 low bytes 4 bits of elements 64 apart.
        let (half, quarter, k) = (i / 128, i % 128 / 32, i % 32);
        let nibble = low[64 * half + 32 * (quarter % 2) + k] >> (4 * (quarter / 2)) & 15;
        let top = high[32 * half + k] >> (2 * quarter) & 3;
        let q = i32::from(nibble | top << 4) - 32;
        let scale = d * f32::from(scales[i / 16] as i8);
        scale * q as f32
    }));
}

/// Element i of 32 in 16 bytes: the low halves first, then the high ones.
fn nibble(bytes: &[u8], i: usize) -> i32 {
    i32::from(bytes[i % 16] >> (4 * (i / 16)) & 15)
}

/// Element i of 256 in 128 bytes: in each 32 bytes the low halves first, then the high ones.
fn super_nibble(bytes: &[u8], i: usize) -> i32 {
    i32::from(bytes[32 * (i / 64) + i % 32] >> (4 * (i % 64 / 32)) & 15)
}

/// Bit i of a little-endian mask.
fn bit(bytes: &[u8], i: usize) -> i32 {
    i32::from(bytes[i / 8] >> (i % 8) & 1)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn f16_at(bytes: &[u8], at: usize) -> f32 {
    f16(u16_at(bytes, at))
}

/// The f32 of the same value as the f16 with these bits. In integers: it depends on no processor's mode.
fn f16(bits: u16) -> f32 {
    let bits = u32::from(bits);
    let (sign, exponent, fraction) = (bits >> 15 << 31, bits >> 10 & 31, bits & 0x3ff);
    f32::from_bits(match (exponent, fraction) {
        (0, 0) => sign,
        // Subnormal: fraction × 2⁻²⁴, normalised by moving its leading one to bit 10.
        (0, _) => {
            let shift = fraction.leading_zeros() - 21;
            sign | (113 - shift) << 23 | ((fraction << shift) & 0x3ff) << 13
        }
        (31, _) => sign | 0xff << 23 | fraction << 13,
        _ => sign | (exponent + 112) << 23 | fraction << 13,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Vectors {
        encodings: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        gguf: u32,
        name: String,
        bytes: Vec<u8>,
        /// Bits of the f32.
        values: Vec<u32>,
    }

    #[test]
    fn decode_should_agree_with_the_gguf_package_in_every_bit() {
        let json = include_str!("../../../../tests/vectors/dequantise.json");
        let vectors: Vectors = serde_json::from_str(json).unwrap();
        assert_eq!(vectors.encodings.len(), 11);
        for vector in vectors.encodings {
            let encoding = Encoding::from_gguf(vector.gguf).unwrap();
            assert_eq!(format!("{encoding:?}"), vector.name);
            let mut values = Vec::new();
            encoding.decode(&vector.bytes, &mut values);
            let bits: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
            assert_eq!(bits, vector.values, "{}", vector.name);
        }
    }

    #[test]
    fn f16_should_be_widened_exactly_whatever_its_bits() {
        for bits in 0..=u16::MAX {
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
            let magnitude = match exponent {
                0 => fraction * 2_f64.powi(-24),
                31 if fraction == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                _ => (1024.0 + fraction) * 2_f64.powi(exponent - 25),
            };
            let expected = if bits >> 15 == 1 { -magnitude } else { magnitude };
            let got = f16(bits);
            if expected.is_nan() {
                assert!(got.is_nan());
            } else {
                assert_eq!(f64::from(got).to_bits(), expected.to_bits(), "{bits:04x}");
            }
        }
    }

    #[test]
    fn products_should_be_exact_whatever_the_block_holds() {
        // The widest product: (d × s) × q with s of 7 and q of 5 bits besides d's 11.
        for d in (0..0x7c00).map(f16) {
            for s in [-128, -127, -113, 63, 127] {
                for q in [-32, -31, -29, 15, 31] {
                    let product = d * s as f32 * q as f32;
                    assert_eq!(f64::from(product), f64::from(d) * f64::from(s) * f64::from(q));
                }
            }
        }
    }
}
