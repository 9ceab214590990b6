//! Sequences of token ids as a blob: the input of a job.
//!
//! Little-endian u32 throughout: the number of sequences, the length of each, then the ids of all,
//! one sequence after the other.

use alloc::vec::Vec;

/// Why bytes are not sequences of token ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokensError {
    /// The blob ends before what it announces, or goes on after it.
    Length {
        /// Bytes that the header announces.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// A sequence without tokens.
    EmptySequence {
        /// Its index.
        index: u32,
    },
    /// No sequence.
    Empty,
}

impl core::fmt::Display for TokensError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Length { expected, got } => write!(f, "token blob: expected {expected} bytes, got {got}"),
            Self::EmptySequence { index } => write!(f, "token blob: sequence {index} has no tokens"),
            Self::Empty => write!(f, "token blob: no sequences"),
        }
    }
}

impl core::error::Error for TokensError {}

/// Encodes sequences of token ids.
pub fn encode(sequences: &[Vec<u32>]) -> Vec<u8> {
    let lengths = sequences.iter().map(|sequence| sequence.len() as u32);
    core::iter::once(sequences.len() as u32)
        .chain(lengths)
        .chain(sequences.iter().flatten().copied())
        .flat_map(u32::to_le_bytes)
        .collect()
}

/// Decodes sequences of token ids; there is at least one, and none is empty.
pub fn decode(blob: &[u8]) -> Result<Vec<Vec<u32>>, TokensError> {
    let word = |index: u64| -> Option<u32> {
        let start = usize::try_from(index.checked_mul(4)?).ok()?;
        let bytes = blob.get(start..start.checked_add(4)?)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let got = blob.len() as u64;
    let count = u64::from(word(0).ok_or(TokensError::Length { expected: 4, got })?);
    if count == 0 {
        return Err(TokensError::Empty);
    }
    let header = (count + 1) * 4;
    if got < header {
        return Err(TokensError::Length { expected: header, got });
    }
    let lengths: Vec<u32> = (1..=count).filter_map(word).collect();
    if let Some(index) = lengths.iter().position(|length| *length == 0) {
        return Err(TokensError::EmptySequence { index: index as u32 });
    }
    let expected = header + 4 * lengths.iter().map(|length| u64::from(*length)).sum::<u64>();
    if got != expected {
        return Err(TokensError::Length { expected, got });
    }
    let mut at = count + 1;
    Ok(lengths
        .into_iter()
        .map(|length| {
            let end = at + u64::from(length);
            let sequence = (at..end).filter_map(word).collect();
            at = end;
            sequence
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn sequences_should_round_trip() {
        let sequences = vec![vec![101, 7592, 102], vec![101], vec![u32::MAX, 0]];
        assert_eq!(decode(&encode(&sequences)), Ok(sequences));
    }

    #[test]
    fn malformed_blobs_should_each_have_their_error() {
        let good = encode(&[vec![1, 2], vec![3]]);
        assert_eq!(decode(&[]), Err(TokensError::Length { expected: 4, got: 0 }));
        assert_eq!(decode(&[0; 4]), Err(TokensError::Empty));
        assert_eq!(
            decode(&good[..good.len() - 1]),
            Err(TokensError::Length { expected: 24, got: 23 })
        );
        assert_eq!(
            decode(&[good.clone(), vec![0]].concat()),
            Err(TokensError::Length { expected: 24, got: 25 })
        );
        assert_eq!(
            decode(&[0xff; 8]),
            Err(TokensError::Length {
                expected: (1u64 << 32) * 4,
                got: 8
            })
        );
        assert_eq!(
            decode(&encode(&[vec![1], vec![]])),
            Err(TokensError::EmptySequence { index: 1 })
        );
    }
}
