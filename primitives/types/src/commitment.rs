//! What a worker commits to and reveals.
//!
//! A commitment binds result, trace and delivered output to one worker's attempt at one job of one
//! chain, so that it can be neither copied nor replayed:
//!
//! `blake2_256("assay/commit/1" ‖ genesis ‖ job ‖ attempt ‖ worker ‖ result ‖ trace ‖ delivered ‖ salt)`
//!
//! with `job` as u64 and `attempt` as u32, little-endian, and every other part 32 bytes.

use crate::job::JobId;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};
use sp_core::H256;
use sp_runtime::traits::{BlakeTwo256, Hash};

/// Version of the trace's header.
pub const TRACE_VERSION: u16 = 1;

/// Separates commitments from anything else that is hashed.
const DOMAIN: &[u8] = b"assay/commit/1";

/// How a run ended. A failure is a result too: it is committed and revealed like any other.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
pub enum Status {
    /// There is an output.
    Completed,
    /// The input blob is not the tensor of token ids that the job describes.
    MalformedInput,
    /// The model cannot be run as its package describes it.
    MalformedModel,
}

/// What a worker reveals: with the salt it must give the commitment.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Serialize,
    Deserialize,
)]
pub struct Outcome {
    /// How the run ended.
    pub status: Status,
    /// Tokens processed; what is paid is the price of these.
    pub tokens: u32,
    /// BLAKE3 hash of the output tensor (row-major, little-endian f32); of nothing if there is none.
    pub result: H256,
    /// Digest of the run's trace.
    pub trace: H256,
    /// BLAKE3 hash of the output blob as handed over.
    pub delivered: H256,
    /// Length of the output blob in bytes.
    pub delivered_size: u64,
}

impl Outcome {
    /// The bytes that a trace without records consists of: its header. `trace` is their BLAKE3
    /// hash: version (u16), tokens (u32), delivered size (u64), status (u8), result (32 bytes),
    /// little-endian.
    pub fn trace_header(&self) -> alloc::vec::Vec<u8> {
        (
            TRACE_VERSION,
            self.tokens,
            self.delivered_size,
            self.status,
            self.result,
        )
            .encode()
    }
}

/// The commitment to `outcome`. The trace covers status, tokens and size.
pub fn commitment(
    genesis: &H256,
    job: JobId,
    attempt: u32,
    worker: &[u8; 32],
    outcome: &Outcome,
    salt: &[u8; 32],
) -> H256 {
    let mut preimage = alloc::vec::Vec::with_capacity(DOMAIN.len() + 12 + 6 * 32);
    preimage.extend_from_slice(DOMAIN);
    preimage.extend_from_slice(genesis.as_bytes());
    preimage.extend_from_slice(&job.to_le_bytes());
    preimage.extend_from_slice(&attempt.to_le_bytes());
    preimage.extend_from_slice(worker);
    preimage.extend_from_slice(outcome.result.as_bytes());
    preimage.extend_from_slice(outcome.trace.as_bytes());
    preimage.extend_from_slice(outcome.delivered.as_bytes());
    preimage.extend_from_slice(salt);
    BlakeTwo256::hash(&preimage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            status: Status::Completed,
            tokens: 12,
            result: H256::repeat_byte(1),
            trace: H256::repeat_byte(2),
            delivered: H256::repeat_byte(3),
            delivered_size: 4,
        }
    }

    #[test]
    fn commitment_should_change_with_every_part() {
        let genesis = H256::repeat_byte(9);
        let base = commitment(&genesis, 1, 0, &[7; 32], &outcome(), &[8; 32]);
        let others = [
            commitment(&H256::repeat_byte(8), 1, 0, &[7; 32], &outcome(), &[8; 32]),
            commitment(&genesis, 2, 0, &[7; 32], &outcome(), &[8; 32]),
            commitment(&genesis, 1, 1, &[7; 32], &outcome(), &[8; 32]),
            commitment(&genesis, 1, 0, &[6; 32], &outcome(), &[8; 32]),
            commitment(
                &genesis,
                1,
                0,
                &[7; 32],
                &Outcome {
                    result: H256::zero(),
                    ..outcome()
                },
                &[8; 32],
            ),
            commitment(
                &genesis,
                1,
                0,
                &[7; 32],
                &Outcome {
                    trace: H256::zero(),
                    ..outcome()
                },
                &[8; 32],
            ),
            commitment(
                &genesis,
                1,
                0,
                &[7; 32],
                &Outcome {
                    delivered: H256::zero(),
                    ..outcome()
                },
                &[8; 32],
            ),
            commitment(&genesis, 1, 0, &[7; 32], &outcome(), &[0; 32]),
        ];
        assert!(others.iter().all(|other| *other != base));
    }

    #[test]
    fn trace_header_should_be_laid_out_as_documented() {
        let header = outcome().trace_header();
        assert_eq!(header.len(), 2 + 4 + 8 + 1 + 32);
        assert_eq!(header[..2], 1u16.to_le_bytes());
        assert_eq!(header[2..6], 12u32.to_le_bytes());
        assert_eq!(header[6..14], 4u64.to_le_bytes());
        assert_eq!(header[14], 0);
        assert_eq!(header[15..], [1; 32]);
    }
}
