//! What the targets share: inputs by parts, panics that are caught, values that are hostile, operators with inputs
//! that fit.
//!
//! A target that only changes bytes of a digest's preimage never gets past the digest. So where something is refused with
//! an error that says what would have been right, targets put that in place and go on: strangers can do the same.

pub mod calls;
pub mod folder;
pub mod hostile;
pub mod memory;
pub mod panics;
pub mod parts;
pub mod programs;
pub mod step;
pub mod texts;
pub mod weights;
