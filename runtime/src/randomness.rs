//! Randomness for drawing workers.

use crate::Runtime;
use assay_types::traits::DrawRandomness;
use codec::{Decode, Encode};
use sp_consensus_babe::{digests::PreDigest, BABE_ENGINE_ID};
use sp_io::hashing::blake2_256;

/// Separates draws from anything else that is hashed.
const DOMAIN: &[u8] = b"assay/draw/1";

/// Draws from the VRF output with which the author claimed this block's slot.
///
/// The output is a function of the author's key, the epoch's randomness and the slot: nobody but
/// the author knows it before the block is sealed, and the author cannot choose it. What an author
/// can do is to give up the block, or to leave transactions out of it, when it does not like the
/// draw: that costs it the block's reward, and the next author draws anew.
///
/// It is taken from the block's own digest and not from `pallet-babe`'s `AuthorVrfRandomness`,
/// which until the end of the block still holds what everyone has seen in the block before.
pub struct AuthorVrf;

impl DrawRandomness for AuthorVrf {
    fn draw(subject: &[u8]) -> Option<[u8; 32]> {
        let digest = frame_system::Pallet::<Runtime>::digest();
        let pre_digest = digest
            .logs()
            .iter()
            .filter_map(|item| item.as_pre_runtime())
            .find(|(engine, _)| *engine == BABE_ENGINE_ID)
            .and_then(|(_, mut data)| PreDigest::decode(&mut data).ok())?;
        let output = &pre_digest.vrf_signature()?.pre_output;
        Some((DOMAIN, pre_digest.slot(), output, subject).using_encoded(blake2_256))
    }
}
