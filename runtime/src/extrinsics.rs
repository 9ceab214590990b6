//! What an extrinsic asks for, and what it did: for clients, by the runtime's own types.

use crate::{Runtime, RuntimeCall, RuntimeError, RuntimeEvent, System, UncheckedExtrinsic};
use alloc::{format, string::String, vec::Vec};
use assay_types::{JobId, Submission};
use codec::DecodeLimit;
use frame_support::MAX_EXTRINSIC_DEPTH;
use frame_system::Phase;
use sp_runtime::{generic::Preamble, DispatchError};

/// The job that `extrinsic` submits, if it is signed and does nothing else. A batch or a proxied
/// call does more: who sends one looks for its jobs by [`submitted_in`].
pub fn submission(extrinsic: &[u8]) -> Option<Submission> {
    let extrinsic = UncheckedExtrinsic::decode_all_with_depth_limit(MAX_EXTRINSIC_DEPTH, &mut &*extrinsic).ok()?;
    match (extrinsic.preamble, extrinsic.function) {
        (
            Preamble::Signed(..),
            RuntimeCall::ComputeMarket(pallet_compute_market::Call::submit { spec, max_fee: _ }),
        ) => Some(Submission { spec }),
        _ => None,
    }
}

/// Events of extrinsic `index` of this block.
fn events_of(index: u32) -> impl Iterator<Item = RuntimeEvent> {
    System::read_events_no_consensus()
        .filter(move |record| matches!(record.phase, Phase::ApplyExtrinsic(applied) if applied == index))
        .map(|record| record.event)
}

/// Jobs submitted by extrinsic `index` of this block, whichever way.
pub fn submitted_in(index: u32) -> Vec<JobId> {
    events_of(index)
        .filter_map(|event| match event {
            RuntimeEvent::ComputeMarket(pallet_compute_market::Event::Submitted { job, .. }) => Some(job),
            _ => None,
        })
        .collect()
}

/// Why extrinsic `index` of this block failed, by [`name_of`]; `None` if it did not.
pub fn failure_of(index: u32) -> Option<String> {
    events_of(index).find_map(|event| match event {
        RuntimeEvent::System(frame_system::Event::<Runtime>::ExtrinsicFailed { dispatch_error, .. }) => {
            Some(name_of(dispatch_error))
        }
        _ => None,
    })
}

/// `Pallet.Error` for an error of a pallet, `Token.FundsUnavailable` and the like for others.
pub fn name_of(error: DispatchError) -> String {
    // The errors' own names as Rust writes them, `Pallet(Error)`: the only ones that the runtime
    // has, since an event carries indices alone.
    let name = match RuntimeError::from_dispatch_error(error) {
        Some(error) => format!("{error:?}"),
        None => format!("{error:?}"),
    };
    match name.strip_suffix(')').and_then(|name| name.split_once('(')) {
        Some((kind, error)) => format!("{kind}.{error}"),
        None => name,
    }
}
