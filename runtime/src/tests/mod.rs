//! Tests of the runtime as a whole: genesis, blocks with real signatures and digests, fees,
//! validators, parameters, governance.

#![allow(clippy::unwrap_used)]

mod blocks;
mod calls;
mod chain;
mod consensus;
mod fees;
mod governance;
mod parameters;
mod presets;
mod transactions;
mod validators;
